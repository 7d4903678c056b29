"""What models do in an environment: by their own outputs, one model or many that run together."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.backends import backend_of
from genewright.errors import UnsupportedError
from genewright.fitness.fitness import Individuals
from genewright.fitness.near_ties import ROUNDING, are_choices, near_ties

Policy = Callable[[Any, NDArray[Any]], Any]


class NotAlike(Exception):  # noqa: N818  # no error: the caller judges one individual after the other
    """Models that run together do not compute what each does alone, such as policies that remember."""


def action_of(model: Any, policy: Policy | None, space: Any, env_id: str) -> Callable[[NDArray[Any]], Any]:
    """Return what gives a model's action for each observation.

    Raises:
        UnsupportedError: Actions of this kind need a policy.
    """
    if policy is not None:
        return lambda observations: policy(model, observations)
    outputs = outputs_of(model)
    kind = type(space).__name__
    if kind == "Discrete":
        start = int(space.start)
        return lambda observations: (outputs(observations).argmax(axis=-1) + start).tolist()
    if kind == "Box":
        shape, low, high = space.shape, space.low, space.high
        return lambda seen: np.clip(outputs(seen).reshape(-1, *shape), low, high).astype(space.dtype)
    raise UnsupportedError(
        f"Gymnasium: {env_id} has actions of the kind {kind}, for which a model's outputs say nothing by "
        "themselves. Write policy=lambda model, observations: ..., a row of actions for each observation."
    )


def modes_kept(model: Any) -> AbstractContextManager[None]:
    """Return the block in which a model may act; a torch module's modes are as before when it ends."""
    if backend_of(model).name != "torch":
        return nullcontext()
    return importlib.import_module("genewright.backends.torch.modes").evaluating(model)


def outputs_of(model: Any) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return what gives a model's first output for floating observations."""
    backend = backend_of(model)
    if backend.name != "torch":
        return lambda observations: backend.predict(model, observations.astype(np.float32))[0]
    torch: Any = sys.modules["torch"]
    model.eval()  # its mode comes back at the end, not after each of a thousand steps: `modes_kept`
    place = next(iter(model.parameters()), torch.zeros(()))

    def outputs(observations: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            made = model(torch.from_numpy(observations).to(place))
        first: Any = next(iter(cast("tuple[Any, ...]", made))) if isinstance(made, tuple) else made
        return first.float().numpy(force=True)

    return outputs


class Together:
    """The choices among `Discrete` actions of many individuals, each on observations of its own.

    They run in one pass as long as enough of them go on. The choices are those of each model alone: where an
    individual's two best actions are as near as rounding, its own model decides. The first individual runs alone beside
    the others, and is what they are held to.

    Args:
        individuals: Who acts.
        episodes: Episodes of each; place i * episodes + j is individual i's episode j.
        start: The space's first action.
        fewest: Individuals that run in one pass; fewer run one after the other.
    """

    def __init__(self, individuals: Individuals, episodes: int, start: int, fewest: int) -> None:
        self._individuals = individuals
        self._shape = (len(individuals), episodes)
        self._start = start
        self._fewest = fewest
        self._alone = functools.lru_cache(maxsize=4 * fewest)(self._made)

    def __call__(self, going: list[int], seen: NDArray[Any]) -> list[int]:
        """Return an action for each place that goes on.

        Raises:
            NotAlike: The first individual does something else alone.
        """
        places: NDArray[np.int64] = np.array(going)
        mine, theirs = np.divmod(places, self._shape[1])
        rows = seen.reshape(*self._shape, *seen.shape[1:])
        chosen: NDArray[np.int64] = np.zeros(self._shape, np.int64)
        outputs, single = None, set[int](mine.tolist())
        if len(single) >= self._fewest:
            outputs, near = self._in_one_pass(rows)
            chosen = outputs.argmax(axis=-1)
            single = set[int](mine[near[mine, theirs]].tolist()) | (single & {0})
        for individual in sorted(single):
            own = theirs[mine == individual]
            alone = self._alone(individual)(rows[individual, own])
            if individual == 0 and outputs is not None and not _alike(alone, outputs[0, own]):
                raise NotAlike
            chosen[individual, own] = alone.argmax(axis=-1)
        return (chosen[mine, theirs] + self._start).tolist()

    def _in_one_pass(self, rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return all outputs, and where an individual's two best are as near as rounding, or no numbers."""
        outputs = self._individuals.predict_each(rows)[0]
        if not are_choices(outputs):
            raise NotAlike
        return outputs, near_ties(outputs)

    def _made(self, individual: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
        return outputs_of(self._individuals.model(individual))


def _alike(alone: NDArray[Any], together: NDArray[Any]) -> bool:
    limit = ROUNDING * np.abs(together).max()
    return bool(np.allclose(alone, together, rtol=0, atol=limit, equal_nan=True))
