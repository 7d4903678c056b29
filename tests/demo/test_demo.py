"""One real run of the demo, through the command, and everything that it promises.

It trains for a quarter of the epochs, which shows all of it; the whole run is a slow test.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genewright as gw
from genewright.cli import main
from genewright_demo import run
from genewright_demo.console import Silent
from genewright_demo.digits import load_digits
from genewright_demo.folder import Folder
from genewright_demo.grid import RATES, STRENGTHS, Cell, best_of
from genewright_demo.torch_classifier import DigitsClassifier, one_thread, train


@dataclass(frozen=True)
class Ran:
    """A finished demo."""

    folder: Path
    output: str
    report: dict[str, Any]

    def file(self, name: str) -> Path:
        return self.folder / self.report["files"][name]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("demo")
    return demo(folder, "--epochs", "8")


def demo(folder: Path, *words: str) -> Ran:
    command = [sys.executable, "-m", "genewright", "demo", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return Ran(folder, done.stdout, json.loads((folder / "genewright-demo" / "demo.json").read_text()))


def test_the_network_is_good(ran: Ran) -> None:
    assert ran.report["held_out"] == 360
    assert ran.report["accuracy"] > 0.97


def test_dead_units_start_again_and_learn(ran: Ran) -> None:
    found = ran.report["recycling"]
    assert found["units"] == 64
    assert found["dead"] > 32
    assert found["dead_after"] < 5
    assert found["relative_error"] < 1e-6
    assert found["recycled_and_trained_on"] > found["trained_on"] + 0.02
    assert "Recycle dead units" in ran.output


def test_the_confident_half_of_the_test_set_kills_fewer_mutants(ran: Ran) -> None:
    found = ran.report["test_set"]
    assert found["whole"][1] == found["confident"][1] == 60
    assert found["confident"][0] < found["whole"][0] < 60
    assert f"{found['whole'][0]} of 60" in ran.output
    report = gw.MutationReport.load(ran.file("mutants"))
    assert report.score().killed == found["whole"][0]
    net = gw.load(DigitsClassifier, ran.file("original"))
    assert len(found["survivors"]) == 3
    for one in found["survivors"]:
        assert gw.fingerprint(report.mutant(one["number"], net)) == one["result"]
        assert one["result"] in ran.output
    failed, injected, population = found["faults"]
    assert population == 32 * sum(parameter.numel() for parameter in net.parameters())
    assert sum(bad for bad, _ in found["by_field"].values()) == failed
    assert sum(of for _, of in found["by_field"].values()) == injected
    assert found["by_field"]["mantissa"][0] * 5 < found["by_field"]["mantissa"][1]
    assert ran.file("faults").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_whole_demo_trains_a_better_network(ran: Ran, tmp_path: Path) -> None:
    whole = demo(tmp_path)
    assert whole.report["accuracy"] > 0.99
    assert whole.report["original"] != ran.report["original"]
    assert pasted(whole) == len(whole.report["commands"]) > 4


def test_the_saved_network_has_the_accuracy_that_is_said(ran: Ran) -> None:
    held = np.load(ran.file("held_out"))
    found = gw.compare(
        gw.load(DigitsClassifier, ran.file("original")),
        gw.load(DigitsClassifier, ran.file("mutant")),
        (held["X"], held["y"]),
    )
    assert found.metrics["accuracy"].before == pytest.approx(ran.report["accuracy"])
    assert found.metrics["accuracy"].after == pytest.approx(ran.report["best"]["accuracy"])
    assert found.agreement == pytest.approx(ran.report["best"]["agreement"])


def test_the_grid_is_whole_and_gets_worse_with_size(ran: Ran) -> None:
    cells = {(cell["std"], cell["rate"]): cell for cell in ran.report["cells"]}
    assert list(cells) == [(std, rate) for std in STRENGTHS for rate in RATES]
    mildest, wildest = cells[STRENGTHS[0], RATES[0]], cells[STRENGTHS[-1], RATES[-1]]
    assert mildest["accuracy"] > ran.report["accuracy"] - 0.01
    assert wildest["accuracy"] < 0.5
    assert mildest["relative_error"] < wildest["relative_error"]
    for cell in cells.values():
        assert f"{100 * cell['accuracy']:.1f}/{100 * cell['agreement']:.1f}" in ran.output


def test_the_best_is_what_the_demo_says_it_is(ran: Ran) -> None:
    cells = [Cell(**cell) for cell in ran.report["cells"]]
    best = Cell(**ran.report["best"])
    top = [cell for cell in cells if cell.accuracy == max(c.accuracy for c in cells)]
    assert best in top
    assert all(cell.size <= best.size for cell in top)
    assert best == best_of(cells)


def test_replay_and_undo_agree_in_every_byte(ran: Ran) -> None:
    assert ran.report["replayed"] == ran.report["mutant"] == gw.fingerprint(gw.read_checkpoint(ran.file("replayed")))
    assert ran.file("replayed").read_bytes() == ran.file("mutant").read_bytes()
    assert ran.report["undone"] == ran.report["original"] == gw.fingerprint(gw.read_checkpoint(ran.file("original")))
    assert ran.report["original"] != ran.report["mutant"]
    assert gw.Recipe.load(ran.file("recipe")) == gw.read_recipe(ran.file("mutant"))
    assert ran.file("recipe").stat().st_size < 1000


@pytest.mark.parametrize("name", ["grid", "weights", "growth"])
def test_the_pictures_are_pictures(name: str, ran: Ran) -> None:
    from matplotlib.image import imread

    pixels = imread(ran.file(name))
    assert min(pixels.shape[:2]) > 500
    colours = np.ascontiguousarray(np.round(pixels * 255).astype(np.uint8)).view(np.uint32)
    assert len(np.unique(colours)) > 50


KEPT = "as trained", "wider", "narrow again", "wider and deeper"


def test_growing_and_narrowing_keep_the_outputs_and_the_plain_way_does_not(ran: Ran) -> None:
    stages = {stage["name"]: stage for stage in ran.report["stages"]}
    sizes = [stages[name]["parameters"] for name in KEPT]
    assert sizes[0] == sizes[2] < sizes[1] < sizes[3]
    for name in KEPT:
        assert stages[name]["relative_error"] < 1e-5
        assert stages[name]["accuracy"] == ran.report["accuracy"]
    assert stages["narrow again"]["relative_error"] == 0
    assert stages["wider, the plain way"]["relative_error"] > 1e-2
    grown = stages["wider and deeper, trained on"]
    assert grown["trained"]
    assert grown["relative_error"] > 1e-3  # it has learned on
    assert grown["accuracy"] > 0.97
    for stage in stages.values():
        assert stage["name"] in ran.output
        assert f"{stage['cross_entropy']:.4f}" in ran.output


def test_the_grown_network_is_loaded_and_replayed_from_its_recipe(ran: Ran) -> None:
    held = np.load(ran.file("held_out"))
    original = gw.load(DigitsClassifier, ran.file("original"))
    grown = gw.load(DigitsClassifier, ran.file("grown"))
    assert type(grown) is DigitsClassifier
    assert grown.conv2.out_channels == 48
    found = gw.compare(original, grown, (held["X"], held["y"]))
    stage = next(stage for stage in ran.report["stages"] if stage["name"] == "wider and deeper")
    assert found.relative_error == pytest.approx(stage["relative_error"])
    assert gw.fingerprint(grown) == ran.report["grown"] == ran.report["regrown"]
    assert ran.file("grown_replayed").read_bytes() == ran.file("grown").read_bytes()
    assert [type(step.operator) for step in gw.Recipe.load(ran.file("grown_recipe")).steps] == [
        gw.Widen,
        gw.InsertLayer,
    ]


def test_a_short_evolution_makes_it_smaller_and_as_good(ran: Ran) -> None:
    evolved = ran.report["evolved"]
    assert evolved["fitness"][1] > evolved["fitness"][0]
    assert evolved["parameters"][1] < evolved["parameters"][0]
    assert evolved["accuracy"][0] == ran.report["accuracy"]
    assert evolved["accuracy"][1] > evolved["accuracy"][0] - 0.02
    assert evolved["steps"] >= 2
    champion = gw.load(DigitsClassifier, ran.file("evolved"))
    assert gw.fingerprint(champion) == evolved["champion"]
    page = ran.file("evolution").read_text()
    assert evolved["champion"] in page
    assert "fewer units" in page
    assert str(ran.report["files"]["evolution"]) in ran.output


def test_every_file_that_is_named_is_there(ran: Ran) -> None:
    assert len(ran.report["files"]) == 16
    for name, path in ran.report["files"].items():
        assert ran.file(name).stat().st_size > 0
        assert path in ran.output


def test_every_command_that_is_named_works(
    ran: Ran, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one process; a shell gets the last, and in the slow tests all of them."""
    monkeypatch.chdir(ran.folder)
    commands = ran.report["commands"]
    assert len(commands) > 4
    name, _, words = commands[-1].rpartition(" ")
    assert words == "operators"
    for command in commands:
        assert command in ran.output
        assert command.startswith(f"{name} ")
        assert main(shlex.split(command.removeprefix(f"{name} "))) == exit_code(command), command
        assert "error" not in capsys.readouterr().err
    assert pasted(ran, commands[-1:]) == 1


