"""Which widths a module runs with one unit larger: tried together, and of those that fail one by one.

A trial is a run. So all widths are tried at once; what stands where that run ends is tried by itself, together with
its likes in layers of the same form, until the rest passes. Whatever is refused has been tried by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from genewright.backends.torch.structure.trial import Failure, Trials, refusal
from genewright.widths.knob import Knob

_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")  # a whole part of a dotted name

Form = tuple[object, ...]


def refusals(trials: Trials, knobs: Sequence[Knob]) -> dict[str, str]:
    """Return which of these knobs cannot have one unit more, by name, and why."""
    return _Refusals(trials).of(knobs)


class _Refusals:
    """What is known so far.

    Args:
        trials: What the widths are tried on.
    """

    def __init__(self, trials: Trials) -> None:
        self._trials = trials
        self._told: dict[tuple[Form, Failure], str] = {}

    def of(self, knobs: Sequence[Knob]) -> dict[str, str]:
        refused: dict[str, str] = {}
        left = list(knobs)
        while left:
            failure = self._trials.fails(left)
            if not failure[0]:
                break
            suspects = self._suspects(left, failure[1])
            if not suspects and len(left) > 1:
                half = len(left) // 2
                return {**refused, **self.of(left[:half]), **self.of(left[half:])}
            suspects = suspects or left
            refused |= {knob.name: why for knob in suspects if (why := self._alone(knob))}
            left = [knob for knob in left if knob not in suspects]
        return refused

    def _suspects(self, knobs: Sequence[Knob], progress: int) -> list[Knob]:
        """Return the knobs of the layer in which a run ended after `progress` operations, and those of like layers."""
        calls = self._trials.recording.calls
        if progress >= len(calls):
            return []
        layer = calls[progress].layer
        within = f"{layer}." if layer else ""
        held = [k for k in knobs if any(p.layer == layer or p.layer.startswith(within) for p in k.places)]
        if 2 * len(held) > len(knobs):
            return []  # halves tell more
        near = set(map(_form, held))
        return [knob for knob in knobs if _form(knob) in near]

    def _alone(self, knob: Knob) -> str:
        """Return why a knob cannot have one unit more, or "": attributes that did not help its like are not tried."""
        size = knob.size + 1
        failure = self._trials.fails([knob])
        if not failure[0]:
            return ""
        key = _form(knob), (failure[0], self._within(failure[1]))
        if key not in self._told:
            self._told[key] = self._trials.search([knob], size, failure)[1]
        why = self._told[key]
        return refusal(knob, size, why) if why else ""

    def _within(self, progress: int) -> int:
        """Return how many operations of the layer in which a run ended had run."""
        calls = self._trials.recording.calls
        layer = calls[progress].layer if progress < len(calls) else ""
        return sum(call.layer == layer for call in calls[:progress])


def _form(knob: Knob) -> Form:
    """Return what a knob has in common with its likes in layers of the same form: all but the layers' numbers."""
    places = ((_NUMBER.sub("#", place.tensor), place.axis, place.roles, place.size) for place in knob.places)
    return (_NUMBER.sub("#", knob.name), knob.size, *places, *(_NUMBER.sub("#", name) for name in knob.attributes))
