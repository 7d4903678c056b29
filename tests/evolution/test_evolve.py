"""gw.evolve: the champion is a model, a recipe and a story; what goes wrong costs one individual, and is said."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.noise import uniform01
from genewright.seeding import Noise
from tests.evolution.problems import NOISE, SMALL, X, evolved, loss, network, story, weights


def test_the_champion_is_better_and_the_base_is_as_it_was() -> None:
    net = network()
    before = gw.fingerprint(net)
    run = evolved(model=net)
    assert run.best.objective is not None
    assert run.best.objective > loss(net)
    assert gw.fingerprint(net) == before
    assert type(run.best_model) is type(net)
    assert loss(run.best_model) == run.best.fitness
    assert run.best.objective == max(one.objective for one in run.individuals() if one.objective is not None)


def test_the_champions_recipe_makes_it_again() -> None:
    run = evolved(strategy=gw.GeneticAlgorithm(population=8, parents=4, crossover=0.6), generations=6)
    assert run.best_recipe is not None
    recipe = gw.Recipe.from_json(run.best_recipe.to_json())
    assert gw.fingerprint(gw.replay(recipe, network())) == gw.fingerprint(run.best_model)
    assert any(len(one.parents) == 2 for one in run.individuals())


def test_any_individual_can_be_had_as_a_model() -> None:
    run = evolved()
    for one in list(run.individuals())[1::7]:
        model = run.model(one)
        assert loss(model) == one.fitness
        assert gw.fingerprint(gw.replay(gw.recipe(model), network())) == gw.fingerprint(model)


def test_the_same_seed_tells_the_same_story_and_another_seed_another() -> None:
    assert story(evolved()) == story(evolved())
    assert story(evolved(seed=1)) != story(evolved(seed=2))


def test_lineage_goes_from_the_base_to_the_individual() -> None:
    run = evolved()
    line = run.lineage(run.best)
    assert line[0].number == 0
    assert line[-1] == run.best
    assert [one.parents[0] for one in line[1:]] == [one.number for one in line[:-1]]


def test_history_has_a_row_for_each_generation() -> None:
    pytest.importorskip("pandas")
    run = evolved()
    history = run.history
    assert list(history["number"]) == [0, 1, 2, 3, 4]
    assert list(history["individuals"]) == [1, 8, 8, 8, 8]
    best = [one.objective for one in run.individuals() if one.generation == 3]
    assert history["best"][3] == max(best)
    assert history["median"][3] == np.median(best)
    assert len(run.frame) == 33


def test_weights_and_widths_change_together() -> None:
    mutation = {"noise": NOISE, "wider": gw.Widen(layer="0", factor=1.5)}
    run = evolved(mutation=mutation, example=X[:2], generations=5, adapt=True)
    widths = {run.model(one)[0].out_features for one in list(run.individuals())[-6:]}
    assert max(widths) > 6
    model = run.best_model
    assert loss(model) == run.best.fitness
    assert gw.fingerprint(gw.replay(run.best_recipe, network())) == gw.fingerprint(model)
    assert sum(tally.tried for tally in run.mutations.values()) == 40


class TestLimits:
    @pytest.mark.parametrize(
        ("limit", "reason", "individuals"),
        [
            ({"generations": 2}, "generations", 17),
            ({"generations": None, "evaluations": 10}, "evaluations", 17),
            ({"generations": 50, "evaluations": 9}, "evaluations", 9),
            ({"generations": None, "target": -1e9}, "target", 1),
            ({"generations": None, "seconds": 1e-9}, "seconds", 1),
        ],
    )
    def test_a_run_ends_after_the_generation_that_reaches_one(self, limit: Any, reason: str, individuals: int) -> None:
        run = evolved(**limit)
        assert run.reason == reason
        assert len(list(run.individuals())) == individuals

    def test_a_callback_is_told_each_generation_and_may_end_the_run(self) -> None:
        told: list[gw.Report] = []

        def stop(report: gw.Report) -> bool:
            told.append(report)
            return report.generation == 2

        run = evolved(callbacks=[stop, lambda report: None])
        assert run.reason == "callback"
        assert [report.generation for report in told] == [1, 2]
        assert [len(report.individuals) for report in told] == [8, 8]
        assert told[-1].evaluations == 17
        assert told[-1].best == run.best
        assert told[-1].share == 0.5

    def test_a_function_may_answer_by_a_truth_value_of_numpy(self) -> None:
        run = evolved(callbacks=[lambda report: np.float64(report.generation) >= 2])
        assert (run.reason, len(run.generations())) == ("callback", 3)

    @pytest.mark.parametrize("where", ["started", "told", "ended"])
    def test_whoever_was_told_the_start_is_told_the_end_whatever_another_does(self, where: str) -> None:
        heard: list[str] = []

        class Listens(gw.Callback):
            def ended(self, reason: str) -> None:
                heard.append(reason)

        def fails(*_: Any) -> None:
            raise OSError("the disk is full")

        wrong = gw.Callback()
        setattr(wrong, where, fails)
        with pytest.raises(OSError, match="the disk is full"):
            evolved(callbacks=[Listens(), wrong, Listens()])
        assert heard == {"started": ["OSError"], "told": ["OSError"] * 2, "ended": ["generations"] * 2}[where]


class TestFitness:
    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (None, "None of type NoneType"),
            ("0.5", "'0.5' of type str"),
            (1j, "of type complex"),
            ([], "an empty list"),
            ({}, "received {}"),
            ({1: 2.0}, "received {1: 2.0}"),
            (torch.zeros(2), "of type Tensor"),
            ((1.0, "a"), "'a' of type str in place 1"),
        ],
    )
    def test_what_is_no_number_is_said_at_once(self, given: Any, said: str) -> None:
        with pytest.raises(gw.SettingError, match="A fitness function returns a number") as caught:
            evolved(fitness=lambda model: given)
        assert said in str(caught.value)

    @pytest.mark.parametrize("kind", [np.float32, torch.tensor, lambda v: torch.tensor([v]), int, np.array])
    def test_numbers_of_every_library_are_numbers(self, kind: Any) -> None:
        run = evolved(fitness=lambda model: kind(3.0), generations=1)
        assert {type(one.fitness) for one in run.individuals()} == {float}

    def test_one_that_raises_or_is_not_finite_costs_that_individual_alone(self) -> None:
        def moody(model: nn.Module) -> float:
            digit = int(gw.fingerprint(model)[-1], 16)
            if digit % 4 == 0:
                raise ZeroDivisionError("in the middle")
            return math.nan if digit % 4 == 1 else loss(model)

        run = evolved(fitness=moody, strategy=gw.GeneticAlgorithm(population=20, parents=3), generations=3)
        failed = [one for one in run.individuals() if one.status == "failed"]
        assert 0 < len(failed) < 61
        assert all(one.fitness is None for one in failed)
        raised = [one for one in failed if "ZeroDivisionError: in the middle" in one.error]
        assert all("Traceback" in one.error and "moody" in one.error for one in raised)
        assert any("returned nan" in one.error for one in failed)
        assert run.generations()[1].failed == sum(one.generation == 1 for one in failed)
        assert loss(run.best_model) == run.best.fitness

    def test_a_run_in_which_all_fail_stops_and_says_why(self) -> None:
        calls: list[int] = []

        def broken(model: nn.Module) -> float:
            calls.append(1)
            raise OSError("no data here")

        with pytest.raises(gw.EvolutionError, match=r"(?s)generation 1 has a fitness \(8 failed\).*no data here"):
            evolved(fitness=broken)
        assert len(calls) == 9

    def test_a_mutation_that_never_applies_is_said_after_the_first_generation(self) -> None:
        with pytest.raises(gw.EvolutionError, match=r"8 of 8 individuals of generation 1 were refused.*nowhere"):
            evolved(mutation=gw.GaussianNoise(where="nowhere"))

    def test_what_a_fitness_function_does_to_its_model_leaves_no_traces(self) -> None:
        def destroying(model: nn.Module) -> float:
            value = loss(model)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.zero_()
            return value

        assert [one.fitness for one in evolved(fitness=destroying).individuals()] == [
            one.fitness for one in evolved().individuals()
        ]
        assert len({one.fitness for one in evolved(fitness=destroying, repeats=2).individuals()}) > 20

    def test_repeats_are_averaged_with_noise_that_a_generation_shares(self) -> None:
        class Noisy(gw.fitness.Fitness):
            def evaluate(self, model: nn.Module, noise: Noise) -> float:
                return uniform01(noise.stream())

        run = evolved(fitness=Noisy(), repeats=2, generations=2)
        by_generation = {one.generation: one.fitness for one in run.individuals()}
        assert len(by_generation) == len({one.fitness for one in run.individuals()}) == 3
        draws = [uniform01(Noise(246, f"/1/{repeat}", "fitness").stream()) for repeat in (0, 1)]
        assert by_generation[1] == sum(draws) / 2

    def test_several_numbers_are_kept_and_of_a_dict_fitness_is_compared(self) -> None:
        run = evolved(fitness=lambda model: {"size": -weights(model), "fitness": loss(model)})
        assert run.best.fitness == {"size": -weights(run.best_model), "fitness": loss(run.best_model)}
        with pytest.raises(gw.SettingError, match=r"GeneticAlgorithm compares one number.*2 numbers.*NSGA2"):
            evolved(fitness=lambda model: (1.0, 2.0))
        with pytest.raises(gw.SettingError, match="a number at first, and numbers called a for individual"):
            evolved(fitness=lambda model: loss(model) if torch.equal(model[0].bias, BIAS) else {"a": 1.0})


BIAS = network()[0].bias.detach().clone()


def test_elites_are_evaluated_again_and_their_mean_counts() -> None:
    class Noisy(gw.fitness.Fitness):
        def evaluate(self, model: nn.Module, noise: Noise) -> float:
            return weights(model) + 30 * uniform01(noise.stream())

    run = evolved(
        fitness=Noisy(), strategy=gw.GeneticAlgorithm(population=6, parents=3, elites=2, reevaluate=True), generations=6
    )
    again = [one for one in run.individuals() if one.reevaluates]
    assert len(again) == 5 * 2
    assert all(one.seconds > 0 and one.parents[0] < one.number for one in again)
    means: dict[int, list[float]] = {}
    for one in run.individuals():
        means.setdefault(one.parents[0] if one.reevaluates else one.number, []).append(one.objective or 0.0)
    assert run.best.number == max(means, key=lambda number: sum(means[number]) / len(means[number]))
    assert weights(run.best_model) == weights(run.model(run.best))


class Luck(gw.fitness.Fitness):
    """The loss, and luck that differs from model to model and from noise to noise."""

    def __init__(self, most: float) -> None:
        self.most = most

    def evaluate(self, model: Any, noise: Noise) -> float:
        return loss(model) + self.most * float(uniform01(noise.child(gw.fingerprint(model)).stream("luck")))


class TestRejudged:
    def test_the_best_of_the_last_generation_are_judged_by_what_none_was_chosen_by(self) -> None:
        run = evolved(fitness=Luck(1.0))
        before = story(run)
        found = run.rejudged(loss, seed=1, count=3)
        last = sorted((one for one in run.individuals() if one.generation == 4), key=lambda one: -(one.objective or 0))
        assert sorted(one.number for one, _ in found) == sorted(one.number for one in last[:3])
        assert [value for _, value in found] == sorted((loss(run.model(one)) for one in last[:3]), reverse=True)
        assert story(run) == before

    def test_their_noise_is_that_of_the_seed_and_not_of_the_run(self) -> None:
        run = evolved(fitness=Luck(1.0))
        found = run.rejudged(Luck(1.0), seed=1)
        assert found == run.rejudged(Luck(1.0), seed=1)
        assert found != run.rejudged(Luck(1.0), seed=2)
        assert all(value != one.fitness for one, value in run.rejudged(Luck(1.0), seed=246))

    def test_what_has_no_fitness_is_no_finalist(self) -> None:
        run = evolved(fitness=lambda model: loss(model) if float(model[0].weight[0, 0]) > 0 else math.nan)
        found = run.rejudged(loss, seed=1, count=100)
        assert 0 < len(found) == sum(one.fitness is not None for one in run.individuals() if one.generation == 4)

    @pytest.mark.parametrize(
        ("fitness", "count", "message"),
        [(loss, 0, "count must be"), (lambda model: None, 2, "received None"), (lambda model: math.nan, 2, "nan")],
    )
    def test_bad_input(self, fitness: Any, count: int, message: str) -> None:
        with pytest.raises(gw.SettingError, match=message):
            evolved(generations=1).rejudged(fitness, seed=1, count=count)


class TestBadInput:
    @pytest.mark.parametrize("population", [0, 1, -3, 2.5])
    def test_populations_below_two(self, population: Any) -> None:
        with pytest.raises(gw.SettingError, match="population must be an int of at least 2"):
            gw.GeneticAlgorithm(population=population)

    def test_elites_above_the_population(self) -> None:
        with pytest.raises(gw.SettingError, match="elites must be an int from 0 to 10; received 11"):
            gw.GeneticAlgorithm(population=10, elites=11)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"generations": 0}, "generations must be an int of at least 1; received 0"),
            ({"generations": None}, "A run needs an end"),
            ({"generations": None, "seconds": 0}, "seconds must be a finite number above 0"),
            ({"generations": None, "target": "high"}, "target must be a number"),
            ({"repeats": 0}, "repeats must be"),
            ({"timeout": 5.0}, r"timeout=5 needs a process.*Processes\(1\)"),
            ({"mutation": None}, "GeneticAlgorithm needs a mutation"),
            ({"mutation": gw.GaussianNoise}, "Make one of the class"),
            ({"mutation": {}}, "holds no operator"),
            ({"mutation": {"a": 3}}, "received 3"),
            ({"adapt": True}, "chooses among several"),
            ({"strategy": gw.GeneticAlgorithm}, "Make one of the class"),
            ({"fitness": 3}, "fitness is a function of a model"),
            ({"executor": "processes"}, r"executor= is gw.Serial\(\)"),
            ({"callbacks": [3]}, "callbacks= are functions"),
        ],
    )
    def test_arguments(self, changes: Any, message: str) -> None:
        with pytest.raises(gw.SettingError, match=message):
            evolved(**changes)

    def test_a_mutation_that_never_applies_is_said_however_short_the_run(self) -> None:
        never: Any = {"mutation": gw.Narrow(layer="0", num_units=50), "example": X[:2]}
        with pytest.raises(gw.EvolutionError, match=r"3 of 3 individuals up to here were refused.*Narrow: '0' has 6"):
            evolved(strategy=gw.HillClimb(), generations=3, **never)
        with pytest.raises(gw.EvolutionError, match=r"8 of 8 individuals of generation 1 were refused"):
            evolved(**never)

    def test_one_of_several_mutations_that_never_applies_is_said_after_the_first_generation(self) -> None:
        several = {"noise": NOISE, "narrow": gw.Narrow(layer="0", num_units=50)}
        with pytest.warns(UserWarning, match=r"The mutation 'narrow' does not apply: (\d) of \1 .*Narrow: '0' has 6"):
            run = evolved(mutation=several, example=X[:2])
        lost = [one for one in run.individuals() if one.status == "refused"]
        assert run.mutations["narrow"].refused == run.mutations["narrow"].tried == len(lost) > 2
        assert run.mutations["noise"].refused == 0

    def test_no_seed(self) -> None:
        with pytest.raises(gw.SeedError, match=r"gw\.evolve needs a seed"):
            gw.evolve(network(), loss, mutation=NOISE, strategy=SMALL, generations=1)

    def test_what_is_no_model(self) -> None:
        with pytest.raises(gw.UnsupportedError, match=r"Expected a torch\.nn\.Module"):
            evolved(model=3)


@pytest.mark.parametrize(
    ("module", "call", "extra"),
    [
        ("sqlalchemy", lambda: evolved(store="run.db"), "evolution"),
        ("cloudpickle", lambda: evolved(executor=gw.Processes(1)), "evolution"),
        ("cmaes", lambda: evolved(strategy=gw.CMAES(), mutation=None), "strategies"),
        ("ribs.archives", lambda: evolved(strategy=gw.MAPElites(measures={"size": (0, 1, 2)})), "strategies"),
        ("pymoo.util.nds.non_dominated_sorting", lambda: evolved(strategy=gw.NSGA2()), "objectives"),
        ("ray", lambda: evolved(executor=gw.Ray()), "ray"),
        ("pandas", lambda: evolved(generations=1).history, "frames"),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_extra(
    module: str, call: Any, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as Python marks what cannot be imported
    with pytest.raises(gw.MissingExtraError, match=rf"{module.partition('.')[0]}.*pip install 'genewright\[{extra}\]'"):
        call()
