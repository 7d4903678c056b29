"""gw.cost: what a network takes."""

from __future__ import annotations

from typing import Any

from genewright.backends import backend_of
from genewright.calls import answered
from genewright.cost import Cost
from genewright.interrupts import hearing


@answered("gw.cost(model, x)")
@hearing
def cost(model: Any, example: Any = None) -> Cost:
    """Return what a model takes: parameters, multiplications on an example, and memory.

    A torch module runs once, on tensors without values where it allows that; of a Keras model the graph says it, with
    the batch of the example. The model is not touched.

    Args:
        model: A torch module, a Keras model or a checkpoint.
        example: A sample input, whose whole batch counts; without one there are no MACs.

    Returns:
        The cost; print it, or read `parameters`, `macs`, `bytes`, `macs_by_layer`.

    Raises:
        UnsupportedError: The model does not run on the example, or does something that nobody knows how to count.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.Linear(288, 2))
        >>> print(gw.cost(net, torch.zeros(1, 3, 8, 8)))
        802 parameters, 8,352 MACs, 3,208 bytes
    """
    network = backend_of(model).network(model, example)
    found = network.cost()
    if example is not None and found.macs is None:
        network.structure.macs()  # it raises what the note says
    return found
