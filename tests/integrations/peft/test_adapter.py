"""gw.save(mutant, format="peft"): PEFT loads the adapter onto the base, and the outputs are the mutant's."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from tests.pretrained import torchvision_ready

torchvision_ready()  # transformers imports it
peft = pytest.importorskip("peft")


def convolutional() -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 2), nn.Flatten(), nn.Linear(100, 5))
    return net.eval(), torch.randn(2, 3, 8, 8)


def embedding() -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(20, 8), nn.Conv1d(7, 6, 3), nn.Flatten(), nn.LayerNorm(36), nn.Linear(36, 5))
    return net.eval(), torch.arange(14).reshape(2, 7)


def gpt2() -> tuple[nn.Module, Any]:
    """transformers' Conv1D, and an embedding that is tied to the head."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=30, n_positions=12)
    return transformers.GPT2LMHeadModel(config).eval(), torch.arange(10).reshape(1, 10)


def adapted(base: nn.Module, folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT says that it turns fan_in_fan_out by itself, and that heads are tied
        return peft.PeftModel.from_pretrained(copy.deepcopy(base), str(folder)).eval()


def first(outputs: Any) -> torch.Tensor:
    return outputs if isinstance(outputs, torch.Tensor) else outputs.logits


MATRICES = gw.where(roles=("kernel", "embedding"))
MUTATIONS: dict[str, Any] = {
    "matrices": gw.LowRankNoise(rank=2, std=0.3, where=MATRICES),
    "mirrored": gw.EvolutionNoise(rank=1, std=0.3, mirrored=True, where=MATRICES),
    "two of them": [
        gw.LowRankNoise(rank=1, std=0.3, where=MATRICES),
        gw.LowRankNoise(rank=2, std=0.3, where=gw.where(roles="kernel")),
    ],
    "biases too": gw.LowRankNoise(rank=1, std=0.3, where=gw.where(roles=("kernel", "embedding", "bias"))),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("make", [convolutional, embedding, gpt2])
def test_peft_loads_it_with_equal_outputs(make: Any, mutation: str, tmp_path: Path) -> None:
    base, x = make()
    mutant = gw.mutate(base, MUTATIONS[mutation], seed=3)
    gw.save(mutant, tmp_path / "adapter", format="peft")
    with torch.no_grad():
        expected, made, before = (first(net(x)) for net in (mutant, adapted(base, tmp_path / "adapter"), base))
    assert not torch.allclose(before, expected, rtol=1e-2)
    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_merged_it_is_the_mutant_and_the_recipe_goes_along(tmp_path: Path) -> None:
    base, _ = convolutional()
    mutant = gw.mutate(base, MUTATIONS["biases too"], seed=3)
    gw.save(mutant, tmp_path, format="peft")
    merged = adapted(base, tmp_path).merge_and_unload()
    for name, value in mutant.state_dict().items():
        torch.testing.assert_close(merged.state_dict()[name], value)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["bias"]) == (1, 1, "all")
    from safetensors import safe_open

    with safe_open(tmp_path / "adapter_model.safetensors", "pt") as held:
        assert "low_rank_noise" in str(held.metadata())


@pytest.mark.parametrize(
    ("mutation", "words"),
    [
        (gw.GaussianNoise(std=0.1), "'gaussian_noise' changed '0.weight' otherwise"),
        (gw.LowRankNoise(std=0.1), "'low_rank_noise' changed '3.weight' otherwise"),
        (gw.LowRankNoise(std=0.1, where=gw.where("4.weight", units=[0, 1])), "'4.weight' otherwise"),
        (gw.LowRankNoise(std=0.1, where="*.bias"), "no noise of low rank"),
    ],
)
def test_what_an_adapter_cannot_hold_is_named(mutation: Any, words: str, tmp_path: Path) -> None:
    base, _ = embedding()
    mutant = gw.mutate(base, mutation, seed=1)
    with pytest.raises(gw.UnsupportedError, match=words):
        gw.save(mutant, tmp_path / "adapter", format="peft")
    assert not (tmp_path / "adapter").exists()


def test_layers_that_peft_does_not_know_are_named(tmp_path: Path) -> None:
    for net, words in ((nn.LSTM(3, 4), "weight_ih_l0"), (nn.Conv2d(4, 4, 3, groups=2), "Conv2d with groups")):
        holder = nn.Sequential(net)
        mutant = gw.mutate(holder, gw.LowRankNoise(std=0.1, where="*weight*"), seed=1)
        with pytest.raises(gw.UnsupportedError, match=words):
            gw.save(mutant, tmp_path / "adapter", format="peft")


def test_what_is_no_mutant_or_trained_since_is_refused(tmp_path: Path) -> None:
    base, _ = convolutional()
    with pytest.raises(gw.RecipeError, match="no mutant"):
        gw.save(base, tmp_path, format="peft")
    mutant = gw.mutate(base, MUTATIONS["matrices"], seed=1)
    with torch.no_grad():
        mutant[0].weight += 1
    with pytest.raises(gw.RecipeError, match="has changed since"):
        gw.save(mutant, tmp_path, format="peft")
    with pytest.raises(gw.SettingError, match="format is one of peft"):
        gw.save(mutant, tmp_path, format="lora")  # type: ignore[arg-type]


def test_an_adapter_is_replaced_only_where_that_is_said(tmp_path: Path) -> None:
    base, _ = convolutional()
    mutant = gw.mutate(base, MUTATIONS["matrices"], seed=1)
    gw.save(mutant, tmp_path, format="peft")
    with pytest.raises(gw.FileError, match="overwrite=True"):
        gw.save(mutant, tmp_path, format="peft")
    other = gw.mutate(base, MUTATIONS["matrices"], seed=2)
    gw.save(other, tmp_path, format="peft", overwrite=True)
    merged = adapted(base, tmp_path).merge_and_unload()
    torch.testing.assert_close(merged[0].weight, other[0].weight)
