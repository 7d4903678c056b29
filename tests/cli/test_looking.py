"""show, diff, compare and replay on real files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genewright as gw

DATA = "--data", "held_out.npz"
MODEL = "--model", "users_models:Net"


@pytest.fixture
def mutant(genewright: Any) -> str:
    words = "mutate", "gaussian-noise", "net.safetensors", "--std", "0.1", "--rate", "0.5", "--seed", "9"
    assert genewright(*words, "--out", "mutant.safetensors", "--recipe", "mutant.json").code == 0
    return "mutant.safetensors"


def test_show_tells_values_as_numpy_finds_them(mutant: str, genewright: Any) -> None:
    form = genewright("show", mutant, "--json").json()
    assert form["fingerprint"] == gw.fingerprint(gw.read_checkpoint(mutant))
    assert gw.Recipe.from_json(__import__("json").dumps(form["recipe"])) == gw.Recipe.load("mutant.json")
    kernel = next(t for t in form["tensors"] if t["name"] == "3.weight")
    model = gw.load(__import__("users_models").Net, mutant)
    values = model[3].weight.detach().double().numpy()
    assert kernel["shape"] == [10, 144]
    assert kernel["role"] == "kernel"
    assert kernel["min"] == values.min()
    assert kernel["max"] == values.max()
    assert math.isclose(kernel["mean"], values.mean(), rel_tol=1e-12, abs_tol=1e-15)
    assert math.isclose(kernel["std"], values.std(), rel_tol=1e-12)
    assert kernel["histogram"] == np.histogram(values, bins=16)[0].tolist()


def test_show_reads_well(mutant: str, genewright: Any) -> None:
    said = genewright("show", mutant)
    assert said.code == 0
    assert "█" in said.out
    assert "GaussianNoise" in said.out
    assert "1.running_mean" in said.out
    assert "recipe       none" in genewright("show", "net.pt").out


def test_show_says_that_a_mutant_was_trained_on(mutant: str, genewright: Any) -> None:
    made = gw.Recipe.load("mutant.json").result
    assert "by other means" not in genewright("show", mutant).out
    model = gw.load(__import__("users_models").Net, mutant)
    with torch.no_grad():
        model[3].bias += 1
    gw.save(model, "trained.safetensors")
    assert (
        f"made {made}, which has been changed by other means since: trained, say"
        in genewright("show", "trained.safetensors").out
    )


def test_show_tells_of_nan_ties_and_empty_tensors(folder: Path, genewright: Any) -> None:
    weight = torch.tensor([1.0, math.nan, math.inf, 3.0])
    state = {"a": weight, "b": weight, "empty": torch.zeros(0, 3), "flag": torch.tensor([True, False])}
    state |= {"c": torch.tensor(1 + 1j), "half": torch.ones(2, dtype=torch.bfloat16)}
    torch.save(state, "odd.pt")
    said = genewright("show", "odd.pt")
    assert said.code == 0, said.err
    assert "a: 2 values are NaN or infinite" in said.out
    assert "a is tied to b" in said.out
    form = genewright("show", "odd.pt", "--json").json()
    odd = {tensor["name"]: tensor for tensor in form["tensors"]}
    assert (odd["a"]["min"], odd["a"]["max"], odd["a"]["nonfinite"]) == (1, 3, 2)
    assert (odd["empty"]["min"], odd["empty"]["histogram"]) == ("NaN", [])
    assert odd["half"]["mean"] == 1


def test_show_a_module_with_weights(genewright: Any) -> None:
    said = genewright("show", "users_models:Net", "--weights", "net.pt", "--json")
    assert said.json()["fingerprint"] == gw.fingerprint(gw.read_checkpoint("net.safetensors"))


def test_names_in_brackets_and_colons_are_printed_as_they_are(folder: Path, genewright: Any) -> None:
    torch.save({"layer[red].w:x:": torch.ones(2)}, "odd.pt")
    assert "layer[red].w:x:" in genewright("show", "odd.pt").out


def test_diff_of_equal_and_of_different_files(mutant: str, genewright: Any) -> None:
    equal = genewright("diff", "net.pt", "net.safetensors")
    assert equal.code == 0
    assert "Every byte of 9 tensors agrees" in equal.out
    assert genewright("diff", "net.pt", "users_models:Net").code == 1
    different = genewright("diff", "net.pt", mutant, "--json")
    assert different.code == 1
    before, after = gw.read_checkpoint("net.pt").entries, gw.read_checkpoint(mutant).entries
    for tensor in different.json()["tensors"]:
        a, b = before[tensor["name"]], after[tensor["name"]]
        if a.dtype == "float32":
            x, y = a.data.view(np.float32), b.data.view(np.float32)
            assert tensor["changed"] == (x.view(np.uint32) != y.view(np.uint32)).sum()
            distance = np.abs(x.astype(float) - y.astype(float))
            assert tensor["largest"] == distance.max()
            assert math.isclose(tensor["mean"], distance.mean(), rel_tol=1e-12)
    statuses = {t["name"]: t["status"] for t in different.json()["tensors"]}
    assert statuses["1.running_mean"] == "equal"
    assert statuses["3.weight"] == "changed"
    assert "1.running_mean" in genewright("diff", "net.pt", mutant, "--all").out
    assert "1.running_mean" not in genewright("diff", "net.pt", mutant).out


def test_diff_tells_names_shapes_dtypes_and_signs_of_zero(folder: Path, genewright: Any) -> None:
    one, two = torch.zeros(2), torch.zeros(3)
    torch.save({"gone": one, "shape": one, "dtype": one, "zero": one, "same": one.clone()}, "a.pt")
    torch.save({"new": one, "shape": two, "dtype": one.double(), "zero": -one, "same": one.clone()}, "b.pt")
    form = genewright("diff", "a.pt", "b.pt", "--json").json()
    assert {t["name"]: t["status"] for t in form["tensors"]} == {
        "gone": "only in the first",
        "shape": "other shape",
        "dtype": "other dtype",
        "zero": "changed",
        "same": "equal",
        "new": "only in the second",
    }
    zero = next(t for t in form["tensors"] if t["name"] == "zero")
    assert (zero["changed"], zero["largest"]) == (2, 0)


def test_replay_from_a_recipe_and_from_a_mutant(mutant: str, genewright: Any) -> None:
    said = genewright("replay", "mutant.json", "net.pt", "--out", "one.safetensors")
    assert said.code == 0
    assert "Every byte agrees" in said.out
    assert genewright("replay", mutant, "users_models:Net", "--weights", "net.pt", "--out", "two.pt").code == 0
    assert Path("one.safetensors").read_bytes() == Path(mutant).read_bytes()
    assert genewright("diff", mutant, "two.pt").code == 0
    existing = genewright("replay", "mutant.json", "net.pt", "--out", "two.pt")
    assert existing.code == 1
    assert "exists already" in existing.err
    form = genewright("replay", "mutant.json", "net.pt", "--out", "two.pt", "--force", "--json").json()
    assert form["agrees"] is True


def test_compare_is_what_the_library_finds(mutant: str, genewright: Any) -> None:
    from users_models import Net

    held = np.load("held_out.npz")
    expected = gw.compare(gw.load(Net, "net.safetensors"), gw.load(Net, mutant), (held["X"], held["y"]))
    said = genewright("compare", "net.pt", mutant, *DATA, *MODEL, "--json")
    assert said.code == 0
    form = said.json()
    assert {key: form[key] for key in expected.to_json()} == expected.to_json()
    factories = genewright(
        *("compare", "users_models:Net", "users_models:Net", *DATA, "--json"),
        *("--original-weights", "net.pt", "--mutant-weights", mutant),
    )
    assert factories.json() == form
    assert "accuracy" in genewright("compare", "net.pt", mutant, *DATA, *MODEL).out


def test_compare_judges_by_the_tolerance(mutant: str, genewright: Any) -> None:
    words = "compare", "net.pt", mutant, *DATA, *MODEL
    strict = genewright(*words, "--tolerance", "1e-9")
    assert strict.code == 1
    assert "NOT ok" in strict.out
    assert genewright(*words, "--tolerance", "1e9").code == 0
    same = genewright("compare", "net.pt", "net.safetensors", *DATA, *MODEL, "--tolerance", "0", "--json")
    assert (same.code, same.json()["ok"]) == (0, True)


def test_compare_judges_by_what_a_metric_may_lose(mutant: str, genewright: Any) -> None:
    words = "compare", "net.pt", "net.safetensors", *DATA, *MODEL
    worsened = (
        "compare",
        mutant,
        "net.pt",
        *DATA,
        *MODEL,
        "--metric",
        "cross_entropy",
    )  # the mutant happens to be better
    values = genewright(*worsened, "--json").json()["metrics"]["cross_entropy"]
    worse = values["after"] - values["before"]  # of a loss, more is worse
    assert worse > 0.001
    for limit, code in ((worse + 0.001, 0), (worse - 0.001, 1)):
        said = genewright(*worsened, "--max-drop", f"cross_entropy={limit}")
        assert said.code == code, said.out
        assert ("NOT ok" in said.out) == bool(code)
    assert genewright(*words, "--max-drop", "accuracy=0").code == 0
    assert genewright(*words, "--max-drop", "accuracy").code == 2
    assert genewright(*words, "--max-drop", "acuracy=0.1").code == 2


def test_compare_refuses_new_nan_without_a_tolerance(folder: Path, genewright: Any) -> None:
    state = torch.load("net.pt", weights_only=True)
    state["3.bias"][0] = math.nan
    torch.save(state, "nan.pt")
    said = genewright("compare", "net.pt", "nan.pt", *DATA, *MODEL)
    assert said.code == 1
    assert "became NaN" in said.out


def test_compare_takes_samples_alone_and_keyword_inputs(folder: Path, genewright: Any) -> None:
    samples = np.load("held_out.npz")["X"]
    np.save("x.npy", samples)
    np.savez("named.npz", input=samples, labels=np.zeros(30, int))
    for data, metrics in (("x.npy", []), ("named.npz", ["accuracy"])):
        form = genewright("compare", "net.pt", "net.pt", "--data", data, *MODEL, "--json", "--batch-size", "7").json()
        assert (form["samples"], list(form["metrics"])) == (30, metrics)


def test_a_narrow_terminal_cuts_no_number(mutant: str, monkeypatch: pytest.MonkeyPatch, genewright: Any) -> None:
    wide = genewright("show", mutant).out
    monkeypatch.setattr("genewright.cli.output._WIDE", 40)
    narrow = genewright("show", mutant).out
    assert narrow == wide
