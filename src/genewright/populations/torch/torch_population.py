"""Mutants of one torch module that run together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from genewright.backends.torch import BACKEND
from genewright.backends.torch.copying import RECIPE
from genewright.backends.torch.draws import OwnDraws
from genewright.backends.torch.modes import evaluating
from genewright.backends.torch.predict import array_of, placed, tensors_of
from genewright.backends.torch.sharding import is_sharded
from genewright.backends.torch.tensors import named_layers, unwrapped
from genewright.errors import DataError, SettingError, UnsupportedError
from genewright.populations.memory import said
from genewright.populations.population import Dropout, Population
from genewright.populations.torch.linear import BatchedLinear
from genewright.populations.torch.low_rank import LowRankLayers
from genewright.populations.torch.rows import Stacked, places_of, stacked_alike
from genewright.populations.torch.running import cut, joined, one_by_one, parallel_rows, together
from genewright.populations.torch.sources import Family, OneFamily, SeveralFamilies, Source
from genewright.populations.torch.trial import Cost, difference, run_alone, say_apart, say_one_by_one

_SINGLE = 4  # bytes of a float32
_CACHED = 64 << 20  # bytes of layers' outputs that a pass makes at once: what is larger has left the processor's cache


class TorchPopulation(Population):
    """See `gw.population`."""

    def __init__(
        self,
        families: Sequence[Family],
        budget: int | None,
        dropout: Dropout,
        like: Population | None = None,
    ) -> None:
        copies = [replace(one, parent=_own(one.parent)) for one in families]
        self.seeds = tuple(seed for one in copies for seed in one.seeds)
        self._budget = budget
        self._dropout = dropout
        self._model = copies[0].parent
        self._source: Source = OneFamily(copies[0]) if len(copies) == 1 else SeveralFamilies(copies)
        self._rows = self._source.rows(self._room())
        self._places = frozenset(places_of(self._model, buffers=False)) | frozenset(
            places_of(self._model, buffers=True)
        )
        self._filled = (0, 0)
        self._buffers: dict[str, torch.Tensor] = {}  # each individual's own, once a pass has been seen to change them
        self._costs: dict[Any, Cost] = {}
        self._refused = ""
        self._apart: set[str] = set()  # functions that run of one individual after the other
        if isinstance(like, TorchPopulation):
            self._take_over(like)

    def __call__(self, batch: Any) -> Any:
        return self._run(placed(batch, self._place()), each=False)

    def each(self, batches: Any) -> Any:
        inputs = placed(batches, self._place())
        lengths = parallel_rows(inputs)
        if lengths != {len(self)}:
            raise DataError(
                f"Each of {len(self)} individuals needs a batch of its own: inputs of shape ({len(self)}, samples, "
                f"...); received a first axis of {sorted(lengths)}."
            )
        return self._run(inputs, each=True)

    def predict(self, batch: Any) -> list[NDArray[Any]]:
        with evaluating(self._model):
            return [array_of(tensor) for tensor in tensors_of(self(batch))]

    def predict_each(self, batches: Any) -> list[NDArray[Any]]:
        with evaluating(self._model):
            return [array_of(tensor) for tensor in tensors_of(self.each(batches))]

    @property
    def exact(self) -> bool:
        floating = [one for one in self._model.parameters() if one.is_floating_point()]
        return all(one.element_size() >= _SINGLE for one in floating)

    def tensors(self, individual: int) -> dict[str, torch.Tensor]:
        if not self._source.low_rank:
            at, _ = self._made(individual, individual + 1)
            return {name: rows[at].clone() for name, rows in self._rows.stacked.items()}
        whole = self._source.whole()
        rows = whole.rows(1)
        whole.fill(rows, individual, individual + 1)
        return {name: values[0] for name, values in rows.stacked.items()}

    def model(self, individual: int) -> nn.Module:
        made = BACKEND.copy(self._model)
        members = BACKEND.network(made).members
        with torch.no_grad():
            for name, values in self.tensors(individual).items():
                members[name].tensor.copy_(values)
        return made

    def _run(self, inputs: Any, *, each: bool) -> Any:
        with torch.no_grad():
            cost = self._cost(inputs, each=each)
            chunk = self._chunk(cost)
            parts: list[Any] = []
            done = 0
            while done < len(self):
                stacked, factors, end = self._stacked(done, min(done + chunk, len(self)))
                given = cut(inputs, done, end) if each else inputs
                parts.append(self._pass(stacked, factors, given, cost, each=each))
                done = end
            return joined(parts)

    def _pass(self, stacked: Stacked, factors: Stacked, inputs: Any, cost: Cost, *, each: bool) -> Any:
        count = len(next(iter({**stacked, **factors}.values())))
        draws = OwnDraws() if cost.draws else None
        with draws or nullcontext():
            if cost.together:
                randomness = "error" if draws is None else "same" if self._dropout == "common" else "different"
                return together(
                    self._model, stacked, factors, inputs, each=each, mode=self._mode, randomness=randomness
                )
            fresh = draws.begin_again if draws is not None and self._dropout == "common" else _nothing
            return one_by_one(self._model, stacked, inputs, each=each, count=count, fresh=fresh)

    def _cost(self, inputs: Any, *, each: bool) -> Cost:
        """Run the first individual alone, to see what its pass takes, and under vmap, to see whether that agrees."""
        key = (
            each,
            any(module.training for module in self._model.modules()),
            *((tuple(one.shape), one.dtype) for one in tensors_of(inputs)),
        )
        if key in self._costs:
            return self._costs[key]
        given = cut(inputs, 0, 1) if each else inputs
        alone = run_alone(self._model, self._whole(), self._buffers, given, each=each)
        if alone.changes_buffers and not self._buffers:
            self._buffers = stacked_alike(places_of(self._model, buffers=True), len(self))
        cost = replace(alone.cost, together=alone.cost.together and not self._refused)
        if cost.together:
            self._refused = self._tried(given, cost, alone.outputs, each=each)
            cost = replace(cost, together=not self._refused)
        if not cost.together and self._source.low_rank:  # one after the other, with whole weights
            self._build_all()
        self._costs[key] = cost
        return cost

    def _tried(self, inputs: Any, cost: Cost, alone: Any, *, each: bool) -> str:
        """Return why vmap is no way for this model, or ""; say so in the log."""
        try:
            stacked, factors, _ = self._stacked(0, 1)
            own = {name: rows[:1].clone() for name, rows in self._buffers.items()}
            made = self._pass({**stacked, **own}, factors, inputs, cost, each=each)
            reason = "" if cost.draws else difference(alone, made)
        except Exception as error:  # whatever torch, or the model's own code, says of vmap
            reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        if reason:
            say_one_by_one(type(self._model), reason)
        elif self._apart:
            say_apart(type(self._model), " and ".join(sorted(self._apart)))
        return reason

    def _take_over(self, like: TorchPopulation) -> None:
        """Take over what was measured on another population, where its tensors have the same shapes."""
        network, other = self._source.network, like._source.network
        same = {name: tensor.shape for name, tensor in network.tensors.items()} == {
            name: tensor.shape for name, tensor in other.tensors.items()
        }
        if not same or like._buffers:
            return
        self._costs, self._refused = dict(like._costs), like._refused
        if self._source.low_rank and not like._source.low_rank:
            self._build_all()

    def _build_all(self) -> None:
        """Make whole tensors from now on, and no factors."""
        self._source = self._source.whole()
        self._rows, self._filled = self._source.rows(self._room()), (0, 0)

    def _room(self) -> int:
        """Return for how many individuals parameters are held at once: at most half of the budget."""
        if self._budget is None:
            return len(self)
        each = self._source.row_bytes()
        return max(1, min(len(self), self._budget // 2 // max(each, 1)))

    def _chunk(self, cost: Cost) -> int:
        """Return how many individuals run at once."""
        room = min(self._rows.size, max(1, _CACHED // max(cost.peak, 1))) if cost.together else self._rows.size
        if self._budget is None:
            return room
        each = self._source.row_bytes()
        left = self._budget - self._rows.size * each
        if left < cost.peak or not cost.together:
            if self._budget < each + cost.peak:
                raise SettingError(
                    f"memory={said(self._budget)} is too little: one individual needs {said(each + cost.peak)} "
                    f"({said(each)} of parameters, {said(cost.peak)} of layers' outputs). Give more, or "
                    "a smaller batch."
                )
            return room if not cost.together else 1
        return min(room, left // max(cost.peak, 1))

    def _made(self, start: int, stop: int) -> tuple[int, int]:
        """Make the weights of individuals from `start` on; return its row, and up to whom there are rows."""
        first, last = self._filled
        if not first <= start < last:
            first, last = start, min(start + self._rows.size, len(self))
            self._filled = (0, 0)  # what is cut off half way is made anew
            self._source.fill(self._rows, first, last)
            self._filled = (first, last)
        return start - first, min(stop, last)

    def _whole(self) -> Stacked:
        """Return the parameters of the first individual, stacked alone, under all their names."""
        return self._named({name: values[None] for name, values in self.tensors(0).items()})

    def _stacked(self, start: int, stop: int) -> tuple[Stacked, Stacked, int]:
        """Return tensors of individuals from `start` on under all names, their factors, and up to whom they go."""
        at, stop = self._made(start, stop)
        mine = slice(at, at + stop - start)
        made = self._named({name: rows[mine] for name, rows in self._rows.stacked.items()})
        own = {name: rows[start:stop] for name, rows in self._buffers.items()}
        return {**made, **own}, {name: rows[mine] for name, rows in self._rows.factors.items()}, stop

    def _named(self, rows: Stacked) -> Stacked:
        made: Stacked = {}
        for name, mine in rows.items():
            names = (name, *self._source.network.tensors[name].aliases)
            made.update((one, mine) for one in names if one in self._places)
        return made

    def _mode(self, own: Stacked) -> AbstractContextManager[Any]:
        """Return what layers of one individual compute under."""
        if not own:
            return BatchedLinear(self._apart)
        members = self._source.network.members
        weights = {name: members[name].same for name in own}
        return LowRankLayers(weights, self._source.low_rank, own, self._apart)

    def _place(self) -> torch.Tensor | None:
        return next((p for p in self._model.parameters()), None)


def _own(model: nn.Module) -> nn.Module:
    """Return a copy without a recipe, of the module before it was compiled."""
    made = unwrapped(BACKEND.copy(model))
    vars(made).pop(RECIPE, None)
    _refuse(made)
    return made


def _nothing() -> None:
    """Draw on."""


def _refuse(model: nn.Module) -> None:
    for name, module in named_layers(model):
        if name and unwrapped(module) is not module:
            raise UnsupportedError(
                f"{name!r} is compiled. Compile the whole model, or give the one before compilation."
            )
    for name, tensor in model.named_parameters():
        if is_sharded(tensor):
            raise UnsupportedError(f"{name!r} is sharded, and a population runs in one process. Give the whole model.")
