"""Trying a new width: the shadow of a module gets tensors of the new shapes and is run, on fake tensors where possible.

Which attributes have to follow is found here: those that are known to hold a length, then of the equal-valued ones
those that let the run get further, until every operation gives the shapes that the axes foresee.
"""

from __future__ import annotations

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

Shape = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class _Trial:
    """What is needed to run a module with some tensors and attributes changed."""

    model: nn.Module
    example: Any
    recording: Recording
    reading: Reading
    sizes: Mapping[Leaf, int]
    shapes: Mapping[int, tuple[torch.Tensor, tuple[int, ...]]]

    def fails(self, attributes: Sequence[Attribute]) -> tuple[str, int]:
        """Return why the changed module does not run as the axes say, or "", and after how many operations."""
        watch = Shapes()
        reason = ""
        found: list[tuple[int, ...]] = []
        try:
            found = self._run(attributes, watch)
        except Exception as error:
            reason = _first_line(error)
        unforeseen, progress = self._compared(watch.seen, whole=not reason)
        if unforeseen:
            return unforeseen, progress
        expected = [ref.shape for ref in self.recording.outputs]
        if not reason and found != expected:
            reason = f"the outputs would have the shapes {found}, where they have {expected}"
        return reason, progress

    def _compared(self, seen: Sequence[tuple[str, Shape, str]], *, whole: bool) -> tuple[str, int]:
        """Return where the run went another way than the axes say: 8 heads of 10 instead of 10 heads of 8."""
        results = self.reading.results
        for at, ((name, axes), (_, shapes, where)) in enumerate(zip(results, seen, strict=False)):
            for dims, shape in zip(axes, shapes, strict=False):
                if any(leaf in self.sizes for axis in dims for leaf in leaves(axis)):
                    expected = tuple(resized(axis, self.sizes) for axis in dims)
                    if expected != shape:
                        return f"{where}: {name} would give the shape {shape}, where {expected} is meant", at
        if whole and len(seen) != len(results):
            return f"{len(seen)} operations would run, where {len(results)} did", len(seen)
        return "", len(seen)

    def _run(self, attributes: Sequence[Attribute], watch: Shapes) -> list[tuple[int, ...]]:
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
        layers: dict[str, nn.Module] = dict(shadow.named_modules())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        for attribute in attributes:
            set_value(layers[attribute.layer], attribute.path, attribute.new)
        with as_plain_operations():
            if fake:
                example = tree_map_only(torch.Tensor, fakes.from_tensor, example)
                with fakes, watch:
                    output = call_with(shadow, example)
            else:
                with watch:
                    output = call_with(shadow, example)
        return [tuple(tensor.shape) for tensor in tensors_of(output)]


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
        chosen = bound(self.reading, sizes)
        reason, progress = trial.fails(chosen)
        left = guesses(self.reading, knob.leaf, size, chosen) if reason else []
        tried = 0
        while reason and left and tried < _MOST_TRIALS:
            # Of what may hold such a length, take what lets the run get further, the innermost first.
            for position, group in enumerate(left):
                tried += 1
                new_reason, new_progress = trial.fails([*chosen, *group])
                if not new_reason or new_progress > progress:
                    reason, progress = new_reason, new_progress
                    chosen = [*chosen, *group]
                    del left[position]
                    break
            else:
                break
        if reason:
            raise UnsupportedError(f"{knob.name} cannot have {size} units instead of {knob.size}: {reason}.")
        return tuple(chosen)

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
        if not self._trial(knobs, sizes).fails(bound(self.reading, sizes))[0]:
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
