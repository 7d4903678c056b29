"""SetValue, Scale and Shift: one number for every element that is hit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import genewright as gw
from tests.operators.oracle import SEED, array, hits, layer

FORMULAS: dict[str, tuple[Any, Any]] = {
    "set_value": (lambda rate: gw.SetValue(value=1 / 3, rate=rate), lambda w: np.full_like(w, np.float32(1 / 3))),
    "scale": (lambda rate: gw.Scale(factor=2 / 3, rate=rate), lambda w: w * np.float32(2 / 3)),
    "shift": (lambda rate: gw.Shift(amount=-1 / 3, rate=rate), lambda w: w + np.float32(-1 / 3)),
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("rate", [1.0, 0.3, 0.0])
def test_formula(name: str, rate: float) -> None:
    base = layer()
    operator, formula = FORMULAS[name]
    mutant = gw.mutate(base, operator(rate), seed=SEED)
    old = base.weight.detach().numpy()
    wanted = np.where(hits(name, rate, old.shape), formula(old), old)
    assert np.array_equal(mutant.weight.detach().numpy(), wanted)


@pytest.mark.parametrize("operator", [gw.SetValue(value=9.0, count=17), gw.Scale(factor=3.0, count=17)])
def test_a_count_is_exact(operator: Any) -> None:
    base = layer()
    base.weight.data += 100.0  # no element is 0 or 9 already
    base.bias.data += 100.0
    mutant = gw.mutate(base, operator, seed=SEED)
    assert sum(int((new != old).sum()) for new, old in zip(mutant.parameters(), base.parameters(), strict=True)) == 17


def test_they_agree_where_they_say_the_same() -> None:
    base = layer()
    assert torch.equal(gw.mutate(base, gw.Scale(factor=-1.0, rate=1.0), seed=1).weight, -base.weight)
    zeros = gw.mutate(base, gw.SetValue(value=0.0, rate=1.0), seed=1)
    assert gw.fingerprint(zeros) == gw.fingerprint(gw.mutate(base, gw.Zero(rate=1.0), seed=2))
    same = gw.mutate(base, [gw.Scale(factor=1.0, rate=1.0), gw.Shift(amount=0.0, rate=1.0)], seed=1)
    assert gw.fingerprint(same) == gw.fingerprint(base)


def test_set_value_heals_what_is_not_a_number() -> None:
    base = layer()
    base.weight.data[0, 0] = float("nan")
    assert float(array(gw.mutate(base, gw.SetValue(value=2.0, rate=1.0), seed=1).weight)[0, 0]) == 2.0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", True])
def test_a_number_is_finite(value: Any) -> None:
    for cls, name in ((gw.SetValue, "value"), (gw.Scale, "factor"), (gw.Shift, "amount")):
        with pytest.raises(gw.SettingError, match=f"{name} must be a finite number"):
            cls(**{name: value})


def test_a_number_that_the_dtype_cannot_compute_with_is_refused() -> None:
    with pytest.raises(gw.SettingError, match="infinite in float32"):
        gw.mutate(layer(), gw.SetValue(value=1e300), seed=1)
    wide = gw.mutate(layer(dtype=torch.float64), gw.SetValue(value=1e300, rate=1.0), seed=1)
    assert (wide.bias == 1e300).all()
