import math

import pytest

from genewright.noise import Change


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"combine": "plus"}, "unknown combine"),
        ({"combine": "add", "distribution": "gauss"}, "unknown distribution"),
        ({"combine": "add", "distribution": "laplce"}, "Did you mean 'laplace'"),
        ({"combine": "add_relative", "scale": -1.0}, "at least 0"),
        ({"combine": "multiply", "scale": -1.0}, "at least 0"),
        ({"combine": "replace", "scale": -1.0}, "at least 0"),
        ({"combine": "add", "scale": math.nan}, "finite"),
        ({"combine": "add", "scale": math.inf}, "finite"),
        ({"combine": "add", "rate": 1.5}, "from 0 to 1"),
        ({"combine": "add", "rate": -0.1}, "from 0 to 1"),
        ({"combine": "add", "rate": math.nan}, "from 0 to 1"),
        ({"combine": "add", "rounding": "up"}, "rounding is"),
        ({"combine": "multiply", "distribution": "cauchy"}, "multiply takes"),
        ({"combine": "xor"}, "xor needs the bits"),
        ({"combine": "xor", "bits": (64,)}, "from 0 to 63"),
        ({"combine": "xor", "bits": (1, 1)}, "different positions"),
        ({"combine": "add", "bits": (1,)}, "xor"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        Change(**settings)


def test_a_constant_may_be_negative():
    assert Change(combine="replace", distribution="constant", scale=-2.0).scale == -2.0


def test_idle():
    assert Change(combine="replace", rate=0.0).idle
    assert Change(combine="add", scale=0.0).idle
    assert Change(combine="multiply", scale=0.0).idle
    assert not Change(combine="multiply", distribution="constant", scale=0.0).idle
    assert not Change(combine="replace", scale=0.0).idle
    assert not Change(combine="negate", scale=0.0).idle
