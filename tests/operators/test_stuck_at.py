"""StuckAt: a bit of a share of the elements is what it is forced to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import genewright as gw
from tests.operators.oracle import SEED

DTYPES = {torch.float32: np.uint32, torch.float64: np.uint64, torch.float16: np.uint16, torch.bfloat16: np.uint16}


def layer(rows: int = 40, columns: int = 25, dtype: torch.dtype = torch.float32) -> torch.nn.Linear:
    """Return a layer whose weights have all bits of their dtype at random."""
    torch.manual_seed(0)
    return torch.nn.Linear(columns, rows, dtype=dtype)


def words(tensor: torch.Tensor) -> np.ndarray:
    signed = {2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    return tensor.detach().view(signed).numpy().view(f"u{tensor.element_size()}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("bit", [0, 9, 15])
def test_the_bit_is_the_value_everywhere_and_the_others_are_as_they_were(
    dtype: torch.dtype, value: int, bit: int
) -> None:
    base = layer(dtype=dtype)
    operator = gw.StuckAt(value=value, bits=bit, rate=1.0)  # type: ignore[arg-type]
    mutant = gw.mutate(base, operator, seed=SEED)
    old, new = words(base.weight), words(mutant.weight)
    assert ((new >> DTYPES[dtype](bit)) & DTYPES[dtype](1) == value).all()
    assert ((new ^ old) & ~DTYPES[dtype](1 << bit) == 0).all()
    assert (new != old).any()
    again = gw.mutate(mutant, operator, seed=SEED)
    assert gw.fingerprint(again) == gw.fingerprint(mutant)


@given(rate=st.floats(0.01, 1), seed=st.integers(0, 2**32))
def test_a_second_time_changes_nothing(rate: float, seed: int) -> None:
    once = gw.mutate(layer(5, 6), gw.StuckAt(rate=rate, value=seed % 2), seed=seed)
    twice = gw.mutate(once, gw.StuckAt(rate=rate, value=seed % 2), seed=seed)
    assert gw.fingerprint(twice) == gw.fingerprint(once)


@pytest.mark.parametrize("dtype", DTYPES)
def test_about_half_of_a_count_shows_and_none_twice(dtype: torch.dtype) -> None:
    """Each of the bits drawn is forced once: what 0 changes and what 1 changes are together exactly the count."""
    base = layer(dtype=dtype)
    changed = []
    for value in (0, 1):
        mutant = gw.mutate(base, gw.StuckAt(value=value, count=400), seed=SEED)
        pairs = [(mutant.weight, base.weight), (mutant.bias, base.bias)]
        changed.append(sum(int(np.bitwise_count(words(new) ^ words(old)).sum()) for new, old in pairs))
    assert sum(changed) == 400
    assert min(changed) > 100


def test_only_chosen_units_change_and_a_complex_number_has_two() -> None:
    base = torch.nn.Linear(6, 5, dtype=torch.complex64)
    operator = gw.StuckAt(bits="sign", rate=1.0, where=gw.where("weight", units=[1, 3]))  # type: ignore[arg-type]
    made = gw.mutate(base, operator, seed=1).weight.detach()
    old = base.weight.detach()
    assert torch.equal(made[[0, 2, 4]], old[[0, 2, 4]])
    assert (torch.view_as_real(made[[1, 3]]) <= 0).all()
    assert torch.equal(torch.view_as_real(made).abs(), torch.view_as_real(old).abs())


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(gw.SettingError, match="value must be an int from 0 to 1; received 2"):
        gw.StuckAt(value=2)
    with pytest.raises(gw.SettingError, match="StuckAt: no field is called 'expo'"):
        gw.StuckAt(bits="expo")  # type: ignore[arg-type]
    with pytest.raises(gw.UnsupportedError, match=r"StuckAt: .* of dtype float16 has bits 0 to 15"):
        gw.mutate(layer(dtype=torch.float16), gw.StuckAt(bits=20), seed=1)  # type: ignore[arg-type]
    net = torch.nn.Linear(2, 2)
    net.register_buffer("code", torch.zeros(3, dtype=torch.int8))
    with pytest.raises(gw.UnsupportedError, match="int8"):
        gw.mutate(net, gw.StuckAt(rate=1.0, where="code"), seed=1)


def test_a_plan_says_how_many_are_hit() -> None:
    plan = gw.plan(layer(), gw.StuckAt(value=0, bits=30, count=7), seed=SEED)  # type: ignore[arg-type]
    assert "stuck at 0, " in str(plan)
    whole = gw.plan(layer(), gw.StuckAt(rate=0.5), seed=SEED)
    assert "one of bits 0,1,2" in str(whole)
