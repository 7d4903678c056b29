"""gw.evolve on Keras models: weights and widths, the champion from its recipe, and other processes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import genewright as gw

X = np.random.default_rng(0).normal(size=(24, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
FITNESS = gw.fitness.Supervised(X, Y, "cross_entropy")


@pytest.fixture
def model(keras: Any) -> Any:
    layers = [keras.Input((4,)), keras.layers.Dense(6, activation="tanh", name="body"), keras.layers.Dense(2)]
    return keras.Sequential(layers)


def evolved(model: Any, **changes: Any) -> gw.Run:
    arguments: dict[str, Any] = {
        "mutation": gw.GaussianNoise(std=0.2),
        "strategy": gw.GeneticAlgorithm(population=5, parents=2),
        "generations": 2,
        "seed": 246,
    } | changes
    return gw.evolve(model, FITNESS, **arguments)


def test_a_champion_is_better_and_comes_again_from_its_recipe(model: Any) -> None:
    before = gw.fingerprint(model)
    run = evolved(model)
    assert gw.fingerprint(model) == before
    assert run.best.objective == FITNESS(run.best_model) > FITNESS(model)
    assert type(run.best_model) is type(model)
    assert gw.fingerprint(gw.replay(run.best_recipe, model)) == gw.fingerprint(run.best_model)


def test_widths_change_and_an_evolution_strategy_moves_all_weights(model: Any) -> None:
    wider = evolved(model, mutation=gw.Widen(layer="body", factor=1.5), example=X[:2], generations=1)
    assert wider.model(1).get_layer("body").units == 9
    strategy = gw.EvolutionStrategy(population=4, std=0.1, learning_rate=0.1)
    run = evolved(model, mutation=None, strategy=strategy, generations=3)
    middle = max(one.number for one in run.individuals() if isinstance(one.genome.operator, gw.EvolutionUpdate))
    found = run.model(middle)
    assert [step.name for step in gw.recipe(found).steps] == ["evolution_update"]
    assert gw.fingerprint(gw.replay(gw.recipe(found), model)) == gw.fingerprint(found)


@pytest.mark.slow
def test_processes_tell_the_story_of_serial(model: Any) -> None:
    pytest.importorskip("cloudpickle")
    alone, other = evolved(model), evolved(model, executor=gw.Processes(1))
    assert [one.fitness for one in other.individuals()] == [one.fitness for one in alone.individuals()]
    assert gw.fingerprint(other.best_model) == gw.fingerprint(alone.best_model)


def test_multiplications_have_a_price_and_narrow_models_win(model: Any) -> None:
    price = gw.fitness.Penalty("macs", weight=0.5, example=X[:3])
    assert price(model) == -0.5 * 3 * (4 * 6 + 6 * 2)
    narrow = gw.Narrow(layer="body", num_units=1)
    run = gw.evolve(model, price, mutation=narrow, example=X[:3], strategy=gw.HillClimb(), generations=2, seed=1)
    assert run.best.fitness == -0.5 * 3 * (4 * 4 + 4 * 2)
