"""Running a torch module and showing what its units put out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from genewright.backends.torch.observing.experts import experts_in
from genewright.backends.torch.observing.heads import Heads, fused_heads, heads_among
from genewright.backends.torch.observing.places import Layout, growing_axis, kind_of_units
from genewright.backends.torch.observing.running import Run
from genewright.backends.torch.observing.watched import Key, Look, Plan, Watched, holds_kernels
from genewright.backends.torch.tensors import unwrapped
from genewright.errors import GenewrightError
from genewright.observation import Observer, Positions, UnitLayer, Wanted
from genewright.units import part_of_stack
from genewright.widths.knobs import Knobs

_RNN_GATES = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1, nn.LSTMCell: 4, nn.GRUCell: 3, nn.RNNCell: 1}


class TorchObserver(Observer):
    """Watches a shadow of the module, which shares its parameters and nothing else: the module itself is not touched.

    Args:
        model: The module.
        chosen: Whether the units of a layer of this name are wanted.
        knobs: Returns the widths of the module, which say what heads there are; asked where something attends.
    """

    def __init__(self, model: nn.Module, chosen: Callable[[str], bool], knobs: Callable[[], Knobs]) -> None:
        self.layers: dict[str, UnitLayer] = {}
        self._watched = Watched(unwrapped(model))
        self.left_out = self._watched.left_out
        for name, module in self._watched.modules.items():
            kind = kind_of_units(module)
            if kind is not None and chosen(name):
                self._watched.kinds[name] = kind
            elif kind is None and name and chosen(name) and holds_kernels(module):
                self.left_out[name] = f"what the units of a {type(module).__name__} are is not known"
                if (experts := experts_in(module)) > 1:
                    self._watched.experts[name] = experts
        self._chosen, self._knobs = chosen, knobs
        self._more: list[tuple[int, Any]] = []

    def look(self, samples: Iterable[tuple[int, Any]]) -> None:
        first, *self._more = samples
        look = self._looked([first])
        if look.attends and self._find_heads():
            self._place_heads(look, first[0])
        self._learn(look)
        if self._more:  # which axis grows with the number of samples, the first batch of the data tells for nothing
            self._watched.unsettled.update({key: shapes for key, shapes in look.shapes.items() if first[0] in shapes})

    def _find_heads(self) -> bool:
        """Find the attentions whose heads can be told apart; return whether there are any that are wanted."""
        found: tuple[Heads, ...] = ()
        try:
            found = heads_among(self._knobs())
        except GenewrightError as error:
            self.left_out["heads of attentions"] = str(error).rstrip(".")
        fused = {n: m for n, m in self._watched.modules.items() if isinstance(m, nn.MultiheadAttention)}
        every = (*found, *(fused_heads(name, module) for name, module in fused.items()))
        self._watched.heads = {one.reader: one for one in every if self._chosen(one.name)}
        return bool(self._watched.heads)

    def _place_heads(self, look: Look, count: int) -> None:
        """Put the heads among the calls that a look saw before it was known of them, each where it was."""
        heads: dict[str | int, Heads] = {}
        for reader, one in self._watched.heads.items():
            weight = self._watched.modules[reader]._parameters["weight"]  # pyright: ignore[reportPrivateUsage]
            heads[id(weight) if one.fused else reader] = one
        calls: dict[str, int] = {}
        others, before = list(look.instances.items()), 0
        look.instances.clear()
        for given, shape, place in look.given:
            if given in heads:
                look.instances.update(others[before:place])
                before, name = place, heads[given].name
                look.add_heads(heads[given], calls.get(name, 0), shape, count)
                calls[name] = calls.get(name, 0) + 1
        look.instances.update(others[before:])

    def _looked(self, samples: Iterable[tuple[int, Any]], look: Look | None = None) -> Look:
        look = Look() if look is None else look
        for count, batch in samples:
            Run(self._watched, count, 0, None, look).forward(batch)
        return look

    def run(
        self,
        batch: Any,
        count: int,
        first: int,
        wanted: Wanted,
        *,
        loss: Any = None,
        targets: Any = None,
        labels: NDArray[np.int64] | None = None,
    ) -> None:
        only: set[Key] | None = None
        read: frozenset[Key] = frozenset()
        while True:
            look = Look()
            run = Run(self._watched, count, first, wanted, look, only, labels, read)
            if wanted.gradients:
                run.backward(batch, loss, targets)
            else:
                run.forward(batch)
            if not look.instances and not look.again:
                return
            self._learn(look)  # a layer that no earlier batch reached: once more, for that one alone
            self._settle(look.again)
            only, read = {*look.instances, *look.again}, frozenset(look.again)

    def _settle(self, keys: Iterable[Key]) -> None:
        """Learn from a small batch which axis is that of samples, where the data did not tell; or that none is."""
        asked = list(keys)
        try:
            self._looked(self._more if asked else ())
        except GenewrightError:
            raise
        except Exception:  # a model that does not take so few
            pass
        for key in asked:
            self._watched.unsettled.pop(key, None)

    def _learn(self, look: Look) -> None:
        for key, instance in look.instances.items():
            name, _ = key
            end, activation = instance.end()
            layout = replace(look.units[key], sample_axis=growing_axis(look.shapes[key]))
            self._watched.plans[key] = Plan(end, activation, layout)
            if name not in self.layers:
                self.layers[name] = self._described(name, activation, look.shapes[key], layout)

    def _described(self, name: str, activation: str, shapes: dict[int, tuple[int, ...]], layout: Layout) -> UnitLayer:
        heads = next((one for one in self._watched.heads.values() if one.name == name), None)
        if heads is not None:
            named = {name: np.arange(heads.count)} if heads.fused else {}
            return UnitLayer(name=name, kind="heads", units=heads.count, rows=heads.rows, named=named)
        if name in self._watched.experts:
            count = self._watched.experts[name]
            return UnitLayer(name=name, kind="experts", units=count, named={name: np.arange(count)})
        module, kind = self._watched.modules[name], self._watched.kinds[name]
        if kind == "embedding":
            count = int(module.num_embeddings)  # pyright: ignore[reportArgumentType]
            return UnitLayer(name=name, kind=kind, units=count, named={name: np.arange(count)})
        units = next(iter(shapes.values()))[layout.unit_axis]
        rows = np.arange(units)
        if kind != "recurrent":
            return UnitLayer(name=name, kind=kind, units=units, activation=activation, rows={name: rows})
        gates = next((gates for cls, gates in _RNN_GATES.items() if isinstance(module, cls)), 0)
        named = _cells_of_the_last_layer(name, module) if gates and not getattr(module, "proj_size", 0) else {}
        return UnitLayer(
            name=name,
            kind=kind,
            units=units,
            activation="" if getattr(module, "nonlinearity", "tanh") == "relu" else "tanh",
            rows={name: np.tile(rows, gates)} if list(named) == [name] else {},
            named=named,
        )


def _cells_of_the_last_layer(name: str, module: Any) -> dict[str, Positions]:
    """Return the names of the cells whose states a recurrent layer returns, and which of its units each is."""
    cells, layers = np.arange(int(module.hidden_size)), int(getattr(module, "num_layers", 1))
    directions = ("", "_reverse") if getattr(module, "bidirectional", False) else ("",)
    if layers == 1 and len(directions) == 1:
        return {name: cells}
    return {
        part_of_stack(name, f"_l{layers - 1}{direction}"): cells + turn * len(cells)
        for turn, direction in enumerate(directions)
    }
