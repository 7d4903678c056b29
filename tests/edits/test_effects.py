"""What each edit does, against plain NumPy; in main memory and where a tensor lies on a device, to the bit.

A device is played by main memory: the store says that a tensor is changed where it lies, so that the path of the
framework's own arrays is taken.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

import genewright as gw
from genewright.backends.torch.store import TorchMemory, TorchStore
from genewright.edits import (
    EDITS,
    Accumulate,
    Assign,
    Copy,
    Edit,
    Exchange,
    Gather,
    Map,
    Memory,
    Mix,
    Perturb,
    Place,
    Share,
    Site,
    Store,
    Write,
    functions,
)
from genewright.edits.layout import Layout, length
from genewright.edits.map import functions as known_functions
from genewright.index import Index
from genewright.journal import Journal
from genewright.noise import Change, derive, draw, permutation
from genewright.part import Part, along
from genewright.seeding import Noise
from tests.edits.test_layout import FORMS, spelled, with_unit

Array = NDArray[Any]

DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
NOISE = Noise(1, "/0", "effects")
SEEDS = st.integers(0, 2**32 - 1)
ALL = st.sampled_from(list(DTYPES))


@pytest.fixture(autouse=True, scope="module")
def every_warning() -> Iterator[None]:
    """Some warnings of torch come once a process; here they come each time, as errors."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


class DeviceMemory(TorchMemory):
    """A tensor that is changed where it lies."""

    def on_device(self) -> Any:
        return self._held


class DeviceStore(TorchStore):
    """A module whose tensors lie on a device, as far as the core can see."""

    def memory(self, name: str) -> Memory:
        ordinary = super().memory(name)
        assert isinstance(ordinary, TorchMemory)
        return DeviceMemory(ordinary.tensor, ordinary._held)


def held(tensors: Mapping[str, torch.Tensor]) -> nn.Module:
    module = nn.Module()
    for name, tensor in tensors.items():
        module.register_parameter(name, nn.Parameter(tensor.clone(), requires_grad=tensor.is_floating_point()))
    return module


def bits(tensor: torch.Tensor) -> Array:
    width = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    return tensor.detach().contiguous().view(width).numpy()


def numbers(tensor: torch.Tensor) -> Array:
    """Return a copy as the numbers that are computed with: halves as float32."""
    return (tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()).detach().numpy().copy()


def rounded(values: Array, dtype: str) -> torch.Tensor:
    """Return numbers rounded by torch, which shares no code with the library; from float32 it rounds once."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(DTYPES[dtype])


def drawn(shape: tuple[int, ...], dtype: str, seed: int) -> torch.Tensor:
    """Return numbers of many sizes, signed zeros and subnormal ones among them."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=shape) * 2.0 ** generator.integers(-12, 6, shape)
    values[generator.random(shape) < 0.1] = -0.0
    values[generator.random(shape) < 0.1] *= 1e-6
    return torch.from_numpy(values).to(DTYPES[dtype])


def apply(edit: Edit, store: Store, journal: Journal | None = None, donors: tuple[Store, ...] = ()) -> None:
    """Check and apply, as a transaction does."""
    store.journal = journal
    edit.check((store, *donors))
    edit.apply(Site(store, NOISE, journal, donors))
    store.finish()


def assert_does(
    edit: Edit,
    before: Mapping[str, torch.Tensor],
    after: Mapping[str, torch.Tensor],
    donors: tuple[Mapping[str, torch.Tensor], ...] = (),
) -> None:
    """Require the same bits on both paths, and the old ones when it is taken back."""
    for kind in (TorchStore, DeviceStore):
        module, journal = held(before), Journal()
        apply(edit, kind(module), journal, tuple(kind(held(donor)) for donor in donors))
        for name in before:
            made = getattr(module, name)
            expected = after.get(name, before[name])
            assert made.dtype == expected.dtype
            assert np.array_equal(bits(made), bits(expected)), f"{name} by {kind.__name__}"
        journal.restore()
        for name, old in before.items():
            assert np.array_equal(bits(getattr(module, name)), bits(old)), f"{name} taken back by {kind.__name__}"


# Gather


