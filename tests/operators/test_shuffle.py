"""Shuffle: the incoming weights of a share of the units."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

import genewright as gw
from genewright import noise
from tests.operators.oracle import SEED, array, layer, stream


@pytest.mark.parametrize("rate", [1.0, 0.4, 0.0])
def test_formula(rate: float) -> None:
    base = layer()
    mutant = gw.mutate(base, gw.Shuffle(rate=rate), seed=SEED)
    wanted = array(base.weight)
    for unit in noise.mask(stream("shuffle"), rate, 40):
        wanted[unit] = wanted[unit][noise.permutation(stream("shuffle"), 25, int(unit))]
    assert np.array_equal(array(mutant.weight), wanted)
    assert torch.equal(mutant.bias, base.bias)


@given(rate=st.floats(0, 1), seed=st.integers())
def test_every_unit_keeps_its_weights(rate: float, seed: int) -> None:
    base = layer(5, 6)
    mutant = gw.mutate(base, gw.Shuffle(rate=rate), seed=seed)
    assert torch.equal(mutant.weight.sort(dim=1).values, base.weight.sort(dim=1).values)


def test_units_of_a_transposed_convolution_lie_along_the_second_axis() -> None:
    base = nn.ConvTranspose2d(5, 4, 3)
    mutant = gw.mutate(base, gw.Shuffle(rate=1.0), seed=1)
    for unit in range(4):
        old, new = base.weight[:, unit], mutant.weight[:, unit]
        assert torch.equal(new.flatten().sort().values, old.flatten().sort().values)
        assert not torch.equal(new, old)


def test_only_chosen_units_are_shuffled() -> None:
    base = layer()
    mutant = gw.mutate(base, gw.Shuffle(rate=1.0, where=gw.where(units=[3, 30])), seed=1)
    changed = (mutant.weight != base.weight).any(dim=1).nonzero().flatten().tolist()
    assert changed == [3, 30]


def test_a_chosen_unit_is_shuffled_as_it_is_among_all() -> None:
    base = layer()
    alone = gw.mutate(base, gw.Shuffle(rate=1.0, where=gw.where(units=[7])), seed=1)
    among = gw.mutate(base, gw.Shuffle(rate=1.0), seed=1)
    assert torch.equal(alone.weight[7], among.weight[7])


def test_every_order_is_equally_likely() -> None:
    base = nn.Linear(3, 6000, bias=False)
    with torch.no_grad():
        base.weight.copy_(torch.tensor([0.0, 1.0, 2.0]).expand(6000, 3))
    rows = gw.mutate(base, gw.Shuffle(rate=1.0), seed=SEED).weight.int().tolist()
    counts = Counter(map(tuple, rows))
    assert len(counts) == 6
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_bits_move_as_they_are_even_those_of_signalling_nan(dtype: torch.dtype) -> None:
    base = layer(4, 8, dtype)
    kind = torch.int64 if dtype is torch.float64 else torch.int16
    signalling = {torch.bfloat16: 0x7F81, torch.float16: 0x7C01, torch.float64: 0x7FF0000000000001}[dtype]
    with torch.no_grad():
        base.weight.view(kind)[0, 0] = signalling
    mutant = gw.mutate(base, gw.Shuffle(rate=1.0), seed=1)
    old, new = base.weight.detach().view(kind), mutant.weight.detach().view(kind)
    assert torch.equal(new.sort(dim=1).values, old.sort(dim=1).values)


def test_a_choice_without_kernels_is_refused_and_says_what_was_chosen() -> None:
    with pytest.raises(gw.SelectionError, match=r"kernels.*'bias' \(bias\)"):
        gw.mutate(layer(), gw.Shuffle(where="bias"), seed=1)
