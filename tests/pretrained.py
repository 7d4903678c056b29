"""Tiny models of transformers, the same bytes every time, where the library is installed."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import torch

_LIBRARIES: list[Any] = []  # torch forgets operators whose library object is gone
_SIZES = {"vocab_size": 64, "max_position_embeddings": 64}
_LLAMA = {
    **_SIZES,
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
}
_TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
_PAIRS = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in (("layers", 2), ("ffn_dim", 40))}
_HEADS = {f"{side}_attention_heads": 4 for side in ("encoder", "decoder")}
_BERT = {**_SIZES, "num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 40, "num_attention_heads": 4}
_GPT_NEO = {"num_layers": 2, "hidden_size": 32, "num_heads": 4, "window_size": 4}

_KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gpt2": (
        "GPT2LMHeadModel",
        "GPT2Config",
        {
            "vocab_size": 64,
            "n_positions": 64,
            "n_layer": 2,
            "n_embd": 32,
            "n_head": 4,
            "bos_token_id": None,
            "eos_token_id": None,
        },
    ),
    "llama": ("LlamaForCausalLM", "LlamaConfig", _LLAMA),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", {**_LLAMA, "head_dim": 8}),
    "gpt_neo": (
        "GPTNeoForCausalLM",
        "GPTNeoConfig",
        {**_SIZES, **_GPT_NEO, "attention_types": [[["global", "local"], 1]]},
    ),
    "bert": ("BertForMaskedLM", "BertConfig", _BERT),
    "vit": (
        "ViTForImageClassification",
        "ViTConfig",
        {key: _BERT[key] for key in _BERT if key not in _SIZES} | {"image_size": 16, "patch_size": 8},
    ),
    "t5": (
        "T5ForConditionalGeneration",
        "T5Config",
        {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 40, "num_layers": 2, "num_heads": 4, **_TOKENS},
    ),
    "bart": (
        "BartForConditionalGeneration",
        "BartConfig",
        {**_SIZES, "d_model": 32, **_PAIRS, **_HEADS, **_TOKENS, "forced_eos_token_id": None},
    ),
}


def torchvision_ready() -> None:
    """Declare two operators, without which the import of torchvision's CUDA wheel fails on a CPU."""
    if not _LIBRARIES:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",):
            for name in ("nms", "qnms"):
                with contextlib.suppress(RuntimeError):  # a build that has them
                    library.define(schema.replace("nms", name, 1))
        _LIBRARIES.append(library)


def transformers() -> Any:
    """Return the library, or skip the test; it imports torchvision."""
    torchvision_ready()
    return pytest.importorskip("transformers")


def make(kind: str, **settings: Any) -> tuple[Any, dict[str, torch.Tensor]]:
    """Return (model in evaluation mode, example) of a kind, with other settings of its config where given."""
    library = transformers()
    model, config, held = _KINDS[kind]
    torch.manual_seed(0)
    made = getattr(library, model)(getattr(library, config)(**{**held, **settings})).eval()
    generator = torch.Generator().manual_seed(1)
    if kind == "vit":
        return made, {"pixel_values": torch.randn(2, 3, 16, 16, generator=generator)}
    tokens = torch.randint(3, 60, (2, 5), generator=generator)
    example = {"input_ids": tokens}
    if kind in ("t5", "bart"):
        example["decoder_input_ids"] = tokens[:, :3]
    return made, example