@settings(max_examples=40)
@given(FORMS, st.lists(st.integers(-1, 2), min_size=1, max_size=5), st.booleans(), ALL, SEEDS)
def test_gather_moves_units_and_leaves_zeros(
    layout: Layout, index: list[int], blank: bool, dtype: str, seed: int
) -> None:
    """The oracle spells out what each position is made of; a position of a unit from nowhere is zero."""
    assume(length(layout, 3) and length(layout, len(index)))
    new = [unit for unit, old in enumerate(index) if unit % 2 or old < 0]
    old = drawn((2, length(layout, 3)), dtype, seed)
    sources = [-1 if blank and unit in new else old for unit, old in enumerate(index)]
    positions = {repr(position): at for at, position in enumerate(spelled(layout, 3))}
    wanted = [repr(with_unit(position, sources)) for position in spelled(layout, len(index))]
    columns = [old[:, positions[each]] if each in positions else torch.zeros(2, dtype=old.dtype) for each in wanted]
    edit = Gather(
        width="w", size=3, index=Index.of(index), new=Index.of(new), places=(Place("w", 1, layout, blank=blank),)
    )
    assert_does(edit, {"w": old}, {"w": torch.stack(columns, 1)})


@pytest.mark.parametrize("dtype", DTYPES)
def test_gather_moves_bits_even_of_nan(dtype: str) -> None:
    patterns = {2: torch.int16, 4: torch.int32, 8: torch.int64}[DTYPES[dtype].itemsize]
    top = -1 - torch.arange(6, dtype=patterns)  # NaN with payloads, sign set
    old = top.view(DTYPES[dtype]).reshape(3, 2)
    gather = functools.partial(Gather, width="w", size=3, places=(Place("w"),))
    assert_does(gather(index=Index.of([2, 0, 1])), {"w": old}, {"w": old[[2, 0, 1]]})
    assert_does(gather(index=Index.of([2, 0, 1, 2])), {"w": old}, {"w": old[[2, 0, 1, 2]]})
    assert_does(Copy(tensor="w", source="v"), {"w": torch.zeros_like(old), "v": old}, {"w": old})


def test_gather_takes_every_place_of_a_width() -> None:
    before = {"rows": drawn((3, 2), "float32", 1), "columns": drawn((2, 6), "float32", 2)}
    edit = Gather(
        width="w",
        size=3,
        index=Index.of([0, 1, 2, 1]),
        new=Index.of([3]),
        places=(Place("rows"), Place("columns", 1, ("*", 2, "u"), blank=True)),
    )
    columns = before["columns"].reshape(2, 2, 3)
    columns = torch.cat([columns, torch.zeros(2, 2, 1)], 2).reshape(2, 8)
    assert_does(edit, before, {"rows": before["rows"][[0, 1, 2, 1]], "columns": columns})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"index": Index.of([0, 3])}, "3 units, and its index"),
        ({"index": Index.of([0, -2])}, "3 units, and its index"),
        ({"index": Index.of([])}, "none of its 3 units"),
        ({"new": Index.of([4])}, "3 units, and its index"),
        ({"places": (Place("w", 2),)}, "no axis 2"),
        ({"places": (Place("w", 0, ("*", 2, "u")),)}, "axis 0 has 3 positions, and 6"),
    ],
)
def test_a_gather_that_does_not_fit_is_refused(changes: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {"width": "w", "size": 3, "index": Index.of([0, 1, 2, -1]), "places": (Place("w"),)}
    with pytest.raises(gw.EditError, match=words):
        Gather(**{**arguments, **changes}).check((TorchStore(held({"w": torch.zeros(3, 2)})),))


# Share


def shared(old: Array, dtype: str, moves: list[tuple[int, int, float]], *, fresh: bool) -> torch.Tensor:
    """Move shares one after the other along axis 0, rounding each operation to the dtype."""
    values = old.copy()

    def once(numbers: Array) -> Array:
        return rounded(numbers, dtype).to(torch.float64 if dtype == "float64" else torch.float32).numpy()

    for source, target, share in moves:
        moved = once(values[source] * values.dtype.type(share))
        values[target] = moved if fresh else once(values[target] + moved)
        values[source] = once(values[source] - moved)
    return rounded(values, dtype)


MOVES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.floats(-1, 2)), max_size=6)


