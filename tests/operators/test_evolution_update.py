"""EvolutionNoise and EvolutionUpdate: a direction from its seed, both ways; and torch's optimizers as the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.noise import derive, draw
from tests.networks import make

WEIGHTS = [[0.5, -0.25], [1.5, 2.0, -0.125], [0.0, -1.0]]
SEEDS = [[1, 2], [3, 2**64 - 1, 5], [6, 7]]


def flat(rows: list[list[Any]]) -> tuple[Any, ...]:
    return tuple(entry for row in rows for entry in row)


def gradient(name: str, shape: torch.Size, generation: int) -> torch.Tensor:
    total = torch.zeros(shape, dtype=torch.float64)
    for seed, weight in zip(SEEDS[generation], WEIGHTS[generation], strict=True):
        stream = derive(seed, name=name, path="/0", salt="evolution_noise")
        z = draw(stream, "normal", range(shape.numel()), "float64").reshape(tuple(shape))
        total += weight * torch.from_numpy(z.copy())
    return total


@pytest.mark.parametrize(
    ("settings", "optimizer"),
    [
        ({"optimizer": "sgd"}, lambda p: torch.optim.SGD(p, lr=0.1, maximize=True)),
        (
            {"optimizer": "momentum", "beta1": 0.8},
            lambda p: torch.optim.SGD(p, lr=0.1 * (1 - 0.8), momentum=0.8, maximize=True),
        ),
        (
            {"optimizer": "adam", "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-3},
            lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.99), eps=1e-3, maximize=True),
        ),
        (
            {"optimizer": "adam", "weight_decay": 0.3},
            lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.3, maximize=True),
        ),
    ],
)
def test_an_update_is_what_torchs_optimizer_does_with_the_same_gradients(settings: Any, optimizer: Any) -> None:
    net = make("mlp_float64")
    update = gw.EvolutionUpdate(
        seeds=flat(SEEDS), weights=flat(WEIGHTS), sizes=(2, 3, 2), learning_rate=0.1, **settings
    )
    mutant = gw.mutate(net, update, seed=1)
    oracle = make("mlp_float64")
    steps = optimizer(list(oracle.parameters()))
    for generation in range(3):
        for name, parameter in oracle.named_parameters():
            parameter.grad = gradient(name, parameter.shape, generation)
        steps.step()
    for ours, theirs in zip(mutant.parameters(), oracle.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["mlp", "mlp_bfloat16", "mlp_float64", "conv_batchnorm"])
def test_mirrored_noise_is_the_same_noise_subtracted(name: str) -> None:
    net = make(name)
    there, back = (gw.mutate(net, gw.EvolutionNoise(std=0.5, mirrored=m), seed=7) for m in (False, True))
    for key, old in net.named_parameters():
        shape = tuple(old.shape)
        computing = np.float64 if old.dtype == torch.float64 else np.float32
        stream = derive(7, name=key, path="/0", salt="evolution_noise")
        z = computing(0.5) * draw(stream, "normal", range(old.numel()), str(np.dtype(computing))).reshape(shape)
        number = old.detach().to(torch.float64 if computing is np.float64 else torch.float32).numpy()
        for made, expected in ((there, number + z), (back, number - z)):
            assert torch.equal(made.get_parameter(key), torch.from_numpy(expected).to(old.dtype))


@pytest.mark.parametrize("kind", [{"rate": 0.3}, {"rank": 2}, {}])
@pytest.mark.parametrize("name", ["mlp_float64", "conv_batchnorm"])
def test_an_update_knows_the_noise_of_its_members_again(name: str, kind: Any) -> None:
    net = make(name)
    update = gw.EvolutionUpdate(seeds=(7, 8), weights=(0.5, -0.25), **kind)
    made = gw.mutate(net, update, seed=1)
    members = [
        gw.mutate(net, gw.EvolutionNoise(std=std, mirrored=mirrored, **kind), seed=seed)
        for seed, std, mirrored in ((7, 0.5, False), (8, 0.25, True))
    ]
    for key, old in net.named_parameters():
        expected = old + sum((member.get_parameter(key) - old for member in members), torch.zeros_like(old))
        assert not torch.equal(made.get_parameter(key), old)
        torch.testing.assert_close(made.get_parameter(key), expected, rtol=0, atol=1e-12 if "64" in name else 1e-6)


def test_updates_of_bfloat16_are_rounded_stochastically_unless_it_is_said() -> None:
    """By words that are others in every generation: many small steps add up."""
    net = nn.Linear(200, 100, bias=False, dtype=torch.bfloat16)
    nn.init.ones_(net.weight)
    for optimizer in ("sgd", "momentum"):
        settings: Any = {"weights": (1e-3,) * 10, "sizes": (1,) * 10, "optimizer": optimizer, "beta1": 0.0}
        made = gw.mutate(net, gw.EvolutionUpdate(seeds=tuple(range(10)), **settings), seed=1)
        far = gw.mutate(net.double(), gw.EvolutionUpdate(seeds=tuple(range(10)), **settings), seed=1)
        net.bfloat16()
        nearest = gw.mutate(net, gw.EvolutionUpdate(seeds=tuple(range(10)), rounding="nearest", **settings), seed=1)
        z = far.weight.detach() - 1
        kept = [float(((one.weight.detach().double() - 1) * z).sum() / (z * z).sum()) for one in (made, nearest)]
        assert abs(kept[0] - 1) < 0.2, optimizer
        assert kept[1] < 0.6, optimizer


def test_updates_in_one_go_and_one_after_the_other_give_the_same_bytes() -> None:
    """As a run makes them, with the moments that it keeps, and as its recipe has them."""
    settings: Any = {"optimizer": "adam", "learning_rate": 0.05}
    net = make("mlp_bfloat16")
    whole = gw.EvolutionUpdate(seeds=flat(SEEDS), weights=flat(WEIGHTS), sizes=(2, 3, 2), **settings)
    step, moments, merged = net, None, None
    for seeds, weights in zip(SEEDS, WEIGHTS, strict=True):
        one = gw.EvolutionUpdate(seeds=tuple(seeds), weights=tuple(weights), **settings)
        merged = one if merged is None else merged.then(one)
        going, moments = one.after(moments)
        step = gw.mutate(step, going, seed=1)
    assert merged == whole
    assert gw.fingerprint(step) == gw.fingerprint(gw.mutate(net, whole, seed=1))


def test_a_run_is_sixteen_bytes_a_member() -> None:
    members = 3000
    update = gw.EvolutionUpdate(seeds=tuple(range(members)), weights=(0.5,) * members)
    recipe = gw.recipe(gw.mutate(nn.Linear(2, 1), update, seed=1))
    assert len(recipe.to_json()) < 16 * members * 4 / 3 + 1000  # base64
    assert gw.Recipe.from_json(recipe.to_json()).steps[0].operator == update


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": (1, 2), "weights": (1.0,)}, "2 seeds and 1 weights"),
        ({"seeds": (), "weights": ()}, "one is the least"),
        ({"seeds": (1, 2), "weights": (1.0, 2.0), "sizes": (1,)}, "sizes add up to 1, and there are 2 seeds"),
        ({"seeds": (-1,)}, r"seeds are ints from 0 to 2\*\*64 - 1"),
        ({"seeds": (0.5,)}, "seeds are ints"),
        ({"seeds": "no base64"}, "seeds are ints"),
        ({"weights": (float("nan"),)}, "weights are finite numbers"),
        ({"weights": (True,)}, "weights are finite numbers"),
        ({"optimizer": "adamw"}, "adam"),
        ({"beta1": 1.0}, "below 1"),
        ({"learning_rate": -1.0}, "at least 0"),
        ({"rank": 1, "rate": 0.5}, "Leave one of them out"),
        ({"rank": 0}, "rank"),
        ({"rounding": "up"}, "rounding"),
    ],
)
def test_bad_settings_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(gw.SettingError, match=message):
        gw.EvolutionUpdate(**settings)
