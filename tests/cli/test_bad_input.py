"""Everything that can be wrong on the command line: one line, the right exit code, nothing written or changed."""

from __future__ import annotations

import json
import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genewright as gw

MUTATE = "mutate", "gaussian-noise", "net.pt"
OUT = "--seed", "1", "--out", "m.pt"


def _files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()}


WRONG: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no seed": ((*MUTATE, "--std", "1", "--out", "m.pt"), 2, "Write: genewright mutate gaussian-noise net.pt --std 1"),
    "no seed for a plan": (("plan", "gaussian-noise", "net.pt"), 2, "gaussian-noise net.pt --seed 246"),
    "unknown operator": (("mutate", "gausian-noise", "net.pt", *OUT), 2, "Did you mean 'gaussian-noise'"),
    "unknown setting": ((*MUTATE, "--stdd", "1", *OUT), 2, "--std"),
    "rate above 1": ((*MUTATE, "--rate", "1.5", *OUT), 2, "rate must be a number from 0 to 1; received 1.5"),
    "rate below 0": ((*MUTATE, "--rate", "-0.1", *OUT), 2, "rate must be a number from 0 to 1; received -0.1"),
    "std negative": ((*MUTATE, "--std", "-1", *OUT), 2, "std must be a finite number of at least 0; received -1"),
    "std NaN": ((*MUTATE, "--std", "nan", *OUT), 2, "received nan"),
    "std no number": ((*MUTATE, "--std", "much", *OUT), 2, "--std"),
    "seed of 5,000 digits": ((*MUTATE, "--seed", "9" * 5000, "--out", "m.pt"), 2, "5,000 digits is too long"),
    "example of a terabyte": (("knobs", "users_models:Net", "--example", "1x1048576x1048576"), 2, "268,435,456"),
    "unknown choice": ((*MUTATE, "--relative-to", "tensr", *OUT), 2, "Did you mean 'tensor'"),
    "unknown role": ((*MUTATE, "--roles", "kernl", *OUT), 2, "Did you mean 'kernel'"),
    "empty pattern": ((*MUTATE, "--where", "", *OUT), 2, "expected a pattern on names"),
    "units no JSON": ((*MUTATE, "--units", "1 and 2", *OUT), 2, "--units: this is not JSON"),
    "units a number": ((*MUTATE, "--units", "3", *OUT), 2, "expected positions or a mask"),
    "where without a match": ((*MUTATE, "--where", "3.wieght", *OUT), 1, "Did you mean '3.weight'"),
    "where frozen only": ((*MUTATE, "--roles", "statistic", *OUT), 1, "none is trainable"),
    "no such file": (("mutate", "gaussian-noise", "nett.pt", *OUT), 1, "No such file"),
    "unknown kind of file": (("show", "held_out.npz"), 1, "of no known kind"),
    "unknown kind of output": ((*MUTATE, "--seed", "1", "--out", "m.onnx"), 2, ".safetensors or .pt"),
    "no folder": ((*MUTATE, "--seed", "1", "--out", "no/m.pt"), 1, "the folder no does not exist"),
    "output is a folder": ((*MUTATE, "--seed", "1", "--out", "folder.pt", "--force"), 1, "is a folder"),
    "no such module": (("show", "userz_models:Net"), 1, "no module is called 'userz_models'"),
    "no such factory": (("show", "users_models:Nett"), 1, "Did you mean 'Net'"),
    "factory with arguments": (("show", "users_models:needs"), 1, "missing 1 required positional argument"),
    "factory that fails": (("show", "users_models:fails"), 1, "ValueError: no weights here"),
    "no factory": (("show", "users_models:number"), 1, "is a int, not a class or function"),
    "no model": (("show", "json:dumps"), 1, "calling it without arguments fails"),
    "something else than a model": (("show", "collections:OrderedDict"), 1, "Expected a torch.nn.Module"),
    "weights of a file": (("show", "net.pt", "--weights", "net.pt"), 1, "--weights goes with package.module:factory"),
    "weights that do not fit": (("show", "users_models:Net", "--weights", "other.safetensors"), 1, "does not fit"),
    "recipe of another base": (("replay", "mutant.json", "other.safetensors", "--out", "m.pt"), 1, "The base differs"),
    "recipe that is newer": (("replay", "newer.json", "net.pt", "--out", "m.pt"), 1, "pip install -U genewright"),
    "recipe that is damaged": (("replay", "damaged.json", "net.pt", "--out", "m.pt"), 1, "damaged"),
    "recipe with another result": (("replay", "edited.json", "net.pt", "--out", "m.pt"), 1, "The result differs"),
    "recipe with a bad setting": (("replay", "bad.json", "net.pt", "--out", "m.pt"), 1, "rate must be"),
    "recipe of an unknown operator": (("replay", "unknown.json", "net.pt", "--out", "m.pt"), 1, "No operator is"),
    "no recipe": (("replay", "net.safetensors", "net.pt", "--out", "m.pt"), 1, "holds no recipe"),
    "truncated safetensors": (("show", "truncated.safetensors"), 1, "copy or download it again"),
    "truncated pt": (("show", "truncated.pt"), 1, "truncated.pt"),
    "empty file": (("show", "empty.safetensors"), 1, "empty"),
    "text file": (("show", "text.pt"), 1, "text.pt"),
    "compare without a factory": (("compare", "net.pt", "net.pt", "--data", "held_out.npz"), 1, "--model"),
    "compare without data": (("compare", "net.pt", "net.pt"), 2, "--data"),
    "unknown metric": (
        ("compare", "net.pt", "net.pt", "--data", "held_out.npz", "--metric", "acuracy"), 2, "Did you mean 'accuracy'"
    ),
    "negative tolerance": (
        ("compare", "net.pt", "net.pt", "--data", "held_out.npz", "--tolerance", "-1"), 2, "at least 0"
    ),
    "data of no kind": (("compare", "net.pt", "net.pt", "--data", "net.pt"), 1, ".npy and .npz"),
    "damaged data": (("compare", "net.pt", "net.pt", "--data", "damaged.npz"), 1, "damaged"),
    "data without samples": (("compare", "net.pt", "net.pt", "--data", "targets.npz"), 1, "holds no samples"),
    "data that does not fit": (
        ("compare", "net.pt", "net.pt", "--data", "flat.npy", "--model", "users_models:Net"), 1, "cannot take batch 0"
    ),
    "no data": (
        ("compare", "net.pt", "net.pt", "--data", "none.npy", "--model", "users_models:Net"), 1, "no samples"
    ),
    "metric without targets": (
        ("compare", "net.pt", "net.pt", "--data", "samples.npy", "--model", "users_models:Net", "--metric", "mse"),
        1,
        "needs targets",
    ),
    "unknown subcommand": (("mutat",), 2, "Did you mean 'mutate'"),
    "unknown name": (("operators", "gausian_noise"), 2, "Did you mean 'gaussian-noise'"),
    "one word short": (("diff", "net.pt"), 2, "'B'"),
}  # fmt: skip


