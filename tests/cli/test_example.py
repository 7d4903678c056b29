"""Sample inputs as they are said on the command line, and what they are needed for."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import genewright as gw
from genewright.cli.arguments import UsageError
from genewright.cli.example import open_example

VIT = "users_models:Vit", "--weights", "vit.pt"
IMAGE = "--example", "2x1x8x8"


@pytest.mark.parametrize(
    ("word", "shape", "dtype"),
    [
        ("3", (3,), "float32"),
        ("1x3x32x32", (1, 3, 32, 32), "float32"),
        ("2x5:float64", (2, 5), "float64"),
        ("2x50:int64", (2, 50), "int64"),
        ("2x5:bool", (2, 5), "bool"),
    ],
)
def test_a_shape_gives_the_same_numbers_every_time(word: str, shape: tuple[int, ...], dtype: str) -> None:
    example = open_example([word])
    assert (example.shape, example.dtype) == (shape, dtype)
    assert np.array_equal(example, open_example([word]))
    assert example.std() > 0
    if dtype == "int64":
        assert set(example.ravel()) == {0, 1}  # an embedding of any size takes them


def test_files_and_functions_give_what_they_hold(folder: Path) -> None:
    x, y = np.ones((2, 3), np.float32), np.arange(4)
    np.save("one.npy", x)
    np.savez("one.npz", X=x, y=[0, 1])
    np.savez("two.npz", first=x, second=y)
    save_file({"first": x, "second": y}, "two.safetensors")
    save_file({"x": x}, "one.safetensors")
    for one in ("one.npy", "one.npz", "one.safetensors"):
        assert np.array_equal(open_example([one]), x), one
    for two in ("two.npz", "two.safetensors"):
        found = open_example([two])
        assert found.keys() == {"first", "second"}
        assert np.array_equal(found["second"], y)
    assert open_example(["users_models:sample"]).shape == (2, 1, 8, 8)


def test_several_inputs_are_positional_or_named(folder: Path) -> None:
    np.save("one.npy", np.ones(3))
    first, second = open_example(["1x2", "one.npy"])
    assert (first.shape, second.shape) == ((1, 2), (3,))
    named = open_example(["tokens=1x7:int64", "mask=one.npy"])
    assert {name: value.shape for name, value in named.items()} == {"tokens": (1, 7), "mask": (3,)}
    assert open_example(None) is open_example([]) is None


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["1x3", "x=1x3"], "name all inputs"),
        (["3 by 4"], "write a shape such as 1x3x224x224"),
        (["1x3:int63"], "Did you mean 'int64'"),
        (["1x0x3"], "holds no sample"),
        (["image.png"], "write a shape"),
    ],
)
def test_what_is_no_input_is_refused(words: list[str], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        open_example(words)


def test_a_missing_example_is_said_with_the_fixed_command(genewright: Any) -> None:
    for words in (
        ("plan", "widen", *VIT, "--seed", "1"),
        ("mutate", "widen", *VIT, "--seed", "1", "--out", "m.safetensors"),
        ("knobs", *VIT),
    ):
        said = genewright(*words)
        assert said.code == 2
        fixed = shlex.split(said.err.split("Write: ")[1])
        assert fixed == ["genewright", *words, "--example", "1x3x224x224"]
    assert not Path("m.safetensors").exists()


@pytest.mark.parametrize("example", [(), IMAGE])
@pytest.mark.parametrize("words", [("plan", "widen", "vit.pt", "--seed", "1"), ("knobs", "vit.pt")])
def test_a_file_of_tensors_is_told_from_a_model(words: Any, example: Any, genewright: Any) -> None:
    said = genewright(*words, *example)
    assert said.code == 2
    assert "with --weights vit.pt" in said.err


def test_an_example_that_does_not_run_is_refused(genewright: Any) -> None:
    said = genewright("plan", "widen", *VIT, "--example", "2x3x8x8", "--seed", "1")
    assert said.code == 1
    assert "does not run on the example" in said.err


def test_a_replay_needs_the_example_only_where_values_were_fitted_on_it(genewright: Any) -> None:
    assert genewright("mutate", "widen", *VIT, *IMAGE, "--seed", "1", "--out", "wide.safetensors").code == 0
    said = genewright("replay", "wide.safetensors", *VIT, "--out", "wide_again.safetensors")
    assert said.code == 0, said.err
    fitted = ("--repair", "least_squares", "--seed", "1", "--out", "m.safetensors")
    said = genewright("mutate", "narrow", *VIT, *IMAGE, *fitted)
    assert said.code == 0, said.err
    said = genewright("replay", "m.safetensors", *VIT, "--out", "again.safetensors")
    assert said.code == 2
    assert "Write: genewright replay m.safetensors" in said.err
    said = genewright("replay", "m.safetensors", *VIT, *IMAGE, "--out", "again.safetensors")
    assert said.code == 0, said.err


def test_knobs_are_listed_shown_and_written_as_json(genewright: Any) -> None:
    from users_models import Vit

    expected = gw.knobs(Vit(), torch.zeros(2, 1, 8, 8))
    listed = genewright("knobs", *VIT, *IMAGE)
    assert listed.code == 0, listed.err
    form = genewright("knobs", *VIT, *IMAGE, "--json").json()
    assert [knob["name"] for knob in form["knobs"]] == [knob.name for knob in expected]
    assert [knob["free"] for knob in form["knobs"]] == [knob.free for knob in expected]
    for knob in expected:
        assert knob.name in listed.out
    shown = genewright("knobs", *VIT, *IMAGE, "--layer", "blocks.0.up").out
    assert "blocks.0.down.weight  axis 1  reader" in shown
    unknown = genewright("knobs", *VIT, *IMAGE, "--layer", "blocks.0.upp")
    assert unknown.code == 1
    assert "Did you mean 'blocks.0.up'" in unknown.err


FUSED = """
import torch


