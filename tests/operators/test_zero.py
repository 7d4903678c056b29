"""Zero: a share of the elements becomes +0."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import genewright as gw
from tests.operators.oracle import SEED, array, hits, layer


@pytest.mark.parametrize("rate", [1.0, 0.3, 0.0])
def test_formula(rate: float) -> None:
    base = layer()
    mutant = gw.mutate(base, gw.Zero(rate=rate), seed=SEED)
    old = array(base.weight)
    assert np.array_equal(array(mutant.weight), np.where(hits("zero", rate, old.shape), 0.0, old))


@given(rate=st.floats(0, 1), seed=st.integers())
def test_a_second_time_changes_nothing(rate: float, seed: int) -> None:
    once = gw.mutate(layer(5, 6), gw.Zero(rate=rate), seed=seed)
    assert gw.fingerprint(gw.mutate(once, gw.Zero(rate=rate), seed=seed)) == gw.fingerprint(once)


def test_nan_infinity_and_minus_zero_become_plus_zero() -> None:
    base = torch.nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        base.weight.copy_(torch.tensor([[float("nan"), float("-inf"), -0.0, 5e-324]]))
    mutant = gw.mutate(base, gw.Zero(rate=1.0), seed=1)
    assert mutant.weight.detach().numpy().tobytes() == b"\0" * 16


def test_whole_units() -> None:
    base = layer()
    mutant = gw.mutate(base, gw.Zero(rate=1.0, where=gw.where(units=[3, 7])), seed=1)
    kept = [unit for unit in range(40) if unit not in (3, 7)]
    assert not mutant.weight[[3, 7]].any()
    assert not mutant.bias[[3, 7]].any()
    assert torch.equal(mutant.weight[kept], base.weight[kept])
    assert torch.equal(mutant.bias[kept], base.bias[kept])
