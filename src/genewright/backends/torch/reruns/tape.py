"""The operations of one run: which memory each reads, makes and writes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch

from genewright.backends.torch.draws import OwnDraws

NEVER = 1 << 62
"""Later than any event."""


@dataclass(eq=False)
class Storage:
    """Memory that tensors lie in, over the run.

    Attributes:
        made: The event that made it; 0 for what was there before.
        writes: The events that wrote to it.
        uses: The events that read it.
    """

    made: int = 0
    writes: list[int] = field(default_factory=list[int])
    uses: list[int] = field(default_factory=list[int])


class Tape(OwnDraws):
    """Notes the operations of a run while it is the mode of the thread.

    Args:
        known: Tensors that are there before the run.
    """

    def __init__(self, known: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self.event = 1
        self.complete = True  # no operation was beyond us
        self.escaped = False  # a value came in that no operation had made
        self.every: list[Storage] = []
        self._storages: dict[int, Storage] = {}  # by address, which may be given to another one later
        for tensor in known:
            self._new(tensor, 0)

    def storage(self, tensor: torch.Tensor) -> Storage | None:
        """Return the memory that a tensor lies in; None where nobody has made it."""
        return self._storages.get(_place(tensor))

    def tick(self) -> int:
        """Return the number of the next event."""
        self.event += 1
        return self.event

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        event = self.tick()
        taken = list(tensors_in((args, kwargs or {})))
        try:
            self._read(func, event, args, kwargs or {}, taken)
        except (RuntimeError, NotImplementedError):  # a sparse or opaque tensor has no storage
            self.complete = False
        result = super().__torch_dispatch__(func, types, args, kwargs)
        places = {id(storage) for tensor in taken if (storage := self._found(tensor)) is not None}
        for tensor in tensors_in(result):
            found = self._found(tensor)
            if found is None or id(found) not in places:
                self._new(tensor, event)
        return result

    def _read(self, func: Any, event: int, args: Any, kwargs: Any, taken: list[torch.Tensor]) -> None:
        for tensor in taken:
            storage = self.storage(tensor)
            if storage is None:
                self.escaped = True
                storage = self._new(tensor, 0)
            storage.uses.append(event)
            if func is torch.ops.aten._local_scalar_dense.default:
                storage.uses.append(NEVER)  # what is done with a number cannot be seen
        for position, argument in enumerate(func._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                given = args[position] if position < len(args) else kwargs.get(argument.name)
                for tensor in tensors_in(given):
                    storage = self.storage(tensor)
                    if storage is not None:
                        storage.writes.append(event)

    def _new(self, tensor: torch.Tensor, event: int) -> Storage:
        storage = Storage(made=event)
        self.every.append(storage)
        self._storages[_place(tensor)] = storage
        return storage

    def _found(self, tensor: torch.Tensor) -> Storage | None:
        try:
            return self.storage(tensor)
        except (RuntimeError, NotImplementedError):
            self.complete = False
            return None


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in arguments or results."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for entry in cast("Sequence[Any]", value):
            yield from tensors_in(entry)
    elif isinstance(value, Mapping):
        for entry in cast("Mapping[Any, Any]", value).values():
            yield from tensors_in(entry)


def _place(tensor: torch.Tensor) -> int:
    """Return the address of the memory that a tensor lies in, whatever part of it."""
    return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]  # a fake tensor's has no other