@pytest.fixture
def prepared(folder: Path) -> Path:
    mutant = gw.mutate(gw.read_checkpoint("net.pt"), gw.GaussianNoise(), seed=1)
    recipe = gw.recipe(mutant)
    recipe.save("mutant.json")
    form = recipe.to_form()
    step = form["nodes"][0]
    edited = {
        "newer": form | {"genewright": 99},
        "edited": form | {"nodes": [step | {"seed": 2}]},
        "bad": form | {"nodes": [step | {"settings": {"rate": 2}}]},
        "unknown": form | {"nodes": [step | {"operator": "no_such"}]},
    }
    for name, content in edited.items():
        Path(f"{name}.json").write_text(json.dumps(content))
    Path("damaged.json").write_text(recipe.to_json()[:-20])
    gw.save(gw.mutate(gw.read_checkpoint("net.pt"), gw.GaussianNoise(where="0.*"), seed=3), "other.safetensors")
    other = gw.read_checkpoint("other.safetensors")
    del other.entries["3.bias"]
    gw.save(other, "other.safetensors", overwrite=True)
    Path("truncated.safetensors").write_bytes(Path("net.safetensors").read_bytes()[:-100])
    Path("truncated.pt").write_bytes(Path("net.pt").read_bytes()[:-400])
    Path("empty.safetensors").write_bytes(b"")
    Path("text.pt").write_text("weights: none")
    Path("damaged.npz").write_bytes(Path("held_out.npz").read_bytes()[:200])
    np.savez("targets.npz", y=np.arange(3))
    np.save("flat.npy", np.zeros((3, 5), np.float32))
    np.save("none.npy", np.zeros((0, 1, 8, 8), np.float32))
    np.save("samples.npy", np.zeros((2, 1, 8, 8), np.float32))
    Path("folder.pt").mkdir()
    return folder


