"""Strategies: each improves, is told by a recipe, and depends on nothing but its noise and what it was told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.seeding import Noise
from tests.evolution.problems import NOISE, X, evolved, loss, network, story, weights


def judged(model: nn.Module) -> dict[str, float]:
    return {"fitness": loss(model), "weights": weights(model)}


def both(model: nn.Module) -> tuple[float, float]:
    return loss(model), weights(model)


STRATEGIES: dict[str, dict[str, Any]] = {
    "truncation": {"strategy": gw.GeneticAlgorithm(population=20, parents=4)},
    "tournament": {"strategy": gw.GeneticAlgorithm(population=20, tournament=5, elites=2, crossover=0.3)},
    "self-adaptive": {"strategy": gw.GeneticAlgorithm(population=20, parents=4, strength=gw.SelfAdaptive(reset=0.1))},
    "one fifth": {"strategy": gw.GeneticAlgorithm(population=20, parents=4, strength=gw.OneFifth(factor=1.1))},
    "evolution strategy": {
        "strategy": gw.EvolutionStrategy(population=20, std=0.1, learning_rate=0.1),
        "mutation": None,
    },
    "by momentum and z-scores": {
        "strategy": gw.EvolutionStrategy(population=20, learning_rate=0.2, optimizer="momentum", shaping="z_scores"),
        "mutation": NOISE,
    },
    "by plain steps": {
        "strategy": gw.EvolutionStrategy(population=20, std=0.1, learning_rate=0.2, optimizer="sgd", weight_decay=0.01),
        "mutation": None,
    },
    "hill climb": {"strategy": gw.HillClimb(children=4, strength=gw.OneFifth()), "generations": 14},
    "steady state": {"strategy": gw.SteadyState(population=16, tournament=6, batch=4), "generations": 16},
    "the worst goes": {
        "strategy": gw.SteadyState(population=8, tournament=4, batch=4, replaces="worst", strength=gw.SelfAdaptive()),
        "generations": 16,
    },
    "islands": {
        "strategy": gw.Islands(strategy=gw.GeneticAlgorithm(population=8, parents=2), islands=2, every=2),
        "generations": 8,
    },
    "islands of evolution strategies": {
        "strategy": gw.Islands(
            strategy=gw.EvolutionStrategy(population=10, std=0.1, learning_rate=0.1), islands=2, every=3
        ),
        "mutation": None,
    },
    "CMA-ES": {"strategy": gw.CMAES(std=0.3, population=20), "mutation": None},
    "separable CMA-ES": {"strategy": gw.SeparableCMAES(std=0.3), "mutation": NOISE},
    "MAP-Elites": {
        "strategy": gw.MAPElites(measures={"weights": (-40.0, 0.0, 10)}, batch=20),
        "fitness": judged,
    },
    "NSGA-II": {"strategy": gw.NSGA2(population=20, crossover=0.2), "fitness": both},
}


VARIANTS = (
    "one fifth",
    "by plain steps",
    "by momentum and z-scores",
    "the worst goes",
    "islands of evolution strategies",
)
CROSSED = [pytest.param(name, marks=pytest.mark.slow) if name in VARIANTS else name for name in STRATEGIES]


def run_of(name: str, **changes: Any) -> gw.Run:
    needs = {"CMA-ES": "cmaes", "separable CMA-ES": "cmaes", "MAP-Elites": "ribs", "NSGA-II": "pymoo"}
    if name in needs:
        pytest.importorskip(needs[name])
    return evolved(**({"generations": 7} | STRATEGIES[name] | changes))


@pytest.mark.parametrize("name", CROSSED)
def test_a_strategy_improves_and_its_champion_comes_again_from_the_recipe(name: str, tmp_path: Any) -> None:
    pytest.importorskip("sqlalchemy")
    run = run_of(name)
    assert run.best.objective is not None
    assert run.best.objective > loss(network()) + 0.03
    assert loss(run.best_model) == run.best.objective
    recipe = gw.Recipe.from_json(run.best_recipe.to_json())
    assert gw.fingerprint(gw.replay(recipe, network())) == gw.fingerprint(run.best_model)
    first = run_of(name, generations=3, store=tmp_path / "run.db")
    first.close()
    fitness = STRATEGIES[name].get("fitness", loss)
    generations = STRATEGIES[name].get("generations", 7)
    resumed = gw.resume(tmp_path / "run.db", model=network(), fitness=fitness, generations=generations)
    assert story(resumed) == story(run)
    assert story(run_of(name, generations=2, seed=7)) != story(resumed)[: len(story(resumed)) // 2]


@pytest.mark.parametrize("name", CROSSED)
def test_it_can_be_driven_by_hand(name: str) -> None:
    """Ask and tell are public: what gw.evolve does with them can be done without it."""
    whole = run_of(name, generations=2)
    settings = STRATEGIES[name]
    strategy, mutation = settings["strategy"], settings.get("mutation", NOISE)
    found = list(whole.individuals())
    state = strategy.start(mutation, fitness=found[0].fitness, base=network())
    for generation in (1, 2):
        told = [one for one in found if one.generation == generation]
        children = strategy.ask(state, Noise(246, f"/{generation}"))
        assert [child.seed for child in children] == [one.genome.seed for one in told]
        with pytest.raises(gw.SettingError, match="tell the fitness of"):
            strategy.ask(state, Noise(246, "/9"))
        with pytest.raises(gw.SettingError, match="Give one for each"):
            strategy.tell(state, [0.0] * (len(children) + 1))
        strategy.tell(state, [one.fitness for one in told])
    assert state.count == len(found)


@pytest.mark.parametrize("name", ["evolution strategy", "CMA-ES", "MAP-Elites", "NSGA-II", "steady state"])
def test_individuals_without_a_fitness_are_the_worst(name: str) -> None:
    fitness = STRATEGIES[name].get("fitness", loss)

    def moody(model: nn.Module) -> Any:
        if int(gw.fingerprint(model)[-1], 16) % 3 == 0:
            raise ValueError("not today")
        return fitness(model)

    run = run_of(name, fitness=moody, generations=3)
    assert any(one.fitness is None for one in run.individuals())
    assert run.best.objective is not None


class TestGeneticAlgorithm:
    def test_parents_are_the_best_of_the_last_generation_and_elites_stay(self) -> None:
        strategy = gw.GeneticAlgorithm(population=6, parents=2, elites=1)
        state = strategy.start(NOISE, fitness=0.0)
        strategy.ask(state, Noise(1, "/1"))
        strategy.tell(state, [0.1, 0.9, 0.3, None, 0.8, 0.2])  # individuals 1 to 6; the base is worse
        children = strategy.ask(state, Noise(1, "/2"))
        assert {child.parents for child in children} == {(2,), (5,)}
        strategy.tell(state, [0.0, 0.05, 0.85, 0.0, None, 0.0])  # of 7 to 12, only 9 comes near the elite
        assert {child.parents for child in strategy.ask(state, Noise(1, "/3"))} == {(2,), (9,)}

    def test_a_generation_without_any_fitness_leaves_the_population(self) -> None:
        strategy = gw.GeneticAlgorithm(population=4, parents=2, elites=0)
        state = strategy.start(NOISE, fitness=0.0)
        strategy.ask(state, Noise(1, "/1"))
        strategy.tell(state, [None] * 4)
        assert {child.parents for child in strategy.ask(state, Noise(1, "/2"))} == {(0,)}

    def test_strengths_are_inherited(self) -> None:
        run = run_of("self-adaptive")
        strengths = {one.number: one.genome.strength for one in run.individuals()}
        for one in run.individuals():
            if one.number:
                before = strengths[one.parents[0]]
                assert any(np.isclose(one.genome.strength, f) for f in (1.0, before * 1.5, before / 1.5))
        assert len(set(strengths.values())) > 3

    def test_operators_without_a_strength_cannot_be_scaled(self) -> None:
        with pytest.raises(gw.SettingError, match=r"adapts a strength or a rate, and Quantize has none"):
            evolved(
                mutation=gw.Quantize(bits=6),
                strategy=gw.GeneticAlgorithm(population=20, parents=4, strength=gw.SelfAdaptive()),
            )

    @pytest.mark.parametrize(
        "strategy",
        [
            gw.GeneticAlgorithm(population=12, parents=4, strength=gw.SelfAdaptive()),
            gw.GeneticAlgorithm(population=12, parents=4, strength=gw.OneFifth()),
            gw.HillClimb(children=12, strength=gw.OneFifth()),
            gw.SteadyState(population=12, batch=12, strength=gw.SelfAdaptive()),
        ],
    )
    def test_a_mutation_without_a_strength_is_applied_as_it_is_beside_one_that_has(self, strategy: Any) -> None:
        both: Any = {"noise": NOISE, "wider": gw.Widen(layer="0", num_units=1)}
        run = evolved(mutation=both, strategy=strategy, example=X[:2])
        assert {one.status for one in run.individuals()} == {"evaluated"}
        adapted = {one.mutation for one in run.individuals() if one.genome.strength != 1}
        assert adapted == {"noise", "wider"}  # what is wider hands its parent's strength on
        for one in run.individuals():
            if one.mutation == "wider" and isinstance(getattr(strategy, "strength", None), gw.SelfAdaptive):
                assert one.genome.strength == run.individual(one.parents[0]).genome.strength

    @pytest.mark.parametrize("strategy", ["genetic", "NSGA-II"])
    def test_parents_of_other_widths_have_children(self, strategy: str) -> None:
        widths: Any = {"wider": gw.Widen(layer="0", num_units=1), "noise": NOISE}
        if strategy == "genetic":
            chosen: Any = {"strategy": gw.GeneticAlgorithm(population=10, crossover=1.0)}
        else:
            pytest.importorskip("pymoo")
            chosen = {"strategy": gw.NSGA2(population=10, crossover=1.0), "fitness": both}
        run = evolved(mutation=widths, example=X[:2], **chosen)
        found = list(run.individuals())
        assert {one.status for one in found} == {"evaluated"}

        def width(number: int) -> int:
            return run.model(number)[0].weight.shape[0]

        assert any(width(one.parents[0]) != width(one.parents[1]) for one in found if len(one.parents) > 1)

    def test_a_small_population_needs_no_other_settings(self) -> None:
        assert evolved(strategy=gw.GeneticAlgorithm(population=2)).best.fitness is not None
        assert evolved(strategy=gw.SteadyState(population=2)).best.fitness is not None


class TestEvolutionStrategy:
    def test_an_update_is_the_estimate_of_the_gradient(self) -> None:
        strategy = gw.EvolutionStrategy(population=4, std=0.5, learning_rate=0.1, optimizer="sgd")
        state = strategy.start(None, fitness=0.0)
        pairs = strategy.ask(state, Noise(1, "/1"))
        assert [child.operator.mirrored for child in pairs] == [False, True, False, True]
        assert [pair.seed for pair in pairs[::2]] == [pair.seed for pair in pairs[1::2]]
        strategy.tell(state, [3.0, 1.0, 0.0, 2.0])  # ranks 0.5, -1/6, -0.5, 1/6
        update = strategy.ask(state, Noise(1, "/2"))[0].operator
        assert update.seeds == (pairs[0].seed, pairs[2].seed)
        assert update.weights == pytest.approx((2 / 3 / (2 * 2 * 0.5), -2 / 3 / (2 * 2 * 0.5)))

    def test_equal_fitnesses_move_nothing(self) -> None:
        run = evolved(strategy=gw.EvolutionStrategy(population=6), mutation=None, fitness=lambda model: 1.0)
        middles = [one for one in run.individuals() if type(one.genome.operator) is gw.EvolutionUpdate]
        assert len(middles) == 3
        assert gw.fingerprint(run.model(middles[-1])) == gw.fingerprint(network())

    def test_a_run_is_one_operator_of_sixteen_bytes_a_pair(self) -> None:
        run = run_of("evolution strategy", generations=30)
        middle = max(
            (one for one in run.individuals() if type(one.genome.operator) is gw.EvolutionUpdate),
            key=lambda one: one.number,
        )
        recipe = gw.recipe(run.model(middle))
        assert [step.name for step in recipe.steps] == ["evolution_update"]
        assert len(recipe.steps[0].operator.seeds) == 29 * 10
        assert len(recipe.to_json()) < 29 * 10 * 16 * 4 / 3 + 1000

    def test_operators_that_change_shapes_are_refused_by_name(self) -> None:
        for strategy in (gw.EvolutionStrategy(), gw.CMAES(), gw.SeparableCMAES()):
            for mutation in (
                gw.Widen(layer="0"),
                {"noise": NOISE, "wider": gw.OneOf(operators=(gw.Widen(layer="0"),))},
            ):
                with pytest.raises(gw.SettingError, match=f"{type(strategy).__name__} moves.*Widen changes them"):
                    evolved(strategy=strategy, mutation=mutation, example=X[:2])

    def test_other_noise_is_refused(self) -> None:
        for mutation in (gw.Zero(), gw.GaussianNoise(rate=0.5), gw.GaussianNoise(relative_to="tensor")):
            with pytest.raises(gw.SettingError, match="mutation= may be left out"):
                evolved(strategy=gw.EvolutionStrategy(), mutation=mutation)

    def test_where_limits_it(self) -> None:
        run = evolved(strategy=gw.EvolutionStrategy(population=6, where="2"), mutation=None)
        assert torch.equal(run.best_model[0].weight, network()[0].weight)


class TestIslands:
    def test_the_best_move_on_to_the_next_island(self) -> None:
        strategy = gw.Islands(strategy=gw.HillClimb(), islands=3, every=2)
        state = strategy.start(NOISE, fitness=0.0)
        strategy.ask(state, Noise(1, "/1"))
        strategy.tell(state, [1.0, 2.0, 3.0])
        children = strategy.ask(state, Noise(1, "/2"))
        assert [child.parents for child in children] == [(1,), (2,), (3,)]
        assert len({child.seed for child in children}) == 3
        strategy.tell(state, [0.0, 0.0, 0.0])
        assert [child.parents for child in strategy.ask(state, Noise(1, "/3"))] == [(3,), (2,), (3,)]

    def test_strategies_that_take_in_nobody_are_refused(self) -> None:
        with pytest.raises(gw.SettingError, match=r"CMAES has no place.*migrants=0"):
            gw.Islands(strategy=gw.CMAES(), islands=2)
        assert gw.Islands(strategy=gw.CMAES(), islands=2, migrants=0).migrants == 0


def test_cmaes_is_refused_above_its_size_with_what_to_take() -> None:
    pytest.importorskip("cmaes")
    with pytest.raises(gw.SettingError, match=r"at most 2,000 weights, and 2,550 are chosen.*SeparableCMAES"):
        evolved(model=nn.Linear(50, 50), strategy=gw.CMAES(), mutation=None, fitness=weights)
    with pytest.raises(gw.SettingError, match=r"at most 20,000 weights.*EvolutionStrategy"):
        evolved(model=nn.Linear(150, 150), strategy=gw.SeparableCMAES(), mutation=None, fitness=weights)


def test_map_elites_keeps_the_best_of_each_kind() -> None:
    run = run_of("MAP-Elites")
    best: dict[int, float] = {}
    for one in run.individuals():
        cell = min(9, max(0, int((one.fitness["weights"] + 40) // 4)))
        best[cell] = max(best.get(cell, -1e9), one.fitness["fitness"])
    assert [one.fitness["fitness"] for one in run.elites] == [best[cell] for cell in sorted(best)]
    assert len(best) > 1
    with pytest.raises(gw.SettingError, match=r"returns {'fitness': ..., 'weights': ...}; received"):
        run_of("MAP-Elites", fitness=loss)
    with pytest.raises(gw.EvolutionError, match=r"Only a run of gw\.MAPElites has elites"):
        _ = run_of("truncation").elites


def test_the_front_is_what_none_exceeds() -> None:
    run = run_of("NSGA-II")
    every = [one for one in run.individuals() if one.fitness is not None]
    expected = {
        one.fitness
        for one in every
        if not any(
            all(a >= b for a, b in zip(two.fitness, one.fitness, strict=True)) and two.fitness != one.fitness
            for two in every
        )
    }
    assert {one.fitness for one in run.front} == expected
    assert len(expected) > 2
    assert [one.fitness[0] for one in run.front] == sorted((one.fitness[0] for one in run.front), reverse=True)


def test_odds_follow_success_by_probability_matching() -> None:
    mutation = {"good": gw.GaussianNoise(std=0.1), "bad": gw.Zero(rate=0.9)}
    odds: list[Any] = []
    run = evolved(mutation=mutation, adapt=True, generations=8, callbacks=[lambda report: odds.append(report.odds)])
    assert odds[-1]["good"] > 0.6
    assert odds[-1]["bad"] >= 0.1
    assert sum(odds[-1].values()) == pytest.approx(1)
    tallies = run.mutations
    names = [one.mutation for one in run.individuals() if one.number]
    assert {name: tally.tried for name, tally in tallies.items()} == {n: names.count(n) for n in tallies}
    fixed: list[Any] = []
    evolved(mutation=mutation, generations=3, callbacks=[lambda report: fixed.append(report.odds)])
    assert fixed == [{"good": 0.5, "bad": 0.5}] * 3