@settings(max_examples=60)
@given(MOVES, st.booleans(), st.sampled_from([0, 1]), ALL, SEEDS)
def test_share_makes_its_moves_one_after_the_other(
    moves: list[tuple[int, int, float]], fresh: bool, axis: int, dtype: str, seed: int
) -> None:
    moves = [(source, target, share) for source, target, share in moves if source != target]
    old = drawn((4, 3), dtype, seed).movedim(0, axis).contiguous()
    expected = shared(numbers(old.movedim(axis, 0)), dtype, moves, fresh=fresh)
    source, target, share = zip(*moves, strict=True) if moves else ((), (), ())
    edit = Share(
        tensor="w",
        axis=axis,
        source=Index.of(source),
        target=Index.of(target),
        share=np.array(share, np.float64),
        fresh=fresh,
    )
    assert_does(edit, {"w": old}, {"w": expected.movedim(0, axis)})


class Watched(np.ndarray[Any, Any]):
    """An array that notes how many elements are taken out of it."""

    taken: ClassVar[list[int]] = []

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        Watched.taken.append(np.size(found))
        return found


class WatchedMemory(TorchMemory):
    @contextmanager
    def open(self) -> Iterator[Any]:  # type: ignore[override]
        with super().open() as values:
            yield values.view(Watched)


class WatchedStore(TorchStore):
    def memory(self, name: str) -> Memory:
        ordinary = super().memory(name)
        assert isinstance(ordinary, TorchMemory)
        return WatchedMemory(ordinary.tensor, ordinary._held)


@pytest.mark.parametrize("axis", [0, 1])
def test_share_reads_and_keeps_only_what_it_touches(axis: int) -> None:
    module = held({"w": drawn((100, 100), "float32", 1)})
    sizes = {"axis": axis, "source": Index.of([70, 3, 70]), "target": Index.of([5, 99, 6])}
    edit = Share(tensor="w", share=np.array([0.5, 0.25, 1.0]), **sizes)
    journal, before = Journal(), bits(module.w).copy()
    Watched.taken.clear()
    edit.apply(Site(WatchedStore(module), NOISE, journal))
    assert Watched.taken[0] == 5 * 100  # entries 3, 5, 6, 70 and 99
    assert (bits(module.w) != before).any()
    journal.restore()
    assert (bits(module.w) == before).all()


