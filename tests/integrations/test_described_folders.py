"""Folders of timm and of huggingface_hub's mixin: in and out, with what their configs cannot say."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

import genewright as gw
from genewright.cli import main
from tests.pretrained import torchvision_ready

torch = pytest.importorskip("torch")
hub = pytest.importorskip("huggingface_hub")
pytestmark = pytest.mark.filterwarnings("ignore")


class Net(torch.nn.Module, hub.PyTorchModelHubMixin):
    """A model whose settings the mixin keeps."""

    def __init__(self, width: int = 8, classes: int = 3) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(4, width)
        self.out = torch.nn.Linear(width, classes)

    def forward(self, x: Any) -> Any:
        return self.out(torch.relu(self.hidden(x)))


@pytest.fixture
def timm() -> Any:
    torchvision_ready()
    return pytest.importorskip("timm")


@pytest.fixture
def tiny(timm: Any) -> tuple[Any, Any]:
    torch.manual_seed(0)
    return timm.create_model("test_resnet", num_classes=5).eval(), torch.randn(1, 3, 32, 32)


def same(first: Any, second: Any) -> bool:
    return gw.fingerprint(first) == gw.fingerprint(second)


def test_a_folder_of_timm_is_read_with_its_classes(timm: Any, tiny: tuple[Any, Any], tmp_path: Path) -> None:
    model, x = tiny
    for safe in (False, True):
        timm.models.save_for_hf(model, str(tmp_path / f"safe{safe}"), safe_serialization=safe)
        again = gw.load(tmp_path / f"safe{safe}")
        assert same(again, model)
        assert torch.equal(again(x), model(x))


def test_a_mutant_of_timm_goes_to_a_folder_that_timm_reads(timm: Any, tiny: tuple[Any, Any], tmp_path: Path) -> None:
    model, _ = tiny
    noisy = gw.mutate(model, gw.GaussianNoise(0.01), seed=1)
    gw.save(noisy, tmp_path / "noisy")
    held = {file.name for file in (tmp_path / "noisy").iterdir()}
    assert held == {"README.md", "config.json", "model.safetensors", "recipe.json"}
    assert "library_name: timm" in (tmp_path / "noisy" / "README.md").read_text()
    again = gw.load(tmp_path / "noisy")
    assert same(again, noisy)
    assert gw.recipe(again) == gw.recipe(noisy)
    theirs = timm.create_model(f"local-dir:{tmp_path / 'noisy'}", pretrained=True)
    assert same(theirs, noisy)


def test_what_a_config_of_timm_cannot_say_is_warned_of_twice_and_loaded_by_us(
    tiny: tuple[Any, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, x = tiny
    with caplog.at_level(logging.WARNING, "genewright"):
        wide = gw.mutate(model, gw.Widen(_free(model, x), 1.5), seed=1, example=x)
    assert "timm.models.save_for_hf would lose" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "genewright"):
        gw.save(wide, tmp_path / "wide")
    assert f"gw.load({str(tmp_path / 'wide')!r})" in caplog.text
    assert json.loads((tmp_path / "wide" / "genewright.json").read_text())["steps_in_config"] == 0
    again = gw.load(tmp_path / "wide")
    assert same(again, wide)
    assert torch.equal(again(x), wide(x))


def _free(model: Any, x: Any) -> str:
    return next(knob.name for knob in gw.knobs(model, x) if knob.free)


def test_the_command_takes_folders_of_timm(
    timm: Any, tiny: tuple[Any, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, x = tiny
    base, out = tmp_path / "base", tmp_path / "out"
    timm.models.save_for_hf(model, str(base), safe_serialization=True)
    words = ["widen", f"hf:{base}", "--layer", _free(model, x), "--factor", "1.5", "--example", "1x3x32x32"]
    assert main(["mutate", *words, "--seed", "3", "--out", str(out)]) == 0, capsys.readouterr().err
    expected = gw.mutate(model, gw.Widen(_free(model, x), 1.5), seed=3, example=x)
    assert same(gw.load(out), expected)
    capsys.readouterr()
    assert main(["show", f"hf:{out}"]) == 0
    assert gw.fingerprint(expected) in capsys.readouterr().out


def test_a_class_with_the_mixin_is_made_as_the_config_says(tmp_path: Path) -> None:
    net = Net(width=6)
    net.save_pretrained(tmp_path / "base")
    assert same(gw.load(Net, tmp_path / "base"), net)
    with pytest.raises(gw.UnsupportedError, match=r"names no class.*gw.load\(Net, folder\)"):
        gw.load(tmp_path / "base")


def test_a_mutant_with_the_mixin_goes_to_a_folder_and_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    net, x = Net(width=6).eval(), torch.randn(2, 4)
    noisy = gw.mutate(net, gw.GaussianNoise(0.01), seed=1)
    gw.save(noisy, tmp_path / "noisy")
    assert same(Net.from_pretrained(str(tmp_path / "noisy")), noisy)
    with caplog.at_level(logging.WARNING, "genewright"):
        wide = gw.mutate(noisy, gw.Widen("hidden", 2.0), seed=2, example=x)
        assert "save_pretrained would lose" in caplog.text
        caplog.clear()
        gw.save(wide, tmp_path / "wide")
    assert "gw.load(Net, " in caplog.text
    again = gw.load(Net, tmp_path / "wide")
    assert same(again, wide)
    assert gw.recipe(again) == gw.recipe(wide)
    assert torch.equal(again(x), wide(x))
    assert "model = gw.load(Net, folder)" in (tmp_path / "wide" / "README.md").read_text()


def test_a_folder_that_its_library_wrote_of_a_grown_net_names_the_call(
    timm: Any, tiny: tuple[Any, Any], tmp_path: Path
) -> None:
    model, x = tiny
    wide = gw.mutate(model, gw.Widen(_free(model, x), 1.5), seed=1, example=x)
    timm.models.save_for_hf(wide, str(tmp_path / "wide"), safe_serialization=True)
    with pytest.raises(gw.FileError, match=r"gw.load\(factory, folder, recipe=gw.recipe\(mutant\)\)"):
        gw.load(tmp_path / "wide")
    again = gw.load(lambda: timm.create_model("test_resnet", num_classes=5), tmp_path / "wide", recipe=gw.recipe(wide))
    assert same(again, wide)
