"""Randomize parameters that initialisation leaves constant, so that no block is the identity by chance.

At plain random init, residual branches may end in zero gains, and deep nets in evaluation mode have outputs of 1e-6:
there any block looks like the identity. So what is learned by running is learned on a float64 copy without them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from genewright.backends.torch.copying import copy_module
from genewright.backends.torch.roles import owning_layer, role_of
from genewright.backends.torch.tensors import members_of
from genewright.noise import derive, draw

_SEED = "genewright: wake up"


def randomize_constant_params(model: nn.Module, *, dtype: torch.dtype | None = torch.float64) -> nn.Module:
    """Return a copy in evaluation mode, in another dtype or (None) its own, with random gains and statistics.

    Gains and running variances are uniform in [0.5, 1.5]; shifts and running means normal with std 0.1; any other
    parameter that holds one value throughout gets noise of std 0.1 on top. All others stay as they are.
    """
    copied = copy_module(model, dtype=dtype).to(dtype).eval()
    for name, member in members_of(copied).items():
        tensor = member.tensor
        if not tensor.is_floating_point() or not tensor.numel():
            continue
        owner, (_, attribute) = member.owner, owning_layer(member)
        role = role_of(type(owner), attribute, tuple(tensor.shape), is_parameter=member.is_parameter)
        flat = tensor.detach().reshape(-1)
        if role == "norm_weight" or (role == "statistic" and "var" in attribute):
            new = 1 + 0.5 * _drawn(name, "uniform", tensor)
        elif role in ("norm_bias", "statistic"):
            new = 0.1 * _drawn(name, "normal", tensor)
        elif member.is_parameter and bool((flat == flat[0]).all()):
            new = flat[0] + 0.1 * _drawn(name, "normal", tensor)
        else:
            continue
        with torch.no_grad():
            tensor.copy_(new.reshape(tensor.shape))
    return copied


def _drawn(name: str, distribution: str, tensor: torch.Tensor) -> torch.Tensor:
    stream = derive(_SEED, name=name, path="", salt="")
    values = draw(stream, distribution, np.arange(tensor.numel()), "float64")
    return torch.tensor(values, dtype=tensor.dtype, device=tensor.device)