@settings(max_examples=60)
@example([0.99999, 0.8492995481133574, 0.5], "float64", 0)  # its sum takes more bits than the widest float has
@given(st.lists(st.floats(0.5, 1), min_size=1, max_size=3), ALL, SEEDS)
def test_shares_of_at_least_a_half_come_back_to_the_bit(shares: list[float], dtype: str, seed: int) -> None:
    """One entry gives to several, one after the other; the last gives all of its own back first."""
    old = drawn((1 + len(shares), 7), dtype, seed)
    old[0, -1] = torch.finfo(old.dtype).max
    old[0, -2] = torch.finfo(old.dtype).smallest_normal
    old[0, -3] = torch.finfo(old.dtype).smallest_normal * torch.finfo(old.dtype).eps  # the smallest of all
    old[0] += 0.0  # -0.0 gives 0.0 + -0.0 = 0.0 on the way back
    targets = list(range(1, 1 + len(shares)))
    there = Share(
        tensor="w",
        axis=0,
        source=Index.of([0] * len(shares)),
        target=Index.of(targets),
        share=np.array(shares),
        fresh=True,
    )
    back = Share(
        tensor="w",
        axis=0,
        source=Index.of(targets[::-1]),
        target=Index.of([0] * len(shares)),
        share=np.ones(len(shares)),
    )
    for kind in (TorchStore, DeviceStore):
        module = held({"w": old})
        apply(there, kind(module))
        parts = [[Fraction(number) for number in row] for row in numbers(module.w).tolist()]
        total = [sum(column) for column in zip(*parts, strict=True)]  # exactly: no float holds the sum on its way
        assert total == [Fraction(number) for number in numbers(old[0]).tolist()], "the sum stays"
        apply(back, kind(module))
        assert np.array_equal(bits(module.w[0]), bits(old[0]))
        assert not numbers(module.w[1:]).any()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"axis": 2}, "axis 2 has no such entries"),
        ({"source": Index.of([4])}, "axis 0 has no such entries"),
        ({"target": Index.of([1, 2])}, "1 sources, 2 targets and 1 shares"),
    ],
)
def test_a_share_that_does_not_fit_is_refused(changes: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {
        "tensor": "w",
        "axis": 0,
        "source": Index.of([0]),
        "target": Index.of([1]),
        "share": np.array([0.5]),
    }
    with pytest.raises(gw.EditError, match=words):
        Share(**{**arguments, **changes}).check((TorchStore(held({"w": torch.zeros(3, 2)})),))


# Assign and Copy

PARTS: dict[str, tuple[Part, Callable[[Array], Any]]] = {
    "whole": ((), lambda a: np.s_[:, :]),
    "rows": (along(0, [2, 0]), lambda a: np.s_[[2, 0], :]),
    "columns": (along(1, [1, 3, 4]), lambda a: np.s_[:, [1, 3, 4]]),
    "both": ((Index.of([0, 2]), Index.of([4, 1])), lambda a: np.ix_([0, 2], [4, 1])),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("part", PARTS)
def test_assign_writes_numbers_rounded_once(part: str, dtype: str) -> None:
    chosen, place = PARTS[part]
    old = drawn((3, 5), dtype, 3)
    shape = numbers(old)[place(numbers(old))].shape
    # Between two halves, a little above the middle: float32 would round it to the middle, and that to even.
    tie = 1 + float(torch.finfo(DTYPES[dtype]).eps) / 2 + 2.0**-40
    values = np.full(shape, tie)
    expected = numbers(old)
    expected[place(expected)] = 1 + float(torch.finfo(DTYPES[dtype]).eps) if dtype.endswith("float16") else tie
    assert_does(Assign(tensor="w", values=values, part=chosen), {"w": old}, {"w": rounded(expected, dtype)})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("source", DTYPES)
@pytest.mark.parametrize("part", PARTS)
def test_copy_reads_a_donor(part: str, source: str, dtype: str) -> None:
    """What is read lies one row and one column further in a larger tensor."""
    chosen, place = PARTS[part]
    old, theirs = drawn((3, 5), dtype, 4), drawn((4, 6), source, 5)
    rows, columns = (*chosen, None, None)[:2]
    moved = tuple(Index.of((np.arange(n) if p is None else p.array) + 1) for p, n in ((rows, 3), (columns, 5)))
    if source == "float64" and dtype != "float64":
        theirs = theirs.float().double()  # torch rounds a double to a half twice; the next test holds that
    expected = numbers(old).astype(np.float64)
    expected[place(expected)] = numbers(theirs)[1:, 1:][place(expected)]
    exact = expected if dtype == "float64" else expected.astype(np.float32)
    edit = Copy(tensor="w", source="v", part=chosen, source_part=moved, of=1)
    assert_does(edit, {"w": old}, {"w": rounded(exact, dtype)}, ({"v": theirs},))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_copy_rounds_a_double_to_a_half_once(dtype: str) -> None:
    eps = float(torch.finfo(DTYPES[dtype]).eps)
    theirs = torch.tensor([1 + eps / 2 + 2.0**-40, 1 + eps / 2, 1 + 1.5 * eps - 2.0**-40], dtype=torch.float64)
    expected = torch.tensor([1 + eps, 1, 1 + eps], dtype=DTYPES[dtype])
    old = torch.zeros(3, dtype=DTYPES[dtype])
    assert_does(Copy(tensor="w", source="v", of=1), {"w": old}, {"w": expected}, ({"v": theirs},))


def test_copies_that_do_not_fit_are_refused() -> None:
    store, donor = TorchStore(held({"w": torch.zeros(3, 2)})), TorchStore(held({"v": torch.zeros(2, 3)}))
    with pytest.raises(gw.EditError, match=r"\(2, 3\), the part that is written \(3, 2\)"):
        Copy(tensor="w", source="v", of=1).check((store, donor))
    with pytest.raises(gw.EditError, match="there is no donor 2; there are 1"):
        Copy(tensor="w", source="v", of=2).check((store, donor))
    whole = TorchStore(held({"v": torch.zeros(3, 2, dtype=torch.int64)}))
    with pytest.raises(gw.UnsupportedError, match="int64 cannot be copied into 'w' of dtype float32"):
        Copy(tensor="w", source="v", of=1).check((store, whole))


@pytest.mark.parametrize("dtype", DTYPES)
def test_mix_weighs_two_tensors(dtype: str) -> None:
    old, theirs = drawn((3, 5), dtype, 4), drawn((5, 5), dtype, 5)
    rows, source = Index.of([2, 0]), Index.of([1, 4])
    w, v = numbers(old), numbers(theirs)  # halves as float32, in which they are computed
    w[[2, 0]] = w[[2, 0]] * w.dtype.type(0.7) + v[[1, 4]] * w.dtype.type(0.3)
    edit = Mix(tensor="w", source="v", part=(rows,), source_part=(source,), of=1, own=0.7, other=0.3)
    assert_does(edit, {"w": old}, {"w": rounded(w, dtype)}, ({"v": theirs},))


def test_mix_of_chosen_elements_leaves_the_others_and_takes_over_nan() -> None:
    old, theirs = torch.full((40, 50), torch.nan), torch.ones(40, 50)
    module = held({"w": old, "v": theirs})
    apply(Mix(tensor="w", source="v", chosen=0.3, stream="w"), TorchStore(module))
    share = float((module.w == 1).float().mean())
    assert 0.25 < share < 0.35
    assert bool((module.w.isnan() | (module.w == 1)).all())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"own": float("nan")}, "not finite"),
        ({"chosen": 1.5, "stream": "w"}, r"lies in \[0, 1\]"),
        ({"chosen": 0.5}, "no stream"),
        ({"part": along(0, [1])}, r"the part that is read has shape \(3, 2\)"),
    ],
)
def test_mixes_that_do_not_fit_are_refused(settings: dict[str, Any], words: str) -> None:
    store = TorchStore(held({"w": torch.zeros(3, 2), "v": torch.zeros(3, 2)}))
    with pytest.raises(gw.EditError, match=words):
        Mix(tensor="w", source="v", **settings).check((store,))


