"""One run of a model on a batch, noted: which layers were called, and which of their values can stand for them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from genewright.backends.torch.predict import tensors_of
from genewright.backends.torch.reruns.tape import NEVER, Storage, Tape, tensors_in

_PLAIN = (bool, int, float, str, type(None))


@dataclass(eq=False)
class Called:
    """A call of a layer.

    Attributes:
        module: The layer.
        start: The event before its first operation.
        end: The event behind its last one.
        after: Number of the first call that begins behind it.
        value: What it returned: a tensor, or a tuple of such; None where it is of another kind.
        storages: Where that lies.
        moved: It is written to later in the run, so that whoever gets it needs a copy.
        alone: Whoever takes `value` for the call misses nothing: it wrote to nothing that was there before, and its
            value shares no memory with that.
        since: Where the value is the original's, the whole rest of the run is, if nothing differed before this event.
    """

    module: nn.Module
    start: int
    end: int = NEVER
    after: int = 0
    value: Any = None
    storages: tuple[Storage, ...] = ()
    moved: bool = False
    alone: bool = False
    since: int = NEVER


@dataclass(eq=False)
class Recording:
    """A run.

    Attributes:
        tape: Its operations.
        calls: The calls of layers, in the order in which they began.
        outputs: The tensors that the model returned.
        writes_inputs: The model wrote into what it was given.
        copied: Numbers of the calls whose values were copied on the way, for they are written to later.
    """

    tape: Tape
    calls: list[Called]
    outputs: list[torch.Tensor]
    writes_inputs: bool
    copied: frozenset[int] = frozenset()

    def nbytes(self) -> int:
        """Return how much memory the calls' values take."""
        held = {
            t.untyped_storage().data_ptr(): t.untyped_storage().nbytes()
            for c in self.calls
            for t in tensors_in(c.value)
        }
        return sum(held.values())


def record(
    model: nn.Module, inputs: Callable[[], Any], *, escapes: bool, copies: frozenset[int] = frozenset()
) -> Recording | None:
    """Run a model and note what its layers return; None where what the run did cannot be seen whole.

    Args:
        model: The model, in evaluation mode; its forwards are the classes' own.
        inputs: Returns what it is run on, anew each time: a model may write into it.
        escapes: Values leave torch during the run, so that nobody can say what is made of them.
        copies: Numbers of the calls whose values are copied at once, as they were of another batch.
    """
    noted = _noted(model, inputs(), copies, escapes)
    moved = frozenset(at for at, call in enumerate(noted.calls) if call.moved and call.alone)
    if (
        not moved <= copies and noted.tape.complete
    ):  # what was returned is no longer what it was: copies are made on the way
        again = _noted(model, inputs(), moved, escapes)
        if [call.module for call in again.calls] != [call.module for call in noted.calls]:
            return None
        noted = again
    return noted if noted.tape.complete and not noted.tape.drew else None


def called(model: nn.Module, inputs: Any) -> Any:
    """Call a model with a tensor, a tuple of positional or a dict of keyword arguments."""
    if isinstance(inputs, dict):
        return model(**cast("dict[str, Any]", inputs))
    return model(*cast("tuple[Any, ...]", inputs)) if isinstance(inputs, tuple) else model(inputs)


def _noted(model: nn.Module, inputs: Any, moved: frozenset[int], escapes: bool) -> Recording:
    tape = Tape([*model.parameters(), *model.buffers(), *tensors_in(inputs)])
    calls: list[Called] = []

    def noting(module: nn.Module) -> Callable[..., Any]:
        original = module.forward

        def forward(*args: Any, **kwargs: Any) -> Any:
            number, call = len(calls), Called(module, tape.tick())
            calls.append(call)
            result: Any = original(*args, **kwargs)
            call.end, call.after = tape.tick(), len(calls)
            if type(result) in (torch.Tensor, tuple) and all(map(_is_simple, (result, *args, *kwargs.values()))):
                found = [tape.storage(tensor) for tensor in tensors_in(result)]
                call.storages = tuple(one for one in found if one is not None)
                if len(call.storages) == len(found) > 0:
                    call.value = copied(result) if number in moved else result
            return result

        return forward

    with forwards({module: noting(module) for module in model.modules()}), torch.no_grad(), tape:
        outputs = list(tensors_of(called(model, inputs)))
    for tensor in outputs:
        if (storage := tape.storage(tensor)) is not None:
            storage.uses.append(NEVER)
    tape.escaped = tape.escaped or escapes
    _tell(calls, tape)
    written = any(storage.writes for one in tensors_in(inputs) if (storage := tape.storage(one)) is not None)
    return Recording(tape, calls, outputs, written, moved)


@contextmanager
def forwards(others: Mapping[nn.Module, Callable[..., Any]]) -> Generator[None]:
    """Let modules have other forwards inside the block."""
    try:
        for module, forward in others.items():
            vars(module)["forward"] = forward
        yield
    finally:
        for module in others:
            vars(module).pop("forward", None)


def _tell(calls: list[Called], tape: Tape) -> None:
    """Say of every call what its value can stand for."""
    every = tape.every
    made = np.array([storage.made for storage in every])
    last = np.array([max([0, *storage.uses, *storage.writes]) for storage in every])
    # every event that gave values to a storage, and which
    changes = [(at, number) for number, storage in enumerate(every) for at in (storage.made, *storage.writes)]
    when, which = np.array(changes).T
    of_writes = [(at, storage.made) for storage in every for at in storage.writes]
    written, written_made = np.array(of_writes).T if of_writes else np.zeros((2, 0), np.int64)
    places = {id(storage): number for number, storage in enumerate(every)}
    for call in calls:
        if call.value is None:
            continue
        during = (written > call.start) & (written < call.end)
        fresh = all(storage.made > call.start for storage in call.storages)
        apart = len({id(storage) for storage in call.storages}) == len(call.storages)
        call.alone = fresh and apart and not (written_made[during] < call.start).any()
        call.moved = any(at > call.end for storage in call.storages for at in storage.writes)
        if not tape.escaped:
            crossing = (made < call.end) & (last > call.end)
            for storage, tensor in zip(call.storages, tensors_in(call.value), strict=True):
                if tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes():
                    crossing[places[id(storage)]] = False
            before = when[crossing[which] & (when < call.end)]
            call.since = int(before.max(initial=0))


def _is_simple(value: Any) -> bool:
    """Whether a value is made of tensors, plain values and tuples alone, so that it can stand for itself."""
    if isinstance(value, torch.Tensor):
        return type(value) in (torch.Tensor, nn.Parameter)
    if type(value) is tuple:
        return all(map(_is_simple, cast("tuple[Any, ...]", value)))
    return isinstance(value, _PLAIN)


def copied(value: Any) -> Any:
    """Return a value with copies of its tensors, which lie in memory as these do."""
    if isinstance(value, torch.Tensor):
        return value.clone(memory_format=torch.preserve_format)
    if isinstance(value, tuple):
        return tuple(map(copied, cast("tuple[Any, ...]", value)))
    if isinstance(value, dict):
        return {key: copied(entry) for key, entry in cast("dict[str, Any]", value).items()}
    return value
