"""Files that torch saved: what their names end in, and what is said of things that are no tensors."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.cli import main


@pytest.mark.parametrize(
    "name", ["epoch=3-step=40.ckpt", "pytorch_model.bin", "model_best.pth.tar", "A.CKPT", "a.pt.tar"]
)
def test_the_names_of_trainers_files(name: str, mlp: nn.Module, tmp_path: Path) -> None:
    optimizer = torch.optim.Adam(mlp.parameters())
    mlp(torch.ones(1, next(mlp.parameters()).shape[1])).sum().backward()
    optimizer.step()
    trained = {"epoch": 3, "state_dict": mlp.state_dict(), "optimizer_states": [optimizer.state_dict()]}
    torch.save(trained, tmp_path / name)
    mutant = gw.mutate(gw.read_checkpoint(tmp_path / name), gw.GaussianNoise(std=0.1), seed=1)
    gw.save(mutant, tmp_path / f"mutant of {name}")
    again = torch.load(tmp_path / f"mutant of {name}", weights_only=True)
    assert again["epoch"] == 3
    assert again["optimizer_states"][0]["param_groups"] == trained["optimizer_states"][0]["param_groups"]
    mlp.load_state_dict(again["state_dict"])
    assert gw.fingerprint(mlp) == gw.fingerprint(mutant)


def test_the_command_takes_them(mlp: nn.Module, tmp_path: Path) -> None:
    torch.save(mlp.state_dict(), tmp_path / "a.ckpt")
    main(["mutate", "sign-flip", str(tmp_path / "a.ckpt"), "--seed", "1", "--out", str(tmp_path / "b.pth.tar")])
    assert gw.read_recipe(tmp_path / "b.pth.tar").steps[0].name == "sign_flip"


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (np.float64(0.5), r"a NumPy scalar under 'best': numpy\._?core\.multiarray\.scalar; write x\.item\(\)"),
        ([{"best": np.int64(5)}], r"a NumPy scalar under 'best'"),
        (np.ones(3), r"a NumPy array under 'best': .*; write torch\.from_numpy\(x\)"),
        (np.dtype("f4"), r"a dtype of NumPy under 'best'"),
        (argparse.Namespace(lr=0.1), r"an object or a call of Python under 'best': argparse\.Namespace"),
        (nn.ReLU(), r"under 'best': torch\.nn\.modules\.activation\.ReLU"),
        (nn.ReLU, r"it names torch\.nn\.modules\.activation\.ReLU"),
    ],
    ids=str,
)
def test_a_message_says_which_object_is_no_tensor(beside: Any, said: str, mlp: nn.Module, tmp_path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": mlp.state_dict(), "best": beside}, tmp_path / "a.pt")
    with pytest.raises(gw.FileError, match=said) as caught:
        gw.read_checkpoint(tmp_path / "a.pt")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("content", [b"GGUF\x03\0\0\0 a file of another kind", b"\x0a\x0b\x08" * 9])
def test_other_files_of_these_names(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(gw.FileError, match="is no file that torch saved: it begins with"):
        gw.read_checkpoint(tmp_path / "a.bin")
