"""Models by file.py:factory, hf:FOLDER, timm:NAME, torchvision:NAME, with arguments; what they print, how they fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.pretrained import make, torchvision_ready

OWN = """
import torch

print("imported")


def drawn(width=8, act="relu"):
    print("called")
    return torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU() if act == "relu" else torch.nn.GELU())


def seeded():
    torch.manual_seed(3)
    return torch.nn.Linear(2, 2)


def asks(sizes):
    return torch.nn.Linear(*sizes)


def fails():
    raise ValueError("boom")
"""


@pytest.fixture
def own(folder: Path) -> Path:
    (folder / "nets").mkdir()
    path = folder / "nets" / "own_nets.py"
    path.write_text(OWN)
    return path


def test_a_factory_is_found_in_a_file_and_gets_its_arguments(own: Path, genewright: Any) -> None:
    shown = genewright("show", "nets/own_nets.py:drawn", "--model-arg", "width=3", "--model-arg", "act=gelu", "--json")
    assert shown.json()["tensors"][0]["shape"] == [3, 4]
    pair = genewright("knobs", f"{own}:asks", "--model-arg", "sizes=[5, 6]", "--example", "1x5", "--json").json()
    assert sorted(knob["units"] for knob in pair["knobs"]) == [5, 6]


def test_under_json_what_users_print_goes_to_standard_error(own: Path, genewright: Any) -> None:
    said = genewright("show", f"{own}:drawn", "--json")
    assert said.json()["fingerprint"]
    assert "called" in said.err
    refused = genewright("show", f"{own}:nothing", "--json")
    assert refused.json()["error"]["type"] == "UnknownNameError"


def test_a_failing_factory_is_said_with_its_place_and_traceback_shows_all(own: Path, genewright: Any) -> None:
    said = genewright("show", f"{own}:fails")
    assert said.code == 1
    assert "ValueError: boom (own_nets.py, line 22;" in said.err
    assert len(said.err.strip().splitlines()) == 1
    whole = genewright("show", f"{own}:fails", "--traceback")
    assert 'own_nets.py", line 22, in fails' in whole.err
    assert "--model-arg NAME=VALUE" in genewright("show", f"{own}:asks").err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("nets/none.py:drawn",), "there is no such file"),
        (("nets/own_nets.py:drown",), "Did you mean 'drawn'?"),
        (("net.pt", "--model-arg", "width=3"), "is read as a file"),
        (("nets/own_nets.py:drawn", "--model-arg", "width"), "write NAME=VALUE"),
        (("nets/own_nets.py:drawn", "--model-arg", "a=1", "--model-arg", "a=2"), "comes twice"),
        (("hf:nowhere",), "config.json"),
    ],
)
def test_what_names_no_model_is_refused(words: tuple[str, ...], part: str, own: Path, genewright: Any) -> None:
    said = genewright("show", *words)
    assert said.code in (1, 2)
    assert part in said.err


def test_a_base_that_is_drawn_anew_each_time_is_saved_or_refused(own: Path, genewright: Any) -> None:
    words = ("mutate", "gaussian-noise", f"{own}:drawn", "--seed", "1", "-o", "mutant.safetensors")
    refused = genewright(*words)
    assert refused.code == 2
    assert "--save-base" in refused.err
    assert not Path("mutant.safetensors").exists()
    assert genewright(*words, "--save-base", "base.safetensors").code == 0
    again = genewright("replay", "mutant.safetensors", "base.safetensors", "-o", "again.safetensors")
    assert "Every byte agrees" in again.out
    same = genewright("mutate", "gaussian-noise", f"{own}:seeded", "--seed", "1", "-o", "other.safetensors")
    assert same.code == 0


EVERY = {
    "score": ("score", "{own}:drawn", "data.npz", "--seed", "1"),
    "faults": ("faults", "{own}:drawn", "data.npz", "--seed", "1"),
    "neurons": ("neurons", "{own}:drawn", "data.npz"),
    "compare": ("compare", "{own}:drawn", "{own}:drawn", "--data", "data.npz"),
    "donors": ("mutate", "crossover", "{own}:seeded", "--donors", "mate={own}:drawn", "--seed", "1", "-o", "a.pt"),
    "evolve": ("evolve", "run.toml"),
}


@pytest.mark.parametrize("command", EVERY)
def test_no_command_keeps_what_nobody_could_make_again(command: str, own: Path, genewright: Any) -> None:
    np.savez("data.npz", x=np.zeros((4, 4), dtype="float32"), y=np.zeros(4, dtype="int64"))
    np.savez("rows.npz", x=np.zeros((4, 4), dtype="float32"), y=np.zeros(4, dtype="int64"))
    Path("run.toml").write_text(
        f'model = "{own}:drawn"\nfitness = {{supervised = {{data = "rows.npz", metric = "accuracy"}}}}\nseed = 1\n'
        'store = "run.db"\ngenerations = 1\n[mutation]\noperator = "zero"\n[strategy]\nname = "HillClimb"\n'
    )
    before = set(Path().iterdir())
    said = genewright(*(word.format(own=own) for word in EVERY[command]))
    assert said.code == 2
    assert "draws other weights each time" in said.err
    assert set(Path().iterdir()) == before


def test_a_command_that_only_shows_says_that_it_is_of_one_draw(own: Path, genewright: Any) -> None:
    assert "of this draw" in genewright("show", f"{own}:drawn").out
    assert "of this draw" in genewright("diff", f"{own}:drawn", f"{own}:seeded").out
    assert "a plan of this draw" in genewright("plan", "zero", f"{own}:drawn", "--seed", "1").out
    assert "draw" not in genewright("show", f"{own}:seeded").out


def test_a_folder_of_hugging_face_is_a_model(folder: Path, genewright: Any) -> None:
    make("gpt2")[0].save_pretrained("tiny")
    planned = genewright("plan", "widen", "hf:tiny", "--layer", "transformer.h.0.mlp.c_fc", "--num-units", "4",
                         "--example", "1x5:int64", "--seed", "1", "--summary")  # fmt: skip
    assert planned.code == 0, planned.err
    assert "keeps the function" in planned.out
    assert planned.out.count("\n") <= 30
    mutated = genewright("mutate", "gaussian-noise", "hf:tiny", "--seed", "1", "-o", "mutant.safetensors")
    assert mutated.code == 0, mutated.err


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_models_of_libraries_by_name(library: str, folder: Path, genewright: Any) -> None:
    torchvision_ready()
    pytest.importorskip(library)
    shown = genewright("show", f"{library}:resnet18", "--model-arg", "num_classes=7", "--json")
    assert shown.code == 0, shown.err
    assert {tensor["name"]: tensor["shape"] for tensor in shown.json()["tensors"]}["fc.bias"] == [7]
    assert "Did you mean" in genewright("show", f"{library}:resnet1").err