# Map: each function against its formula


def mean_filled(old: Array) -> Array:
    new = old.astype(np.float64)
    rest = [old.astype(np.float64)[:, at] for at in (0, 1, 3)]
    new[:, [2, 4]] = ((rest[0] + rest[2] + rest[1]) / 3)[:, None]  # by halves: the third is added to the first
    return new


def quantized(old: Array) -> Array:
    largest = np.abs(old.astype(np.float64)).max(1, keepdims=True)
    step = largest / 3
    return np.where(largest > 0, np.rint(old / np.where(largest > 0, step, 1)) * step, old)


def shuffled(old: Array) -> Array:
    stream = NOISE.stream("s")
    return np.stack([row[permutation(stream, len(row), unit)] for unit, row in enumerate(old)])


def absorbed(old: Array) -> Array:
    new = old.copy()
    one = old.dtype.type
    for at, share in ((0, SHARES[0]), (3, SHARES[1])):
        new[:, at] = new[:, at] + one(share[0]) * new[:, 1]
        new[:, at] = new[:, at] + one(share[1]) * new[:, 4]
    return new


def without_smallest(old: Array) -> Array:
    new = old.copy()
    for at in sorted(range(15), key=lambda at: (abs(old.flat[at]), at))[:4]:
        new.flat[at] = 0
    return new


def divided(old: Array) -> Array:
    z = draw(NOISE.stream("s"), "normal", range(15), str(old.dtype)).reshape(3, 5)
    return old + ((old.dtype.type(2 / 3) * z) / (BY + 1)).astype(old.dtype)


def resampled(old: Array) -> Array:
    """Three points become four: at -1/8, 5/8, 11/8 and 17/8 of the old ones, the first and last beyond the edges."""
    double = old.astype(np.float64)
    a, b, c = double[:, 1], double[:, 2], double[:, 3]
    made = [double[:, 0], a, a * 0.375 + b * 0.625, b * 0.625 + c * 0.375, c]
    return np.stack(made, 1)


