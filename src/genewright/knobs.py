"""gw.knobs: what of a network's architecture can change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from genewright.backends import backend_of
from genewright.calls import answered
from genewright.errors import ExampleError
from genewright.interrupts import hearing
from genewright.widths.knobs import Knobs


@answered("gw.knobs(model, x)")
@hearing
def knobs(model: Any, example: Any = None) -> Knobs:
    """Return the widths of a model: where each stands, what follows it, and why the others cannot change.

    The model is run once on fake tensors, and once more with every free width one unit larger; it is not touched.

    Args:
        model: A torch module, or a Keras model.
        example: A sample input: a tensor or array, a tuple of positional or a dict of keyword arguments. A
            Keras model needs none: its graph says how it computes. A list of tuples or dicts is several, as in
            `mutate`.

    Returns:
        The knobs; print them, go through them, or take one by name: ``knobs["layer1.0.conv1"]``.

    Raises:
        UnsupportedError: The model does not run on the example.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> [(knob.name, knob.size, knob.free) for knob in gw.knobs(net, torch.zeros(1, 4))]
        [('0', 8, True), ('input of 0', 4, False), ('2', 2, False)]
    """
    network = backend_of(model).network(model, example)
    try:
        found = network.structure.widths.verified_knobs()
    except ExampleError as error:
        if example is not None:
            raise
        raise ExampleError("gw.knobs has to see the model run once. Write gw.knobs(model, example=x).") from error
    return replace(found, cost=network.cost())
