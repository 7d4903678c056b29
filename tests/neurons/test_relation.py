"""check_active: relations of activations, against NumPy's own."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import genewright as gw

check = gw.neurons.check_active
SIGNS = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)
VALUES = st.sampled_from([-1.5, 0.0, 0.5, 2.0, float("nan"), float("inf")])


@given(data=st.data(), sign=st.sampled_from(sorted(SIGNS)), kind=st.sampled_from(["numpy", "torch"]))
def test_relations_are_numpys_and_the_kind_is_that_of_x(data: Any, sign: str, kind: str) -> None:
    shape = data.draw(SHAPES)
    x = data.draw(arrays.arrays(np.float64, shape, elements=VALUES))
    axis = data.draw(st.integers(0, len(shape) - 1))
    form = data.draw(st.sampled_from(["number", "vector", "tensor"]))
    if form == "number":
        y: Any = data.draw(VALUES)
        laid = y
    elif form == "vector":
        y = data.draw(arrays.arrays(np.float64, shape[axis], elements=VALUES))
        laid = y.reshape([-1] + [1] * (len(shape) - 1 - axis))
    else:
        y = laid = data.draw(arrays.arrays(np.float64, shape, elements=VALUES))
        axis = len(shape) - 1
    given_x = torch.from_numpy(x) if kind == "torch" else x
    found = check(given_x, y, sign, unit_axis=axis)
    assert isinstance(found, torch.Tensor if kind == "torch" else np.ndarray)
    assert np.array_equal(np.asarray(found), SIGNS[sign](x, laid))


def test_a_function_may_be_the_relation() -> None:
    x = torch.tensor([[0.0, 2.0], [1.0, 3.0]])
    near = check(x, [0.1, 2.9], lambda a, b: (a - b).abs() < 0.2)
    assert near.tolist() == [[True, False], [False, True]]


def test_channels_that_come_first_have_their_own_numbers() -> None:
    x = np.arange(2 * 3 * 2 * 2).reshape(2, 3, 2, 2)
    y = torch.tensor([1.0, 5.0, 30.0])
    assert np.array_equal(check(x, y, ">", unit_axis=1), x > np.array([1.0, 5.0, 30.0])[:, None, None])


def test_integers_are_compared_with_what_they_are_not() -> None:
    assert check(torch.tensor([0, 1]), np.array([0.5, 0.5]), ">").tolist() == [False, True]


@pytest.mark.parametrize(
    ("x", "y", "options", "error", "words"),
    [
        (np.zeros((2, 3)), 0, {"relation": "=>"}, gw.SettingError, "one of =="),
        (np.zeros((2, 3)), np.zeros(2), {}, gw.DataError, "unit_axis=0"),
        (np.zeros((2, 3)), np.zeros((2, 2)), {}, gw.DataError, "broadcasts to x"),
        (np.zeros((1, 3)), np.zeros((2, 3)), {}, gw.DataError, "broadcasts to x"),
        (np.zeros((2, 3)), ["a", "b", "c"], {}, gw.DataError, "numbers"),
        (np.zeros((2, 3)), 0, {"unit_axis": 2}, gw.SettingError, "no axis"),
        (np.zeros((2, 3)), 0, {"relation": lambda a, b: a - b}, gw.SettingError, "one bool"),
        (np.zeros((2, 3)), 0, {"relation": lambda a, b: True}, gw.SettingError, "one bool"),
    ],
)
def test_what_does_not_fit_is_refused(
    x: Any, y: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        check(x, y, **options)
