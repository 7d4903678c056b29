"""Episodes in environments of Gymnasium that go on side by side, each from a seed of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.extras import required

Act = Callable[[list[int], NDArray[Any]], Any]
"""Gives an action for each place that goes on, of the places and of what was last seen at all of them, a row each."""


@functools.lru_cache(maxsize=8)
def environments(env_id: str, count: int, settings: tuple[tuple[str, Any], ...]) -> list[Any]:
    """Return environments, which one process makes once: every episode begins with a seed.

    Raises:
        MissingExtraError: Gymnasium is not installed.
    """
    gymnasium = required("gymnasium", extra="gymnasium", what="gw.fitness.Gymnasium")
    return [gymnasium.make(env_id, **dict(settings)) for _ in range(count)]


def returns_of(places: Sequence[Any], seeds: Sequence[int], act: Act, max_steps: int | None) -> list[float]:
    """Return the undiscounted return of one episode in each environment.

    What happens in one does not depend on the others, nor on how many there are.

    Args:
        places: The environments.
        seeds: What each episode begins with.
        act: Is called once a step, for all episodes that are not over.
        max_steps: Steps after which an episode is cut off; None leaves that to the environment.
    """
    seen = np.stack([np.asarray(one.reset(seed=seed)[0]) for one, seed in zip(places, seeds, strict=True)])
    returns = [0.0] * len(places)
    going, steps = list(range(len(places))), 0
    while going and (max_steps is None or steps < max_steps):
        still: list[int] = []
        for place, action in zip(going, act(going, seen), strict=True):
            observation, reward, ended, cut, _ = places[place].step(action)
            seen[place] = observation
            returns[place] += float(reward)
            if not (ended or cut):
                still.append(place)
        going, steps = still, steps + 1
    return returns
