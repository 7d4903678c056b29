"""Masks that stay while training goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends import backend_of
from genewright.calls import answered
from genewright.part import grid
from genewright.where import Where, as_where

_WEIGHTS = Where(roles=("kernel", "recurrent_kernel", "embedding"))


@answered("gw.keep_zeros(model, optimizer)")
def keep_zeros(model: Any, optimizer: Any = None, *, where: Any = _WEIGHTS) -> Callable[[], None]:
    """Let weights that are zero now stay zero while the model is trained.

    After every step of the optimizer they are set to zero again, whatever momentum and decay did. A mask is nothing
    but the zeros, so files and recipes hold it as they are: after loading, call this again. Biases and gains may be
    zero by chance and are left free, unless `where` names them.

    Args:
        model: A torch module or a Keras model.
        optimizer: The torch optimizer that trains it; a Keras model needs none, for its optimizer asks the variables.
        where: Which tensors and units; all trainable kernels and embeddings by default.

    Returns:
        A function that lets them go again.

    Raises:
        SelectionError: Nothing is chosen.
        UnsupportedError: A torch module without an optimizer, or a model that is not trained.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(8, 1)
        >>> _ = gw.mutate(net, gw.MaskSmallest(0.5), seed=1, inplace=True)
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> release = gw.keep_zeros(net, optimizer)
        >>> net(torch.ones(4, 8)).sum().backward()
        >>> optimizer.step()
        >>> int((net.weight == 0).sum())
        4

    References:
        Frankle, Carbin, "The Lottery Ticket Hypothesis", arXiv:1803.03635, section 1 (what is pruned stays so).
    """
    backend = backend_of(model)
    network = backend.network(model)
    masks: dict[str, NDArray[np.bool_]] = {}
    for selected in as_where(where).select(network):
        tensor = selected.tensor
        chosen = np.zeros(tensor.shape, np.bool_)
        chosen[grid(selected.part, tensor.shape)] = True
        masks[tensor.name] = chosen & (network.read(tensor.name) == 0)
    return backend.keep_zeros(model, masks, optimizer)
