"""Folders of transformers: written and read by either, sharded, tied and pickled, with what a config cannot say."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

import genewright as gw
from genewright.cli import main
from tests.pretrained import make, transformers

pytestmark = pytest.mark.filterwarnings("ignore")
LAYER = "transformer.h.0.mlp.c_fc"


@pytest.fixture
def gpt2() -> tuple[Any, Any]:
    return make("gpt2")


def outputs(model: Any, example: Any) -> torch.Tensor:
    return model.eval()(**example).logits


@pytest.mark.parametrize(
    "operator", [gw.GaussianNoise(0.01), gw.DuplicateBlock(), gw.Widen("transformer.h.*.mlp.c_fc", 1.5)], ids=str
)
def test_what_a_config_can_say_is_read_by_from_pretrained_and_by_us(gpt2: Any, operator: Any, tmp_path: Path) -> None:
    model, example = gpt2
    mutant = gw.mutate(model, operator, seed=1, example=example)
    gw.save(mutant, tmp_path / "mutant")
    again = gw.load(tmp_path / "mutant")
    theirs = transformers().GPT2LMHeadModel.from_pretrained(tmp_path / "mutant")
    for loaded in (again, theirs):
        assert torch.equal(outputs(loaded, example), outputs(mutant, example))
    assert gw.fingerprint(again) == gw.fingerprint(mutant)
    assert gw.recipe(again).to_json() == gw.recipe(mutant).to_json()
    assert gw.Recipe.load(tmp_path / "mutant" / "recipe.json").to_json() == gw.recipe(mutant).to_json()
    assert not (tmp_path / "mutant" / "genewright.json").exists()
    card = (tmp_path / "mutant" / "README.md").read_text()
    assert "- genewright" in card
    assert gw.recipe(mutant).result in card


def test_what_a_config_cannot_say_is_warned_of_twice_and_loaded_by_us(
    gpt2: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, example = gpt2
    deeper = gw.mutate(model, gw.DuplicateBlock(), seed=1, example=example)
    with caplog.at_level(logging.WARNING, "genewright"):
        mutant = gw.mutate(deeper, gw.Widen(LAYER, 1.5), seed=1, example=example)
    assert "cannot say so" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "genewright"):
        gw.save(mutant, tmp_path / "mutant")
    assert "gw.load(" in caplog.text
    assert json.loads((tmp_path / "mutant" / "genewright.json").read_text())["steps_in_config"] == 1
    again = gw.load(tmp_path / "mutant")
    assert gw.fingerprint(again) == gw.fingerprint(mutant)
    assert torch.equal(outputs(again, example), outputs(mutant, example))
    assert "gw.load(folder)" in (tmp_path / "mutant" / "README.md").read_text()


def test_a_loader_in_the_folder_lets_transformers_read_what_the_config_cannot_say(
    gpt2: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, example = gpt2
    modules = __import__("importlib").import_module("transformers.dynamic_module_utils")
    monkeypatch.setattr(modules, "HF_MODULES_CACHE", str(tmp_path / "cache"))
    mutant = gw.mutate(model, gw.Widen(LAYER, num_units=8), seed=1, example=example)
    gw.save(mutant, tmp_path / "grown")
    auto = transformers().AutoModelForCausalLM
    loaded = auto.from_pretrained(str(tmp_path / "grown"), trust_remote_code=True)
    assert gw.fingerprint(loaded) == gw.fingerprint(mutant)
    assert torch.equal(outputs(loaded, example), outputs(mutant, example))
    with pytest.raises(ValueError, match="device_map is for models that their config describes"):
        auto.from_pretrained(str(tmp_path / "grown"), trust_remote_code=True, device_map="auto")
    whole = gw.mutate(loaded, gw.Narrow(LAYER, num_units=8), seed=1, example=example)
    gw.save(whole, tmp_path / "narrow")
    assert "auto_map" not in json.loads((tmp_path / "narrow" / "config.json").read_text())
    assert gw.fingerprint(auto.from_pretrained(str(tmp_path / "narrow"))) == gw.fingerprint(whole)


@pytest.mark.parametrize("kind", ["one", "shards", "bin", "sharded bin"])
def test_a_checkpoint_goes_from_folder_to_folder(gpt2: Any, kind: str, tmp_path: Path) -> None:
    model, example = gpt2
    base = tmp_path / "base"
    model.save_pretrained(base, max_shard_size="30KB" if kind == "shards" else "1GB")
    (base / "tokenizer.json").write_text("{}")
    if "bin" in kind:
        state = {name: tensor.clone() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
        (base / "model.safetensors").unlink()
        names = sorted(state)
        halves = [names[::2], names[1::2]] if kind == "sharded bin" else [names]
        files = [f"pytorch_model-{n}-of-2.bin" for n in (1, 2)] if kind == "sharded bin" else ["pytorch_model.bin"]
        for file, half in zip(files, halves, strict=True):
            torch.save({name: state[name] for name in half}, base / file)
        if kind == "sharded bin":
            weight_map = {name: file for file, half in zip(files, halves, strict=True) for name in half}
            (base / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    mutant = gw.mutate(gw.read_checkpoint(base), gw.SignFlip(0.2), seed=3)
    gw.save(mutant, tmp_path / "mutant")
    held = {file.name for file in (tmp_path / "mutant").iterdir()}
    assert {"config.json", "tokenizer.json", "recipe.json", "README.md"} <= held
    assert ("model.safetensors.index.json" in held) is ("shard" in kind)
    assert not any(name.endswith(".bin") for name in held)
    again = gw.load(tmp_path / "mutant")
    theirs = transformers().GPT2LMHeadModel.from_pretrained(tmp_path / "mutant")
    expected = gw.mutate(gw.load(base), gw.SignFlip(0.2), seed=3)
    for loaded in (again, theirs):
        assert torch.equal(outputs(loaded, example), outputs(expected, example))
    assert gw.recipe(again).steps[0].name == "sign_flip"
    assert again.lm_head.weight is again.transformer.wte.weight


def test_a_factory_reads_a_folder_and_its_config_stays(gpt2: Any, tmp_path: Path) -> None:
    model, example = gpt2
    mutant = gw.mutate(model, gw.DuplicateBlock(), seed=1, example=example)
    gw.save(mutant, tmp_path / "mutant")
    before = model.config.to_json_string()
    again = gw.load(lambda: type(model)(model.config), tmp_path / "mutant")
    assert gw.fingerprint(again) == gw.fingerprint(mutant)
    assert model.config.to_json_string() == before


def test_the_command_takes_folders(gpt2: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, out = str(tmp_path / "base"), str(tmp_path / "out")
    gpt2[0].save_pretrained(base)
    words = ["mutate", "sign-flip", base, "--rate", "0.2", "--seed", "3", "--out", out]
    assert main(words) == 0
    assert main(["replay", f"{out}/recipe.json", base, "--out", str(tmp_path / "again.safetensors")]) == 0
    assert main(words) == 1
    assert "exists" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"weight_map": {"a": "../a.safetensors"}}, "no file of this folder"),
        ({"weight_map": {"a": "gone.safetensors"}}, "the shard gone.safetensors is missing"),
        ({"weight_map": {}}, "has no weight_map"),
        ([], "has no weight_map"),
    ],
)
def test_a_damaged_or_hostile_index_is_refused(index: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(gw.FileError, match=message):
        gw.read_checkpoint(tmp_path)


def test_folders_that_are_none_of_a_model_are_neither_read_nor_replaced(gpt2: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear")
    with pytest.raises(gw.FileError, match=r"without model.safetensors.*diary.txt"):
        gw.read_checkpoint(tmp_path / "mine")
    with pytest.raises(gw.FileError, match="is no folder of a model"):
        gw.save(gpt2[0], tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "diary.txt").read_text() == "dear"
    with pytest.raises(gw.FileError, match="does not exist"):
        gw.save(gpt2[0], tmp_path / "nowhere" / "model")


def test_a_class_that_cannot_be_imported_here_is_no_fault_of_the_folder(
    gpt2: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpt2[0].save_pretrained(tmp_path / "base")
    library: Any = transformers()

    class Broken:
        PreTrainedModel = library.PreTrainedModel

        @property
        def GPT2LMHeadModel(self) -> Any:  # noqa: N802
            try:
                raise RuntimeError("operator torchvision::nms does not exist")
            except RuntimeError as error:
                raise ModuleNotFoundError("Could not import module") from error

    monkeypatch.setitem(__import__("sys").modules, "transformers", Broken())
    with pytest.raises(
        gw.UnsupportedError, match=r"cannot import GPT2LMHeadModel here \(RuntimeError: operator torchv"
    ):
        gw.load(tmp_path / "base")
