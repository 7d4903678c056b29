"""The face of a framework: how large it is, how it is found, and its laws on every framework that we have."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright import backends
from genewright.backends.backend import Backend
from genewright.backends.torch import TorchBackend
from genewright.conformance import files_cases, torch_cases
from genewright.edits import Memory, Store
from genewright.journal import Journal
from genewright.network import Network
from tests.backends.frozen_tree import Tree

ROOT = Path(__file__).parents[2]
UNREADABLE = ("lazy", "on the meta device")


FACES: tuple[type, ...] = (Backend, Store, Memory, Network)
MAY_BE_LEFT: dict[type, set[str]] = {
    Backend: {"companion", "failures", "gather_inputs", "keep_zeros", "numeric", "other_runs", "rerun"},
    Store: {"forget", "resize", "restructure"},
    Memory: {"on_device", "perturb", "perturb_at", "snapshot"},
    Network: {"_jacobian", "_layers", "_trace", "blueprint", "completed", "name_of", "observe", "spec_like"},
}


def primitives(face: type) -> dict[str, bool]:
    """Return the methods of a face that are not final, and whether a framework has to write them."""
    methods = {name: value for name, value in vars(face).items() if callable(value) and not name.startswith("__")}
    return {
        name: getattr(value, "__isabstractmethod__", False)
        for name, value in methods.items()
        if not getattr(value, "__final__", False)
    }


def test_the_face_of_a_framework_is_small() -> None:
    """At most fifteen primitives have to be written; what may be left out, for a framework that cannot, is listed."""
    assert sum(has_to for face in FACES for has_to in primitives(face).values()) <= 15
    for face in FACES:
        assert {name for name, has_to in primitives(face).items() if not has_to} == MAY_BE_LEFT[face]


@pytest.mark.parametrize("name", [name for name in torch_cases.networks() if name not in UNREADABLE])
def test_torch_keeps_the_laws(name: str) -> None:
    given: Any = torch_cases.networks()[name]
    model, example = given if isinstance(given, tuple) else (given, None)
    gw.check_backend(model, example=example)


@pytest.mark.parametrize("name", files_cases.networks())
def test_checkpoints_keep_the_laws(name: str) -> None:
    gw.check_backend(files_cases.networks()[name])


class Forgets(TorchBackend):
    def sign(self, model: nn.Module, history: tuple[str, ...], journal: Journal | None = None) -> nn.Module:
        return model


class Shares(TorchBackend):
    def copy(self, model: nn.Module) -> nn.Module:
        return model


class Draws(TorchBackend):
    def run(self, model: nn.Module, batch: Any, *, exactly: bool = False) -> Any:
        torch.rand(1)
        return super().run(model, batch, exactly=exactly)


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (Forgets(), "history travels with copies"),
        (Shares(), "only copies are changed"),
        (Draws(), "a run leaves nothing behind"),
    ],
)
def test_a_backend_that_breaks_a_law_is_named(broken: Backend, law: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genewright.conformance.primitives.backend_of", lambda model: broken)
    with pytest.raises(gw.ConformanceError, match=law):
        gw.check_backend(nn.Linear(3, 2), example=torch.ones(1, 3))


def test_ours_are_the_entry_points_of_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][backends.ENTRY_POINTS]
    assert listed == {name: f"{module}:BACKEND" for name, module in backends._OURS.items()}
    assert list(listed) == list(backends._OURS)


@pytest.fixture
def trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package that brings a framework, as pip does: by its metadata."""
    about = tmp_path / "frozen_trees-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: frozen-trees\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        f"[{backends.ENTRY_POINTS}]\ntests.backends.frozen_tree = tests.backends.frozen_tree:BACKEND\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    backends._known.cache_clear()
    yield
    monkeypatch.undo()
    backends._known.cache_clear()


@pytest.fixture
def tree() -> Tree:
    values = np.random.default_rng(0).normal(size=(4, 4))
    return Tree.of(**{"first.weight": values, "second.weight": values[:, :3]})


def test_without_its_package_a_framework_is_unknown(tree: Tree) -> None:
    with pytest.raises(gw.UnsupportedError, match=r"received a tests\.backends\.frozen_tree\.Tree"):
        gw.fingerprint(tree)


@pytest.mark.usefixtures("trees")
def test_a_backend_of_another_package_keeps_the_laws(tree: Tree) -> None:
    gw.check_backend(tree, example=np.ones((2, 4)))


@pytest.mark.usefixtures("trees")
def test_a_mutant_of_a_frozen_tree_is_another_tree(tree: Tree) -> None:
    before = gw.fingerprint(tree)
    mutant = gw.mutate(tree, [gw.GaussianNoise(std=1.0), gw.SignFlip(rate=0.5)], seed=1)
    assert mutant is not tree
    assert gw.fingerprint(tree) == before != gw.fingerprint(mutant)
    assert gw.recipe(mutant).result == gw.fingerprint(mutant)
    assert gw.replay(gw.recipe(mutant), tree) == mutant
    plan = gw.plan(tree, gw.GaussianNoise(std=1.0), seed=1)
    assert plan.apply() == gw.mutate(tree, gw.GaussianNoise(std=1.0), seed=1)


@pytest.mark.usefixtures("trees")
def test_for_the_length_of_a_block_a_frozen_tree_has_a_mutant(tree: Tree) -> None:
    before = gw.fingerprint(tree)
    with gw.mutated(tree, gw.Zero(rate=1.0), seed=1) as zeroed:
        assert not any(matrix.any() for matrix in zeroed.matrices())
        assert gw.fingerprint(tree) == before
    assert gw.fingerprint(tree) == before


@pytest.mark.usefixtures("trees")
def test_a_frozen_tree_is_not_changed_in_place(tree: Tree) -> None:
    with pytest.raises(gw.UnsupportedError, match="cannot change in place"):
        gw.mutate(tree, gw.Zero(rate=1.0), seed=1, inplace=True)


@pytest.mark.usefixtures("trees")
def test_a_frozen_tree_is_saved_and_loaded(tree: Tree, tmp_path: Path) -> None:
    mutant = gw.mutate(tree, gw.GaussianNoise(std=1.0), seed=1)
    gw.save(mutant, tmp_path / "tree.safetensors")
    assert gw.load(lambda: tree, tmp_path / "tree.safetensors") == mutant
    refused = gw.Widen(layer="first", num_units=1)
    with pytest.raises(gw.GenewrightError):
        gw.mutate(tree, refused, seed=1, example=np.ones((2, 4)))
