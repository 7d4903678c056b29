"""The ready fitnesses: samples with targets, environments, costs, and sums of these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.fitness.fitness import signature_of
from genewright.seeding import Noise
from tests.evolution.problems import NOISE, X, Y, evolved, loss, network


class TestSupervised:
    @pytest.mark.parametrize("batch", [5, 256])
    def test_metrics_are_those_of_plain_torch(self, batch: int) -> None:
        net = network()
        assert gw.fitness.Supervised(X, Y, "cross_entropy", batch=batch)(net) == pytest.approx(loss(net), rel=1e-6)
        share = float((net(X).argmax(1) == Y).double().mean())
        assert gw.fitness.Supervised(X, Y, batch=batch)(net) == share
        onto = torch.zeros(32, 2)
        assert gw.fitness.Supervised(X, onto, "mse")(net) == pytest.approx(
            -float(net(X).detach().square().mean()), rel=1e-6
        )

    def test_a_function_counts_as_it_is(self) -> None:
        fitness = gw.fitness.Supervised(X.numpy(), Y.numpy(), lambda outputs, targets: float(len(outputs)))
        assert fitness(network()) == 32.0

    def test_it_drives_a_run_and_its_data_is_its_signature(self, tmp_path: Any) -> None:
        pytest.importorskip("sqlalchemy")
        fitness = gw.fitness.Supervised(X, Y, "cross_entropy")
        run = evolved(fitness=fitness, store=tmp_path / "run.db")
        assert run.best.objective == fitness(run.best_model)
        run.close()
        gw.resume(
            tmp_path / "run.db", model=network(), fitness=gw.fitness.Supervised(X.clone(), Y, "cross_entropy")
        ).close()
        for other in (gw.fitness.Supervised(X + 1, Y, "cross_entropy"), gw.fitness.Supervised(X, Y, "accuracy")):
            with pytest.raises(gw.StoreError, match="was judged by Supervised"):
                gw.resume(tmp_path / "run.db", model=network(), fitness=other)

    @pytest.mark.parametrize("metric", ["accurracy", 3])
    def test_unknown_metrics_are_refused(self, metric: Any) -> None:
        with pytest.raises(gw.SettingError, match="metric"):
            gw.fitness.Supervised(X, Y, metric)


class TestGymnasium:
    @pytest.fixture(autouse=True)
    def gymnasium(self) -> Any:
        return pytest.importorskip("gymnasium")

    def test_it_is_the_mean_return_of_episodes_that_are_played_by_hand(self, gymnasium: Any) -> None:
        net = nn.Linear(4, 2)
        noise = Noise(1, "/3/0", "fitness")
        returns: list[float] = []
        for place in range(3):
            environment = gymnasium.make("CartPole-v1")
            seen, _ = environment.reset(seed=noise.child(place).stream("episode").key % 2**31)
            total, over = 0.0, False
            while not over:
                with torch.no_grad():
                    action = int(net(torch.from_numpy(seen)).argmax())
                seen, reward, ended, cut, _ = environment.step(action)
                total, over = total + float(reward), ended or cut
            returns.append(total)
        assert gw.fitness.Gymnasium("CartPole-v1", episodes=3).evaluate(net, noise) == sum(returns) / 3

    def test_a_network_that_trains_goes_on_training_after_its_episodes(self) -> None:
        net = nn.Sequential(nn.Linear(4, 8), nn.Dropout().eval(), nn.Linear(8, 2))
        gw.fitness.Gymnasium("CartPole-v1", max_steps=3).evaluate(net, Noise(1, "/0/0", "fitness"))
        assert [net.training, *(layer.training for layer in net)] == [True, True, False, True]

    def test_a_generation_has_common_episodes_and_the_next_has_others(self) -> None:
        net = nn.Linear(4, 2)
        fixed = gw.fitness.Gymnasium("CartPole-v1", resample=False)
        fresh = gw.fitness.Gymnasium("CartPole-v1")
        noises = [Noise(1, f"/{generation}/0", "fitness") for generation in range(6)]
        assert len({fixed.evaluate(net, noise) for noise in noises}) == 1
        assert len({fresh.evaluate(net, noise) for noise in noises}) > 1
        assert fresh.evaluate(net, noises[0]) == fresh.evaluate(net, noises[0])

    def test_boxes_and_policies(self) -> None:
        seen: list[Any] = []

        def policy(model: nn.Module, observations: np.ndarray[Any, Any]) -> Any:
            seen.append(observations.shape)
            return np.zeros((len(observations), 1), np.float32)

        steady = gw.fitness.Gymnasium("Pendulum-v1", episodes=2, policy=policy, max_steps=5)(nn.Linear(3, 1))
        still = nn.Linear(3, 1)
        for parameter in still.parameters():
            nn.init.zeros_(parameter)
        assert gw.fitness.Gymnasium("Pendulum-v1", episodes=2, max_steps=5)(still) == steady < 0
        assert seen == [(2, 3)] * 5

    def test_cart_pole_gets_better(self) -> None:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
        run = evolved(
            model=net,
            fitness=gw.fitness.Gymnasium("CartPole-v1", episodes=2, resample=False),
            mutation=gw.GaussianNoise(std=0.5),
            strategy=gw.GeneticAlgorithm(population=20, parents=4),
            generations=15,
            target=400.0,
        )
        assert run.reason == "target"

    def test_what_is_no_environment_is_said(self) -> None:
        with pytest.raises(gw.EvolutionError, match="CartPoole"):
            evolved(fitness=gw.fitness.Gymnasium("CartPoole-v1"))
        with pytest.raises(gw.SettingError, match="env_id"):
            gw.fitness.Gymnasium(3)  # type: ignore[arg-type]


class Watched:
    """Individuals whose outputs, when they run together, are counted and changed by as much as rounding may."""

    exact = True

    def __init__(self, individuals: Any) -> None:
        self._individuals = individuals
        self.passes = 0

    def __len__(self) -> int:
        return len(self._individuals)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._individuals, name)

    def predict_each(self, batches: Any) -> list[Any]:
        self.passes += 1
        outputs = self._individuals.predict_each(batches)[0]
        outputs[..., 1] += 1e-6 * np.abs(outputs).max(axis=(1, 2))[:, None]
        return [outputs]


class Remembering(nn.Linear):
    """A policy that does the opposite every other time that it is called."""

    calls = 0

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return super().forward(seen) * (-1) ** self.calls


class TestPoliciesTogether:
    NOISE = Noise(1, "/2/0", "fitness")
    FITNESS = gw.fitness.Gymnasium("CartPole-v1", episodes=2, max_steps=25)

    @pytest.fixture(autouse=True)
    def gymnasium(self) -> Any:
        return pytest.importorskip("gymnasium")

    @pytest.fixture(autouse=True)
    def seeded(self) -> None:
        torch.manual_seed(0)

    def together(self, net: nn.Module, count: int = 40, fitness: Any = FITNESS) -> tuple[list[float], int]:
        watched = Watched(gw.population(net, gw.GaussianNoise(std=1.0), range(count)))
        judged = fitness.evaluate_all(watched, self.NOISE)
        assert judged == [fitness.evaluate(watched.model(at), self.NOISE) for at in range(count)]
        return judged, watched.passes

    def test_the_fitness_values_are_those_of_one_after_the_other(self) -> None:
        judged, passes = self.together(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)))
        assert 8 < passes <= 25
        assert len(set(judged)) > 5

    def test_where_two_actions_are_as_near_as_rounding_the_model_itself_decides(self) -> None:
        class Torn(nn.Linear):
            def forward(self, seen: torch.Tensor) -> torch.Tensor:
                made = super().forward(seen)
                return torch.stack([made[..., 0], made[..., 0] * (1 - 1e-7 * made[..., 1].sign())], -1)

        _, passes = self.together(Torn(4, 2))
        assert passes > 1

    def test_policies_that_remember_are_judged_one_after_the_other(self) -> None:
        _, passes = self.together(Remembering(4, 2))
        assert passes == 2

    def test_few_individuals_halves_and_other_actions_go_one_after_the_other(self) -> None:
        assert self.together(nn.Linear(4, 2), count=4)[1] == 0
        pendulum = gw.fitness.Gymnasium("Pendulum-v1", max_steps=3)
        assert self.together(nn.Linear(3, 1), fitness=pendulum)[1] == 0
        assert not gw.population(nn.Linear(4, 2).half(), gw.GaussianNoise(), range(3)).exact
        assert not gw.fitness.Gymnasium("CartPole-v1", policy=lambda model, seen: [0] * len(seen)).judges_outputs

    def test_a_run_of_batched_is_that_of_serial(self) -> None:
        net = nn.Linear(4, 2)
        runs = [
            evolved(
                model=net,
                fitness=self.FITNESS,
                mutation=gw.GaussianNoise(std=1.0),
                strategy=gw.GeneticAlgorithm(population=40, parents=1, elites=1),
                generations=2,
                executor=executor,
            )
            for executor in (gw.Batched(), gw.Serial())
        ]
        batched, serial = ([(one.fitness, one.genome) for one in run.individuals()] for run in runs)
        assert batched == serial
        assert any(one.worker == "batched" for one in runs[0].individuals())


class TestPenalty:
    def test_size_counts_trainable_elements_and_tied_ones_once(self) -> None:
        net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3))
        net[2].weight = net[0].weight
        net[0].bias.requires_grad_(requires_grad=False)
        assert gw.fitness.Penalty("size", weight=2.0)(net) == -2.0 * (9 + 3 + 3 + 3)

    def test_macs_are_products_of_one_pass(self) -> None:
        net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(5 * 4 * 4, 7))
        expected = 2 * (5 * 3 * 9 * 16 + 80 * 7)
        assert gw.fitness.Penalty("macs", example=torch.zeros(2, 3, 6, 6))(net) == -expected

    def test_costs_on_another_example_are_another_fitness(self) -> None:
        one, other = (gw.fitness.Penalty("macs", example=torch.zeros(n, 4)) for n in (1, 2))
        assert signature_of(one) != signature_of(other)
        assert signature_of(gw.fitness.Penalty("size", example=X)) == signature_of(gw.fitness.Penalty("size"))

    def test_latency_is_seconds(self) -> None:
        assert -1 < gw.fitness.Penalty("latency", example=X)(network()) < 0

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"cost": "bytes"}, "size"),
            ({"cost": "macs"}, "needs a sample input"),
            ({"cost": "size", "weight": -1}, "weight"),
        ],
    )
    def test_bad_settings_are_refused(self, settings: Any, message: str) -> None:
        with pytest.raises(gw.SettingError, match=message):
            gw.fitness.Penalty(**settings)


def test_sums_and_names() -> None:
    net = network()
    size = gw.fitness.Penalty("size", weight=0.01)
    total = gw.fitness.Supervised(X, Y, "cross_entropy") + size + loss
    assert total(net) == pytest.approx(2 * loss(net) - 0.38, rel=1e-6)
    assert (loss + size)(net) == pytest.approx(loss(net) - 0.38)
    named = gw.fitness.Named(fitness=loss, size=size)
    assert named(net) == {"fitness": loss(net), "size": -0.38}
    assert len({signature_of(one) for one in (total, loss + size, size + loss, named)}) == 4
    with pytest.raises(gw.SettingError, match="One number each can be added up"):
        (size + named)(net)
    with pytest.raises(gw.SettingError, match="can be added up; received 3"):
        _ = size + 3
    with pytest.raises(gw.SettingError, match="Named"):
        gw.fitness.Named()


def test_a_sum_trades_accuracy_for_size() -> None:
    """With a high price, narrow networks win."""
    price = gw.fitness.Penalty("size", weight=1.0)
    mutation = {"noise": NOISE, "narrow": gw.Narrow(layer="0", num_units=1)}
    run = evolved(fitness=price + loss, mutation=mutation, example=X[:4], generations=3)
    assert run.best_model[0].out_features < 6
