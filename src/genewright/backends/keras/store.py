"""Writing the elements of Keras variables; changing their shapes, and the layers."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends.keras.configs import with_entry
from genewright.backends.keras.input_shapes import with_length
from genewright.backends.keras.library import array_of
from genewright.backends.keras.members import Member
from genewright.backends.keras.network import KerasNetwork
from genewright.backends.keras.rebuilding import moved, rebuild
from genewright.backends.keras.rewiring import Changes
from genewright.backends.keras.sizing import refuse_larger
from genewright.backends.keras.snapshot import snapshot
from genewright.backends.keras.training import Move, forget_state
from genewright.backends.keras.tying import tie
from genewright.edits import Edit, Memory, SetAttribute, Store, Tie
from genewright.part import Part
from genewright.tensor import Tensor

Stored = NDArray[Any]


class VariableMemory(Memory):
    """The elements of a Keras variable: handed out as a copy, and assigned afterwards."""

    def __init__(self, tensor: Tensor, variable: Any) -> None:
        self.tensor = tensor
        self._variable = variable

    def open(self) -> AbstractContextManager[Stored]:
        return self._open()

    @contextmanager
    def _open(self) -> Generator[Stored]:
        array = np.array(array_of(self._variable), order="C")
        flat = array.reshape(-1)
        yield flat.view(np.uint16) if array.dtype.name == "bfloat16" else flat
        self._variable.assign(array)


class WaitingMemory(Memory):
    """The elements of a variable that waits for its new shape."""

    def __init__(self, tensor: Tensor, values: Stored) -> None:
        self.tensor = tensor
        self._values = values

    def open(self) -> AbstractContextManager[Stored]:
        return self._open()

    @contextmanager
    def _open(self) -> Generator[Stored]:
        yield self._values.reshape(-1)


class KerasStore(Store):
    """The variables of a Keras model, for writing.

    A variable cannot change its shape, and a graph not its wiring: the model is made again, and takes the new one's
    place as the same object. New lengths and configs wait for each other until `finish`, or until layers are added or
    taken out.

    Args:
        model: The model.
        network: A view of the model as it is now, where there is one already.
    """

    def __init__(self, model: Any, *, network: KerasNetwork | None = None) -> None:
        self._model = model
        self._view = network
        self._configs: dict[str, dict[str, Any]] = {}
        self._resized: dict[str, Stored] = {}
        self._moves: list[Move] = []

    def memory(self, name: str) -> Memory:
        tensor = self._network().tensor(name)
        waiting = self._resized.get(tensor.name)
        if waiting is None:
            return VariableMemory(tensor, self._variable(name))
        return WaitingMemory(replace(tensor, shape=tuple(waiting.shape), nbytes=waiting.nbytes), waiting)

    def resize(self, name: str, axis: int, index: NDArray[np.int64]) -> None:
        memory = self.memory(name)
        move = Move(memory.tensor.name, axis, index)
        with memory.open() as values:
            self._resized[move.tensor] = np.ascontiguousarray(moved(values.reshape(memory.tensor.shape), move))
        self._moves.append(move)

    def forget(self, name: str, part: Part) -> None:
        forget_state(self._model, self._variable(name), part, self.journal)

    def restructure(self, edit: Edit) -> None:
        if isinstance(edit, SetAttribute):
            self._set(edit)
            return
        self.finish()
        if isinstance(edit, Tie):
            self._remember()
            network = self._network()
            tensor, to = network.tensor(edit.tensor), network.tensor(edit.to)
            for name in (tensor.name, *tensor.aliases):
                tie(self._model, name, to.name)
            self._view = None
        else:
            self._rebuild(Changes.of(edit, self._model))

    def finish(self) -> Any:
        if self._configs or self._resized:
            configs, resized, moves = self._configs, self._resized, self._moves
            self._configs, self._resized, self._moves = {}, {}, []
            self._rebuild(Changes(configs=configs), resized, moves)
        return self._model

    def _set(self, edit: SetAttribute) -> None:
        """Note an entry of a layer's config; "key.0" is an entry of a list there, "layer.config.units" a deeper one."""
        before = self._configs.get(edit.layer, {})
        if not edit.layer:
            self._configs[""] = with_length(before, edit.attribute, edit.value, self._model)
            return
        whole = {**self._network().layer_object(edit.layer).get_config(), **before}
        key = edit.attribute.partition(".")[0]
        self._configs[edit.layer] = {**before, key: with_entry(whole, edit.attribute, edit.value)[key]}

    def _rebuild(self, changes: Changes, resized: dict[str, Stored] | None = None, moves: Any = ()) -> None:
        self._remember()
        if self.limit is not None:
            layers = [self._network().tensor(name).layer for name in resized or ()]
            refuse_larger(self._model, changes, self.limit, dict.fromkeys(layers))
        rebuild(self._model, changes, resized or {}, moves)
        self._view = None

    def _remember(self) -> None:
        if self.journal is not None:
            self.journal.keep_by(self._model, snapshot(self._model))

    def _network(self) -> KerasNetwork:
        if self._view is None:
            self._view = KerasNetwork(self._model)
        return self._view

    def _variable(self, name: str) -> Any:
        network = self._network()
        member: Member = network.members[network.tensor(name).name]
        return member.variable