def of_low_rank(old: Array) -> Array:
    """A has 3 rows and B has 5, of two columns each; every product and sum is rounded by itself."""
    thin = draw(NOISE.stream("s"), "normal", range(16), str(old.dtype))
    a, b = thin[:6].reshape(3, 2), thin[6:].reshape(5, 2)
    return old + old.dtype.type(2 / 3 / 2**0.5) * (np.outer(a[:, 0], b[:, 0]) + np.outer(a[:, 1], b[:, 1]))


def ascended(old: Array) -> Array:
    """One step of momentum from rest, with weight decay."""
    streams = [derive(seed, name="w", path="/0", salt="evolution_noise") for seed in (1, 2**64 - 1, 3)]
    z = [draw(stream, "normal", range(15), str(old.dtype)).reshape(3, 5) for stream in streams]
    kind = old.dtype.type
    gradient = (kind(0.5) * z[0] - kind(2 / 3) * z[1]) + kind(0.25) * z[2]
    step = 0.3 * ((1 - 0.9) * gradient.astype(np.float64) - 0.5 * old.astype(np.float64))
    return old + step.astype(old.dtype)


SHARES = np.array([[2 / 3, -0.25], [0.1, 1.5]])
BY = np.arange(15.0).reshape(3, 5) / 7
MAPS: dict[str, tuple[Any, Callable[[Array], Array]]] = {
    "scale": (functions.Scale(by=2 / 3), lambda old: old * old.dtype.type(2 / 3)),
    "scale by a power of two": (functions.Scale(by=-0.25), lambda old: old * old.dtype.type(-0.25)),
    "zero_smallest": (functions.ZeroSmallest(count=4), without_smallest),
    "negate": (functions.Negate(), lambda old: -old),
    "add": (functions.Add(by=BY), lambda old: old + BY.astype(old.dtype)),
    "mean_fill": (functions.MeanFill(axis=1, new=Index.of([4, 2])), mean_filled),
    "identity": (functions.Identity(unit_axis=1, input_axis=0), lambda old: np.eye(3)[:, [0, 1, 2, 0, 1]]),
    "resample": (functions.Resample(axes=(1,), old=(3,), new=(4,), first=1), resampled),
    "shuffle": (functions.Shuffle(axis=0), shuffled),
    "quantize": (functions.Quantize(bits=3, axis=0), quantized),
    "add_low_rank": (functions.AddLowRank(scale=2 / 3, rank=2), of_low_rank),
    "divided_noise": (functions.DividedNoise(scale=2 / 3, divisor=(BY + 1).reshape(-1)), divided),
    "ascend": (
        functions.Ascend(
            generations=[[[1, 0.5], [2**64 - 1, -2 / 3], [3, 0.25]]],
            salt="evolution_noise",
            optimizer="momentum",
            rate=0.3,
            decays=[0.9, 0.999],
            epsilon=1e-8,
            decay=0.5,
        ),
        ascended,
    ),
    "absorb": (
        functions.Absorb(
            axis=1,
            units=Index.of([0, 1, -1, 2, 3]),
            kept=Index.of([0, 2]),
            gone=Index.of([1, 3]),
            share=SHARES,
        ),
        absorbed,
    ),
}


@settings(max_examples=15)
@given(ALL, SEEDS)
def test_weighted_noise_is_summed_and_met_once(dtype: str, seed: int) -> None:
    old = drawn((3, 5), dtype, seed)
    now = numbers(old)
    kind = now.dtype.type
    streams = [derive(seed, name="w", path="/0", salt="evolution_noise") for seed in (1, 2**64 - 1)]
    z = [draw(stream, "normal", range(15), str(now.dtype)).reshape(3, 5) for stream in streams]
    expected = now + ((kind(-0.5) * now + kind(0.5) * z[0]) - kind(2 / 3) * z[1])
    edit = Accumulate(tensor="w", members=[[1, 0.5], [2**64 - 1, -2 / 3]], salt="evolution_noise", decay=0.5)
    assert_does(edit, {"w": old}, {"w": rounded(expected, dtype)})


