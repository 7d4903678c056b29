"""SignFlip: the sign bit of a share of the elements."""

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
    mutant = gw.mutate(base, gw.SignFlip(rate=rate), seed=SEED)
    old = array(base.weight)
    assert np.array_equal(array(mutant.weight), np.where(hits("sign_flip", rate, old.shape), -old, old))


@given(rate=st.floats(0, 1), seed=st.integers())
def test_twice_is_nothing(rate: float, seed: int) -> None:
    base = layer(5, 6)
    operator = gw.SignFlip(rate=rate)
    twice = gw.mutate(gw.mutate(base, operator, seed=seed), operator, seed=seed)
    assert gw.fingerprint(twice) == gw.fingerprint(base)


def test_zero_and_infinity_have_signs_too() -> None:
    base = torch.nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        base.weight.copy_(torch.tensor([[0.0, -0.0, float("inf")]]))
    made = gw.mutate(base, gw.SignFlip(rate=1.0), seed=1).weight.detach().numpy()
    assert np.signbit(made).tolist() == [[True, False, True]]
    assert made[0, 2] == -np.inf