def exit_code(command: str) -> int:
    return 1 if "diff" in shlex.split(command) else 0  # they differ, and diff says so


def pasted(ran: Ran, commands: list[str] | None = None) -> int:
    """Paste commands of a demo into a shell, by default all; return how many there were."""
    chosen = ran.report["commands"] if commands is None else commands
    for command in chosen:
        done = subprocess.run(command, shell=True, cwd=ran.folder, capture_output=True, text=True, check=False)
        assert done.returncode == exit_code(command), f"{command}\n{done.stderr}"
        assert "error" not in done.stderr
    return len(chosen)


def test_an_earlier_demo_is_replaced_and_other_files_are_not(ran: Ran, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(gw.FileError, match="not of an earlier demo"):
        run(tmp_path, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(gw.FileError, match="is a file"):
        run(tmp_path / "mine.txt", seed=1)
    with pytest.raises(gw.SettingError, match="epochs"):
        run(tmp_path, seed=1, epochs=0)
    Folder(ran.folder / "genewright-demo").prepare(force=False)
    Folder(tmp_path).prepare(force=True)


def test_training_is_repeatable_and_leaves_torch_as_it_was() -> None:
    digits = load_digits(5)
    torch.manual_seed(99)
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    digits = type(digits)(digits.images[:128], digits.labels[:128], digits.held_images, digits.held_labels)
    with one_thread():
        prints = [gw.fingerprint(train(digits, seed, Silent(), 2)) for seed in (5, 5, 6)]
    assert prints[0] == prints[1] != prints[2]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_the_split_is_seeded_whole_and_apart() -> None:
    one, again, other = load_digits(1), load_digits(1), load_digits(2)
    assert len(one.labels) + len(one.held_labels) == 1797
    assert np.array_equal(one.held_images, again.held_images)
    assert not np.array_equal(one.held_images, other.held_images)
    everything = np.concatenate([one.images, one.held_images]).reshape(1797, 64)
    elsewhere = np.concatenate([other.images, other.held_images]).reshape(1797, 64)
    assert np.array_equal(everything[np.lexsort(everything.T)], elsewhere[np.lexsort(elsewhere.T)])
    assert (one.images.min(), one.images.max()) == (0, 1)


def test_a_missing_package_is_one_line(tmp_path: Path) -> None:
    script = """
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("sklearn", "matplotlib") else found(name, *rest)
from genewright.cli import main
raise SystemExit(main(["demo"]))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "scikit-learn and matplotlib" in done.stderr
    assert "pip install 'genewright[demo]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_is_not_installed_is_one_line_and_the_rest_works(tmp_path: Path) -> None:
    script = """
import sys
sys.modules["genewright_demo"] = None
from genewright.cli import main
assert main(["operators", "zero"]) == 0
raise SystemExit(main(["demo"]))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "genewright_demo" in done.stderr
    assert "pip install --force-reinstall 'genewright[demo]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.report.mkdir()
    with pytest.raises(gw.FileError, match=r"demo\.json: cannot be written"):
        folder.write(folder.report, b"{}")


def test_the_demo_speaks_json(tmp_path: Path) -> None:
    (tmp_path / "used").write_text("")
    command = [sys.executable, "-m", "genewright", "demo", "--out", str(tmp_path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["type"] == "FileError"
