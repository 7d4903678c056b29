"""Populations: the weights of `gw.mutate` to the bit, its outputs to rounding; what does not fit is refused."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.populations.torch.torch_population import TorchPopulation
from tests import pretrained

CLOSE = 2e-5  # of the largest output, in float32: what rounding may do


def small(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 3)).eval()


def first(output: Any) -> torch.Tensor:
    return next(leaf for leaf in torch.utils._pytree.tree_leaves(output) if isinstance(leaf, torch.Tensor))


def assert_mutants(model: nn.Module, operator: Any, batch: Any, count: int = 3, **settings: Any) -> TorchPopulation:
    """Compare a population with mutants made one by one."""
    before = gw.fingerprint(model)
    population: Any = gw.population(model, operator, range(count), **settings)
    outputs = first(population(batch))
    for seed in range(count):
        mutant = gw.mutate(model, operator, seed=seed)
        held = dict(mutant.named_parameters(remove_duplicate=False))
        made = population.tensors(seed)
        assert made
        assert all(torch.equal(held[name], values) for name, values in made.items())
        with torch.no_grad():
            alone = first(mutant(**batch) if isinstance(batch, dict) else mutant(batch))
        assert outputs[seed].shape == alone.shape
        assert float((outputs[seed] - alone).abs().max()) <= CLOSE * float(alone.abs().max())
    assert gw.fingerprint(model) == before
    return population


@pytest.mark.parametrize(
    "operator",
    [
        gw.GaussianNoise(std=0.1),
        gw.GaussianNoise(std=0.3, rate=0.2, relative_to="tensor"),
        gw.GaussianNoise(std=0.3, where="*.bias"),
        gw.GaussianNoise(std=0.3, where=gw.where(layers="0", units=[1, 3])),
        gw.EvolutionNoise(std=0.1, mirrored=True),
        gw.EvolutionUpdate(seeds=(3, 4), weights=(0.1, -0.2)),
        gw.SignFlip(rate=0.3),
        gw.Shuffle(),
        gw.SwapUnits(),
        gw.OneOf(operators=(gw.SignFlip(rate=0.5), gw.GaussianNoise(std=1.0))),
        [gw.GaussianNoise(std=0.1), gw.Zero(rate=0.2)],
    ],
    ids=lambda operator: type(operator).__name__,
)
def test_weights_are_those_of_mutate_and_outputs_agree(operator: Any) -> None:
    assert_mutants(small(), operator, torch.randn(5, 4))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_numbers(dtype: torch.dtype) -> None:
    model, x = small().to(dtype), torch.randn(5, 4).to(dtype)
    population: Any = gw.population(model, gw.GaussianNoise(std=0.1), range(3))
    outputs = population(x)
    for seed in range(3):
        mutant = gw.mutate(model, gw.GaussianNoise(std=0.1), seed=seed)
        assert all(torch.equal(dict(mutant.named_parameters())[n], v) for n, v in population.tensors(seed).items())
        bound = 1e-13 if dtype == torch.float64 else 2e-2
        assert float((mutant(x).detach() - outputs[seed]).abs().max()) <= bound * float(outputs.abs().max())


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert", "vit"])
def test_transformers_run_together(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    model, example = pretrained.make(kind)
    with caplog.at_level(logging.WARNING, "genewright"):
        assert_mutants(model, gw.GaussianNoise(std=0.02), example)
    assert caplog.text == ""  # none fell back


@pytest.mark.parametrize("kind", ["resnet18", "mobilenet_v3_small"])
def test_torchvision(kind: str) -> None:
    pretrained.torchvision_ready()
    models = pytest.importorskip("torchvision").models
    torch.manual_seed(0)
    assert_mutants(
        getattr(models, kind)(num_classes=5).eval(), gw.GaussianNoise(std=0.003), torch.randn(2, 3, 32, 32), 2
    )


def test_timm() -> None:
    pretrained.torchvision_ready()
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=4, depth=2).eval()
    assert_mutants(model, gw.GaussianNoise(std=0.01), torch.randn(2, 3, 32, 32), 2)


def test_what_vmap_cannot_do_runs_one_by_one_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read = nn.LSTM(4, 6, batch_first=True)
            self.head = nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.read(x)[0][:, -1])

    torch.manual_seed(0)
    with caplog.at_level(logging.WARNING, "genewright"):
        population = assert_mutants(Reader().eval(), gw.GaussianNoise(std=0.2), torch.randn(3, 5, 4))
        population(torch.randn(2, 5, 4))
    assert caplog.text.count("lstm") == 1
    assert "runs lstm in this Reader of one individual after the other" in caplog.text


def test_code_that_looks_at_values() -> None:
    class Deciding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made = self.one(x)
            return made if float(made.sum()) > 0 else self.other(x)

    torch.manual_seed(1)
    assert_mutants(Deciding(), gw.GaussianNoise(std=1.0), torch.randn(3, 4), 6)


def test_a_model_that_remembers_forgets_between_individuals_and_is_left_as_it_was() -> None:
    class Remembering(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.last: Any = 0.0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.last = self.layer(x) + self.last
            return self.last

    torch.manual_seed(0)
    model = Remembering()
    population = assert_mutants(model, gw.GaussianNoise(std=0.5), torch.randn(3, 4))
    assert population._model.last == 0.0
    assert model.last == 0.0


def test_each_individual_has_samples_of_its_own() -> None:
    model, operator = small(), gw.GaussianNoise(std=0.1)
    x = torch.randn(4, 6, 4)
    outputs = gw.population(model, operator, range(4)).each(x)
    shared = gw.population(model, operator, range(4))(x[2])
    assert torch.allclose(outputs[2], shared[2], atol=1e-6)
    assert not torch.allclose(outputs[1], shared[1], atol=1e-2)
    with pytest.raises(gw.DataError, match=r"shape \(4, samples"):
        gw.population(model, operator, range(4)).each(x[:3])


def test_batch_normalisation_in_training_has_statistics_of_its_own_that_stay() -> None:
    model, operator, x = small().train(), gw.GaussianNoise(std=0.5), torch.randn(9, 4)
    population: Any = gw.population(model, operator, range(3))
    for _ in range(2):
        outputs = population(x)
    for seed in range(3):
        mutant = gw.mutate(model, operator, seed=seed)
        for _ in range(2):
            alone = mutant(x).detach()
        assert torch.allclose(outputs[seed], alone, atol=1e-5)
        buffers = dict(mutant.named_buffers())
        assert torch.allclose(population._buffers["2.running_mean"][seed], buffers["2.running_mean"], atol=1e-6)
        assert int(population._buffers["2.num_batches_tracked"][seed]) == 2
    assert int(model[2].num_batches_tracked) == 0


def test_dropout_is_common_or_separate_and_torchs_generator_stays() -> None:
    model, x = nn.Sequential(nn.Linear(4, 64), nn.Dropout(0.5)), torch.ones(2, 4)
    state = torch.random.get_rng_state()
    common = gw.population(model, gw.GaussianNoise(std=0.001), range(4))(x) == 0
    separate = gw.population(model, gw.GaussianNoise(std=0.001), range(4), dropout="separate")(x) == 0
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(common[0], one) for one in common[1:])
    assert not any(torch.equal(separate[0], one) for one in separate[1:])
    assert 0.3 < float(common.float().mean()) < 0.7
    model.training = False  # the dropout inside is still in training
    population = gw.population(model, gw.GaussianNoise(std=0.001), range(4))
    assert not bool((torch.as_tensor(population.predict(x)[0]) == 0).any())
    assert bool((population(x) == 0).any())


def test_a_budget_cuts_into_chunks_without_changing_a_weight() -> None:
    model, operator, x = small(), gw.GaussianNoise(std=0.1), torch.randn(64, 4)
    whole: Any = gw.population(model, operator, range(23), memory=None)
    tight: Any = gw.population(model, operator, range(23), memory="12 KB")
    assert tight._rows.size < 23
    assert torch.allclose(whole(x), tight(x), atol=1e-6)
    assert all(torch.equal(v, tight.tensors(22)[n]) for n, v in whole.tensors(22).items())
    with pytest.raises(gw.SettingError, match=r"one individual needs [\d.]+ KB"):
        gw.population(model, operator, range(3), memory="1 KB")(x)


def test_only_what_changes_is_stacked() -> None:
    population = assert_mutants(small(), gw.GaussianNoise(std=0.1, where="3.*"), torch.randn(5, 4))
    assert set(population._rows.stacked) == {"3.weight", "3.bias"}


def test_tied_and_shared_layers() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = nn.Embedding(9, 5), nn.Linear(5, 9)
            self.decoder.weight = self.encoder.weight
            self.first = nn.Linear(5, 5)
            self.second = self.first

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.decoder(self.second(self.first(self.encoder(tokens))))

    torch.manual_seed(0)
    model = Tied()
    before = dict(model.named_parameters())
    assert_mutants(model, gw.GaussianNoise(std=0.3), torch.tensor([[1, 2], [3, 4]]))
    assert all(value is before[name] for name, value in model.named_parameters())


def test_bad_input_is_refused_by_name() -> None:
    model, noise = small(), gw.GaussianNoise(std=0.1)
    for seeds in ("123", 5):
        with pytest.raises(gw.SeedError, match="range"):
            gw.population(model, noise, seeds)  # type: ignore[arg-type]
    with pytest.raises(gw.SettingError, match="at least one individual"):
        gw.population(model, noise, [])
    with pytest.raises(gw.SeedError):
        gw.population(model, noise, [1.5])  # type: ignore[list-item]
    with pytest.raises(gw.SettingError, match="memory"):
        gw.population(model, noise, [1], memory="much")
    with pytest.raises(gw.SettingError, match="dropout"):
        gw.population(model, noise, [1], dropout="seperate")  # type: ignore[arg-type]
    with pytest.raises(gw.UnsupportedError, match="Crossover"):
        gw.population(model, gw.Crossover(), [1])
    for operator in (gw.ReplaceActivation(), gw.Widen("0"), gw.OneOf([gw.Widen("0")])):
        with pytest.raises(gw.UnsupportedError, match=rf"{type(operator).__name__}.* cannot be batched"):
            gw.population(model, operator, [1])


@pytest.mark.parametrize("metric", ["cross_entropy", "accuracy"])
def test_evaluate_gives_what_fitness_says_of_each_mutant(metric: str) -> None:
    model, operator = small(), gw.GaussianNoise(std=0.5)
    x, y = torch.randn(40, 4), torch.randint(0, 3, (40,), generator=torch.Generator().manual_seed(1))
    judge = gw.fitness.Supervised(x, y, metric, batch=16)
    expected = [judge(gw.mutate(model, operator, seed=seed)) for seed in range(5)]
    assert np.allclose(gw.evaluate(model, operator, range(5), judge), expected, atol=1e-6)
    both = judge + (lambda one: one[0].weight[0, 0].item())
    one_by_one = [both(gw.mutate(model, operator, seed=seed)) for seed in range(5)]
    assert np.allclose(gw.evaluate(model, operator, range(5), both), one_by_one, atol=1e-6)


def test_a_function_of_a_model_may_do_with_it_what_it_likes() -> None:
    def train(model: nn.Module) -> float:
        with torch.no_grad():
            model[0].weight.zero_()  # type: ignore[index]
        return model[3].weight.sum().item()  # type: ignore[index]

    model, operator = small(), gw.GaussianNoise(std=0.5)
    expected = [train(gw.mutate(model, operator, seed=seed)) for seed in range(3)]
    assert gw.evaluate(model, operator, range(3), train) == expected
    with pytest.raises(gw.SettingError, match="fitness"):
        gw.evaluate(model, operator, range(3), 5)
