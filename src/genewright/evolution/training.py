"""Training: an individual learns for a while before it is judged, and its children start from what it has learnt."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from numpy.typing import NDArray

from genewright.calls import Answering
from genewright.errors import SettingError
from genewright.fitness.fitness import signature_of
from genewright.noise import choice
from genewright.seeding import Noise
from genewright.settings import check_positive

_EXPLORED = (0.8, 1.2)  # Jaderberg et al., section 4.1


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What an individual is trained with.

    Attributes:
        settings: The parent's settings, each changed by a factor of 0.8 or 1.2; a learning rate, for example.
        state: What the parent's training returned, by name; empty where it has not been trained. Arrays may have the
            parent's shapes where a mutation has changed the architecture.
        seed: Of whatever the training draws. Torch's own generator is seeded with it, too.
        generation: The individual's generation.
    """

    settings: Mapping[str, float]
    state: Mapping[str, NDArray[Any]]
    seed: int
    generation: int


@dataclass(frozen=True)
class Training(metaclass=Answering):
    """How individuals learn before they are judged (Lamarckian: what is learnt is inherited).

    Args:
        function: ``train(model, trial)`` trains the model in place; it may return arrays by name, such as the moments
            of its optimizer, which the children's `trial.state` holds.
        settings: What the first children start from; each child has its parent's settings, each times 0.8 or 1.2.
        folder: Where trained weights are kept; by default beside the store.

    Raises:
        SettingError: It is no function, or a setting is not above 0.

    Example:
        >>> import torch, genewright as gw
        >>> def train(model, trial):
        ...     for parameter in model.parameters():
        ...         parameter.data *= 1 - trial.settings["decay"]
        >>> run = gw.evolve(torch.nn.Linear(2, 1), lambda model: -float(model.weight.norm()), generations=3, seed=1,
        ...     mutation=gw.GaussianNoise(std=0.01), strategy=gw.HillClimb(), train=gw.Training(train, {"decay": 0.1}))
        >>> bool(run.best.genome.trained)
        True

    References:
        Jaderberg et al., "Population Based Training of Neural Networks", arXiv:1711.09846, section 4.1 (settings that
        are inherited and perturbed). Elsken et al., "Efficient Multi-objective Neural Architecture Search via
        Lamarckian Evolution", arXiv:1804.09081, section 3 (weights that are inherited).
    """

    function: Callable[[Any, Trial], Any]
    settings: Mapping[str, float] = field(default_factory=dict[str, float])
    folder: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        if not callable(self.function) or isinstance(self.function, type):
            raise SettingError(f"train= is a function of a model and a gw.Trial; received {self.function!r}.")
        for name, value in self.settings.items():
            check_positive("Training", f"settings[{name!r}]", value)

    @classmethod
    def of(cls, given: Any) -> Training | None:
        """Return what a user gave as `train`: None, a function, or one of these."""
        return given if given is None or isinstance(given, Training) else cls(given)

    def signature(self) -> dict[str, Any]:
        """Return what tells one training from another: a run is resumed with the same one only."""
        return {"function": signature_of(self.function), "settings": dict(self.settings)}

    def explored(self, settings: Mapping[str, float], noise: Noise) -> dict[str, float]:
        """Return settings as a child has them."""
        return {
            name: value * _EXPLORED[choice(noise.child(name).stream("setting"), [0.5, 0.5])]
            for name, value in settings.items()
        }

    def carry_out(self, model: Any, trial: Trial) -> Mapping[str, NDArray[Any]]:
        """Train a model in place; return what its children are handed.

        Raises:
            SettingError: The function returned something else than arrays by name.
        """
        with _torch_seeded(trial.seed):
            state: object = self.function(model, trial)
        if state is None:
            return {}
        if not isinstance(state, Mapping):
            raise SettingError(f"train= returns None, or arrays by name; received {type(state).__name__}.")
        return cast("Mapping[str, NDArray[Any]]", state)


@contextlib.contextmanager
def _torch_seeded(seed: int) -> Generator[None]:
    """Let torch's generator of the CPU start from a seed, and be as it was afterwards."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
