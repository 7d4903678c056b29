"""Trying a new width: the shadow of a module gets tensors of the new shapes and is run, on fake tensors where possible.

Which attributes have to follow is found here: those that are known to hold a length first, then the smallest set of
equal-valued ones with which the forward passes and gives outputs of the old shapes.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_map_only

from genewright.backends.torch.attributes import set_value
from genewright.backends.torch.predict import tensors_of
from genewright.backends.torch.structure.attributes import bound, guesses
from genewright.backends.torch.structure.reading import Reading
from genewright.backends.torch.structure.record import LIBRARY, Recording
from genewright.backends.torch.structure.shadow import as_plain_operations, call_with, shadow_of
from genewright.backends.torch.tensors import Member
from genewright.errors import UnsupportedError
from genewright.widths.knob import Attribute, Knob

_MOST_TRIALS = 24


@dataclass(frozen=True)
class _Trial:
    """What is needed to run a module with some tensors and attributes changed."""

    model: nn.Module
    example: Any
    recording: Recording
    shapes: Mapping[int, tuple[torch.Tensor, tuple[int, ...]]]

    def fails(self, attributes: Sequence[Attribute]) -> str:
        """Return why the changed module does not run, or "" where it does."""
        try:
            found = self._run(attributes)
        except UnsupportedError:
            raise
        except Exception as error:
            return _first_line(error)
        expected = [ref.shape for ref in self.recording.outputs]
        return "" if found == expected else f"the outputs would have the shapes {found}, where they have {expected}"

    def _run(self, attributes: Sequence[Attribute]) -> list[tuple[int, ...]]:
        fakes = FakeTensorMode(allow_non_fake_inputs=True)
        fake = self.recording.fake
        instead: dict[int, Any] = {}
        example = self.example
        for key, (tensor, shape) in self.shapes.items():
            with torch.no_grad():
                if fake:
                    with fakes:
                        new = torch.empty(shape, dtype=tensor.dtype, device=tensor.device)
                else:
                    new = torch.zeros(shape, dtype=tensor.dtype, device=tensor.device)
            is_parameter = isinstance(tensor, nn.Parameter)
            instead[key] = nn.Parameter(new, requires_grad=tensor.requires_grad) if is_parameter else new
        shadow = shadow_of(self.model, instead=instead, share=fake)
        layers = dict(shadow.named_modules())
        for attribute in attributes:
            set_value(layers[attribute.layer], attribute.path, attribute.new)
        with as_plain_operations():
            if fake:
                example = tree_map_only(torch.Tensor, fakes.from_tensor, example)
                with fakes:
                    output = call_with(shadow, example)
            else:
                output = call_with(shadow, example)
        return [tuple(tensor.shape) for tensor in tensors_of(output)]


def settle(
    model: nn.Module,
    example: Any,
    recording: Recording,
    reading: Reading,
    members: Mapping[str, Member],
    knob: Knob,
    size: int,
) -> tuple[Attribute, ...]:
    """Return the attributes that have to change for `knob` to have `size` units.

    Raises:
        UnsupportedError: No set of attributes lets the forward pass; the reason is named.
    """
    shapes: dict[int, tuple[torch.Tensor, tuple[int, ...]]] = {}
    for place in knob.places:
        for tensor in members[place.tensor].same:
            shape = list(shapes.get(id(tensor), (tensor, tuple(tensor.shape)))[1])
            shape[place.axis] = knob.length(place, size)
            shapes[id(tensor)] = tensor, tuple(shape)
    trial = _Trial(model, example, recording, shapes)
    known = bound(reading, knob.leaf, size)
    reason = trial.fails(known)
    if not reason:
        return tuple(known)
    groups = guesses(reading, knob.leaf, size, known)
    for chosen in _smallest_first(len(groups)):
        extra = [attribute for i in chosen for attribute in groups[i]]
        if not trial.fails([*known, *extra]):
            return (*known, *extra)
    raise UnsupportedError(f"{knob.name} cannot have {size} units instead of {knob.size}: {reason}.")


def _smallest_first(count: int) -> list[tuple[int, ...]]:
    sets = [c for n in range(1, min(count, 3) + 1) for c in itertools.combinations(range(count), n)][: _MOST_TRIALS - 1]
    everything = tuple(range(count))
    if count and everything not in sets:
        sets.append(everything)
    return sets


def _first_line(error: BaseException) -> str:
    """Return what went wrong in one line, with the user's line."""
    trace = error.__traceback__
    where = ""
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith(LIBRARY) and not name.startswith("<"):
            where = f"{Path(name).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    text = str(error).strip().splitlines()
    return f"{where}: {text[0] if text else type(error).__name__}" if where else (text[0] if text else repr(error))


