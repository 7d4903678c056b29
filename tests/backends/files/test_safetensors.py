"""safetensors files as other libraries read them."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import nn

import genewright as gw
from tests.networks import make


def _metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


@pytest.mark.parametrize("mutated", [False, True])
def test_the_format_is_always_said(mutated: bool, mlp: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    gw.save(gw.mutate(mlp, gw.SignFlip(), seed=1) if mutated else mlp, path)
    assert _metadata(path)["format"] == "pt"
    gw.save(gw.read_checkpoint(path), tmp_path / "again.safetensors")
    assert _metadata(tmp_path / "again.safetensors")["format"] == "pt"


def test_a_file_of_another_format_keeps_its_own(tmp_path: Path) -> None:
    save_file({"w": np.ones(3, np.float32)}, tmp_path / "a.safetensors", metadata={"format": "flax"})
    gw.save(gw.read_checkpoint(tmp_path / "a.safetensors"), tmp_path / "b.safetensors")
    assert _metadata(tmp_path / "b.safetensors")["format"] == "flax"


def test_the_hub_reads_a_mutant(mlp: nn.Module, tmp_path: Path) -> None:
    mutant = gw.mutate(mlp, gw.SignFlip(), seed=1)
    gw.save(mutant, tmp_path / "model.safetensors")
    huggingface_hub.load_torch_model(mlp, tmp_path)
    assert gw.fingerprint(mlp) == gw.fingerprint(mutant)
    assert all(torch.equal(a, b) for a, b in zip(mlp.parameters(), mutant.parameters(), strict=True))


def test_the_bytes_are_the_same_every_time(tmp_path: Path) -> None:
    """The library writes the metadata of a file in another order every time."""
    mutant = gw.mutate(make("tied_autoencoder"), gw.SignFlip(), seed=1)
    for number in range(8):
        gw.save(mutant, tmp_path / f"{number}.safetensors")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
