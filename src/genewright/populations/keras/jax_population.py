"""Mutants of one Keras model that run together, on Keras's JAX backend: one compiled pass under jax.vmap."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends.keras import BACKEND
from genewright.backends.keras.library import array_of, keras
from genewright.backends.keras.network import KerasNetwork
from genewright.errors import DataError, ExampleError, SettingError
from genewright.mutate import act
from genewright.operator import AnyOperator
from genewright.populations.memory import said
from genewright.populations.population import Population, unbatched
from genewright.seeding import Noise, Seed
from genewright.transaction import Transaction

_LOG = logging.getLogger("genewright")
_SINGLE = 4  # bytes of a float32


class JaxPopulation(Population):
    """See `gw.population`. Models run with ``training=False``; what JAX cannot compile runs one by one.

    Args:
        model: A built Keras model on JAX.
        operators: What mutates it, in order.
        seeds: A seed for each individual.
        budget: Bytes that stacked variables and layers' outputs may take; None for no limit.
        like: A population whose compiled pass is taken over, where it is of the same form.

    Raises:
        UnsupportedError: An operator changes layers or shapes.
        SettingError: One individual needs more than the budget.
    """

    def __init__(
        self, model: Any, operators: tuple[AnyOperator, ...], seeds: tuple[Seed, ...], budget: int | None, like: Any
    ) -> None:
        self.seeds = seeds
        self._jax: Any = import_module("jax")
        self._operators, self._budget = operators, budget
        self._model = BACKEND.copy(model)
        self._network = KerasNetwork(self._model)
        self._trainable: list[Any] = list(self._model.trainable_variables)
        self._others: list[Any] = list(self._model.non_trainable_variables)
        self._compiled: dict[Any, Any] = {}
        self._sizes: dict[Any, int] = {}
        self._form = [(tuple(one.shape), str(one.dtype)) for one in self._variables]
        self._runner: Any = self._model
        if isinstance(like, JaxPopulation) and like._form == self._form and _alike(self._model, like._model):
            self._runner, self._compiled, self._sizes = like._runner, like._compiled, like._sizes
        self._filled: tuple[int, int] = (0, 0)
        self._stacked: list[Any] = []
        self._values(0)  # refuses what cannot be batched

    def __call__(self, batch: Any) -> Any:
        return self._run(batch, each=False)

    def each(self, batches: Any) -> Any:
        lengths = {len(one) for one in keras.tree.flatten(batches)}
        if lengths != {len(self)}:
            raise DataError(
                f"Each of {len(self)} individuals needs a batch of its own: inputs of shape ({len(self)}, samples, "
                f"...); received a first axis of {sorted(lengths)}."
            )
        return self._run(batches, each=True)

    def predict(self, batch: Any) -> list[NDArray[Any]]:
        return self._arrays(self(batch))

    def predict_each(self, batches: Any) -> list[NDArray[Any]]:
        return self._arrays(self.each(batches))

    @property
    def exact(self) -> bool:
        return all(np.dtype(one.dtype).itemsize >= _SINGLE for one in self._trainable if "float" in str(one.dtype))

    def tensors(self, individual: int) -> dict[str, Any]:
        names = {id(member.variable): name for name, member in self._network.members.items()}
        base = [array_of(one) for one in self._variables]
        made = zip(self._variables, base, self._values(individual), strict=True)
        return {names[id(one)]: new for one, old, new in made if id(one) in names and old.tobytes() != new.tobytes()}

    def model(self, individual: int) -> Any:
        made = BACKEND.copy(self._model)
        for variable, values in zip(_variables(made), self._values(individual), strict=True):
            variable.assign(values)
        return made

    @property
    def _variables(self) -> list[Any]:
        return [*self._trainable, *self._others]

    def _values(self, individual: int) -> list[NDArray[Any]]:
        """Return all variables of one individual; the copy is mutated, read, and taken back."""
        shapes = [tuple(one.shape) for one in self._variables]
        with Transaction(BACKEND, self._model, inplace=True, keep=True, signs=False) as change:
            try:
                act(change, self._operators, Noise(self.seeds[individual]))
            except ExampleError as error:
                raise unbatched(" and ".join(type(one).__name__ for one in self._operators)) from error
            for done in change.done:
                if any(edit.changes_structure() for edit in done.step.edits):
                    raise unbatched(type(done.step.operator).__name__)
            if shapes != [tuple(one.shape) for one in self._variables]:
                raise unbatched("An operator")
            return [np.array(array_of(one)) for one in self._variables]

    def _run(self, inputs: Any, *, each: bool) -> Any:
        numpy = import_module("jax.numpy")
        given = keras.tree.map_structure(numpy.asarray, inputs)
        key = (each, *((one.shape if not each else one.shape[1:], str(one.dtype)) for one in keras.tree.flatten(given)))
        if key not in self._compiled:
            self._compiled[key], self._sizes[key] = self._measured(given, each=each)
        run, chunk = self._compiled[key], self._chunk(self._sizes[key])
        parts: list[Any] = []
        for start in range(0, len(self), chunk):
            stop = min(start + chunk, len(self))
            mine = _cut(given, slice(start, stop)) if each else given
            parts.append(run(self._rows(start, stop), mine))
        return parts[0] if len(parts) == 1 else _joined(numpy.concatenate, parts)

    def _measured(self, inputs: Any, *, each: bool) -> tuple[Any, int]:
        """Return a pass, and the bytes of one individual in it beside its variables, which JAX's compiler knows."""
        mine = _cut(inputs, slice(1)) if each else inputs
        run = self._pass(each=each)
        try:
            told = run.lower(self._rows(0, 1), mine).compile().memory_analysis()
        except Exception as error:  # whatever JAX, or the model's own code, says of values that are not there yet
            _LOG.warning(
                "gw.population runs the individuals of this %s one after the other, for JAX cannot compile their pass "
                "(%s). The outputs are the same.",
                type(self._model).__name__,
                f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}",
            )
            return partial(self._one_by_one, each=each), 0
        return run, 0 if told is None else told.temp_size_in_bytes + told.output_size_in_bytes

    def _one_by_one(self, rows: list[Any], inputs: Any, *, each: bool) -> Any:
        numpy, made = import_module("jax.numpy"), list[Any]()
        for at in range(len(rows[0])):
            mine = [one[at] for one in rows]
            given = _cut(inputs, at) if each else inputs
            made.append(_called(self._runner, mine, given))
        return _joined(numpy.stack, made)

    def _pass(self, *, each: bool) -> Any:
        runner = self._runner

        def one(variables: list[Any], inputs: Any) -> Any:
            return _called(runner, variables, inputs)

        return self._jax.jit(self._jax.vmap(one, in_axes=(0, 0 if each else None)))

    def _chunk(self, size: int) -> int:
        """Return how many individuals run at once, where one needs so many bytes beside its variables."""
        if self._budget is None:
            return len(self)
        own = sum(array_of(one).nbytes for one in self._variables)
        if own + size > self._budget:
            raise SettingError(
                f"memory={said(self._budget)} is too little: one individual needs {said(own + size)} ({said(own)} of "
                f"parameters, {said(size)} of layers' outputs). Give more, or a smaller batch."
            )
        return min(len(self), self._budget // (own + size))

    def _rows(self, start: int, stop: int) -> list[Any]:
        """Return the variables of some individuals, stacked; the last ones are kept."""
        if self._filled != (start, stop):
            numpy = import_module("jax.numpy")
            made = [self._values(individual) for individual in range(start, stop)]
            self._stacked = [numpy.asarray(np.stack(ones)) for ones in zip(*made, strict=True)]
            self._filled = (start, stop)
        return self._stacked

    def _arrays(self, outputs: Any) -> list[NDArray[Any]]:
        made = [np.array(one) for one in keras.tree.flatten(outputs) if one is not None]
        return [one.astype(np.float32) if one.dtype.name in ("bfloat16", "float16") else one for one in made]


def _variables(model: Any) -> Iterator[Any]:
    yield from model.trainable_variables
    yield from model.non_trainable_variables


def _alike(model: Any, other: Any) -> bool:
    """Whether two models compute alike but for their variables: copies of one, by their classes and configs."""
    return type(model) is type(other) and model.get_config() == other.get_config()


def _called(model: Any, variables: list[Any], inputs: Any) -> Any:
    """Return the outputs of a model with other variables; a `call` that takes no ``training`` is given none."""
    count = len(model.trainable_variables)
    settings = {"training": False} if "training" in signature(model.call).parameters else {}
    return model.stateless_call(variables[:count], variables[count:], inputs, **settings)[0]


def _cut(values: Any, at: int | slice) -> Any:
    def one(leaf: Any) -> Any:
        return leaf[at]

    return keras.tree.map_structure(one, values)


def _joined(join: Callable[[Any], Any], parts: list[Any]) -> Any:
    def ones(*leaves: Any) -> Any:
        return join(leaves)

    return keras.tree.map_structure(ones, *parts)
