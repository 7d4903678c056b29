from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.crosses import thinned

import genewright as gw
from genewright.operator import registered

OUT = "--seed", "246", "--out", "mutant.safetensors"


def test_it_writes_what_the_library_makes(genewright: Any) -> None:
    said = genewright(
        *("mutate", "gaussian-noise", "net.safetensors", "--std", "10", "--rate", "0.3"),
        *("--where", "0.*", "--where", "!*.bias", "--roles", "kernel", "--recipe", "mutant.json", *OUT),
    )
    assert (said.code, said.err) == (0, "")
    operator = gw.GaussianNoise(std=10, rate=0.3, where=gw.where("0.*", "!*.bias", roles="kernel"))
    expected = gw.mutate(gw.read_checkpoint("net.safetensors"), operator, seed=246)
    written = gw.read_checkpoint("mutant.safetensors")
    assert gw.fingerprint(written) == gw.fingerprint(expected)
    assert gw.recipe(written) == gw.Recipe.load("mutant.json") == gw.recipe(expected)
    assert gw.fingerprint(written) in said.out


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
@pytest.mark.parametrize("model", ["net.safetensors", "net.pt", "users_models:Net"])
def test_every_kind_of_model_and_file_gives_the_same_bytes(model: str, suffix: str, genewright: Any) -> None:
    weights = ("--weights", "net.pt") if ":" in model else ()
    said = genewright("mutate", "gaussian-noise", model, *weights, "--seed", "1", "--out", f"m{suffix}")
    assert said.code == 0, said.err
    expected = gw.mutate(gw.read_checkpoint("net.safetensors"), gw.GaussianNoise(), seed=1)
    written = gw.read_checkpoint(f"m{suffix}")
    assert gw.fingerprint(written) == gw.fingerprint(expected)
    assert gw.recipe(written) == gw.recipe(expected)


def test_a_mutant_of_a_module_keeps_its_ties_in_a_pt_file(folder: Path, genewright: Any) -> None:
    Path("tied.py").write_text(
        "import torch\n"
        "def Tied():\n"
        "    torch.manual_seed(1)\n"
        "    net = torch.nn.ModuleList([torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)])\n"
        "    net[1].weight = net[0].weight\n"
        "    return net\n"
    )
    assert genewright("mutate", "gaussian-noise", "tied:Tied", "--seed", "1", "--out", "tied.pt").code == 0
    state = torch.load("tied.pt", weights_only=True)
    assert state["0.weight"].data_ptr() == state["1.weight"].data_ptr()


@pytest.mark.parametrize(("typed", "seed"), [("246", 246), ("-3", -3), ("run 7", "run 7"), ("1_000", "1_000")])
def test_a_seed_is_an_integer_where_it_is_one(typed: str, seed: int | str, genewright: Any) -> None:
    said = genewright("mutate", "gaussian-noise", "net.pt", "--seed", typed, "--out", "m.pt")
    assert said.code == 0, said.err
    assert gw.recipe(gw.read_checkpoint("m.pt")).steps[0].seed == seed


def test_json_is_one_document(genewright: Any) -> None:
    said = genewright("mutate", "gaussian-noise", "net.pt", "--json", *OUT)
    form = said.json()
    assert said.err == ""
    assert form["result"] == gw.fingerprint(gw.read_checkpoint(form["out"]))
    assert form["recipe"]["nodes"][0]["seed"] == 246


def test_choices_of_units_and_frozen_tensors(genewright: Any) -> None:
    said = genewright(
        *("mutate", "gaussian-noise", "users_models:Net", "--weights", "net.pt", *OUT),
        *("--layers", "Linear", "--units", "[1]", "--std", "1"),
    )
    assert said.code == 0, said.err
    before, after = gw.read_checkpoint("net.pt"), gw.read_checkpoint("mutant.safetensors")
    changed = [n for n in before.entries if before.entries[n].data.tobytes() != after.entries[n].data.tobytes()]
    assert sorted(changed) == ["3.bias", "3.weight"]
    said = genewright(
        *("mutate", "gaussian-noise", "net.pt", "--frozen", "--where", "*.running_var"),
        *("--seed", "1", "--out", "frozen.pt"),
    )
    assert said.code == 0, said.err


def test_existing_files_stay_unless_forced(folder: Path, genewright: Any) -> None:
    out, recipe = Path("mutant.safetensors"), Path("r.json")
    out.write_bytes(b"old")
    said = genewright("mutate", "gaussian-noise", "net.pt", *OUT)
    assert said.code == 1
    assert "exists already" in said.err
    assert "--force" in said.err
    assert out.read_bytes() == b"old"
    recipe.write_bytes(b"old")
    said = genewright("mutate", "gaussian-noise", "net.pt", "--seed", "1", "--out", "new.pt", "--recipe", "r.json")
    assert said.code == 1
    assert recipe.read_bytes() == b"old"
    assert not Path("new.pt").exists()  # refused before any work
    assert genewright("mutate", "gaussian-noise", "net.pt", "--force", *OUT).code == 0
    assert genewright("mutate", "gaussian-noise", "net.pt", "--seed", "1", "--out", "net.pt", "--force").code == 0


def test_an_existing_output_is_refused_before_the_model_is_read(folder: Path, genewright: Any) -> None:
    Path("mutant.safetensors").write_bytes(b"old")
    said = genewright("mutate", "gaussian-noise", "there-is-no-such-file.pt", *OUT)
    assert "mutant.safetensors: exists already" in said.err


