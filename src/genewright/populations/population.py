"""gw.population and gw.evaluate: the individuals that an operator makes of one base, by seeds, in one forward pass."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, cast

from numpy.typing import NDArray

from genewright.backends import Backend, backend_of
from genewright.calls import Answering, answered
from genewright.errors import SeedError, SettingError, UnsupportedError
from genewright.fitness.fitness import check_fitness, judged, judged_all
from genewright.mutate import Operators, mutate
from genewright.named import operators_for
from genewright.operator import AnyOperator, donors_of
from genewright.populations.memory import bytes_of
from genewright.seeding import Noise, Seed, canonical_seed
from genewright.settings import check_choice
from genewright.showing import Meter

Dropout = Literal["common", "separate"]
DROPOUTS = ("common", "separate")
_GROUP, _GROUPS = 32, 20  # individuals between two changes of the bar, at least; how often it changes, at most


class Population(ABC, metaclass=Answering):
    """Mutants of one base that run together; made by `gw.population`.

    Attributes:
        seeds: The seed of each individual.
    """

    made_by = "gw.population(model, operator, range(100))"

    seeds: tuple[Seed, ...]

    def __len__(self) -> int:
        return len(self.seeds)

    def __repr__(self) -> str:
        return f"<gw.Population of {len(self)} mutants: call it with a batch, or take one by .model(0)>"

    if not TYPE_CHECKING:  # a type checker says so itself

        def __getitem__(self, at: Any) -> Any:
            """Refuse: one mutant is a model of its own."""
            raise SettingError(f"A population is not indexed. Write population.model({at!r}), or population.models().")

    @abstractmethod
    def __call__(self, batch: Any) -> Any:
        """Return the outputs of every individual for one batch that all of them see.

        Args:
            batch: A tensor or array, a tuple of positional or a dict of keyword arguments.

        Returns:
            What the model returns, each tensor with a first axis of individuals: (individuals, samples, ...). No graph.
        """

    @abstractmethod
    def each(self, batches: Any) -> Any:
        """Return the outputs of every individual for a batch of its own, as policies have it.

        Args:
            batches: As in a call, each tensor with a first axis of individuals.

        Raises:
            DataError: That axis is not as long as the population.
        """

    @abstractmethod
    def predict(self, batch: Any) -> list[NDArray[Any]]:
        """Return the outputs in evaluation mode as arrays, each with a first axis of individuals."""

    @abstractmethod
    def predict_each(self, batches: Any) -> list[NDArray[Any]]:
        """Return the outputs in evaluation mode as arrays, of every individual for a batch of its own, as in `each`."""

    @property
    @abstractmethod
    def exact(self) -> bool:
        """Whether all parameters have 32 bits or more."""

    @abstractmethod
    def tensors(self, individual: int) -> dict[str, Any]:
        """Return the changed parameters of one individual by name, copies: those of `gw.mutate`, bit for bit."""

    @abstractmethod
    def model(self, individual: int) -> Any:
        """Return one individual as a model of its own, without a recipe."""

    def models(self) -> Iterator[Any]:
        """Yield every individual as a model of its own, without a recipe."""
        return map(self.model, range(len(self)))


@answered("gw.population(model, gw.GaussianNoise(std=0.01), range(100))")
def population(
    model: Any,
    operator: Operators,
    seeds: Iterable[Seed],
    *,
    memory: str | int | None = "2 GB",
    dropout: Dropout = "common",
    like: Population | None = None,
) -> Population:
    """Return the mutants of `model` by an operator and many seeds, as one callable.

    Individual i has the weights of ``gw.mutate(model, operator, seed=seeds[i])``, bit for bit; its outputs are those of
    that mutant to rounding. Only tensors that the operator changes are stacked; what all individuals share is computed
    once where they see the same samples. The model's own modes hold: batch normalisation in training mode has
    statistics of its own for each individual, which stay from call to call. What torch.func.vmap cannot do runs one
    individual after the other, a recurrent layer alone where that is all; the log says so once.

    `LowRankNoise` is never added to the weights here: layers compute x W + (x B) A^T.

    Args:
        model: A torch module; or a Keras model where Keras computes with JAX: its mutants run under jax.vmap, with
            ``training=False`` and whole weights. It is copied, and stays as it is.
        operator: An operator, or several that act in order, that change weights alone.
        seeds: A seed for each individual: ints, texts or bytes.
        memory: What stacked tensors and layers' outputs may take, such as "2 GB"; None for no limit. How much a pass
            takes is measured on one individual, and the others run in chunks that fit.
        dropout: Whether all individuals drop the same units in training mode ("common"), or each its own ("separate").
        like: A population of the same form and operator, whose measurements are taken over.

    Raises:
        SettingError: There is no seed, or one individual needs more than `memory`.
        SeedError: A seed is not one.
        UnsupportedError: The model is none of these, or the operator changes layers or shapes, or needs donors.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> outputs = gw.population(net, gw.GaussianNoise(std=0.1), range(100))(torch.ones(3, 4))
        >>> outputs.shape
        torch.Size([100, 3, 2])

    References:
        Such et al., "Deep Neuroevolution", arXiv:1712.06567, section 3; Lange, "evosax", arXiv:2212.04180.
    """
    operators = operators_for(model, operator, "gw.population")
    known = _seeds(seeds)
    check_choice("gw.population", "dropout", dropout, DROPOUTS)
    budget = bytes_of("gw.population", memory)
    _refuse(operators)
    backend = backend_of(model)
    if _on_jax(backend):
        jax: Any = import_module("genewright.populations.keras")
        return cast(Population, jax.JaxPopulation(model, operators, known, budget, like))
    if backend.name != "torch":
        raise UnsupportedError(
            "gw.population runs torch modules, and Keras models where Keras computes with JAX; a "
            f"{type(model).__name__} is here of {backend.name}. Evaluate its mutants one by one: [fitness(gw.mutate("
            "model, operator, seed=seed)) for seed in seeds]."
        )
    made: Any = import_module("genewright.populations.torch")
    family = made.Family(model, operators, known)
    return cast(Population, made.TorchPopulation([family], budget, dropout, like))


def siblings(
    families: Iterable[tuple[Any, AnyOperator, Sequence[Seed]]], *, memory: str | int | None, like: Population | None
) -> Population:
    """Return the children of several parents, in order, as one population.

    Args:
        families: Torch modules that differ in the values of their tensors alone; for each an operator of weights, and
            a seed for each child.
        memory: As in `population`.
        like: As in `population`.

    Raises:
        GenewrightError: As in `population`.
    """
    made: Any = import_module("genewright.populations.torch")
    told = [made.Family(parent, (operator,), tuple(seeds)) for parent, operator, seeds in families]
    return cast(Population, made.TorchPopulation(told, bytes_of("gw.population", memory), "common", like))


@answered("gw.evaluate(model, gw.GaussianNoise(std=0.01), range(100), fitness)")
def evaluate(
    model: Any,
    operator: Operators,
    seeds: Iterable[Seed],
    fitness: Any,
    *,
    memory: str | int | None = "2 GB",
    progress: bool = False,
) -> list[Any]:
    """Return the fitness of each mutant of `model` by an operator and many seeds.

    A fitness that judges outputs (`gw.fitness.Supervised`, and sums of such) runs all individuals together; any other
    function of a model is handed one mutant after the other, each its own.

    Args:
        model: As in `population`, or where the fitness takes one mutant after the other, any model.
        operator: As in `population`.
        seeds: As in `population`.
        fitness: One of `gw.fitness`, or a function of a model; more is better.
        memory: As in `population`.
        progress: As in `gw.mutate`.

    Returns:
        For each seed what the fitness returns.

    Raises:
        GenewrightError: As in `population`.

    Example:
        >>> import torch, genewright as gw
        >>> x, y = torch.eye(3), torch.tensor([0, 1, 2])
        >>> judge = gw.fitness.Supervised(x, y, "cross_entropy")
        >>> fitnesses = gw.evaluate(torch.nn.Linear(3, 3), gw.GaussianNoise(std=0.1), range(20), judge)
        >>> len(fitnesses), max(fitnesses) > min(fitnesses)
        (20, True)
    """
    check_fitness("gw.evaluate: fitness", fitness)
    noise = Noise(0, "", "fitness")
    backend = backend_of(model)
    known = _seeds(seeds)
    with Meter("gw.evaluate", progress) as meter:
        if backend.name != "torch" and not _on_jax(backend):
            return [
                judged(fitness, mutate(model, operator, seed=seed), noise) for seed in meter.each(known, len(known))
            ]
        group = max(_GROUP, -(-len(known) // _GROUPS)) if meter.shows else len(known)
        values: list[Any] = []
        together: Population | None = None
        for start in range(0, len(known), group):
            meter.at(start, len(known))
            together = population(model, operator, known[start : start + group], memory=memory, like=together)
            values += judged_all(fitness, together, noise)
        return values


def unbatched(name: str) -> UnsupportedError:
    """Return the refusal of an operator that does more than change weights where they are."""
    return UnsupportedError(
        f"{name} cannot be batched: it changes layers or shapes, or has to see the model run, and the individuals of a "
        "population have one form and differ in their weights alone. Mutate the model first, gw.mutate(model, ..., "
        "example=x), and perturb the mutant's weights; or evaluate mutants one by one."
    )


def _on_jax(backend: Backend) -> bool:
    return backend.name == "keras" and sys.modules["keras"].backend.backend() == "jax"


def _seeds(seeds: Any) -> tuple[Seed, ...]:
    if isinstance(seeds, str | bytes) or not isinstance(seeds, Iterable):
        raise SeedError(f"seeds are several, one for each individual: range(100); received {seeds!r}.")
    known = tuple(canonical_seed(seed) for seed in cast("Iterable[Any]", seeds))
    if not known:
        raise SettingError("A population has at least one individual, and no seed was given. Write seeds=range(100).")
    return known


def _refuse(operators: tuple[AnyOperator, ...]) -> None:
    for one in operators:
        if donors := donors_of(one):
            raise UnsupportedError(
                f"{type(one).__name__} cannot be batched: it takes weights from other networks "
                f"({', '.join(donors)}). Mutate one by one: gw.mutate(model, operator, seed=seed, donors=...)."
            )
