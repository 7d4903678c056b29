"""BitFlip: one bit of a share of the elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import genewright as gw
from tests.operators.oracle import SEED, hits, layer

FIELDS = {
    torch.float64: (torch.int64, {"mantissa": range(52), "exponent": range(52, 63), "sign": [63]}),
    torch.float32: (torch.int32, {"mantissa": range(23), "exponent": range(23, 31), "sign": [31]}),
    torch.float16: (torch.int16, {"mantissa": range(10), "exponent": range(10, 15), "sign": [15]}),
    torch.bfloat16: (torch.int16, {"mantissa": range(7), "exponent": range(7, 15), "sign": [15]}),
}


def flipped(base: torch.nn.Linear, mutant: torch.nn.Linear) -> np.ndarray[Any, Any]:
    """Return the bits that changed, as unsigned integers."""
    kind = FIELDS[base.weight.dtype][0]
    changed = base.weight.detach().view(kind) ^ mutant.weight.detach().view(kind)
    return changed.numpy().view(f"u{changed.element_size()}")


@pytest.mark.parametrize("field", ["sign", "exponent", "mantissa"])
@pytest.mark.parametrize("dtype", FIELDS)
def test_one_bit_of_the_field_flips_in_each_hit_element(dtype: torch.dtype, field: str) -> None:
    base = layer(dtype=dtype)
    mutant = gw.mutate(base, gw.BitFlip(bits=field, rate=0.6), seed=SEED)  # type: ignore[arg-type]
    changed = flipped(base, mutant)
    hit = hits("bit_flip", 0.6, changed.shape)
    positions = [int(word).bit_length() - 1 for word in changed[hit].tolist()]
    assert not changed[~hit].any()
    assert all(int(word).bit_count() == 1 for word in changed[hit].tolist())
    assert set(positions) == set(FIELDS[dtype][1][field])


def test_each_bit_is_equally_likely() -> None:
    base = torch.nn.Linear(300, 400, bias=False)
    mutant = gw.mutate(base, gw.BitFlip(rate=1.0), seed=SEED)
    counts = [int(((flipped(base, mutant) >> bit) & 1).sum()) for bit in range(32)]
    assert sum(counts) == 120_000
    assert stats.chisquare(counts).pvalue > 1e-3


def test_positions_and_fields_mean_the_same() -> None:
    base = layer()
    by_field = gw.mutate(base, gw.BitFlip(bits=("sign", "exponent"), rate=0.5), seed=SEED)
    by_position = gw.mutate(base, gw.BitFlip(bits=tuple(reversed(range(23, 32))), rate=0.5), seed=SEED)
    assert gw.fingerprint(by_field) == gw.fingerprint(by_position)


@given(rate=st.floats(0, 1), seed=st.integers(), bits=st.sets(st.integers(0, 31), min_size=1))
def test_twice_is_nothing_whatever_the_bits_are(rate: float, seed: int, bits: set[int]) -> None:
    base = layer(5, 6)
    operator = gw.BitFlip(bits=tuple(sorted(bits)), rate=rate)
    twice = gw.mutate(gw.mutate(base, operator, seed=seed), operator, seed=seed)
    assert gw.fingerprint(twice) == gw.fingerprint(base)


def test_a_position_that_a_dtype_lacks_is_refused_by_name() -> None:
    base = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2).half())
    before = gw.fingerprint(base)
    with pytest.raises(gw.UnsupportedError, match=r"'1\.weight' of dtype float16 has bits 0 to 15; received bit 31"):
        gw.mutate(base, gw.BitFlip(bits=(31,)), seed=1, inplace=True)
    assert gw.fingerprint(base) == before


@pytest.mark.parametrize(
    ("bits", "says"),
    [
        ("exponant", "Did you mean 'exponent'"),
        ((64,), "0 to 63"),
        ((-1,), "0 to 63"),
        ((), "at least one"),
        ((1.5,), "0 to 63"),
    ],
)
def test_bits_that_do_not_exist_are_refused(bits: Any, says: str) -> None:
    with pytest.raises(gw.SettingError, match=says):
        gw.BitFlip(bits=bits)


def test_one_bit_may_be_given_alone() -> None:
    assert gw.BitFlip(bits=3).bits == (3,)  # type: ignore[arg-type]
    assert gw.BitFlip(bits="sign").bits == ("sign",)  # type: ignore[arg-type]
