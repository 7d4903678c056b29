"""What `apply` promises, on every backend: one place, one formula, any cut, every byte back."""

import math
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genewright.noise import Change, Purpose, Stream, draw, factor, mask, words

STREAM = Stream(key=41, tweak=43)
DTYPES = ("float32", "float64", "float16", "bfloat16")
CHANGES = (
    Change(combine="add", scale=0.1),
    Change(combine="add", scale=0.1, rate=0.3, distribution="cauchy"),
    Change(combine="add", scale=0.001, rounding="stochastic"),
    Change(combine="add_relative", scale=0.1, rate=0.01, distribution="uniform"),
    Change(combine="multiply", scale=0.5, rate=0.7),
    Change(combine="multiply", scale=-1.5, distribution="constant"),
    Change(combine="replace", scale=2.0, distribution="laplace", rate=0.05),
    Change(combine="replace", scale=-0.25, distribution="constant", rate=0.2),
    Change(combine="negate", rate=0.5),
    Change(combine="xor", bits=(3, 7, 15), rate=0.9),
)


def weights(size, dtype, seed=0):
    values = np.random.default_rng(seed).standard_normal(size)
    if dtype == "bfloat16":
        return values.astype(ml_dtypes.bfloat16).view(np.uint16)
    return values.astype(dtype)


def as_float64(values, dtype):
    return (values.view(ml_dtypes.bfloat16) if dtype == "bfloat16" else values).astype(np.float64)


def raw(values):
    return values.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("change", CHANGES, ids=lambda c: f"{c.combine}-{c.distribution}-{c.rate}-{c.rounding}")
