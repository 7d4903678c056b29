"""gw.save and gw.load: tensors, ties and recipe survive the way through a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import genewright as gw
from tests.networks import NETWORKS, make


@pytest.mark.parametrize("name", NETWORKS)
def test_a_mutant_comes_back_with_its_recipe(name: str, tmp_path: Path) -> None:
    mutant = gw.mutate(make(name), gw.UniformNoise(bound=0.5), seed=1)
    gw.save(mutant, tmp_path / "m.safetensors")
    again = gw.load(lambda: make(name), tmp_path / "m.safetensors")
    assert gw.fingerprint(again) == gw.fingerprint(mutant)
    assert gw.recipe(again) == gw.recipe(mutant) == gw.read_recipe(tmp_path / "m.safetensors")
    assert gw.fingerprint(gw.replay(gw.recipe(again), make(name))) == gw.fingerprint(mutant)


def test_others_can_read_our_files(mlp: nn.Module, tmp_path: Path) -> None:
    mutant = gw.mutate(mlp, gw.GaussianNoise(), seed=1)
    gw.save(mutant, tmp_path / "m.safetensors")
    theirs = load_file(tmp_path / "m.safetensors")
    assert all(torch.equal(theirs[name], tensor) for name, tensor in mutant.state_dict().items())


def test_we_can_read_files_of_others(mlp: nn.Module, tmp_path: Path) -> None:
    save_file(mlp.state_dict(), tmp_path / "n.safetensors", metadata={"format": "pt"})
    checkpoint = gw.read_checkpoint(tmp_path / "n.safetensors")
    assert gw.fingerprint(checkpoint) == gw.fingerprint(mlp)
    mutant = gw.mutate(checkpoint, gw.GaussianNoise(), seed=1)
    assert mutant.metadata["format"] == "pt"
    gw.save(mutant, tmp_path / "m.safetensors")
    mlp.load_state_dict(load_file(tmp_path / "m.safetensors"))
    assert gw.fingerprint(mlp) == gw.fingerprint(mutant)


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3, "history": [1.0, 2.0]}])
@pytest.mark.parametrize("suffix", ["pt", "pth"])
def test_pt_files_keep_what_is_around_the_state_dict(wrap: Any, suffix: str, mlp: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / f"net.{suffix}"
    torch.save(wrap(mlp.state_dict()), path)
    mutant = gw.mutate(gw.read_checkpoint(path), gw.GaussianNoise(std=0.3), seed=1)
    gw.save(mutant, tmp_path / "mutant.pt")
    whole = torch.load(tmp_path / "mutant.pt", weights_only=True)
    state = whole.get("state_dict", whole)
    assert {k: v for k, v in whole.items() if k in ("epoch", "history")} == (
        {"epoch": 3, "history": [1.0, 2.0]} if "state_dict" in whole else {}
    )
    mlp.load_state_dict(state)
    assert gw.fingerprint(mlp) == gw.fingerprint(mutant)
    assert gw.read_recipe(tmp_path / "mutant.pt") == gw.recipe(mutant)


def test_in_place_on_a_checkpoint_that_was_read(mlp: nn.Module, tmp_path: Path) -> None:
    gw.save(mlp, tmp_path / "n.safetensors")
    torch.save(mlp.state_dict(), tmp_path / "n.pt")
    for name in ("n.safetensors", "n.pt"):
        checkpoint = gw.read_checkpoint(tmp_path / name)
        gw.mutate(checkpoint, gw.GaussianNoise(), seed=1, inplace=True)
        assert gw.fingerprint(checkpoint) == gw.fingerprint(gw.mutate(mlp, gw.GaussianNoise(), seed=1))


def test_ties_survive(tmp_path: Path) -> None:
    gw.save(make("tied_autoencoder"), tmp_path / "t.safetensors")
    checkpoint = gw.read_checkpoint(tmp_path / "t.safetensors")
    mutant = gw.mutate(checkpoint, gw.GaussianNoise(), seed=1)
    assert mutant.entries["encoder.weight"].data is mutant.entries["decoder.weight"].data
    gw.save(mutant, tmp_path / "m.safetensors")
    again = gw.load(lambda: make("tied_autoencoder"), tmp_path / "m.safetensors")
    assert again.encoder.weight is again.decoder.weight
    assert gw.fingerprint(again) == gw.fingerprint(gw.mutate(make("tied_autoencoder"), gw.GaussianNoise(), seed=1))


def test_statistics_and_integers_of_a_file_stay(tmp_path: Path) -> None:
    gw.save(make("conv_batchnorm"), tmp_path / "c.safetensors")
    checkpoint = gw.read_checkpoint(tmp_path / "c.safetensors")
    mutant = gw.mutate(checkpoint, gw.Zero(rate=1.0), seed=1)
    for name in ("1.running_mean", "1.running_var", "1.num_batches_tracked"):
        assert mutant.entries[name].data.tobytes() == checkpoint.entries[name].data.tobytes()
    assert not mutant.entries["1.weight"].data.any()


def test_a_model_that_is_no_mutant_has_no_recipe_in_its_file(mlp: nn.Module, tmp_path: Path) -> None:
    gw.save(mlp, tmp_path / "n.safetensors")
    with pytest.raises(gw.RecipeError, match="holds no recipe"):
        gw.read_recipe(tmp_path / "n.safetensors")


class Sized(nn.Module):
    """A network whose every size can be chosen."""

    def __init__(self, inputs: int = 3, hidden: int = 8, outputs: int = 5) -> None:
        super().__init__()
        self.one, self.two, self.three = (
            nn.Linear(inputs, hidden),
            nn.Linear(hidden, hidden),
            nn.Linear(hidden, outputs),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.three(torch.relu(self.two(torch.relu(self.one(x)))))


@pytest.mark.parametrize("sizes", [{"inputs": 4}, {"hidden": 10}, {"hidden": 12}, {"outputs": 7}], ids=str)
@pytest.mark.parametrize(
    "operator",
    [gw.Widen("one", factor=1.5), gw.Narrow("one", factor=0.5), gw.InsertLayer("one"), gw.DuplicateBlock("two")],
    ids=lambda operator: operator.name,
)
def test_a_base_of_other_sizes_is_refused_by_the_first_tensor_that_differs(
    operator: Any, sizes: dict[str, int], tmp_path: Path
) -> None:
    path = tmp_path / "m.safetensors"
    mutant = gw.mutate(Sized(), operator, seed=1, example=torch.ones(2, 3))
    gw.save(mutant, path)
    first = "three.weight" if "outputs" in sizes else "one.weight"
    with pytest.raises(gw.FileError, match=rf"'{first}'.* (has|of) shape"):
        gw.load(lambda: Sized(**sizes), path)
    assert gw.fingerprint(gw.load(Sized, path)) == gw.fingerprint(mutant)


@pytest.mark.parametrize("wrapped", ["file", "model"])
def test_a_prefix_is_told(wrapped: str, mlp: nn.Module, tmp_path: Path) -> None:
    whole = nn.ModuleDict({"module": mlp})
    saved, wanted = (whole, mlp) if wrapped == "file" else (mlp, whole)
    gw.save(saved, tmp_path / "a.safetensors")
    with pytest.raises(gw.FileError, match=f"The {wrapped}'s names are the other's behind 'module\\.'"):
        gw.load(lambda: wanted, tmp_path / "a.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize(("held", "kept"), [(torch.float64, torch.float32), (torch.float32, torch.float64)])
def test_numbers_of_another_dtype_become_the_models_and_it_is_said(
    held: torch.dtype, kept: torch.dtype, suffix: str, tmp_path: Path
) -> None:
    path, model = tmp_path / f"net{suffix}", nn.Linear(3, 2)
    gw.save(nn.Linear(3, 2, dtype=held), path)
    names = str(held).removeprefix("torch."), str(kept).removeprefix("torch.")
    with pytest.warns(
        UserWarning, match=rf"'weight' is {names[0]} .* {names[1]} .* \(2 tensors of 2 .*model\.to\(torch"
    ):
        loaded = gw.load(lambda: model.to(kept), path)
    assert loaded.weight.dtype == kept
    assert torch.equal(loaded.weight, gw.load(lambda: nn.Linear(3, 2, dtype=held), path).weight.to(kept))


def test_imaginary_parts_are_not_dropped(tmp_path: Path) -> None:
    gw.save(nn.Linear(3, 2, dtype=torch.complex64), tmp_path / "net.safetensors")
    with pytest.raises(gw.FileError, match="no place for imaginary parts"):
        gw.load(lambda: nn.Linear(3, 2), tmp_path / "net.safetensors")
