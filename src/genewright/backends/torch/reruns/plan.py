"""How a run begins from the middle: which layers' values are handed out, and where it may stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from genewright.backends.torch.reruns.recording import Called, Recording, copied, forwards
from genewright.backends.torch.reruns.tape import tensors_in

_COMPARED = 3  # values after a change that are compared with the original's: a layer, its norm, its nonlinearity
_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Same(BaseException):
    """All that follows would be the original's; no code of a model's should catch it."""


class Lost(BaseException):
    """The model calls its layers otherwise than when it was noted."""


class Plan:
    """A run after some tensors have changed: layers that come before are handed their values.

    Args:
        recording: The original's run.
        uses: The events at which the changed tensors are read, at least one.
        stops: Whether the run may stop early.
    """

    def __init__(self, recording: Recording, uses: Sequence[int], *, stops: bool = True) -> None:
        first, last = min(uses), max(uses)
        steps: list[_Step] = []
        at, calls = 0, recording.calls
        while at < len(calls):
            call = calls[at]
            if call.end < first and call.alone:
                steps.append(_Step(call, handed=True))
                at = call.after
                continue
            kept = call.value is not None and (call.alone or not call.moved)
            if stops and at and kept and call.end > last and call.since < first:  # the first call is the model's own
                steps.append(_Step(call, handed=False))
            at += 1
        ends = sorted(step.call.end for step in steps if not step.handed)[:_COMPARED]
        steps = [step for step in steps if step.handed or step.call.end in ends]
        chosen = {step.call.module for step in steps}
        found = {id(step.call): step for step in steps}
        self._script: list[_Step] = []
        at = 0
        while at < len(calls) and found:
            call = calls[at]
            step = found.pop(id(call), None)
            if call.module in chosen:
                self._script.append(step or _Step(call, handed=False, compared=False))
            at = call.after if step is not None and step.handed else at + 1
        self._handed = sum(step.handed for step in self._script)
        self._watched = [
            (t, t._version) for s in steps if s.handed and not s.call.moved for t in tensors_in(s.call.value)
        ]  # pyright: ignore[reportPrivateUsage]
        self._at, self._given, self._lost, self._stopped = 0, 0, False, False
        self._forwards = {module: self._of(module) for module in chosen}

    def run(self, model: Callable[[], Any]) -> Any:
        """Run the model; None where it stopped, as the rest is the original's.

        Raises:
            Lost: The model does not do what it did, and nothing can be said.
        """
        self._at, self._given, self._lost, self._stopped = 0, 0, False, False
        try:
            with forwards(self._forwards):
                result = model()
        except Same:
            result = None
        if any(tensor._version != version for tensor, version in self._watched):  # pyright: ignore[reportPrivateUsage]
            raise Lost
        return None if self._stopped else result

    def _of(self, module: nn.Module) -> Callable[..., Any]:
        original, script = module.forward, self._script

        def forward(*args: Any, **kwargs: Any) -> Any:
            at = self._at
            if at >= len(script):
                return original(*args, **kwargs)
            step = script[at]
            if step.call.module is not module:
                self._at, self._lost = len(script), True
                if self._given < self._handed:
                    raise Lost
                return original(*args, **kwargs)
            self._at = at + 1
            if step.handed:
                self._given += 1
                return copied(step.call.value) if step.call.moved else step.call.value
            result = original(*args, **kwargs)
            if step.compared and not self._lost and _same(result, step):
                self._stopped = True
                raise Same
            return result

        return forward


class _Step:
    """A call that the plan has something to do with: its value is handed out, or compared, or it is passed by."""

    __slots__ = ("bits", "call", "compared", "handed")

    def __init__(self, call: Called, *, handed: bool, compared: bool = True) -> None:
        self.call = call
        self.handed = handed
        self.compared = compared and not handed
        self.bits = [_bits(tensor) for tensor in tensors_in(call.value)] if self.compared else []


def _bits(tensor: torch.Tensor) -> Any:
    """Return a tensor's elements as whole numbers, in its own memory; None where there is no such form."""
    kind = None if tensor.is_complex() else _BITS.get(tensor.element_size())
    if kind is None:
        return None
    whole = tensor.detach().view(kind)
    return whole.numpy() if tensor.is_cpu else whole


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    first = one.shape[0] // 16 if one.ndim else 0
    return bool((one[:first] == other[:first]).all() and (one == other).all())  # most differ early


def _same(result: Any, step: _Step) -> bool:
    """Whether a layer returned the original's value: bits, shapes, and how it lies in memory."""
    value = step.call.value
    if type(result) is not type(value):
        return False
    single = isinstance(value, torch.Tensor)
    found, wanted = ([result], [value]) if single else (list(tensors_in(result)), list(tensors_in(value)))
    return len(found) == len(wanted) and all(
        bits is not None
        and now.dtype == before.dtype
        and now.shape == before.shape
        and now.stride() == before.stride()
        and now.device == before.device
        and _equal(_bits(now), bits)
        for now, before, bits in zip(found, wanted, step.bits, strict=True)
    )
