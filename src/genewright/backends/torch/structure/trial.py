"""Try a new width: a copy of the module gets tensors of the new shapes and is run on the device of its trace.

Which attributes have to follow is found here: those that are known to hold a length, then of the equal-valued ones
those that let the run get further, until every operation gives the shapes that the axes say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from genewright.backends.torch.attribute_paths import set_value
from genewright.backends.torch.predict import tensors_of
from genewright.backends.torch.structure.gather_inputs import resized_example
from genewright.backends.torch.structure.propagation import Propagation
from genewright.backends.torch.structure.record import LIBRARY, Recording
from genewright.backends.torch.structure.shape_check import ShapeCheck
from genewright.backends.torch.structure.size_attributes import bound, guesses, together
from genewright.backends.torch.tensors import Member, named_layers
from genewright.errors import UnsupportedError
from genewright.journal import Journal
from genewright.widths.axes import Leaf, resized
from genewright.widths.knob import Attribute, Knob

_MOST_TRIALS = 64

Failure = tuple[str, int]
"""Why a changed module does not run as the axes say, or "", and after how many operations."""


@dataclass(frozen=True)
class _Trial:
    """What is needed to run a module with some tensors and attributes changed."""

    model: nn.Module
    example: Any
    recording: Recording
    reading: Propagation
    sizes: Mapping[Leaf, int]
    shapes: Mapping[int, tuple[torch.Tensor, tuple[int, ...]]]

    def fails(self, attributes: Sequence[Attribute]) -> Failure:
        """Return why the changed module does not run as the axes say, or "", and after how many operations."""
        watch = ShapeCheck(self.reading, self.sizes)
        reason = ""
        found: list[tuple[int, ...]] = []
        try:
            found = self._run(attributes, watch)
        except Exception as error:
            reason = _first_line(error)
        if watch.mismatch:
            return watch.mismatch, watch.count - 1
        if not reason and watch.count != len(self.reading.results):
            return f"{watch.count} operations would run, where {len(self.reading.results)} did", watch.count
        expected = [tuple(resized(axis, self.sizes) for axis in axes) for axes in self.reading.outputs]
        if not reason and found != expected:
            reason = f"the outputs would have the shapes {found}, where they have {expected}"
        return reason, watch.count

    def _run(self, attributes: Sequence[Attribute], watch: ShapeCheck) -> list[tuple[int, ...]]:
        trace_device = self.recording.trace_device()
        copied = trace_device.copy_of(self.model, self.shapes)
        layers = dict(named_layers(copied))
        for attribute in attributes:
            set_value(layers[attribute.layer], attribute.path, attribute.new, Journal())
        example = resized_example(self.example, self.reading.inputs, self.sizes)
        output = trace_device.run(copied, trace_device.example(example), watch)
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
    reading: Propagation
    members: Mapping[str, Member]

    def resolve_attributes(self, knob: Knob, size: int, beside: Sequence[Knob] = ()) -> tuple[Attribute, ...]:
        """Return the attributes that have to change for `knob`, and those beside it, to have `size` units.

        Raises:
            UnsupportedError: No set of attributes lets the forward pass; the reason is named.
        """
        knobs = [knob, *beside]
        chosen, reason = self.search(knobs, size, self.fails(knobs, size))
        if reason:
            raise UnsupportedError(refusal(knob, size, reason))
        return chosen

    def fails(self, knobs: Sequence[Knob], size: int | None = None) -> Failure:
        """Try widths together, each with `size` units or with one unit more, with what is known to follow them."""
        sizes = {one.leaf: one.size + 1 if size is None else size for one in knobs}
        return self._trial(knobs, sizes).fails(bound(self.reading, sizes))

    def search(self, knobs: Sequence[Knob], size: int, first: Failure) -> tuple[tuple[Attribute, ...], str]:
        """Return which attributes have to change for some widths to have `size` units, and why they cannot, or "".

        Args:
            knobs: The widths.
            size: Their new size.
            first: What `fails` returned of them.
        """
        sizes = {one.leaf: size for one in knobs}
        trial = self._trial(knobs, sizes)
        chosen = bound(self.reading, sizes)
        reason, progress = first
        left: list[list[Attribute]] = guesses(self.reading, sizes, chosen) if reason else []
        tried = 0
        while reason and left:
            # Of what may hold such a length, take what lets the run get further, the innermost first.
            for group in [*left, *together(left)][: _MOST_TRIALS - tried]:
                tried += 1
                new_reason, new_progress = trial.fails([*chosen, *group])
                if not new_reason or new_progress > progress:
                    reason, progress = new_reason, new_progress
                    chosen = [*chosen, *group]
                    left = [other for other in left if other[0] not in group]
                    break
            else:
                break
        return tuple(chosen), reason

    def _trial(self, knobs: Sequence[Knob], sizes: Mapping[Leaf, int]) -> _Trial:
        shapes: dict[int, tuple[torch.Tensor, tuple[int, ...]]] = {}
        for place in dict.fromkeys(place for knob in knobs for place in knob.places):
            for tensor in self.members[place.tensor].same:
                shape = list(shapes.get(id(tensor), (tensor, tuple(tensor.shape)))[1])
                shape[place.axis] = resized(place.layout, sizes)
                shapes[id(tensor)] = tensor, tuple(shape)
        return _Trial(self.model, self.example, self.recording, self.reading, sizes, shapes)


def refusal(knob: Knob, size: int, reason: str) -> str:
    """Return in words that a width cannot have some size."""
    return f"{knob.name} cannot have {size} units instead of {knob.size}: {reason}."


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