def test_the_model_file_is_never_touched(folder: Path, genewright: Any) -> None:
    before = Path("net.pt").read_bytes(), Path("net.pt").stat().st_mtime_ns
    genewright("mutate", "gaussian-noise", "net.pt", *OUT)
    assert (Path("net.pt").read_bytes(), Path("net.pt").stat().st_mtime_ns) == before


# What the usual network has nothing of: more inputs than one, positions, a vocabulary. Classes of
# users_models and their samples.
OTHER_MODELS = {
    "resize_positions": ("Placed", "2x1x8x8"),
    "resize_vocabulary": ("Words", "2x6:int64"),
    "shrink_inputs": ("Rgb", "2x3x8x8"),
}
# These act on units that repeat another, never change or never put out anything, which fresh weights have none of.
NEED_WORN_UNITS = "fold_constant_units", "merge_units", "recycle_units"


def _model_of(name: str) -> tuple[str, str, tuple[str, ...]]:
    """Write model.pt, on which an operator acts with its defaults, and mate.pt, of the same form.

    Returns:
        The class of users_models, the sample and the donors that the operator asks for.
    """
    import users_models

    made, sample = OTHER_MODELS.get(name, ("Vit", "2x1x8x8"))
    torch.manual_seed(2)
    model, mate = getattr(users_models, made)(), getattr(users_models, made)()
    if name in NEED_WORN_UNITS:
        with torch.no_grad():
            up = model.blocks[0].up
            up.weight[1], up.bias[1] = up.weight[0], up.bias[0]
            up.weight[2], up.bias[2] = 0.0, -100.0  # GELU makes 0 of it
    torch.save(model.state_dict(), "model.pt")
    torch.save(mate.state_dict(), "mate.pt")
    asked = getattr(registered()[name](), "donors", tuple)()
    return made, sample, tuple(word for donor in asked for word in ("--donors", f"{donor}=mate.pt"))


OURS = [name for name, cls in registered().items() if cls.__module__.startswith("genewright.")]


@pytest.mark.parametrize("name", OURS)
def test_every_operator_has_its_subcommand(name: str, genewright: Any) -> None:
    """The defaults of every operator work: its subcommand needs a model, an example, a seed and its donors alone."""
    import users_models

    made, sample, donors = _model_of(name)
    model = f"users_models:{made}", "--weights", "model.pt", "--example", sample, "--json"
    said = genewright("mutate", name.replace("_", "-"), *model, *donors, *OUT)
    assert said.code == 0, said.err
    # An activation has no tensors, of which alone fingerprints are; fresh norms are alike, and few bits are drawn.
    if name not in ("replace_activation", "swap_layers", "stuck_at"):
        assert said.json()["base"] != said.json()["result"]
    # Shapes and layers are made again from the recipe in the file.
    loaded = gw.load(getattr(users_models, made), "mutant.safetensors")
    assert gw.fingerprint(loaded) == said.json()["result"]


@pytest.mark.parametrize("name", thinned(OURS, one_in=4))
def test_a_plan_foresees_and_a_replay_repeats_what_a_subcommand_does(name: str, genewright: Any) -> None:
    typed = name.replace("_", "-")
    made, sample, donors = _model_of(name)
    model = f"users_models:{made}", "--weights", "model.pt", "--example", sample, "--json"
    planned = genewright("plan", typed, *model, *donors, "--seed", "246")
    assert planned.code == 0, planned.err
    said = genewright("mutate", typed, *model, *donors, *OUT)
    assert planned.json()["base"] == said.json()["base"]
    parents = ("--donors", "mate.pt") if donors else ()
    again = genewright("replay", "mutant.safetensors", *model, *parents, "--out", "again.safetensors")
    assert again.code == 0, again.err
    assert again.json()["result"] == said.json()["result"]
    assert gw.fingerprint(gw.read_checkpoint("again.safetensors")) == said.json()["result"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("align_to", "No donor is called 'mate'"),
        ("fold_constant_units", "no chosen hidden unit has rows of zeros"),
        ("merge_units", "no two chosen hidden units of a layer are equal"),
        ("recycle_units", "no unit has a dormancy of at most 0"),
        ("resize_positions", "no learned table of positions was found"),
        ("resize_vocabulary", "no table of words can change here"),
        ("rewind", "No donor is called 'start'"),
        ("shrink_inputs", "'input of stem' has 1 units; none would stay"),
    ],
)
def test_where_there_is_nothing_to_act_on_it_says_so(name: str, said: str, genewright: Any) -> None:
    model = "users_models:Vit", "--weights", "vit.pt", "--example", "2x1x8x8"
    refused = genewright("mutate", name.replace("_", "-"), *model, *OUT)
    assert refused.code == 1
    assert refused.err.startswith("error: ")
    assert said in refused.err
    assert not Path("mutant.safetensors").exists()


KEPT = [
    n for n, cls in registered().items() if n in OURS and issubclass(cls, gw.Operator) and "function" in cls().claims()
]


@pytest.mark.parametrize("name", thinned(KEPT, one_in=2))
def test_what_keeps_the_function_does_so_from_the_command_on(name: str, genewright: Any) -> None:
    made, sample, donors = _model_of(name)
    model = f"users_models:{made}", "--weights", "model.pt", "--example", sample
    mutated = genewright("mutate", name.replace("_", "-"), *model, *donors, *OUT)
    assert mutated.code == 0, mutated.err
    said = genewright(
        *("compare", "model.pt", "mutant.safetensors", "--model", f"users_models:{made}", "--data", "held_out.npz"),
        *("--tolerance", "1e-5"),
    )
    assert said.code == 0, said.out
    assert genewright("diff", "model.pt", "mutant.safetensors").code == 1
