"""What keeps attention scores when heads get larger: found by running a model with larger heads full of zeros."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from genewright.backends.torch.attribute_paths import set_value
from genewright.backends.torch.copying import copy_module
from genewright.backends.torch.float64_outputs import Precision
from genewright.backends.torch.layers import layer_called
from genewright.backends.torch.predict import predict
from genewright.backends.torch.structure.randomize_params import randomize_constant_params
from genewright.backends.torch.tensors import members_of
from genewright.errors import UnsupportedError
from genewright.interrupts import shielded
from genewright.journal import Journal
from genewright.outputs import Outputs, largest_change
from genewright.widths.knob import Attribute, Knob, with_size


def score_scale(
    model: nn.Module,
    example: Any,
    knobs: Sequence[Knob],
    size: int,
    attributes: Sequence[Attribute],
    queries: Mapping[str, Sequence[int]],
) -> float:
    """Return what `Widths.score_scale` says, measured on a copy with its constant parameters randomized."""
    dtype: torch.dtype | None = torch.float64
    try:
        before = _outputs(randomize_constant_params(model), example)
    except Exception:  # it insists on its own dtype
        dtype = None
        before = _outputs(randomize_constant_params(model, dtype=None), example)
    for scale in (1.0, math.sqrt(size / knobs[0].size)):
        grown = copy_module(randomize_constant_params(model, dtype=dtype))
        _grow(grown, knobs, size, {name: (positions, scale) for name, positions in queries.items()})
        for attribute in attributes:
            set_value(layer_called(grown, attribute.layer), attribute.path, attribute.new, Journal())
        after = _outputs(grown, example)
        if largest_change(before, after) <= max(before.tolerance, after.tolerance):
            return scale
    raise UnsupportedError(
        f"{knobs[0].name!r} cannot have {size} units with the outputs kept: neither with queries as they are nor times "
        f"sqrt({size} / {knobs[0].size})."
    )


def _grow(
    model: nn.Module, knobs: Sequence[Knob], size: int, queries: Mapping[str, tuple[Sequence[int], float]]
) -> None:
    members = members_of(model)
    for at, knob in enumerate(knobs):
        for place in knob.places:
            settled = with_size(place, knobs[:at], size)
            index = torch.tensor(knob.moved(settled, [*range(knob.size), *[-1] * (size - knob.size)]))
            for tensor in members[place.tensor].same:
                moved = tensor.detach().index_select(place.axis, index.clamp(min=0))
                moved[(slice(None),) * place.axis + (index < 0,)] = 0
                if at == 0 and place.tensor in queries:
                    positions, scale = queries[place.tensor]
                    moved[(slice(None),) * place.axis + (list(positions),)] *= scale
                tensor.data = moved


@shielded
def _outputs(model: nn.Module, example: Any) -> Outputs:
    watch = Precision()
    with watch:
        outputs = predict(model, example)
    return Outputs(outputs, exact=not watch.single and all(o.dtype.itemsize == 8 for o in outputs))