@pytest.mark.parametrize("dtype", DTYPES)
def test_weighted_noise_reaches_its_part_alone(dtype: str) -> None:
    """An element's noise, and the word that rounds it, are those that it has in the whole."""
    old = drawn((3, 5), dtype, 8)
    settings: Any = {"tensor": "w", "members": [[1, 0.5], [7, -1.0]], "salt": "s", "rank": 2, "rounding": "stochastic"}
    module = held({"w": old})
    apply(Accumulate(**settings), TorchStore(module))
    expected = old.clone()
    expected[[2, 0]] = module.w.detach()[[2, 0]]
    assert not torch.equal(expected, old)
    assert_does(Accumulate(**settings, part=along(0, [2, 0])), {"w": old}, {"w": expected})


def test_every_function_has_its_formula_here() -> None:
    by_bits = {functions.ForceBits}  # held below, for a bit means another thing in each dtype
    assert {type(function) for function, _ in MAPS.values()} | by_bits == set(known_functions().values())


@pytest.mark.parametrize("name", MAPS)
@settings(max_examples=15)
@given(ALL, SEEDS)
def test_functions_of_old_values(name: str, dtype: str, seed: int) -> None:
    function, formula = MAPS[name]
    old = drawn((3, 5), dtype, seed)
    made = formula(numbers(old))
    expected = rounded(made.astype(np.float64 if dtype == "float64" else np.float32), dtype)
    edit = Map(tensor="w", function=function, stream="s")
    if name != "quantize":
        assert_does(edit, {"w": old}, {"w": expected})
        return
    # The exact levels are held by tests/operators/test_quantize.py; here that both paths agree, and the formula nearly.
    module = held({"w": old})
    apply(edit, TorchStore(module))
    close = 2 * float(torch.finfo(DTYPES[dtype]).eps)
    kept = np.isclose(numbers(module.w), numbers(expected), rtol=close, atol=0) | (bits(module.w) == bits(old))
    assert kept.all()
    assert_does(edit, {"w": old}, {"w": module.w.detach()})


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("dtype", [*DTYPES, "complex64"])
def test_forced_bits_are_what_they_are_forced_to(dtype: str, value: int) -> None:
    """In the rows of a part, by a rate and by places; in both numbers of a complex element."""
    size = 2 if dtype == "complex64" else 1
    old = torch.view_as_complex(drawn((3, 5, 2), "float32", 4)) if size == 2 else drawn((3, 5), dtype, 4)
    words = bits(torch.view_as_real(old) if size == 2 else old).reshape(3, 5 * size)
    last = 8 * words.itemsize - 1  # the sign
    masks = [np.array(1 << 3, words.dtype), np.array(1, words.dtype) << last]
    for at, mask in zip((3, last), masks, strict=True):
        wanted, places = words.copy(), words.copy()
        forced = words | mask if value else words & ~mask
        wanted[[2, 0]] = forced[[2, 0]]
        places.reshape(-1)[[4, 11]] = forced.reshape(-1)[[4, 11]]
        function = functions.ForceBits(flips=Change(combine="xor", bits=(at,)), value=value)
        by_places = replace(function, elements=Index.of([4, 11]))
        assert_does(
            Map(tensor="w", function=function, part=along(0, [2, 0]), stream="s"), {"w": old}, {"w": same(wanted, old)}
        )
        assert_does(Map(tensor="w", function=by_places, stream="s"), {"w": old}, {"w": same(places, old)})


