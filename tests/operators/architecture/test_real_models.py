"""Depth on models that others wrote; each test runs where its library is installed."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch

import genewright as gw


@pytest.fixture(scope="module", autouse=True)
def operators_of_torchvision() -> Generator[None]:
    """Define the operators without which torchvision's CUDA wheel, which transformers imports too, fails on a CPU."""
    library = torch.library.Library("torchvision", "DEF")
    with contextlib.suppress(RuntimeError):  # a build that has them
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    yield
    del library


def _decoder(kind: str) -> Any:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    if kind == "gpt2":
        config = transformers.GPT2Config(n_layer=2, n_embd=32, n_head=4, vocab_size=64, n_positions=64)
        return transformers.GPT2LMHeadModel(config).eval()
    config = transformers.LlamaConfig(
        num_hidden_layers=2,
        hidden_size=32,
        intermediate_size=40,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=64,
        max_position_embeddings=64,
        pad_token_id=0,
    )
    return transformers.LlamaForCausalLM(config).eval()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_deeper_decoder_generates_and_loads_without_us(kind: str, tmp_path: Path) -> None:
    model = _decoder(kind)
    tokens = torch.randint(3, 60, (2, 5), generator=torch.Generator().manual_seed(1))
    deeper = gw.mutate(model, gw.DuplicateBlock(by="zeros"), seed=1, example={"input_ids": tokens})
    assert deeper.config.num_hidden_layers == 3
    assert model.config.num_hidden_layers == 2
    settings: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    for use_cache in (True, False):
        expected = model.generate(tokens, use_cache=use_cache, **settings)
        assert torch.equal(deeper.generate(tokens, use_cache=use_cache, **settings), expected)
    trained = copy.deepcopy(deeper)
    with torch.no_grad():
        for parameter in trained.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    with_cache = trained.generate(tokens, use_cache=True, **settings)
    assert torch.equal(with_cache, trained.generate(tokens, use_cache=False, **settings))
    deeper.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path).eval()
    assert torch.equal(loaded(tokens).logits, model(tokens).logits)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "zeros"),
    [
        ("resnet18", ("bn2.weight", "bn2.bias")),
        ("mobilenet_v2", ("conv.3.weight", "conv.3.bias")),
        ("convnext_tiny", ("layer_scale",)),
    ],
)
def test_the_zeros_of_a_vision_model_are_found(name: str, zeros: tuple[str, ...]) -> None:
    models = pytest.importorskip("torchvision").models
    torch.manual_seed(0)
    model = models.get_model(name, weights=None, num_classes=10).eval()
    images = torch.randn(1, 3, 64, 64)
    deeper = gw.mutate(model, gw.DuplicateBlock(by="zeros"), seed=3, example=images)
    assert gw.recipe(deeper).steps[0].operator.zeros == zeros
    others = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(deeper(others), model(others), rtol=0, atol=0)
