"""All backends write the same bytes, and the choice between them is only a matter of time."""

import logging
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genewright.noise import Change, Stream, apply, backends, reference

pytest.importorskip("numba")

from genewright.noise.compiled import apply as compiled  # after the skip

SIZES = (0, 1, 15, 16, 17, 127, 128, 129, 4095, 4096, 4097, 9000)
STARTS = (0, 1, 128, 4095, 4096, 2**32 - 4097, 2**32 - 1, 2**40)
DTYPES = {"float32": np.float32, "float64": np.float64, "float16": np.float16, "bfloat16": np.uint16}

DISTRIBUTIONS = st.sampled_from(["normal", "uniform", "laplace", "cauchy", "truncated_normal", "sign", "constant"])
RATES = st.sampled_from([1.0, 0.999, 0.6, 0.5, 0.36, 0.3, 0.1, 0.01, 0.001, 1e-6])
SCALES = st.sampled_from([0.0, 1e-45, 1e-30, 1e-3, 0.37, 1.0, 100.0, 1e30, 3e38])


@st.composite
def changes(draw):
    combine = draw(st.sampled_from(["add", "add_relative", "multiply", "replace", "negate", "xor"]))
    distribution = draw(st.sampled_from(["normal", "constant"]) if combine == "multiply" else DISTRIBUTIONS)
    scale = draw(SCALES)
    if distribution == "constant" or combine == "add":
        scale *= draw(st.sampled_from([1, -1]))
    return Change(
        combine=combine,
        distribution=distribution,
        scale=scale,
        rate=draw(RATES),
        rounding=draw(st.sampled_from(["nearest", "stochastic"])),
        bits=draw(st.sampled_from([(0,), (1, 2), (15, 3, 7)])) if combine == "xor" else (),
    )


def any_patterns(size, dtype, seed):
    """Patterns of all kinds: plain weights, and one in four any bits at all, NaN and infinities included."""
    rng = np.random.default_rng(seed)
    kind = np.dtype(DTYPES[dtype])
    if dtype == "bfloat16":
        plain = (rng.standard_normal(size).astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    else:
        plain = rng.standard_normal(size).astype(kind)
    wild = np.frombuffer(rng.bytes(size * kind.itemsize), kind)
    unsigned = f"u{kind.itemsize}"
    return np.where(rng.random(size) < 0.25, wild.view(unsigned), plain.view(unsigned)).view(kind)


@settings(max_examples=250, deadline=None)
@given(
    change=changes(),
    dtype=st.sampled_from(sorted(DTYPES)),
    size=st.sampled_from(SIZES),
    start=st.sampled_from(STARTS),
    journal=st.booleans(),
    threads=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 3),
)
def test_numba_writes_what_numpy_writes(change, dtype, size, start, journal, threads, seed):
    stream = Stream(key=2**64 - 1 - seed, tweak=2**56 - 1)
    before = any_patterns(size, dtype, seed)
    one, two = before.copy(), before.copy()
    undos_one, undos_two = [], []
    note_one, note_two = (undos_one.append, undos_two.append) if journal else (None, None)
    apply(one, change, stream, dtype=dtype, start=start, journal=note_one, backend="numpy")
    if change.idle or not size:
        apply(two, change, stream, dtype=dtype, start=start, journal=note_two, backend="numba")
    else:
        if change.combine == "replace" and change.scale == 0:
            change = Change(combine="replace", distribution="constant", scale=0.0, rate=change.rate)
        compiled(two, change, stream, dtype, start, note_two, threads=threads, parallel=1)
    assert one.tobytes() == two.tobytes()
    assert len(undos_one) == len(undos_two) == int(journal)
    for undo in (*undos_two, *undos_one):  # both of them, of the same change
        made = one.copy()
        undo.restore(made)
        assert made.tobytes() == before.tobytes()
        undo.restore(made)
        assert made.tobytes() == before.tobytes()


def test_a_journal_takes_what_the_hits_take():
    change, stream = Change(combine="add", rate=0.01), Stream(key=5, tweak=6)
    exact, kept = [], []
    for n in (1 << 20, (1 << 20) + 100):
        reference.apply(np.zeros(n, np.float32), change, stream, "float32", 4000, exact.append)
        compiled(np.zeros(n, np.float32), change, stream, "float32", 4000, kept.append)
    for one, two in zip(exact, kept, strict=True):
        assert one.nbytes <= two.nbytes <= one.nbytes + 2 * 200 * 8  # the blocks at both ends reach beyond


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1.0, 0.5, 0.3, 0.01])
def test_large_tensors_with_threads(rate):
    before = np.random.default_rng(0).standard_normal(3_000_001).astype(np.float32)
    change, stream = Change(combine="add", scale=0.1, rate=rate), Stream(key=5, tweak=6)
    made = []
    for threads in (1, 2, 5):
        made.append(before.copy())
        compiled(made[-1], change, stream, "float32", 77, None, threads=threads)
    expected = before.copy()
    reference.apply(expected, change, stream, "float32", 77, None)
    assert all(one.tobytes() == expected.tobytes() for one in made)


def test_several_threads_of_the_caller():
    stream, change = Stream(key=7, tweak=8), Change(combine="add", rate=0.2)
    made = [np.zeros(50_000, np.float32) for _ in range(4)]
    callers = [threading.Thread(target=compiled, args=(one, change, stream, "float32", 0, None)) for one in made]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len({one.tobytes() for one in made}) == 1


def test_a_process_starts_with_numpy_and_moves_on_when_there_is_work():
    chooser = backends.Chooser()
    assert chooser.choose(None, 1000) is reference.apply
    assert chooser.choose(None, 10**6) is compiled
    assert chooser.choose(None, 10) is compiled
    assert chooser.choose("numpy", 10**9) is reference.apply
    many = backends.Chooser()
    assert compiled in [many.choose(None, 1) for _ in range(100)]


def test_without_numba_there_is_a_hint(monkeypatch, caplog):
    monkeypatch.setattr(backends, "numba_is_installed", lambda: False)
    backends._hint.cache_clear()
    chooser = backends.Chooser()
    with caplog.at_level(logging.WARNING):
        assert [chooser.choose(None, 10**6) for _ in range(3)] == [reference.apply] * 3
    assert caplog.text.count("pip install numba") == 1


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, genewright.noise as n, numpy as np\n"
        "n.apply(np.zeros(9, np.float32), n.Change(combine='add'), n.Stream(key=1, tweak=2), dtype='float32')\n"
        "print([m for m in ('torch', 'numba', 'triton', 'scipy', 'jax', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
