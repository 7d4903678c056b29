"""Fitness in an environment of Gymnasium."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from genewright.errors import SettingError
from genewright.fitness.acting import NotAlike, Policy, Together, action_of, modes_kept
from genewright.fitness.episodes import environments, returns_of
from genewright.fitness.fitness import Fitness, Individuals
from genewright.seeding import Noise
from genewright.settings import check_integer

_FEWEST = 32  # individuals: a pass of fewer costs more than their own passes, measured with 8 hidden units
_MOST = 2048  # environments that are held at once


@dataclass(frozen=True, eq=False)
class Gymnasium(Fitness):
    """Judge a model by the mean return of episodes in an environment.

    The episodes of a model go on side by side: it is called once a step, on the observations of all that are not over.
    All models of a generation have the same episodes (common random numbers): what differs is the model.

    With `gw.Batched` and in `gw.evaluate`, the episodes of all children of one parent (32 or more) go on side by side,
    and their policies run in one pass, where actions are `Discrete` and there is no `policy`. The fitness values are
    those of one model after the other: where two actions are as near as rounding, the model itself decides.

    Args:
        env_id: The environment, such as "CartPole-v1".
        episodes: How many, at least 1.
        policy: What the model does: a function (model, observations) -> actions, one row each. By default the largest
            output of a `Discrete` space, and the outputs, clipped to the bounds, of a `Box`.
        resample: Each generation has new episodes; otherwise all have those of the first.
        max_steps: Steps after which an episode is cut off, at least 1; None leaves that to the environment.
        settings: What `gymnasium.make` is given besides.

    Raises:
        SettingError: A setting is out of its range.
        UnsupportedError: In a run, the space of actions needs a policy.
        MissingExtraError: In a run, Gymnasium is not installed.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> fitness = gw.fitness.Gymnasium("CartPole-v1", episodes=3)
        >>> 8 <= fitness(net) <= 500, fitness(net) == fitness(net)
        (True, True)

    References:
        Towers et al., "Gymnasium: A Standard Interface for Reinforcement Learning Environments", arXiv:2407.17032;
        Glasserman and Yao, "Some Guidelines and Guarantees for Common Random Numbers", Management Science 38, 1992.
    """

    env_id: str
    episodes: int = 1
    policy: Policy | None = None
    resample: bool = True
    max_steps: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        if not isinstance(self.env_id, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"Gymnasium: env_id is a name such as 'CartPole-v1'; received {self.env_id!r}.")
        check_integer(self, "episodes", self.episodes, low=1)
        if self.max_steps is not None:
            check_integer(self, "max_steps", self.max_steps, low=1)

    def evaluate(self, model: Any, noise: Noise) -> float:
        places = environments(self.env_id, self.episodes, self._settings)
        with modes_kept(model):
            action = action_of(model, self.policy, places[0].action_space, self.env_id)
            returns = returns_of(places, self._seeds(noise), lambda going, seen: action(seen[going]), self.max_steps)
        return math.fsum(returns) / self.episodes

    @property
    def judges_outputs(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether models act by their outputs; a policy is handed one model after the other."""
        return self.policy is None

    @property
    def counts_decisions(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the returns are those of each model alone."""
        return self.judges_outputs

    def evaluate_all(self, individuals: Individuals, noise: Noise) -> list[Any]:
        count = len(individuals)
        if self.policy is None and count >= _FEWEST and count * self.episodes <= _MOST:
            space = environments(self.env_id, self.episodes, self._settings)[0].action_space
            if type(space).__name__ == "Discrete" and individuals.exact:
                places = environments(self.env_id, count * self.episodes, self._settings)
                act = Together(individuals, self.episodes, int(space.start), _FEWEST)
                with contextlib.suppress(NotAlike):
                    returns = returns_of(places, self._seeds(noise) * count, act, self.max_steps)
                    return [math.fsum(mine) / self.episodes for mine in _parts(returns, self.episodes)]
        return super().evaluate_all(individuals, noise)

    def _seeds(self, noise: Noise) -> list[int]:
        """Return what the episodes begin with: those of all individuals of a generation."""
        noise = noise if self.resample else Noise(noise.seed, "/episodes", noise.salt)
        return [noise.child(place).stream("episode").key % 2**31 for place in range(self.episodes)]

    @property
    def _settings(self) -> tuple[tuple[str, Any], ...]:
        return tuple(sorted(self.settings.items()))


def _parts(values: list[float], length: int) -> list[list[float]]:
    return [values[at : at + length] for at in range(0, len(values), length)]
