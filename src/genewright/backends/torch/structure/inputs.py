"""What a layer is given while the model runs on the example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.conv import _ConvNd  # pyright: ignore[reportPrivateUsage]  # no public base class

from genewright.backends.torch.copying import copy_module
from genewright.backends.torch.layers import layer_called
from genewright.backends.torch.predict import predict
from genewright.backends.torch.structure.calls import first_tensor


def given_to(model: nn.Module, example: Any, layer: str) -> NDArray[np.floating[Any]] | None:
    """Return every vector of features that a layer is given, of all its calls, in float64 where the model allows.

    Returns:
        Shape (positions, features); None where the layer is never called with a tensor.
    """
    for dtype in (torch.float64, None):
        copied = copy_module(model, dtype=dtype).to(dtype)
        seen: list[torch.Tensor] = []

        def note(
            host: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], seen: list[torch.Tensor] = seen
        ) -> None:
            tensor = first_tensor((args, dict(kwargs)))
            if tensor is not None:
                features = tensor.movedim(-1 - host_rank(host), -1) if isinstance(host, _ConvNd) else tensor
                seen.append(features.detach().reshape(-1, features.shape[-1]).double().cpu())

        layer_called(copied, layer).register_forward_pre_hook(note, with_kwargs=True)
        try:
            predict(copied, example)
        except Exception:  # it insists on its own dtype
            continue
        return torch.cat(seen).numpy() if seen else None
    return None


def host_rank(layer: _ConvNd) -> int:
    """Return over how many axes a convolution's window moves: its channels lie before them."""
    return len(layer.kernel_size)
