"""Greedy generation, with a cache of keys and values and without, before and after."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

import genewright as gw
from tests.pretrained import make, transformers

pytestmark = pytest.mark.filterwarnings("ignore")

OPERATORS = {
    "depth": gw.DuplicateBlock(),
    "depth by zeros": gw.DuplicateBlock(by="zeros"),
    "heads": gw.AddHeads(),
    "width": gw.Widen(),
    "stream": gw.WidenStream(),
    "repeated stream": gw.WidenStream(init="replicate"),
}
# Zeros make no block of a model whose norms come last the identity; T5 and BART also put out their encoder's stream.
REFUSED = {(kind, what) for kind in ("t5", "bart") for what in ("stream", "repeated stream")} | {
    ("bart", "depth by zeros")
}
QUICK = {("gpt2", "depth"), ("gpt2", "stream"), ("llama", "heads"), ("llama", "depth by zeros")}
SETTINGS: dict[str, Any] = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}


def _pairs() -> list[Any]:
    every = [(kind, what) for kind in ("gpt2", "llama", "gpt_neo", "t5", "bart") for what in OPERATORS]
    return [
        pair if pair in QUICK else pytest.param(*pair, marks=pytest.mark.slow) for pair in every if pair not in REFUSED
    ]


def _shaken(model: Any) -> Any:
    """Return a copy in which all that is zero counts."""
    shaken = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in shaken.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return shaken


def _generated(model: Any, tokens: torch.Tensor, *, use_cache: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the tokens and the logits that led to them."""
    out = model.generate(tokens, use_cache=use_cache, output_logits=True, return_dict_in_generate=True, **SETTINGS)
    return out.sequences, torch.stack(out.logits)


@pytest.mark.parametrize(("kind", "what"), _pairs())
def test_a_mutant_generates_what_its_original_does(kind: str, what: str) -> None:
    made, example = make(kind)
    model, tokens = _shaken(made), example["input_ids"]
    mutant = gw.mutate(model, OPERATORS[what], seed=1, example=example)
    for use_cache in (True, False):
        sequence, logits = _generated(model, tokens, use_cache=use_cache)
        same, close = _generated(mutant, tokens, use_cache=use_cache)
        assert torch.equal(same, sequence)
        torch.testing.assert_close(close, logits, rtol=0, atol=1e-4)
    # What is zero so far must find the right place in the cache, too.
    shaken = _shaken(mutant)
    cached, plain = (_generated(shaken, tokens, use_cache=use_cache)[1] for use_cache in (True, False))
    torch.testing.assert_close(cached, plain, rtol=0, atol=1e-4)
    assert (cached - logits).abs().max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("block", [0, 1])
def test_attention_of_two_kinds_keeps_its_order(block: int, tmp_path: Path) -> None:
    model, example = make("gpt_neo")
    deeper = gw.mutate(model, gw.DuplicateBlock(block=f"transformer.h.{block}"), seed=1, example=example)
    kinds = ["global", "local"]
    assert deeper.config.attention_layers == kinds[: block + 1] + kinds[block:]
    deeper.save_pretrained(tmp_path)
    shaken = _shaken(deeper)
    shaken.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path).eval()
    assert torch.equal(loaded(**example).logits, shaken(**example).logits)


@pytest.mark.slow
@pytest.mark.parametrize(("block", "numbers"), [(0, [2, 4]), (1, [1, 2, 4]), (2, [1, 4])])
def test_layers_that_a_config_names_by_number_keep_their_kind(block: int, numbers: list[int], tmp_path: Path) -> None:
    library = transformers()
    sizes = {"num_hidden_layers": 4, "hidden_size": 32, "intermediate_size": 40, "vocab_size": 64, "pad_token_id": 0}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64}
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "mlp_only_layers": [1, 3]}
    torch.manual_seed(0)
    model = library.Qwen3MoeForCausalLM(library.Qwen3MoeConfig(**sizes, **heads, **experts)).eval()
    example = make("llama")[1]
    deeper = gw.mutate(model, gw.DuplicateBlock(block=f"model.layers.{block}"), seed=1, example=example)
    assert deeper.config.mlp_only_layers == numbers
    assert model.config.mlp_only_layers == [1, 3]
    deeper.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path).eval()
    assert torch.equal(loaded(**example).logits, deeper(**example).logits)
    back = gw.mutate(deeper, gw.RemoveLayer(layer=f"model.layers.{block + 1}"), seed=1, example=example)
    assert back.config.mlp_only_layers == [1, 3]
