"""A framework whose models cannot change: a tree is a tuple of (name, shape, bytes). Known to the tests alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genewright.backends.backend import Backend
from genewright.backends.files import read_checkpoint, write_checkpoint
from genewright.backends.files.checkpoint import Checkpoint, Entry
from genewright.companion import Companion
from genewright.edits import Memory, Store
from genewright.errors import FileError, UnknownNameError
from genewright.journal import Journal
from genewright.network import Network
from genewright.outputs import Outputs
from genewright.tensor import Initial, Tensor, role_of_name


@dataclass(frozen=True)
class Tree:
    """float32 matrices that are multiplied in order, and texts."""

    leaves: tuple[tuple[str, tuple[int, int], bytes], ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, **leaves: Any) -> Tree:
        arrays = {name: np.asarray(values, "<f4") for name, values in leaves.items()}
        return cls(tuple((name, array.shape, array.tobytes()) for name, array in arrays.items()))  # type: ignore[misc]

    def matrices(self) -> list[Any]:
        return [np.frombuffer(data, "<f4").reshape(shape) for _, shape, data in self.leaves]


class TreeNetwork(Network):
    def __init__(self, tree: Tree) -> None:
        self._bytes = {name: data for name, _, data in tree.leaves}
        self.tensors = {
            name: Tensor(
                name=name,
                shape=shape,
                dtype="float32",
                role=role_of_name(name, shape),
                layer=name.rpartition(".")[0],
                layer_type="",
                trainable=True,
                nbytes=len(data),
            )
            for name, shape, data in tree.leaves
        }

    def raw(self, name: str) -> memoryview:
        return memoryview(self._bytes[name])

    def initial(self, name: str) -> Initial | None:
        return None


class LeafMemory(Memory):
    def __init__(self, tensor: Tensor, values: Any) -> None:
        self.tensor = tensor
        self._values = values

    @contextmanager
    def open(self) -> Iterator[Any]:  # type: ignore[override]
        yield self._values


class TreeStore(Store):
    """Writes into arrays of its own; `finish` makes a tree of them."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._network = TreeNetwork(tree)
        self._values = {name: np.frombuffer(data, "<f4").copy() for name, _, data in tree.leaves}

    def memory(self, name: str) -> Memory:
        if name not in self._values:
            raise UnknownNameError(f"No leaf is called {name!r}.")
        return LeafMemory(self._network.tensors[name], self._values[name])

    def finish(self) -> Tree:
        leaves = tuple((name, shape, self._values[name].tobytes()) for name, shape, _ in self._tree.leaves)
        return self._tree if leaves == self._tree.leaves else replace(self._tree, leaves=leaves)


class TreeBackend(Backend):
    name = "frozen trees"

    def owns(self, model: object) -> bool:
        return isinstance(model, Tree)

    def network(self, model: Tree, example: Any = None) -> Network:
        return TreeNetwork(model)

    def store(self, model: Tree, companion: Companion | None = None, network: Network | None = None) -> Store:
        return TreeStore(model)

    def run(self, model: Tree, batch: Any, *, exactly: bool = False) -> Outputs:
        output = np.asarray(batch, np.float64 if exactly else np.float32)
        for matrix in model.matrices():
            output = output @ matrix
        return Outputs([output], exact=exactly)

    def copy(self, model: Tree) -> Tree:
        return model

    def history(self, model: Tree) -> tuple[str, ...]:
        return model.notes

    def sign(self, model: Tree, history: tuple[str, ...], journal: Journal | None = None) -> Tree:
        return replace(model, notes=history)

    def save(self, model: Tree, path: Path, metadata: Mapping[str, str], *, overwrite: bool) -> None:
        entries = {name: Entry("float32", shape, np.frombuffer(data, np.uint8)) for name, shape, data in model.leaves}
        write_checkpoint(Checkpoint(entries, dict(metadata)), path, overwrite=overwrite)

    def load(self, model: Tree, path: Path) -> Tree:
        entries = read_checkpoint(path).entries
        if [(name, entries[name].shape) for name in entries] != [(name, shape) for name, shape, _ in model.leaves]:
            raise FileError(f"{path}: has other tensors than this tree.")
        return replace(model, leaves=tuple((n, shape, entries[n].data.tobytes()) for n, shape, _ in model.leaves))


BACKEND = TreeBackend()
