"""Drawing: makes the weights of individuals in rows, with the bits of `gw.mutate`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from genewright import noise as gw_noise
from genewright.backends.torch import BACKEND
from genewright.backends.torch.memory import in_main_memory
from genewright.backends.torch.network import TorchNetwork
from genewright.edits import Edit, Map, Perturb
from genewright.edits.functions.add_low_rank import AddLowRank, draw_into, matrix_shape
from genewright.edits.proposal import check_proposal
from genewright.edits.values import ValueEdit
from genewright.errors import ExampleError
from genewright.mutate import act
from genewright.operator import AnyOperator, Operator
from genewright.populations.population import unbatched
from genewright.populations.torch.rows import Rows
from genewright.seeding import Noise, Seed
from genewright.tensor import FLOATS
from genewright.transaction import Transaction


@dataclass(frozen=True)
class _Watched(Noise):
    """Noise that notes whether anybody asks it for something: what is proposed without does not depend on the seed."""

    def stream(self, name: str = "") -> Any:
        raise _AskedError

    def child(self, part: str | int) -> Noise:
        raise _AskedError

    def salted(self, salt: str) -> Noise:
        raise _AskedError


class _AskedError(Exception):
    """What an operator proposes depends on the seed."""


class Drawing:
    """Mutates rows of individuals.

    An operator whose edits are the same for every seed proposes once; its noise is drawn into the rows, one kernel call
    a tensor. Any other acts on a copy of the model, from which rows are filled.

    Args:
        model: The base; it is read, and copied where operators have to act on a copy.
        operators: What acts, in order.
        whole: Tensors that change by products of low rank are made all the same, and not only their factors.

    Attributes:
        names: The tensors that are made.
        low_rank: What makes the factors of tensors that are not, by their names.

    Raises:
        UnsupportedError: An operator changes layers or shapes.
        GenewrightError: An operator does not fit the model.
    """

    def __init__(self, model: nn.Module, operators: tuple[AnyOperator, ...], *, whole: bool = False) -> None:
        self._operators = operators
        self.low_rank: dict[str, AddLowRank] = {}
        self.network = TorchNetwork(model)
        self._edits = proposed(self.network, operators)
        if self._edits is not None and not whole:
            self.low_rank = {
                self.network.tensor(edit.tensor).name: edit.function
                for edit in self._edits
                if isinstance(edit, Map) and isinstance(edit.function, AddLowRank) and not edit.part
            }
            self._edits = tuple(edit for edit in self._edits if self._makes(edit))
        if self._edits is None:
            self._scratch = BACKEND.copy(model)
            floating = (name for name, tensor in self.network.tensors.items() if tensor.trainable)
            self.names = tuple(floating)
            self._act(0, lambda scratch: None)  # refuses what cannot be batched
        else:
            self.names = tuple(dict.fromkeys(self.network.tensor(n).name for e in self._edits for n in e.tensors()))

    def rows(self, size: int) -> Rows:
        """Return room for some individuals."""
        made = Rows(self.network, self.names, size)
        for name, function in self.low_rank.items():
            tensor = self.network.members[name].tensor
            numbers = function.rank * sum(matrix_shape(tuple(tensor.shape)))
            made.factors[name] = torch.empty((size, numbers), dtype=tensor.dtype, device=tensor.device)
        return made

    def fill(self, rows: Rows, seeds: Sequence[Seed]) -> None:
        """Make the weights of as many individuals as there are seeds, in the first rows."""
        rows.begin_all(len(seeds), self.network)
        if self._edits is None:
            for at, seed in enumerate(seeds):
                self._act(seed, lambda scratch, at=at: rows.begin(at, scratch))
            return
        salt = self._operators[0].name
        for name, factors in rows.factors.items():
            streams = [Noise(seed, "/0", salt).stream(name) for seed in seeds]
            wide = factors.dtype == torch.float64
            drawn = np.zeros((len(seeds), factors.shape[1]), np.float64 if wide else np.float32)
            for row, stream in zip(drawn, streams, strict=True):
                draw_into(row, stream)
            factors[: len(seeds)] = torch.as_tensor(drawn)
        for edit in self._edits:
            flat = _flat(rows, edit)
            if flat is not None and isinstance(edit, Perturb):
                streams = gw_noise.derive_rows(seeds, name=edit.stream, path="/0", salt=salt)
                gw_noise.apply_rows(flat[0][: len(seeds)], edit.change, streams, dtype=flat[1])
                continue
            for at, seed in enumerate(seeds):
                edit.apply(rows.site(at, Noise(seed, "/0", salt)))

    def _makes(self, edit: Edit) -> bool:
        return not any(self.network.tensor(name).name in self.low_rank for name in edit.tensors())

    def _act(self, seed: Seed, made: Callable[[TorchNetwork], None]) -> None:
        """Mutate the copy, hand it over, and take everything back."""
        with Transaction(BACKEND, self._scratch, inplace=True, keep=True, signs=False) as change:
            try:
                act(change, self._operators, Noise(seed))
            except ExampleError as error:
                raise unbatched(" and ".join(type(one).__name__ for one in self._operators)) from error
            for done in change.done:
                if any(edit.changes_structure() for edit in done.step.edits):
                    raise unbatched(type(done.step.operator).__name__)
            network = TorchNetwork(self._scratch)
            for name, tensor in network.tensors.items():
                before = self.network.tensors.get(name)
                if before is None or before.shape != tensor.shape:
                    raise unbatched("An operator")
            made(network)


def proposed(network: TorchNetwork, operators: tuple[AnyOperator, ...]) -> tuple[Edit, ...] | None:
    """Return the edits of one operator where they are the same for every seed; None where they are not.

    Raises:
        UnsupportedError: They change layers or shapes.
        GenewrightError: The operator does not fit.
    """
    operator = next(iter(operators)) if len(operators) == 1 else None
    if not isinstance(operator, Operator):
        return None
    noise = _Watched(0, "/0", operator.name)
    try:
        edits = tuple(operator.resolve((network,), noise).propose((network,), noise))
    except _AskedError:
        return None
    except ExampleError as error:
        raise unbatched(type(operator).__name__) from error
    if any(edit.changes_structure() for edit in edits):
        raise unbatched(type(operator).__name__)
    if not all(isinstance(edit, ValueEdit) for edit in edits):
        return None
    check_proposal(edits, (network,))
    return edits


def _flat(rows: Rows, edit: Edit) -> tuple[NDArray[Any], str] | None:
    """Return the rows of a tensor as one array (individuals, elements), where noise can be drawn straight into them."""
    if not isinstance(edit, Perturb) or edit.part or edit.elements.size:
        return None
    tensor = rows.network.tensor(edit.tensor)
    stacked = rows.stacked[tensor.name]
    values = in_main_memory(stacked) if tensor.dtype in FLOATS else None
    return None if values is None else (values.reshape(stacked.shape[0], math.prod(tensor.shape)), tensor.dtype)
