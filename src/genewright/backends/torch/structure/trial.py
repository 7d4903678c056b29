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
from genewright.backends.torch.structure.record import LIBRARY, Recording, Shapes
from genewright.backends.torch.structure.shadow import as_plain_operations, call_with, shadow_of
from genewright.backends.torch.tensors import Member
from genewright.errors import UnsupportedError
from genewright.widths.axes import Leaf, leaves, resized
from genewright.widths.knob import Attribute, Knob

_MOST_TRIALS = 24


@dataclass(frozen=True)
class _Trial:
    """What is needed to run a module with some tensors and attributes changed."""

    model: nn.Module
    example: Any
    recording: Recording
    reading: Reading
    sizes: Mapping[Leaf, int]
    shapes: Mapping[int, tuple[torch.Tensor, tuple[int, ...]]]

    def fails(self, attributes: Sequence[Attribute]) -> str:
        """Return why the changed module does not run, or "" where it does."""
        try:
            found, seen = self._run(attributes)
        except UnsupportedError:
            raise
        except Exception as error:
            return _first_line(error)
        expected = [ref.shape for ref in self.recording.outputs]
        if found != expected:
            return f"the outputs would have the shapes {found}, where they have {expected}"
        return self._unforeseen(seen)

    def _unforeseen(self, seen: Sequence[tuple[str, tuple[tuple[int, ...], ...], str]]) -> str:
        """Return where the run went another way than the axes say: 8 heads of 10 instead of 10 heads of 8."""
        results = self.reading.results
        if len(seen) != len(results):
            return f"{len(seen)} operations would run, where {len(results)} did"
        for (name, axes), (_, shapes, where) in zip(results, seen, strict=True):
            for dims, shape in zip(axes, shapes, strict=True):
                if any(leaf in self.sizes for axis in dims for leaf in leaves(axis)):
                    expected = tuple(resized(axis, self.sizes) for axis in dims)
                    if expected != shape:
                        return f"{where}: {name} would give the shape {shape}, where {expected} is meant"
        return ""

    def _run(self, attributes: Sequence[Attribute]) -> tuple[list[tuple[int, ...]], Any]:
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
        watch = Shapes()
        with as_plain_operations():
            if fake:
                example = tree_map_only(torch.Tensor, fakes.from_tensor, example)
                with fakes, watch:
                    output = call_with(shadow, example)
            else:
                with watch:
                    output = call_with(shadow, example)
        return [tuple(tensor.shape) for tensor in tensors_of(output)], watch.seen


@dataclass(frozen=True)
class Trials:
    """What can be tried on a module that was recorded and read.

    Attributes:
        model: The module.
        example: What it was run on.
        recording: That run.
        reading: What it says.
        members: The module's tensors by name.
    """

    model: nn.Module
    example: Any
    recording: Recording
    reading: Reading
    members: Mapping[str, Member]

    def settle(self, knob: Knob, size: int) -> tuple[Attribute, ...]:
        """Return the attributes that have to change for `knob` to have `size` units.

        Raises:
            UnsupportedError: No set of attributes lets the forward pass; the reason is named.
        """
        sizes = {knob.leaf: size}
        trial = self._trial([knob], sizes)
        known = bound(self.reading, sizes)
        reason = trial.fails(known)
        if not reason:
            return tuple(known)
        groups = guesses(self.reading, knob.leaf, size, known)
        for chosen in _smallest_first(len(groups)):
            extra = [attribute for i in chosen for attribute in groups[i]]
            if not trial.fails([*known, *extra]):
                return (*known, *extra)
        raise UnsupportedError(f"{knob.name} cannot have {size} units instead of {knob.size}: {reason}.")

    def refusals(self, knobs: Sequence[Knob]) -> dict[str, str]:
        """Return which of these knobs cannot have one unit more, by name, and why: together, then by halves."""
        if not knobs:
            return {}
        if len(knobs) == 1:
            try:
                self.settle(knobs[0], knobs[0].size + 1)
            except UnsupportedError as error:
                return {knobs[0].name: str(error)}
            return {}
        sizes = {knob.leaf: knob.size + 1 for knob in knobs}
        if not self._trial(knobs, sizes).fails(bound(self.reading, sizes)):
            return {}
        half = len(knobs) // 2
        return {**self.refusals(knobs[:half]), **self.refusals(knobs[half:])}

    def _trial(self, knobs: Sequence[Knob], sizes: Mapping[Leaf, int]) -> _Trial:
        shapes: dict[int, tuple[torch.Tensor, tuple[int, ...]]] = {}
        for place in dict.fromkeys(place for knob in knobs for place in knob.places):
            for tensor in self.members[place.tensor].same:
                shape = list(shapes.get(id(tensor), (tensor, tuple(tensor.shape)))[1])
                shape[place.axis] = resized(place.layout, sizes)
                shapes[id(tensor)] = tensor, tuple(shape)
        return _Trial(self.model, self.example, self.recording, self.reading, sizes, shapes)


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


