"""Individuals that are trained before they are judged: weights are inherited, resumed, the same for all executors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genewright as gw
from tests.evolution.problems import X, Y, evolved, loss, network, story

GROWTH = {"wider": gw.Widen(layer="0", num_units=2), "noise": gw.GaussianNoise(std=0.01)}


def train(model: torch.nn.Module, trial: gw.Trial) -> dict[str, Any]:
    """A few steps of gradient descent with momentum, on a drawn half of the samples."""
    chosen = torch.randperm(len(X))[:16]
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.settings["lr"], momentum=0.9)
    for name, parameter in model.named_parameters():
        kept = trial.state.get(name)
        if kept is not None and kept.shape == tuple(parameter.shape):
            optimizer.state[parameter]["momentum_buffer"] = torch.tensor(kept)
    for _ in range(5):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(X[chosen]), Y[chosen]).backward()
        optimizer.step()
    return {name: optimizer.state[p]["momentum_buffer"].numpy() for name, p in model.named_parameters()}


TRAINING = gw.Training(train, {"lr": 0.1})
SETTINGS: dict[str, Any] = {"mutation": GROWTH, "example": X[:2], "train": TRAINING}


def test_children_start_from_what_their_parents_have_learnt() -> None:
    judged: dict[str, float] = {}

    def noted(model: torch.nn.Module) -> float:
        judged[gw.fingerprint(model)] = loss(model)
        return judged[gw.fingerprint(model)]

    run = evolved(**SETTINGS, fitness=noted, generations=6)
    line = run.lineage(run.best)
    assert len(line) > 3
    assert run.best.fitness > run.individual(0).fitness + 0.1  # noise of 0.01 alone does not get there
    for one in line:
        assert judged[gw.fingerprint(run.model(one))] == one.fitness
    assert all(bool(one.genome.trained) == (one.genome.operator is not None) for one in line)
    assert gw.fingerprint(run.best_model) == f"b3:{run.best.genome.trained.partition('-')[0]}"


def test_the_recipe_says_how_the_architecture_came_about(tmp_path: Path) -> None:
    run = evolved(**SETTINGS, generations=4)
    widened = [one for one in run.individuals() if one.mutation == "wider" and one.status == "evaluated"]
    model = run.model(widened[-1])
    assert model[0].weight.shape[0] > 6
    gw.save(model, tmp_path / "trained.safetensors")
    assert gw.fingerprint(gw.load(network, tmp_path / "trained.safetensors")) == gw.fingerprint(model)


def test_a_widened_child_starts_where_its_parent_was() -> None:
    """Function-preserving growth, and training that does nothing: the fitness is the parent's."""
    run = evolved(
        mutation=gw.Widen(layer="0", num_units=2), example=X[:2], train=lambda model, trial: None, generations=2
    )
    assert run.best_model[0].weight.shape[0] in (6, 8, 10)
    for one in run.individuals():
        assert one.fitness == pytest.approx(loss(network()), abs=1e-6)


def test_settings_and_state_are_inherited() -> None:
    seen: dict[int, gw.Trial] = {}

    def noted(model: torch.nn.Module, trial: gw.Trial) -> dict[str, Any]:
        seen[trial.seed] = trial
        return {"steps": np.array([trial.state["steps"][0] + 1 if trial.state else 1])}

    evolved(train=gw.Training(noted, {"lr": 0.1, "decay": 1.0}), generations=3)
    assert len(seen) == 3 * 8
    for trial in seen.values():
        assert int(trial.state["steps"][0] if trial.state else 0) <= trial.generation - 1
        ratio = np.log(trial.settings["lr"] / 0.1)
        factors = [a * np.log(0.8) + b * np.log(1.2) for a in range(4) for b in range(4) if 1 <= a + b <= 3]
        assert min(abs(ratio - factor) for factor in factors) < 1e-9
    assert max(len(trial.state) for trial in seen.values()) == 1
    assert len({trial.settings["lr"] for trial in seen.values()}) > 2
    assert any(trial.settings["decay"] != 10 * trial.settings["lr"] for trial in seen.values())


def test_a_run_that_was_cut_off_goes_on_to_the_same_champion(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    whole = evolved(**SETTINGS, generations=4)
    with pytest.raises(KeyboardInterrupt):
        evolved(**SETTINGS, generations=4, fitness=Cut(20), store=tmp_path / "run.db")
    run = gw.resume(tmp_path / "run.db", model=network(), fitness=Cut(10**9), example=X[:2], train=TRAINING)
    assert story(run) == story(whole)
    assert gw.fingerprint(run.best_model) == gw.fingerprint(whole.best_model)
    run.close()
    for wrong in (None, train, gw.Training(train, {"lr": 0.2})):
        with pytest.raises(gw.StoreError, match="the run's training is"):
            gw.resume(tmp_path / "run.db", model=network(), fitness=Cut(10**9), example=X[:2], train=wrong)


class Cut:
    """The loss, until somebody presses Ctrl-C."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, model: torch.nn.Module) -> float:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return loss(model)


def test_weights_that_are_gone_or_damaged_stop_the_run(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    evolved(**SETTINGS, generations=1, store=tmp_path / "run.db").close()
    again: dict[str, Any] = {"model": network(), "fitness": loss, "example": X[:2], "train": TRAINING, "generations": 2}
    files = sorted((tmp_path / "run.db.weights").glob("*.safetensors"))
    assert len(files) == 8
    contents = {file: file.read_bytes() for file in files}
    for file in files:
        file.write_bytes(contents[file][:-1] + b"\x99")
    with pytest.raises(gw.StoreError, match="changed or is damaged"):
        gw.resume(tmp_path / "run.db", **again)
    for file in files:
        file.unlink()
    with pytest.raises(gw.StoreError, match="are gone"):
        gw.resume(tmp_path / "run.db", **again)
    for file, content in contents.items():
        file.write_bytes(content)
    assert gw.resume(tmp_path / "run.db", **again).generations()[-1].number == 2


@pytest.mark.slow
def test_processes_reach_the_same_champion() -> None:
    pytest.importorskip("cloudpickle")
    alone = evolved(**SETTINGS, generations=2)
    spread = evolved(**SETTINGS, generations=2, executor=gw.Processes(2))
    assert story(spread) == story(alone)


def test_a_training_that_fails_costs_its_individual() -> None:
    def fails(model: torch.nn.Module, trial: gw.Trial) -> None:
        if trial.seed % 2:
            raise ValueError("diverged")

    run = evolved(train=fails, generations=2)
    failed = [one for one in run.individuals() if one.status == "failed"]
    assert 0 < len(failed) < 16
    assert all("diverged" in one.error and not one.genome.trained for one in failed)


def test_training_leaves_torchs_generator_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    evolved(**SETTINGS, generations=1)
    assert torch.equal(torch.rand(3), expected)


def test_what_cannot_be_trained_is_refused(tmp_path: Path) -> None:
    with pytest.raises(gw.SettingError, match="train= is a function"):
        evolved(train=3)
    with pytest.raises(gw.SettingError, match="above 0"):
        gw.Training(train, {"lr": 0.0})
    with pytest.raises(gw.SettingError, match="nothing that an individual learns"):
        evolved(train=train, mutation=None, strategy=gw.EvolutionStrategy(population=4))
    with pytest.raises(gw.SettingError, match="none beside a database"):
        evolved(train=train, store="postgresql+pg8000://nobody@localhost/none")
    with pytest.raises(gw.EvolutionError, match="arrays by name"):
        evolved(train=lambda model, trial: 3)