@pytest.mark.parametrize("case", WRONG)
def test_it_is_refused_in_one_line_and_changes_nothing(case: str, prepared: Path, genewright: Any) -> None:
    words, code, text = WRONG[case]
    before = _files(prepared)
    said = genewright(*words)
    assert said.code == code, said.err
    assert text in said.err
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert _files(prepared) == before


@pytest.mark.parametrize("case", ["no seed", "where without a match", "unknown operator", "unknown subcommand"])
def test_with_json_the_error_is_the_document(case: str, prepared: Path, genewright: Any) -> None:
    words, code, text = WRONG[case]
    said = genewright(*words, "--json")
    assert said.code == code
    assert text in said.json()["error"]["message"]


def test_the_fixed_command_of_a_missing_seed_works(prepared: Path, genewright: Any) -> None:
    import shlex

    said = genewright(*MUTATE, "--where", "0.*", "--out", "a name with spaces.pt")
    fixed = shlex.split(said.err.split("Write: ")[1])
    assert fixed[0] == "genewright"
    assert genewright(*fixed[1:]).code == 0
    assert Path("a name with spaces.pt").exists()


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("command", [("show",), ("mutate", "gaussian-noise"), ("diff", "net.pt")])
def test_a_pickle_is_never_executed(command: tuple[str, ...], zipped: bool, prepared: Path, genewright: Any) -> None:
    if zipped:
        torch.save({"weight": _Bomb()}, "hostile.pt")
    else:
        Path("hostile.pt").write_bytes(pickle.dumps({"weight": _Bomb()}))
    said = genewright(*command, "hostile.pt", *(OUT if command[0] == "mutate" else ()))
    assert said.code == 1
    assert "it was not executed" in said.err
    assert not Path("executed").exists()
    torch.load("hostile.pt", weights_only=False) if zipped else pickle.loads(Path("hostile.pt").read_bytes())
    assert Path("executed").exists()  # it would have been


def test_pickled_data_is_never_executed(prepared: Path, genewright: Any) -> None:
    np.save("hostile.npy", np.array([_Bomb()], object), allow_pickle=True)
    said = genewright("compare", "net.pt", "net.pt", "--data", "hostile.npy")
    assert said.code == 1
    assert "not executed" in said.err
    assert not Path("executed").exists()


def test_a_full_disk_leaves_the_old_file(prepared: Path) -> None:
    Path("m.safetensors").write_bytes(b"old")
    before = _files(prepared)

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    command = [
        sys.executable,
        "-m",
        "genewright",
        *MUTATE[:2],
        "net.safetensors",
        "--seed",
        "1",
        "--out",
        "m.safetensors",
        "--force",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=small_files_only)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: m.safetensors: cannot be written")
    assert done.stderr.count("\n") == 1
    assert _files(prepared) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_is_full_is_said_for_printed_output_too(prepared: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "genewright", "show", "net.safetensors", "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: standard output cannot be written (No space left on device).\n"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_reader_that_leaves_early_hears_nothing(form: list[str], prepared: Path) -> None:
    command = [sys.executable, "-m", "genewright", "show", "net.safetensors", *form]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.wait() == 1
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_terminal_that_knows_only_ascii_is_served(prepared: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "genewright", "show", "net.safetensors"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
