"""gw.Batched: the same run as with gw.Serial, where the fitness values are the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.fitness.fitness import Individuals
from genewright.populations.population import siblings
from genewright.seeding import Noise

X, Y = torch.randn(60, 4, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 3


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


def run(executor: Any, strategy: Any, mutation: Any, fitness: Any, **settings: Any) -> gw.Run:
    given: dict[str, Any] = {"generations": 3, "seed": 5, **settings}
    return gw.evolve(net(), fitness, mutation=mutation, strategy=strategy, executor=executor, **given)


ACCURACY = gw.fitness.Supervised(X, Y, "accuracy")
STRATEGIES: dict[str, Any] = {
    "genetic": (gw.GeneticAlgorithm(population=12, parents=3), gw.GaussianNoise(std=0.2)),
    "low rank": (gw.GeneticAlgorithm(population=12, parents=2), gw.LowRankNoise(std=0.2)),
    "two mutations": (
        gw.GeneticAlgorithm(population=12, parents=3),
        {"noise": gw.GaussianNoise(std=0.2), "shuffle": gw.Shuffle()},
    ),
    "evolution strategy": (gw.EvolutionStrategy(population=12, std=0.1, learning_rate=0.05), None),
}


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_the_champion_is_that_of_serial(name: str) -> None:
    strategy, mutation = STRATEGIES[name]
    batched, serial = (run(e, strategy, mutation, ACCURACY) for e in (gw.Batched(), gw.Serial()))
    assert gw.fingerprint(batched.best_model) == gw.fingerprint(serial.best_model)
    told = [[(one.number, one.status, one.fitness, one.genome) for one in r.individuals()] for r in (batched, serial)]
    assert told[0] == told[1]
    assert any(one.worker == "batched" and one.number for one in batched.individuals())


class Counting(gw.fitness.Fitness):
    """Says how often individuals ran together."""

    judges_outputs = True

    def __init__(self) -> None:
        self.together: list[int] = []

    def evaluate(self, model: Any, noise: Noise) -> float:
        return ACCURACY.evaluate(model, noise)

    def evaluate_all(self, individuals: Individuals, noise: Noise) -> list[Any]:
        self.together.append(len(individuals))
        return ACCURACY.evaluate_all(individuals, noise)


def test_children_of_one_parent_run_together_and_the_first_measurement_serves_all() -> None:
    counting = Counting()
    run(gw.Batched(), gw.EvolutionStrategy(population=12, std=0.1), None, counting)
    assert counting.together == [6] * 6


def test_accuracies_are_judged_together_unless_somebody_says_otherwise() -> None:
    strategy, mutation = gw.GeneticAlgorithm(population=6, parents=2), gw.GaussianNoise(std=0.2)

    def workers(fitness: Any, **settings: Any) -> set[str]:
        made = run(settings.pop("executor", None), strategy, mutation, fitness, **settings)
        return {one.worker for one in made.individuals() if one.number}

    assert workers(ACCURACY) == {"batched"}
    assert workers(ACCURACY + ACCURACY) == {"batched"}
    loss = gw.fitness.Supervised(X, Y, "cross_entropy")
    for fitness, settings in ((loss, {}), (ACCURACY + loss, {}), (lambda model: 1.0, {})):
        assert workers(fitness, **settings) == {"serial"}
    assert workers(ACCURACY, executor=gw.Serial()) == {"serial"}


class OffByRounding:
    """Individuals whose outputs differ from those of each alone in the last digits, as on other machines."""

    def __init__(self, individuals: gw.Population) -> None:
        self._individuals = individuals

    def __len__(self) -> int:
        return len(self._individuals)

    def predict(self, batch: Any) -> list[Any]:
        return [one * (1 + 1e-6 * torch.randn(one.shape).numpy()) for one in self._individuals.predict(batch)]

    def model(self, individual: int) -> Any:
        return self._individuals.model(individual)

    def models(self) -> Any:
        return self._individuals.models()


def test_two_classes_as_near_as_rounding_are_decided_by_the_model_itself() -> None:
    """Two classes whose weights differ in their last bits alone: many samples are a matter of rounding."""
    torch.manual_seed(0)
    base = nn.Linear(30, 2, bias=False)
    with torch.no_grad():
        base.weight[1] = base.weight[0] * (1 + 1e-6)
    x = torch.randn(500, 30)
    judge = gw.fitness.Supervised(x, torch.arange(500) % 2, "accuracy")
    scaling = gw.FactorNoise(std=1e-7)
    alone = [judge(gw.mutate(base, scaling, seed=seed)) for seed in range(8)]
    individuals = OffByRounding(gw.population(base, scaling, range(8)))
    assert judge.evaluate_all(individuals, Noise(1)) == alone
    first, second = (individuals.predict(x)[0].argmax(-1) for _ in range(2))
    assert (first != second).any()


def test_children_of_several_parents_run_together_until_their_forms_differ() -> None:
    counting = Counting()
    strategy = gw.GeneticAlgorithm(population=10, parents=5, elites=1)
    run(gw.Batched(), strategy, gw.GaussianNoise(std=0.2), counting)
    assert max(counting.together) >= 8
    widening = {"widen": gw.Widen("0", factor=1.5), "noise": gw.GaussianNoise(std=0.2)}
    runs = [run(e, strategy, widening, ACCURACY, example=X[:2], generations=4) for e in (gw.Batched(), gw.Serial())]
    told = [[(one.status, one.fitness, one.genome) for one in each.individuals()] for each in runs]
    assert told[0] == told[1]


def test_parents_that_differ_in_running_statistics_keep_their_own() -> None:
    """Also where an operator changes only some of their tensors, and reads none of the others."""
    torch.manual_seed(0)
    parents = [nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)) for _ in range(3)]
    for parent in parents:
        parent(torch.randn(20, 4))
    noise = gw.GaussianNoise(std=0.2, where="2.*")
    together = siblings([(parent, noise, (1, 2)) for parent in parents], memory=None, like=None)
    (outputs,) = together.predict(X)
    expected = [gw.mutate(parent, noise, seed=seed).eval()(X) for parent in parents for seed in (1, 2)]
    for mine, theirs in zip(outputs, expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(mine), theirs.detach())
    for made, parent in zip(list(together.models())[::2], parents, strict=True):
        assert gw.fingerprint(made) == gw.fingerprint(gw.mutate(parent, noise, seed=1))


def test_parents_of_unequal_forms_are_refused() -> None:
    parents = [nn.Linear(4, 3), nn.Linear(4, 2)]
    with pytest.raises(gw.UnsupportedError, match=r"shape \(3, 4\).*in another. Make a population for each form"):
        siblings([(parent, gw.GaussianNoise(), (1, 2)) for parent in parents], memory=None, like=None)


def test_what_cannot_run_together_goes_as_with_serial() -> None:
    calls: list[int] = []

    def judge(model: nn.Module) -> float:
        calls.append(1)
        return -float(model[0].weight.detach().norm())  # type: ignore[index]

    strategy = gw.GeneticAlgorithm(population=6, parents=2)
    batched = run(gw.Batched(), strategy, gw.GaussianNoise(std=0.2), judge)
    counted = len(calls)
    serial = run(gw.Serial(), strategy, gw.GaussianNoise(std=0.2), judge)
    assert counted == len(calls) - counted
    assert gw.fingerprint(batched.best_model) == gw.fingerprint(serial.best_model)


def test_a_refusal_is_each_individuals_own() -> None:
    strategy = gw.GeneticAlgorithm(population=6, parents=2)
    mutation = {"good": gw.GaussianNoise(std=0.1), "bad": gw.LowRankNoise(rank=7)}
    outcomes = []
    for executor in (gw.Batched(), gw.Serial()):
        with pytest.warns(UserWarning, match="The mutation 'bad' does not apply"):
            found = run(executor, strategy, mutation, ACCURACY)
        outcomes.append([(one.number, one.status, one.error) for one in found.individuals()])
    assert outcomes[0] == outcomes[1]
    assert any(status == "refused" for _, status, _ in outcomes[0])


def test_bad_input_is_refused() -> None:
    with pytest.raises(gw.SettingError, match="memory"):
        gw.Batched(memory="lots")
    with pytest.raises(gw.SettingError, match="timeout"):
        run(gw.Batched(), gw.GeneticAlgorithm(population=6, parents=2), gw.GaussianNoise(), ACCURACY, timeout=5.0)
