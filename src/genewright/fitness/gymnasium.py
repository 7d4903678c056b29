"""Fitness in an environment of Gymnasium."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genewright.backends import backend_of
from genewright.errors import SettingError, UnsupportedError
from genewright.extras import required
from genewright.fitness.fitness import Fitness
from genewright.seeding import Noise
from genewright.settings import check_integer

Policy = Callable[[Any, NDArray[Any]], Any]


@dataclass(frozen=True, eq=False)
class Gymnasium(Fitness):
    """Judge a model by the mean return of episodes in an environment.

    The episodes of a model go on side by side: it is called once a step, on the observations of all that are not over.
    All models of a generation have the same episodes (common random numbers): what differs is the model.

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
        noise = noise if self.resample else Noise(noise.seed, "/episodes", noise.salt)
        environments = _environments(self.env_id, self.episodes, tuple(sorted(self.settings.items())))
        act = self._acting(model, environments[0])
        seeds = [noise.child(place).stream("episode").key % 2**31 for place in range(self.episodes)]
        seen = [np.asarray(one.reset(seed=seed)[0]) for one, seed in zip(environments, seeds, strict=True)]
        returns = [0.0] * self.episodes
        going, steps = list(range(self.episodes)), 0
        while going and (self.max_steps is None or steps < self.max_steps):
            actions = act(np.stack([seen[place] for place in going]))
            still: list[int] = []
            for place, action in zip(going, actions, strict=True):
                observation, reward, ended, cut, _ = environments[place].step(action)
                seen[place] = np.asarray(observation)
                returns[place] += float(reward)
                if not (ended or cut):
                    still.append(place)
            going, steps = still, steps + 1
        return math.fsum(returns) / self.episodes

    def _acting(self, model: Any, environment: Any) -> Callable[[NDArray[Any]], Any]:
        """Return what gives an action for each observation."""
        policy = self.policy
        if policy is not None:
            return lambda observations: policy(model, observations)
        outputs, space = _outputs_of(model), environment.action_space
        kind = type(space).__name__
        if kind == "Discrete":
            start = int(space.start)
            return lambda observations: (outputs(observations).argmax(axis=-1) + start).tolist()
        if kind == "Box":
            shape, low, high = space.shape, space.low, space.high
            return lambda seen: np.clip(outputs(seen).reshape(-1, *shape), low, high).astype(space.dtype)
        raise UnsupportedError(
            f"Gymnasium: {self.env_id} has actions of the kind {kind}, for which a model's outputs say nothing by "
            "themselves. Write policy=lambda model, observations: ..., a row of actions for each observation."
        )


@functools.lru_cache(maxsize=8)
def _environments(env_id: str, count: int, settings: tuple[tuple[str, Any], ...]) -> list[Any]:
    """Return environments, which one process makes once: every episode begins with a seed."""
    gymnasium = required("gymnasium", extra="gymnasium", what="gw.fitness.Gymnasium")
    return [gymnasium.make(env_id, **dict(settings)) for _ in range(count)]


def _outputs_of(model: Any) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return what gives a model's first output for floating observations."""
    backend = backend_of(model)
    if backend.name != "torch":
        return lambda observations: backend.predict(model, observations.astype(np.float32))[0]
    torch: Any = sys.modules["torch"]
    model.eval()  # it is ours, so that its mode need not come back after each of a thousand steps
    place = next(iter(model.parameters()), torch.zeros(()))

    def outputs(observations: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            made = model(torch.from_numpy(observations).to(place))
        first: Any = next(iter(cast("tuple[Any, ...]", made))) if isinstance(made, tuple) else made
        return first.float().numpy(force=True)

    return outputs