class Fused(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.sizes = [6, 4]
        self.both, self.first, self.second = torch.nn.Linear(4, 10), torch.nn.Linear(6, 2), torch.nn.Linear(4, 2)

    def forward(self, x):
        first, second = self.both(x).split(self.sizes, -1)
        return self.first(torch.relu(first)) + self.second(torch.sigmoid(second))
"""


def test_a_knob_whose_name_has_brackets_is_named_as_it_is(genewright: Any) -> None:
    Path("fused.py").write_text(FUSED)
    model = "fused:Fused", "--example", "2x4"

    def named(pattern: str) -> list[str]:
        return [k["name"] for k in genewright("knobs", *model, "--layer", pattern, "--json").json()["knobs"]]

    assert named("both[0]") == ["both[0]"]
    assert named("both[?]") == named("b*]") == ["both[0]", "both[1]"]
    planned = genewright("plan", "widen", *model, "--layer", "both[1]", "--num-units", "3", "--seed", "1", "--json")
    assert planned.code == 0, planned.err
    edits = planned.json()["steps"][0]["edits"]
    assert {edit["tensor"] for edit in edits} >= {"both.weight", "second.weight"}
    assert "first.weight" not in {edit["tensor"] for edit in edits}
    both = genewright("plan", "widen", *model, "--layer", "both[?]", "--seed", "1")
    assert "'both[0]' and 'both[1]' both stand in axis 0" in both.err


def test_brackets_in_where_are_plain_text(genewright: Any) -> None:
    said = genewright("plan", "gaussian-noise", "net.pt", "--where", "[03].weight", "--seed", "1")
    assert said.code == 1
    assert "no tensor matches '[03].weight'" in said.err
    Path("listed.py").write_text(
        "from torch import nn\n\ndef net():\n    return nn.ModuleDict({'a[0]': nn.Linear(3, 2)})\n"
    )
    said = genewright("plan", "gaussian-noise", "listed:net", "--where", "a[0].weight", "--seed", "1", "--json")
    assert said.code == 0, said.err
    assert [edit["tensor"] for edit in said.json()["steps"][0]["edits"]] == ["a[0].weight"]


def test_the_command_chooses_activations_as_everything_else_is_chosen(genewright: Any) -> None:
    words = "plan", "replace-activation", *VIT, "--to", "SiLU", "--seed", "1"
    said = genewright(*words, "--where", "blocks", "--where", "!blocks.1", "--json")
    assert said.code == 0, said.err
    assert [edit["tensor"] for edit in said.json()["steps"][0]["edits"]] == ["blocks.0.act"]
    assert "blocks.1.act" in genewright(*words, "--layers", "GELU").out
    refused = genewright(*words, "--roles", "kernel")
    assert refused.code == 2
    assert "where chooses layers" in refused.err
