"""Parts of tensors, against NumPy's own indexing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import genewright as gw
from genewright import noise
from genewright.backends.files.checkpoint import Checkpoint, CheckpointStore, Entry
from genewright.edits import Perturb, Site
from genewright.index import Index
from genewright.journal import Journal
from genewright.part import along, fits, grid, part_shape, pieces
from genewright.seeding import Noise


@st.composite
def shapes_and_parts(draw: Any) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    shape = tuple(draw(st.lists(st.integers(0, 6), min_size=1, max_size=3)))
    axes = draw(st.integers(0, len(shape)))
    part = tuple(
        draw(st.none() | st.lists(st.integers(0, size - 1), unique=True).map(Index.of)) if size else None
        for size in shape[:axes]
    )
    return shape, part


def wanted(shape: tuple[int, ...], part: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    inside = np.ones(shape, bool)
    for axis, positions in enumerate(part):
        if positions is not None:
            belongs = np.isin(np.arange(shape[axis]), positions.array)
            inside &= belongs.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return inside


@given(shapes_and_parts())
def test_pieces_cover_exactly_the_part(case: tuple[tuple[int, ...], tuple[Any, ...]]) -> None:
    shape, part = case
    covered = np.zeros(int(np.prod(shape)), int)
    for start, stop, inside in pieces(part, shape):
        covered[start:stop] += 1 if inside is None else inside.astype(int)
    assert np.array_equal(covered.reshape(shape), wanted(shape, part).astype(int))


@given(shapes_and_parts())
def test_grid_reads_the_part(case: tuple[tuple[int, ...], tuple[Any, ...]]) -> None:
    shape, part = case
    array = np.arange(np.prod(shape)).reshape(shape)
    got = array[grid(part, shape)]
    assert got.shape == part_shape(part, shape)
    assert sorted(got.ravel().tolist()) == array[wanted(shape, part)].tolist()
    assert fits(part, shape)


@pytest.mark.parametrize(
    ("shape", "part"),
    [
        ((700, 900), (Index.of((3, 4, 5, 400)),)),  # long runs
        ((900, 700), (None, Index.of(range(0, 700, 7)))),  # many short runs
        ((900, 700), (Index.of(range(0, 900, 3)), Index.of(range(350)))),
        ((300_000, 2), (None, Index.of((1,)))),
    ],
)
@pytest.mark.parametrize("keep", [True, False])
def test_a_perturbed_part_has_the_noise_that_it_has_in_the_whole(shape: Any, part: Any, keep: bool) -> None:
    stream, change = noise.derive(1, name="w", path=""), noise.Change(combine="add", rate=0.5)
    old = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32)
    whole = old.copy()
    noise.apply(whole, change, stream, dtype="float32")
    checkpoint = Checkpoint({"w": Entry("float32", shape, old.copy().view(np.uint8))})
    journal = Journal() if keep else None
    site = Site(CheckpointStore(checkpoint), Noise(1), journal)
    Perturb(tensor="w", change=change, stream="w", part=part).apply(site)
    new = checkpoint.entries["w"].data.view(np.float32)
    inside = wanted(shape, part).ravel()
    assert np.array_equal(new[inside], whole[inside])
    assert np.array_equal(new[~inside], old[~inside])
    assert not np.array_equal(new, old)
    if journal is not None:
        journal.restore()
    assert np.array_equal(new, old) == keep


@pytest.mark.parametrize(
    "part", [along(0, (4,)), along(0, (-1,)), along(0, (0, 0)), (None, None, None), along(0, (1, 2, 1))]
)
def test_parts_that_do_not_fit(part: Any) -> None:
    assert not fits(part, (4, 3))


def test_along() -> None:
    assert along(2, (1,)) == (None, None, Index.of([1]))
    assert along(None, (1,)) == ()
    assert along(0, None) == ()


def test_a_plan_counts_the_chosen_part() -> None:
    import torch

    plan = gw.plan(torch.nn.Linear(5, 4), gw.Zero(rate=0.5, where=gw.where("weight", units=[1, 2])), seed=1)
    assert plan.steps[0].lines[0].expected == 5.0
    assert "2 positions of axis 0" in str(plan)
