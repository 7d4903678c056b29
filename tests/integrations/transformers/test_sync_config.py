"""The config of a transformers model says what a mutant has become, or the plan says that it cannot."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import genewright as gw
from tests.pretrained import make

pytestmark = pytest.mark.filterwarnings("ignore")

SAID: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "a length that was left open": ("gpt2", gw.Widen(layer="transformer.h.*.mlp.c_fc", num_units=8), {"n_inner": 136}),
    "MLP": ("llama", gw.Widen(layer="model.layers.*.mlp.gate_proj", factor=1.2), {"intermediate_size": 48}),
    "half an MLP": ("vit", gw.Narrow(layer="*.mlp.fc1", factor=0.5), {"intermediate_size": 20}),
    "one stack of two": (
        "bart",
        gw.Widen(layer="*.encoder.*.fc1", num_units=2),
        {"encoder_ffn_dim": 42, "decoder_ffn_dim": 40},
    ),
    "copies of the config": ("t5", gw.RemoveHeads(layer="*Attention", num_heads=2), {"num_heads": 2}),
    "groups of heads": (
        "llama",
        gw.AddHeads(layer="model.layers.*.self_attn", num_heads=2),
        {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 8, "hidden_size": 32},
    ),
    "heads in groups": (
        "qwen3",
        gw.AddHeads(layer="model.layers.*.self_attn.q_proj[1]", num_heads=2),
        {"num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 8},
    ),
    "stream": ("llama", gw.WidenStream(num_units=8), {"hidden_size": 40, "rms_norm_eps": 1e-6 * 32 / 40}),
    "repeated stream": ("qwen3", gw.WidenStream(init="replicate"), {"hidden_size": 64, "rms_norm_eps": 1e-6}),
    "stream and heads together": (
        "bert",
        [gw.WidenStream(init="replicate"), gw.AddHeads(layer="*.attention", num_heads=4)],
        {"hidden_size": 64, "num_attention_heads": 8, "intermediate_size": 40},
    ),
    "depth and width": (
        "llama",
        [gw.DuplicateBlock(by="zeros"), gw.Widen(layer="*.gate_proj", num_units=8), gw.GaussianNoise(std=0.01)],
        {"num_hidden_layers": 3, "intermediate_size": 48},
    ),
}


QUICK = ("MLP", "groups of heads", "stream")


@pytest.mark.parametrize("what", [w if w in QUICK else pytest.param(w, marks=pytest.mark.slow) for w in SAID])
def test_what_a_config_can_say_it_says_and_the_saved_mutant_loads_without_us(what: str, tmp_path: Path) -> None:
    kind, operator, wanted = SAID[what]
    model, example = make(kind)
    first = model.config.to_dict()
    mutant = gw.mutate(model, operator, seed=1, example=example)
    assert {name: getattr(mutant.config, name) for name in wanted} == wanted
    assert model.config.to_dict() == first
    assert not gw.plan(model, operator, seed=1, example=example).steps[-1].note
    again = gw.replay(gw.recipe(mutant), model, example=example)
    assert again.config.to_dict() == mutant.config.to_dict()
    mutant.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path).eval()
    with torch.no_grad():
        assert torch.equal(loaded(**example)[0], mutant(**example)[0])


UNSAID: dict[str, tuple[str, Any]] = {
    "one of two": ("llama", gw.Widen(layer="model.layers.0.mlp.gate_proj", num_units=8)),
    "heads of another size than the stream over their number": ("gpt2", gw.AddHeads(layer="*.attn", num_heads=4)),
    "norms with another epsilon": ("qwen3", gw.WidenStream(num_units=8)),
    "a layer that the class does not have": ("llama", gw.InsertLayer(after="model.norm")),
    "another activation": ("bert", gw.ReplaceActivation(to="relu")),
}


@pytest.mark.parametrize("what", [w if w == "one of two" else pytest.param(w, marks=pytest.mark.slow) for w in UNSAID])
def test_what_a_config_cannot_say_the_plan_says(what: str, tmp_path: Path) -> None:
    kind, operator = UNSAID[what]
    model, example = make(kind)
    plan = gw.plan(model, operator, seed=1, example=example)
    assert "cannot say so" in plan.steps[-1].note
    assert "note: The config" in str(plan)
    mutant = plan.apply()
    assert mutant.config.to_dict() == model.config.to_dict()
    gw.save(mutant, tmp_path / "mutant.safetensors")
    loaded = gw.load(lambda: make(kind)[0], tmp_path / "mutant.safetensors")
    with torch.no_grad():
        assert torch.equal(loaded(**example)[0], mutant(**example)[0])


def test_the_last_of_several_mutations_makes_it_sayable() -> None:
    model, example = make("llama")
    one = gw.mutate(model, gw.Widen(layer="model.layers.0.mlp.gate_proj", num_units=8), seed=1, example=example)
    assert one.config.intermediate_size == 40
    both = gw.mutate(one, gw.Widen(layer="model.layers.1.mlp.gate_proj", num_units=8), seed=2, example=example)
    assert both.config.intermediate_size == 48
    assert both.model.layers[0].mlp.intermediate_size == 48
    back = gw.mutate(both, gw.Narrow(layer="*.gate_proj", units=range(40, 48)), seed=1, example=example)
    assert gw.fingerprint(back) == gw.fingerprint(model)
    assert back.config.to_dict() == model.config.to_dict()


@pytest.mark.slow
def test_a_file_with_a_recipe_brings_the_config_along(tmp_path: Path) -> None:
    model, example = make("t5")
    mutant = gw.mutate(model, gw.Widen(layer="*.wi", num_units=8), seed=1, example=example)
    gw.save(mutant, tmp_path / "mutant.safetensors")
    loaded = gw.load(lambda: make("t5")[0], tmp_path / "mutant.safetensors")
    assert loaded.config.to_dict() == mutant.config.to_dict()
    assert loaded.decoder.config.d_ff == 48


def test_undo_brings_the_config_back() -> None:
    model, example = make("llama")
    first, fingerprint = model.config.to_dict(), gw.fingerprint(model)
    with gw.mutated(model, gw.Widen(layer="*.gate_proj", num_units=8), seed=1, example=example):
        assert model.config.intermediate_size == 48
    assert model.config.to_dict() == first
    assert model.model.layers[0].mlp.intermediate_size == 40
    assert gw.fingerprint(model) == fingerprint


def test_a_pattern_without_layers_names_near_ones() -> None:
    model, example = make("llama")
    for operator in (gw.Widen(layer="model.layer.*.mlp"), gw.AddHeads(layer="model.layer.*.attn")):
        with pytest.raises(gw.UnknownNameError, match=r"model\.layers\.\d"):
            gw.mutate(model, operator, seed=1, example=example)


def _run(lines: Sequence[str]) -> str:
    script = "\n".join(lines)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_a_fresh_process_without_genewright_gives_the_same_outputs(tmp_path: Path) -> None:
    model, example = make("llama")
    operators = [gw.WidenStream(init="replicate"), gw.AddHeads(layer="*.self_attn", num_heads=2), gw.DuplicateBlock()]
    mutant = gw.mutate(model, operators, seed=1, example=example)
    mutant.save_pretrained(tmp_path)
    torch.save(example["input_ids"], tmp_path / "tokens.pt")
    out = _run(
        [
            "import sys, torch",
            "library = torch.library.Library('torchvision', 'FRAGMENT')",
            "for name in ('nms', 'qnms'):",
            "    try: library.define(name + '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')",
            "    except RuntimeError: pass",
            "import transformers",
            f"model = transformers.LlamaForCausalLM.from_pretrained({str(tmp_path)!r}).eval()",
            f"tokens = torch.load({str(tmp_path / 'tokens.pt')!r})",
            "with torch.no_grad(): print(model(tokens).logits.double().sum().item().hex())",
            "print('genewright' in sys.modules)",
        ]
    )
    with torch.no_grad():
        expected = mutant(**example).logits.double().sum().item().hex()
    assert out.split() == [expected, "False"]
