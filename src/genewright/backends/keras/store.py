"""Writing the elements of Keras variables; changing their shapes, and the layers."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.apply import Store, Undo
from genewright.backends.keras.configs import with_entry
from genewright.backends.keras.library import array_of
from genewright.backends.keras.members import Member
from genewright.backends.keras.network import KerasNetwork
from genewright.backends.keras.rebuilding import rebuild
from genewright.backends.keras.rewiring import Changes
from genewright.backends.keras.tying import tie
from genewright.edit import Reindex, SetAttribute, Structural, Tie
from genewright.network import Tensor

Stored = NDArray[Any]


class KerasStore(Store):
    """The variables of a Keras model, for writing: each is handed out as a copy, and assigned afterwards.

    A variable cannot change its shape, and a graph not its wiring: the model is made again, and takes the new one's
    place as the same object. New lengths and configs wait for each other until `finish`, or until layers are added or
    taken out.

    Args:
        model: The model.
        shell: Its weights are read afterwards: those whose shape changes need no values.
    """

    def __init__(self, model: Any, *, shell: bool = False) -> None:
        self._model = model
        self._shell = shell
        self._view: KerasNetwork | None = None
        self._configs: dict[str, dict[str, Any]] = {}
        self._resized: dict[str, Stored] = {}
        self._moves: list[Reindex] = []

    def tensor(self, name: str) -> Tensor:
        tensor = self._network().tensor(name)
        waiting = self._resized.get(tensor.name)
        return tensor if waiting is None else replace(tensor, shape=tuple(waiting.shape), nbytes=waiting.nbytes)

    @contextmanager
    def elements(self, name: str) -> Generator[Stored]:
        member = self._member(name)
        waiting = self._resized.get(member.names[0])
        if waiting is not None:
            yield waiting.reshape(-1)
            return
        array = np.array(array_of(member.variable), order="C")
        flat = array.reshape(-1)
        yield flat.view(np.uint16) if array.dtype.name == "bfloat16" else flat
        member.variable.assign(array)

    def replace(self, name: str, values: Stored, moved: Reindex) -> Undo:
        name = self._member(name).names[0]
        before, count = self._resized.get(name), len(self._moves)
        self._resized[name] = np.ascontiguousarray(values)
        self._moves.append(replace(moved, tensor=name))

        def undo() -> None:
            self._resized.pop(name, None)
            if before is not None:
                self._resized[name] = before
            del self._moves[count:]

        return undo

    def restructure(self, edit: Structural) -> Undo:
        if isinstance(edit, SetAttribute):
            return self._set(edit)
        first = self.finish()
        try:
            second = self._tied(edit) if isinstance(edit, Tie) else self._rebuilt(Changes.of(edit, self._model))
        except BaseException:
            first()
            raise

        def undo() -> None:
            second()
            first()

        return undo

    def finish(self) -> Undo:
        if not self._configs and not self._resized:
            return _nothing
        configs, resized, moves = self._configs, self._resized, self._moves
        self._configs, self._resized, self._moves = {}, {}, []
        try:
            back = self._rebuilt(Changes(configs=configs), resized, moves)
        except BaseException:
            self._configs, self._resized, self._moves = configs, resized, moves
            raise

        def undo() -> None:
            back()  # and what had waited waits again, for the undo of each edit
            self._configs, self._resized, self._moves = configs, resized, moves

        return undo

    def _set(self, edit: SetAttribute) -> Undo:
        """Note an entry of a layer's config; "key.0" is an entry of a list there, "layer.config.units" a deeper one."""
        before = self._configs.get(edit.layer)
        whole = {**self._network().layer(edit.layer).get_config(), **(before or {})}
        key = edit.attribute.partition(".")[0]
        self._configs[edit.layer] = {**(before or {}), key: with_entry(whole, edit.attribute, edit.value)[key]}

        def undo() -> None:
            self._configs.pop(edit.layer, None)
            if before is not None:
                self._configs[edit.layer] = before

        return undo

    def _tied(self, edit: Tie) -> Undo:
        network = self._network()
        tensor, to = network.tensor(edit.tensor), network.tensor(edit.to)
        backs = [tie(self._model, name, to.name) for name in (tensor.name, *tensor.aliases)]
        self._view = None

        def undo() -> None:
            for back in reversed(backs):
                back()
            self._view = None

        return undo

    def _rebuilt(self, changes: Changes, resized: dict[str, Stored] | None = None, moves: Any = ()) -> Undo:
        back = rebuild(self._model, changes, resized or {}, moves, shell=self._shell)
        self._view = None

        def undo() -> None:
            back()
            self._view = None

        return undo

    def _network(self) -> KerasNetwork:
        if self._view is None:
            self._view = KerasNetwork(self._model)
        return self._view

    def _member(self, name: str) -> Member:
        network = self._network()
        return network.members[network.tensor(name).name]


def _nothing() -> None:
    """Take back nothing."""