@settings(max_examples=12, deadline=None)
@given(size=st.integers(0, 9000), start=st.sampled_from([0, 1, 127, 4095, 2**32 - 3000]), cut=st.floats(0, 1))
def test_any_cut_any_start_and_every_byte_back(apply, journalled, change, dtype, size, start, cut):
    before = weights(size, dtype)
    whole, parts = before.copy(), before.copy()
    undo = journalled(whole, change, STREAM, dtype=dtype, start=start)
    middle = int(cut * size)
    apply(parts[:middle], change, STREAM, dtype=dtype, start=start, size=start + size)
    apply(parts[middle:], change, STREAM, dtype=dtype, start=start + middle)
    assert raw(whole) == raw(parts)
    hit = np.zeros(size, bool)
    hit[mask(STREAM, change.rate, start + size, start=start) - start] = True
    unsigned = f"u{before.itemsize}"
    assert not (whole.view(unsigned) != before.view(unsigned))[~hit].any()
    undo.restore(whole)
    assert raw(whole) == raw(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("distribution", ["normal", "uniform", "laplace", "cauchy", "truncated_normal", "sign"])
def test_the_formulas_of_the_wide_types(apply, dtype, distribution):
    before = weights(5000, dtype)
    kind = np.dtype(dtype).type
    step = kind(0.03) * draw(STREAM, distribution, range(5000), dtype)
    for combine, expected in (
        ("add", before + step),
        ("add_relative", before + step * np.abs(before)),
        ("replace", step),
    ):
        after = before.copy()
        apply(after, Change(combine=combine, distribution=distribution, scale=0.03), STREAM, dtype=dtype)
        assert np.array_equal(after, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_multiply_and_constants(apply, dtype):
    before = weights(5000, dtype)
    kind = np.dtype(dtype).type
    cases = {
        Change(combine="multiply", scale=0.3): before * factor(STREAM, 0.3, range(5000), dtype),
        Change(combine="multiply", scale=-0.3, distribution="constant"): before * kind(-0.3),
        Change(combine="add", scale=-0.3, distribution="constant"): before + kind(-0.3),
        Change(combine="replace", scale=-0.3, distribution="constant"): np.full(5000, kind(-0.3)),
        Change(combine="replace", scale=0.0): np.zeros(5000, kind),
    }
    for change, expected in cases.items():
        after = before.copy()
        apply(after, change, STREAM, dtype=dtype)
        assert raw(after) == raw(expected)


def test_a_constant_of_minus_zero_is_not_one_of_zero(apply):
    """The two changes are equal; what is kept of one may not serve for the other."""
    for scale in (0.0, -0.0, 0.0):
        values = np.ones(5, np.float32)
        apply(values, Change(combine="multiply", distribution="constant", scale=scale), STREAM, dtype="float32")
        assert (np.signbit(values) == np.signbit(scale)).all()
        assert not values.any()


@pytest.mark.parametrize(("dtype", "kind"), [("float16", np.float16), ("bfloat16", ml_dtypes.bfloat16)])
def test_half_precision_computes_in_float32_and_rounds_once(apply, dtype, kind):
    before = weights(5000, dtype)
    wide = as_float64(before, dtype).astype(np.float32)
    expected = (wide + np.float32(0.01) * draw(STREAM, "normal", range(5000))).astype(kind)
    after = before.copy()
    apply(after, Change(combine="add", scale=0.01), STREAM, dtype=dtype)
    assert np.array_equal(after.view(np.uint16), expected.view(np.uint16))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_stochastic_rounding_keeps_small_changes_on_average(apply, dtype):
    count = 1 << 16
    one = np.ones(count, np.float32).astype(np.float16 if dtype == "float16" else ml_dtypes.bfloat16).view(np.uint16)
    small = 1e-4
    means = {}
    for rounding in ("nearest", "stochastic"):
        after = one.copy().view(np.float16) if dtype == "float16" else one.copy()
        change = Change(combine="add", distribution="constant", scale=small, rounding=rounding)
        apply(after, change, STREAM, dtype=dtype)
        means[rounding] = as_float64(after, dtype).mean() - 1
    assert means["nearest"] == 0
    step = 2.0**-10 if dtype == "float16" else 2.0**-7
    assert abs(means["stochastic"] - small) < 4.5 * math.sqrt(small * step / count)


def test_stochastic_is_nearest_for_the_wide_types(apply):
    for dtype in ("float32", "float64"):
        a, b = weights(1000, dtype), weights(1000, dtype)
        apply(a, Change(combine="add", scale=0.1, rounding="stochastic"), STREAM, dtype=dtype)
        apply(b, Change(combine="add", scale=0.1), STREAM, dtype=dtype)
        assert raw(a) == raw(b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_negate_and_xor_are_their_own_inverse(apply, dtype):
    for change in (Change(combine="negate", rate=0.3), Change(combine="xor", bits=(0, 5, 14), rate=0.8)):
        before = weights(3000, dtype)
        after = before.copy()
        apply(after, change, STREAM, dtype=dtype)
        assert raw(after) != raw(before)
        apply(after, change, STREAM, dtype=dtype)
        assert raw(after) == raw(before)


def test_xor_flips_the_chosen_bit_of_its_own_word(apply):
    before = weights(4000, "float32").view(np.uint32)
    after = before.copy().view(np.float32)
    apply(after, Change(combine="xor", bits=(2, 9, 30)), STREAM, dtype="float32")
    chosen = words(STREAM, Purpose.BIT, range(4000)).astype(np.uint64) * 3 >> 32
    assert np.array_equal(after.view(np.uint32) ^ before, np.uint32(1) << np.array([2, 9, 30], np.uint32)[chosen])


SPECIALS32 = np.array(
    [0x7FC00001, 0xFFC12345, 0x7F800001, 0xFF800123, 0x7F800000, 0xFF800000, 0x80000000, 0, 1], np.uint32
)


@pytest.mark.parametrize("combine", ["add", "add_relative", "multiply"])
def test_a_nan_stays_bit_for_bit(apply, combine):
    values = np.tile(SPECIALS32, 50).view(np.float32)
    before = values.view(np.uint32).copy()
    apply(values, Change(combine=combine, scale=1.0), STREAM, dtype="float32")
    after = values.view(np.uint32)
    was_nan = (before & 0x7FFFFFFF) > 0x7F800000
    assert np.array_equal(after[was_nan], before[was_nan])
    infinite = (before & 0x7FFFFFFF) == 0x7F800000
    if combine != "add_relative":
        assert np.array_equal(after[infinite], before[infinite])
    else:
        made = after[infinite]
        assert (np.isin(made, before[infinite]) | (made == 0x7FC00000)).all()
        assert (made == 0x7FC00000).any()
    for dtype, nan in (("bfloat16", 0xFF81), ("float16", 0x7C01)):
        half = np.full(300, nan, np.uint16)
        typed = half if dtype == "bfloat16" else half.view(np.float16)
        apply(typed, Change(combine=combine, scale=1.0, rounding="stochastic"), STREAM, dtype=dtype)
        assert (half == nan).all()


def test_overflow_is_infinity(apply):
    for dtype, largest in (("float16", 0x7BFF), ("bfloat16", 0x7F7F)):
        half = np.full(100, largest, np.uint16)
        typed = half if dtype == "bfloat16" else half.view(np.float16)
        apply(typed, Change(combine="multiply", distribution="constant", scale=2.0), STREAM, dtype=dtype)
        assert (half == largest + 1).all()


def test_a_scale_of_zero_changes_no_byte(journalled):
    for combine in ("add", "add_relative", "multiply"):
        values = np.tile(SPECIALS32, 50).view(np.float32)
        before = raw(values)
        undo = journalled(values, Change(combine=combine, scale=0.0), STREAM, dtype="float32")
        assert raw(values) == before
        assert undo.nbytes == 0
        undo.restore(values)


def test_nothing_to_do(apply, journalled):
    values = weights(100, "float32")
    before = raw(values)
    apply(values, Change(combine="replace", rate=0.0), STREAM, dtype="float32")
    journalled(values, Change(combine="replace", rate=0.0), STREAM, dtype="float32").restore(values)
    empty = np.empty(0, np.float32)
    journalled(empty, Change(combine="add"), STREAM, dtype="float32").restore(empty)
    assert raw(values) == before


def test_the_noise_does_not_depend_on_the_rate_nor_the_mask_on_the_scale(apply):
    made = {}
    for rate in (1.0, 0.3):
        made[rate] = np.zeros(20_000, np.float32)
        apply(made[rate], Change(combine="add", scale=0.5, rate=rate), STREAM, dtype="float32")
    hit = mask(STREAM, 0.3, 20_000)
    assert np.array_equal(made[0.3][hit], made[1.0][hit])
    assert np.count_nonzero(made[0.3]) == hit.size


@pytest.mark.parametrize("combine", ["add", "add_relative"])
def test_contracted_arithmetic_would_be_noticed(apply, combine):
    """A negative control: the same update with a fused multiply-add differs, so the formulas above can tell."""
    before = weights(100_000, "float32")
    after = before.copy()
    apply(after, Change(combine=combine, scale=0.1), STREAM, dtype="float32")
    z = draw(STREAM, "normal", range(100_000)).astype(np.float64)
    step = np.float64(np.float32(0.1)) * z
    if combine == "add_relative":
        step = step.astype(np.float32).astype(np.float64) * np.abs(before)
    fused = (before + step).astype(np.float32)  # the product is not rounded to float32
    assert 0.001 < np.mean(fused != after) < 0.2


def test_journals_are_small_where_few_are_hit(journalled):
    values = weights(400_000, "float32")
    undo = journalled(values, Change(combine="add", rate=0.01), STREAM, dtype="float32")
    assert undo.nbytes < 0.025 * values.nbytes
    full = journalled(values, Change(combine="add", rate=0.9), STREAM, dtype="float32")
    assert full.nbytes == values.nbytes
    with pytest.raises(ValueError, match="this journal belongs to 400000 elements"):
        undo.restore(values[:-1])


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_peak_memory_is_bounded(apply, rate):
    values = np.zeros(8_000_000, np.float32)
    apply(values[:10], Change(combine="add"), STREAM, dtype="float32")
    tracemalloc.start()
    apply(values, Change(combine="add", rate=rate), STREAM, dtype="float32")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.4 * values.nbytes


@pytest.mark.parametrize(
    ("values", "settings", "error", "message"),
    [
        (np.zeros(4, np.float32), {"dtype": "float64"}, TypeError, "come as an array of float64"),
        (np.zeros(4, np.float32), {"dtype": "int8"}, ValueError, "dtype must be one of"),
        (np.zeros((2, 2), np.float32), {"dtype": "float32"}, ValueError, "one dimension"),
        (np.zeros(8, np.float32)[::2], {"dtype": "float32"}, ValueError, "contiguous"),
        ([0.0], {"dtype": "float32"}, TypeError, "NumPy array"),
        (np.zeros(4, np.float32), {"dtype": "float32", "start": -1}, ValueError, "not inside"),
        (np.zeros(4, np.float32), {"dtype": "float32", "start": 7, "size": 10}, ValueError, "not inside"),
        (np.zeros(4, np.float32), {"dtype": "float32", "backend": "cuda"}, ValueError, "unknown backend"),
        (np.frombuffer(bytes(16), np.float32), {"dtype": "float32"}, ValueError, "writeable=False"),
    ],
)
def test_bad_arguments(apply, values, settings, error, message):
    with pytest.raises(error, match=message):
        apply(values, Change(combine="add"), STREAM, **settings)


def test_settings_that_do_not_fit_the_dtype(apply):
    with pytest.raises(ValueError, match="not finite in float32"):
        apply(np.zeros(4, np.float32), Change(combine="add", scale=1e39), STREAM, dtype="float32")
    with pytest.raises(ValueError, match="float16 has the bits 0 to 15"):
        apply(np.zeros(4, np.float16), Change(combine="xor", bits=(16,)), STREAM, dtype="float16")