def same(words: Array, like: torch.Tensor) -> torch.Tensor:
    """Return the tensor of these bit patterns."""
    return torch.from_numpy(words).view(like.dtype).reshape(like.shape)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_function_reaches_its_part_alone(dtype: str) -> None:
    old = drawn((3, 5), dtype, 8)
    expected = numbers(old)
    expected[[2, 0]] *= 4
    edit = Map(tensor="w", function=functions.Scale(by=4.0), part=along(0, [2, 0]))
    assert_does(edit, {"w": old}, {"w": rounded(expected, dtype)})


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (functions.ForceBits(flips=Change(combine="negate"), value=1), "combine='xor'"),
        (functions.ForceBits(flips=Change(combine="xor", bits=(1,)), value=2), "0 or 1"),
        (
            functions.ForceBits(flips=Change(combine="xor", bits=(1,)), value=1, elements=Index.of([15])),
            "not different",
        ),
        (functions.Add(by=np.zeros(3)), r"shape \(3,\), the part has \(3, 5\)"),
        (functions.MeanFill(axis=1, new=Index.of([5])), "no axis 1 with these entries"),
        (functions.MeanFill(axis=1, new=Index.of(range(5))), "no entry is old"),
        (functions.Identity(unit_axis=0, input_axis=0), "no axes 0 and 0"),
        (functions.Shuffle(axis=2), "no axis 2"),
        (functions.Resample(axes=(1,), old=(5,), new=(6,)), r"have \[5\] entries, and \[6\] are read or written"),
        (functions.Resample(axes=(2,), old=(5,), new=(5,)), r"no axes \(2,\)"),
        (functions.Resample(axes=(0, 1), old=(3,), new=(3,)), "a grid has one or two sides"),
        (functions.Resample(axes=(1,), old=(0,), new=(5,)), "a grid has points"),
        (functions.Quantize(bits=17), "17 bits are not from 2 to 16"),
        (functions.Quantize(bits=4, axis=2), "no axis 2"),
        (MAPS["absorb"][0].__class__(**{**vars(MAPS["absorb"][0]), "axis": 0}), "not those of axis 0"),
        (MAPS["absorb"][0].__class__(**{**vars(MAPS["absorb"][0]), "gone": Index.of([1])}), "do not fit its units"),
        (
            MAPS["absorb"][0].__class__(**{**vars(MAPS["absorb"][0]), "units": Index.of([0, 1, 2, 2, 3])}),
            "equally many positions",
        ),
    ],
)
def test_a_function_that_does_not_fit_is_refused(function: Any, words: str) -> None:
    with pytest.raises(gw.EditError, match=words):
        Map(tensor="w", function=function).check((TorchStore(held({"w": torch.zeros(3, 5)})),))


@pytest.mark.parametrize(
    "edit",
    [
        Perturb(tensor="w", change=Change(combine="negate"), stream="w", elements=Index.of([15])),
        Perturb(tensor="w", change=Change(combine="negate"), stream="w", elements=Index.of([1, 1])),
        Exchange(tensor="w", other="w"),
        Exchange(tensor="w", other="u"),
    ],
)
def test_elements_that_do_not_exist_and_tensors_that_do_not_fit_are_refused_before_anything_changes(edit: Edit) -> None:
    with pytest.raises(gw.EditError):
        edit.check((TorchStore(held({"w": torch.zeros(3, 5), "u": torch.zeros(5, 3)})),))


# All of them


ROWS: dict[str, Any] = {"part": along(0, [2, 0]), "source_part": along(0, [0, 1])}
VALUES: list[tuple[Edit, str]] = [
    (Perturb(tensor="w", change=Change(combine="add", scale=0.1, rate=0.5), stream="w", part=along(0, [1])), "noise"),
    (Accumulate(tensor="w", members=[[1, 0.5]], salt="s", noise_rate=0.5), "sum"),
    (Map(tensor="w", function=functions.Negate()), "a function"),
    (Assign(tensor="w", values=np.ones((3, 5))), "numbers"),
    (Copy(tensor="w", source="v"), "a copy"),
    (Exchange(tensor="w", other="v"), "an exchange"),
    (Mix(tensor="w", source="v", own=0.7, other=0.3, chosen=0.7, stream="w", **ROWS), "a mix"),
    (Gather(width="w", size=3, index=Index.of([2, 1, 0]), places=(Place("w"),)), "a width"),
    (Share(tensor="w", axis=0, source=Index.of([0]), target=Index.of([1]), share=np.array([0.5])), "a share"),
    (Write(tensor="w", values=lambda old: old * 2), "somebody's function"),
]


def test_every_edit_of_values_is_listed() -> None:
    assert {type(edit) for edit, _ in VALUES} == {
        kind for kind in EDITS if not kind.wiring and kind.name not in ("set_attribute", "forget", "continue_buffer")
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("edit", "name"), VALUES, ids=lambda value: value if isinstance(value, str) else "")
def test_both_paths_give_the_same_bits(edit: Edit, name: str, dtype: str) -> None:
    before = {"w": drawn((3, 5), dtype, 9), "v": drawn((3, 5), dtype, 10)}
    module = held(before)
    apply(edit, TorchStore(module))
    assert not np.array_equal(bits(module.w), bits(before["w"]))
    assert_does(edit, before, {"w": module.w.detach(), "v": module.v.detach()})
