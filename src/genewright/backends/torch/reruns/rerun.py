"""TorchRerun: runs that begin where something has changed, and end where nothing differs any more; exact to the bit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Self

import torch
from torch import nn

from genewright.backends.torch.kept_state import state_of
from genewright.backends.torch.predict import array_of, placed, predict, tensors_of
from genewright.backends.torch.reruns.doubts import doubt
from genewright.backends.torch.reruns.escapes import escapes
from genewright.backends.torch.reruns.held import Held
from genewright.backends.torch.reruns.plan import Lost, Plan
from genewright.backends.torch.reruns.recording import Recording, called, copied, record
from genewright.backends.torch.tensors import members_of
from genewright.instance_state import InstanceState
from genewright.interrupts import checkpoint, shielded
from genewright.rerun import Outputs, Rerun


class TorchRerun(Rerun):
    """Runs of a torch module.

    The original is run on a batch, and what its layers return is kept. A run after a change begins at the first layer
    that reads a changed tensor: layers that ended before are handed what they returned, and all code between layers
    runs as ever. It stops at a layer whose value is the original's to the bit, where nothing that differs is read
    later. Where a run does what cannot be seen or kept (hooks, state left behind, draws, compiled code, tensors of
    other kinds), every run is a whole one.

    Args:
        model: Any module; nobody else may run it meanwhile.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._modes: list[tuple[nn.Module, bool]] = []
        self._batch: Any = None
        self._kept: _Kept | None = None
        self._escapes: bool | None = None
        self._copies: frozenset[int] = frozenset()

    def __enter__(self) -> Self:
        self._modes = [(module, module.training) for module in self._model.modules()]
        self._model.eval()
        return self

    def close(self) -> None:
        self._kept = self._batch = None
        for module, mode in self._modes:
            module.training = mode
        self._modes = []

    @shielded  # torch's stack of modes must not be left half way
    def start(self, batch: Any) -> Outputs:
        self._batch, self._kept = batch, None
        outputs = predict(self._model, batch)
        if doubt(self._model) is None and not any(module.training for module in self._model.modules()):
            self._kept = self._begin(outputs)
        checkpoint()
        return outputs

    @shielded
    def again(self, changed: Collection[str] | None) -> Outputs | None:
        checkpoint()
        if changed is not None and not changed:
            return None
        plan = None if self._kept is None or changed is None else self._kept.plan(changed)
        if self._kept is None or plan is None:
            return predict(self._model, self._batch)
        try:
            return self._kept.run(plan)
        except Lost:
            self._kept = None
            return predict(self._model, self._batch)

    def sample_bytes(self, batch: Any, samples: int) -> int | None:
        self.start(batch)
        kept = None if self._kept is None else -(-self._kept.recording.nbytes() // max(1, samples))
        self._kept = None
        return kept

    def _begin(self, outputs: Outputs) -> _Kept | None:
        """Note a run, and return what it kept if runs that begin from it give the same."""
        model = self._model
        inputs = placed(self._batch, next(iter(model.parameters()), None))
        state, held = state_of(model), Held(model)
        versions = held.versions()
        kept = None
        try:
            if self._escapes is None:
                self._escapes = escapes(model, copied(inputs))
            recording = record(model, lambda: copied(inputs), escapes=self._escapes, copies=self._copies)
            if recording is not None and held.same(versions):
                self._copies = recording.copied
                kept = _Kept(model, inputs, recording, held, state)
                if not kept.gives(outputs):
                    kept = None
        except (Exception, Lost):  # the model ran a moment ago: to be noted is what it cannot bear
            kept = None
        if not held.same(versions):
            state.put_back()
            kept = None
        return kept


class _Kept:
    """What was kept of the original's run on a batch."""

    def __init__(self, model: nn.Module, inputs: Any, recording: Recording, held: Held, state: InstanceState) -> None:
        self.recording = recording
        self._model = model
        self._inputs = inputs
        self._held = held
        self._state = state
        self._plans: dict[tuple[str, ...], Plan | None] = {}
        self._uses: dict[str, list[int]] = {}
        for name, member in members_of(model).items():
            storage = recording.tape.storage(member.tensor)
            if storage is not None and member.is_parameter:
                self._uses[name] = storage.uses

    def plan(self, changed: Collection[str]) -> Plan | None:
        """Return how to run after some tensors have changed; None where the run has to be a whole one."""
        key = tuple(changed)
        if key not in self._plans:
            known = all(self._uses.get(name) for name in key)  # a buffer is state; what no operation reads is strange
            self._plans[key] = Plan(self.recording, [at for name in key for at in self._uses[name]]) if known else None
        return self._plans[key]

    def run(self, plan: Plan) -> Outputs | None:
        """Run the model; None where the outputs are the original's.

        Raises:
            Lost: It did what it did not do before; it holds what it held.
        """
        versions = self._held.versions()
        try:
            output = plan.run(self._call)
        except BaseException:
            if not self._held.same(versions):
                self._state.put_back()
            raise
        if not self._held.same(versions):
            self._state.put_back()
            raise Lost
        return None if output is None else [array_of(tensor) for tensor in tensors_of(output)]

    def gives(self, outputs: Outputs) -> bool:
        """Whether a run without a change gives certain outputs, wherever it begins."""
        events = [at for uses in self._uses.values() for at in uses]
        found = [[array_of(tensor) for tensor in self.recording.outputs]]
        found += [self.run(Plan(self.recording, [at], stops=False)) or [] for at in _ends(events)]
        return all(_equal(outputs, one) for one in found)

    def _call(self) -> Any:
        inputs = copied(self._inputs) if self.recording.writes_inputs else self._inputs
        with torch.no_grad():
            return called(self._model, inputs)


def _ends(events: Sequence[int]) -> list[int]:
    return sorted({min(events), max(events)}) if events else []


def _equal(one: Outputs, other: Outputs) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
        for a, b in zip(one, other, strict=True)
    )
