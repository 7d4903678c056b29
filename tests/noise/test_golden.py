"""Golden hashes: what gw1 makes, for ever. A failure here is a change of the specification, not of a detail."""

from hashlib import sha256

import numpy as np
import pytest

from genewright.noise import Change, choice, derive, draw, mask, permutation, uniform01

CASES = {
    # seed, name, size, dtype, change: what the bytes hash to
    (246, "fc.weight", 5000, "float32", Change(combine="add", scale=10.0)): "d1fdc24c91b993d7",
    (246, "fc.weight", 5000, "float32", Change(combine="add", scale=10.0, rate=0.3)): "bb7141dcd6cbf9cd",
    (246, "fc.weight", 50_000, "float32", Change(combine="add", scale=0.1, rate=0.01)): "c39ab0059c9fff77",
    (246, "fc.bias", 5000, "float32", Change(combine="add", scale=10.0)): "293bce1bfb7745a3",
    (
        "text",
        "a",
        4097,
        "float64",
        Change(combine="add_relative", scale=0.5, distribution="laplace", rate=0.6),
    ): "2109e223ada36f0f",
    (b"bytes", "a", 4097, "bfloat16", Change(combine="add", scale=0.01, rounding="stochastic")): "aac5d811d314b7d2",
    (
        -1,
        "a",
        4097,
        "float16",
        Change(combine="add", scale=0.01, rounding="stochastic", distribution="uniform"),
    ): "0e869f3c4bbf3496",
    (7, "a", 4097, "float16", Change(combine="multiply", scale=0.2, rate=0.9)): "62328eb5dc47dd88",
    (7, "a", 4097, "float32", Change(combine="multiply", scale=1.5)): "96df5bfc090f1852",
    (7, "a", 4097, "float64", Change(combine="replace", scale=3.0, distribution="cauchy")): "5541fbc2b85ae3c7",
    (
        7,
        "a",
        4097,
        "float32",
        Change(combine="replace", scale=3.0, distribution="truncated_normal"),
    ): "48d9adc7ed394e5a",
    (7, "a", 4097, "bfloat16", Change(combine="add", distribution="sign", rate=0.02)): "3aa3c135295478b8",
    (7, "a", 4097, "float32", Change(combine="xor", bits=(0, 22, 30), rate=0.5)): "9bc7b47d00587748",
    (7, "a", 4097, "float16", Change(combine="negate", rate=0.001)): "3b54e4c9eb2eaf26",
}


def digest(data):
    return sha256(data).hexdigest()[:16]


def values_of(size, dtype):
    """A ramp of exact values, from integers only."""
    ramp = (np.arange(size) % 257 - 128).astype(np.float32) / np.float32(64)
    if dtype == "bfloat16":
        return (ramp.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    return ramp.astype(dtype)


@pytest.mark.parametrize(("case", "expected"), CASES.items(), ids=lambda c: str(c[3]) if isinstance(c, tuple) else "")
def test_apply(apply, case, expected):
    seed, name, size, dtype, change = case
    values = values_of(size, dtype)
    apply(values, change, derive(seed, name=name, path="0", salt="golden"), dtype=dtype)
    assert digest(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()) == expected


def test_the_other_functions():
    stream = derive(246, name="fc.weight", path="0")
    assert digest(draw(stream, "normal", range(1000)).astype("<f4").tobytes()) == "7600d7930f1f7656"
    assert digest(mask(stream, 0.1, 100_000).astype("<i8").tobytes()) == "0256a915069153a3"
    assert digest(mask(stream, 0.9, 100_000).astype("<i8").tobytes()) == "8daa57f64da22cc4"
    assert permutation(stream, 8, 3).tolist() == [4, 6, 0, 7, 3, 1, 2, 5]
    assert [choice(stream, [1, 2, 3], i) for i in range(12)] == [1, 2, 2, 1, 2, 0, 2, 2, 1, 2, 1, 2]
    assert uniform01(stream, 5) == 0.18490524240028383
