"""Quantize: rounding to the levels of a small integer type."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import genewright as gw
from tests.operators.oracle import array, layer

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


def exact(values: np.ndarray[Any, Any], bits: int) -> list[float]:
    """Return the levels by exact rational arithmetic, rounded to float32 once."""
    numbers = [Fraction(float(v)) for v in values.ravel()]
    top = 2 ** (bits - 1) - 1
    step = max(abs(n) for n in numbers) / top
    return [float(np.float32(float(round(n / step) * step))) for n in numbers]


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_formula(bits: int) -> None:
    base = layer()
    mutant = gw.mutate(base, gw.Quantize(bits=bits), seed=1)
    assert array(mutant.weight).ravel().tolist() == exact(array(base.weight), bits)
    assert array(mutant.bias).ravel().tolist() == exact(array(base.bias), bits)


def test_torchs_own_fake_quantisation_agrees() -> None:
    base = layer()
    scale = base.weight.detach().abs().max().item() / 127
    theirs = torch.fake_quantize_per_tensor_affine(base.weight.detach(), scale, 0, -127, 127)
    ours = gw.mutate(base, gw.Quantize(bits=8), seed=1).weight.detach()
    # a weight between two levels may go to either by torch's float32 scale
    agree = torch.isclose(ours, theirs, rtol=1e-5)
    assert float(agree.float().mean()) > 0.98
    torch.testing.assert_close(ours, theirs, rtol=0, atol=scale * 1.001)


def test_torchs_own_fake_quantisation_by_channel_agrees() -> None:
    base = layer()
    scale = base.weight.detach().abs().amax(dim=1) / 7
    zeros = torch.zeros(40, dtype=torch.int32)
    theirs = torch.fake_quantize_per_channel_affine(base.weight.detach(), scale, zeros, 0, -7, 7)
    ours = gw.mutate(base, gw.Quantize(bits=4, per="unit", where="weight"), seed=1).weight.detach()
    # where a weight lies on the border between two levels, torch's float32 scale may round it to the other one
    agree = torch.isclose(ours, theirs, rtol=1e-5)
    assert float(agree.float().mean()) > 0.99


@pytest.mark.parametrize("bits", [2, 5, 8, 11, 16])
@pytest.mark.parametrize("per", ["tensor", "unit"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_second_time_changes_nothing(bits: int, per: Any, dtype: torch.dtype) -> None:
    base = layer(dtype=dtype)
    nn.init.normal_(base.weight)
    operator = gw.Quantize(bits=bits, per=per)
    once = gw.mutate(base, operator, seed=1)
    assert gw.fingerprint(gw.mutate(once, operator, seed=2)) == gw.fingerprint(once)


@given(
    values=hnp.arrays(np.float64, (3, 4), elements=st.floats(allow_nan=True, allow_infinity=True)),
    bits=st.integers(2, 16),
    dtype=st.sampled_from(DTYPES),
    per=st.sampled_from(["tensor", "unit"]),
)
def test_a_second_time_changes_nothing_for_any_numbers(values: Any, bits: int, dtype: torch.dtype, per: Any) -> None:
    base = nn.Linear(4, 3, bias=False, dtype=dtype)
    with torch.no_grad():
        base.weight.copy_(torch.from_numpy(values))
    operator = gw.Quantize(bits=bits, per=per)
    once = gw.mutate(base, operator, seed=1)
    assert gw.fingerprint(gw.mutate(once, operator, seed=1)) == gw.fingerprint(once)


@pytest.mark.parametrize("bits", [2, 3, 6])
def test_number_of_levels_and_zeros(bits: int) -> None:
    base = layer()
    made = gw.mutate(base, gw.Quantize(bits=bits), seed=1).weight
    assert len(made.unique()) <= 2**bits - 1
    assert bool((made[base.weight == 0] == 0).all())
    assert made.abs().max().item() == base.weight.abs().max().item()


def test_no_weight_moves_by_more_than_half_a_step() -> None:
    base = layer()
    made = gw.mutate(base, gw.Quantize(bits=4), seed=1).weight
    step = base.weight.abs().max().item() / 7
    assert (made - base.weight).abs().max().item() <= step / 2 * (1 + 1e-6)


def test_by_unit_each_has_a_step_of_its_own() -> None:
    base = layer()
    made = gw.mutate(base, gw.Quantize(bits=2, per="unit", where="weight"), seed=1).weight
    for old, new in zip(base.weight, made, strict=True):
        assert set(new.abs().tolist()) <= {0.0, old.abs().max().item()}


def test_nan_and_infinity_stay_and_do_not_spoil_the_others() -> None:
    base = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        base.weight.copy_(torch.tensor([[float("nan"), float("inf"), 1.0, 0.4]]))
    made = gw.mutate(base, gw.Quantize(bits=2), seed=1).weight.detach()
    assert made[0, 2:].tolist() == [1.0, 0.0]
    assert base.weight.detach()[0, :2].numpy().tobytes() == made[0, :2].numpy().tobytes()


def test_only_chosen_units_change() -> None:
    base = layer()
    made = gw.mutate(base, gw.Quantize(bits=2, where=gw.where(units=[5])), seed=1)
    changed = (made.weight != base.weight).any(dim=1).nonzero().flatten().tolist()
    assert changed == [5]


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_constant_tensors_stay(value: float) -> None:
    base = layer()
    nn.init.constant_(base.weight, value)
    assert torch.equal(gw.mutate(base, gw.Quantize(bits=3), seed=1).weight, base.weight)


@pytest.mark.parametrize("bad", [1, 17, 8.0, True])
def test_bits_out_of_range_are_refused(bad: Any) -> None:
    with pytest.raises(gw.SettingError, match="Quantize: bits must be an int from 2 to 16"):
        gw.Quantize(bits=bad)


def test_an_unknown_per_is_refused_with_the_nearest() -> None:
    with pytest.raises(gw.SettingError, match="Did you mean 'unit'"):
        gw.Quantize(per="units")  # type: ignore[arg-type]
