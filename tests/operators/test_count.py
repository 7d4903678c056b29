"""count=n: exactly n elements of all that are chosen, without replacement, the first n of count n+1."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import genewright as gw
from genewright import noise
from genewright.backends.torch.device import perturb_elements
from genewright.operator import registered
from genewright.operators.weights.elementwise import Elementwise
from tests.operators.oracle import SEED, array, stream

COUNTING: dict[str, dict[str, Any]] = {
    "bit_flip": {"bits": 31},
    "cauchy_noise": {"scale": 1.0},
    "factor_noise": {"std": 0.5},
    "gaussian_noise": {"std": 1.0},
    "laplace_noise": {"scale": 1.0},
    "reset": {"init": "normal"},
    "scale": {"factor": 3.0},
    "set_value": {"value": 99.0},
    "shift": {"amount": 1.0},
    "sign_flip": {},
    "stuck_at": {"value": 1, "bits": "sign"},  # every weight is positive
    "uniform_noise": {"bound": 1.0},
    "zero": {},
}


def net(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """Return 61 parameters, none of which is zero."""
    made = nn.Sequential(nn.Linear(5, 6), nn.Linear(6, 3), nn.Linear(1, 2)).to(dtype)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.arange(1, parameter.numel() + 1).reshape(parameter.shape) / 8)
    return made


def changed(base: nn.Module, mutant: nn.Module) -> set[tuple[str, int]]:
    return {
        (name, int(at))
        for (name, old), new in zip(base.named_parameters(), mutant.parameters(), strict=True)
        for at in (old != new).flatten().nonzero()
    }


def test_every_elementwise_operator_counts() -> None:
    ours = {n for n, c in registered().items() if issubclass(c, Elementwise) and c.__module__.startswith("genewright.")}
    assert ours == set(COUNTING)


@pytest.mark.parametrize("name", COUNTING)
def test_exactly_so_many_and_nested(name: str) -> None:
    base, cls = net(), registered()[name]
    before: set[tuple[str, int]] = set()
    for count in (1, 2, 7, 30, 61):
        operator = cls(count=count, **COUNTING[name])
        hit = changed(base, gw.mutate(base, operator, seed=SEED))
        assert len(hit) == count
        assert before < hit
        before = hit


@pytest.mark.parametrize("name", COUNTING)
def test_a_hit_element_becomes_what_a_rate_of_one_makes_of_it(name: str) -> None:
    base, cls = net(), registered()[name]
    some = gw.mutate(base, cls(count=20, **COUNTING[name]), seed=SEED)
    every = gw.mutate(base, cls(rate=1.0, **COUNTING[name]), seed=SEED)
    for old, few, all_ in zip(base.parameters(), some.parameters(), every.parameters(), strict=True):
        assert torch.equal(few, torch.where(few != old, all_, old))


def test_the_elements_are_those_of_the_specification() -> None:
    base = nn.Linear(25, 40, bias=False)
    mutant = gw.mutate(base, gw.SignFlip(count=17), seed=SEED)
    drawn = (noise.uniform01(stream("sign_flip", "elements"), range(40)) * 1000).astype(int)
    wanted = list(dict.fromkeys(drawn.tolist()))[:17]
    assert sorted(wanted) == np.flatnonzero(array(mutant.weight) != array(base.weight)).tolist()


@given(count=st.integers(1, 12), seed=st.integers())
def test_only_elements_of_chosen_units(count: int, seed: int) -> None:
    base = net()
    chosen = gw.where(units={"0": [1, 4]})
    mutant = gw.mutate(base, gw.SignFlip(count=count, where=chosen), seed=seed)
    hit = changed(base, mutant)
    assert len(hit) == count
    assert all((name == "0.weight" and at // 5 in (1, 4)) or (name == "0.bias" and at in (1, 4)) for name, at in hit)


@given(count=st.integers(1, 900), seed=st.integers())
def test_bits_that_flip_are_exactly_so_many_different_ones(count: int, seed: int) -> None:
    base = net()
    operator = gw.BitFlip(bits=(0, 1, 22, 30, *range(3, 14)), count=count)
    mutant = gw.mutate(base, operator, seed=seed)
    pairs = zip(base.parameters(), mutant.parameters(), strict=True)
    flips = [(old.detach().view(torch.int32) ^ new.detach().view(torch.int32)).numpy() for old, new in pairs]
    assert sum(int(np.bitwise_count(words).sum()) for words in flips) == count
    assert gw.fingerprint(gw.mutate(mutant, operator, seed=seed)) == gw.fingerprint(base)


def test_bits_of_a_count_flip_with_a_higher_one_too() -> None:
    base = net(torch.float16)
    few, more = (gw.mutate(base, gw.BitFlip(count=count), seed=SEED) for count in (100, 101))
    for old, a, b in zip(base.parameters(), few.parameters(), more.parameters(), strict=True):
        first, second = ((old.detach().view(torch.int16) ^ new.detach().view(torch.int16)).numpy() for new in (a, b))
        assert not (first & ~second).any()


def test_every_element_is_as_likely_as_any_other() -> None:
    hits = np.zeros(61)
    for seed in range(600):
        drawn = noise.distinct(noise.derive(seed, name="x", path=""), 6, 61)
        assert len(drawn) == len(set(drawn.tolist())) == 6
        hits[drawn] += 1
    assert abs(hits - 59).max() < 5 * np.sqrt(59)


def test_bytes_do_not_depend_on_layout_dtype_of_memory_or_order() -> None:
    conv = nn.Conv2d(4, 6, 3)
    last = nn.Conv2d(4, 6, 3).to(memory_format=torch.channels_last)
    last.load_state_dict(conv.state_dict())
    operator = gw.GaussianNoise(std=1.0, count=11)
    assert gw.fingerprint(gw.mutate(conv, operator, seed=1)) == gw.fingerprint(gw.mutate(last, operator, seed=1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_undo_restores_every_byte(dtype: torch.dtype) -> None:
    base = net(dtype)
    before = gw.fingerprint(base)
    with gw.mutated(base, gw.BitFlip(count=40), seed=1) as mutant:
        assert gw.fingerprint(mutant) != before
    assert gw.fingerprint(base) == before


def test_replay_and_plan() -> None:
    base = net()
    mutant = gw.mutate(base, gw.Zero(count=9), seed=5)
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), base)) == gw.fingerprint(mutant)
    plan = gw.plan(base, gw.Zero(count=9), seed=5)
    assert sum(line.expected for line in plan.steps[0].lines) == 9
    assert "elements" in str(plan)


def test_parts_of_complex_elements_are_counted() -> None:
    base = nn.ParameterList([nn.Parameter(torch.full((4,), 1 + 2j))])
    mutant = gw.mutate(base, gw.SignFlip(count=3), seed=1)
    parts = torch.view_as_real(mutant[0].detach())
    assert int((parts < 0).sum()) == 3
    whole = gw.mutate(base, gw.BitFlip(bits="sign", rate=1.0), seed=1)
    assert torch.equal(whole[0], -base[0])


def test_refusals() -> None:
    with pytest.raises(gw.SettingError, match="say rate or count"):
        gw.Zero(rate=0.5, count=3)
    with pytest.raises(gw.SettingError, match="count"):
        gw.Zero(count=0)
    with pytest.raises(gw.SettingError, match="at most the 61 elements"):
        gw.mutate(net(), gw.Zero(count=62), seed=1)
    with pytest.raises(gw.SettingError, match="at most the 122 bits"):
        gw.mutate(net(), gw.BitFlip(bits=(1, 2), count=123), seed=1)


def test_every_docstring_says_it() -> None:
    for name in COUNTING:
        assert "count: Instead of `rate`" in (inspect.getdoc(registered()[name]) or "")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_what_happens_on_a_device_has_the_bits_of_the_reference(dtype: torch.dtype) -> None:
    """The same function does both; here it is held to that where a device can be missing."""
    shaped = torch.linspace(-3, 3, 120).reshape(2, 3, 4, 5).to(dtype)
    elements = noise.distinct(noise.Stream(1, 2), 31, 120)
    change = noise.Change(combine="add", scale=0.3, rounding="stochastic")
    wanted = shaped.clone().reshape(-1)
    stored = wanted.view(torch.uint16) if dtype is torch.bfloat16 else wanted
    noise.apply_at(stored.numpy(), elements, change, noise.Stream(3, 4), dtype=str(dtype).removeprefix("torch."))
    held = shaped.clone().to(memory_format=torch.channels_last)
    undo: list[Any] = []
    perturb_elements(held, change, noise.Stream(3, 4), elements, undo.append)
    assert torch.equal(held, wanted.reshape(shaped.shape))
    undo[0]()
    assert torch.equal(held, shaped)
