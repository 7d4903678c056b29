"""The models of the coverage benchmark: torchvision, timm and tiny transformers, their constant parameters randomized.

At plain random init deep nets put out 1e-6 in evaluation mode, zero gammas silence whole branches, and almost any
change looks like none. So gains, shifts and statistics are drawn, and constant tensors too.
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

# torchvision's wheels are CUDA builds: beside a CPU build of torch two operators are missing, which nothing here runs.
_DEFINED = torch.library.Library("torchvision", "FRAGMENT")
with contextlib.suppress(RuntimeError):  # they are there
    _DEFINED.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _DEFINED.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


@dataclass(frozen=True)
class Case:
    """A model of the benchmark.

    Attributes:
        library: "torchvision", "timm" or "transformers".
        name: Its name there.
        group: The family that it stands for.
        make: Builds the model and an example; constant parameters are randomized.
        labelled: Likewise, of its kind with a head for classes, where that is another model.
    """

    library: str
    name: str
    group: str
    make: Callable[[], tuple[nn.Module, Any]]
    labelled: Callable[[], tuple[nn.Module, Any]] | None = None


def first_line(error: Exception) -> str:
    """Return what an error says, shortly, and without where the libraries lie on this machine."""
    said = f"{type(error).__name__}: {error}".replace(f"{Path(torch.__file__).parents[1]}{os.sep}", "")
    return said.splitlines()[0][:200]


def wake(model: nn.Module, seed: int = 0) -> nn.Module:
    """Draw what is constant at random init, so that every layer shows in the outputs."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(tensor: torch.Tensor) -> torch.Tensor:
        return 0.5 + torch.rand(tensor.shape, generator=generator)

    with torch.no_grad():
        for parameter in model.parameters():
            if (
                parameter.numel() > 1
                and parameter.is_floating_point()
                and bool((parameter == parameter.flatten()[0]).all())
            ):
                if parameter.flatten()[0] == 0:
                    parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
                else:
                    parameter.copy_(uniform(parameter))
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(0.1 * torch.randn(buffer.shape, generator=generator))
            elif name.endswith("running_var"):
                buffer.copy_(uniform(buffer))
    return model.eval()


def torchvision_cases(*, whole: bool = False, most: int = 60_000_000) -> Iterator[Case]:
    """Yield torchvision's classification models: the smallest of each family, or all up to `most` parameters."""
    import torchvision

    families: dict[str, list[tuple[int, str]]] = {}
    for name in torchvision.models.list_models(module=torchvision.models):
        builder = torchvision.models.get_model_builder(name)
        weights = torchvision.models.get_model_weights(name)
        size = int(next(iter(weights)).meta["num_params"])
        families.setdefault(builder.__module__.rsplit(".", 1)[-1], []).append((size, name))
    for family, members in families.items():
        for size, name in sorted(members) if whole else sorted(members)[:1]:
            if size <= most or not whole:
                yield Case("torchvision", name, family, lambda name=name: _vision(_torchvision_model(name)))


def _torchvision_model(name: str) -> nn.Module:
    import torchvision

    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    if extra:
        extra["aux_logits"] = False
    return torchvision.models.get_model(name, weights=None, **extra)


def timm_cases(*, whole: bool = False, most: int = 60_000_000) -> Iterator[Case]:
    """Yield timm's models: one of each module, the smallest (timm.txt lists them), or all up to `most` parameters."""
    import timm

    if not whole:
        for line in (Path(__file__).parent / "timm.txt").read_text().splitlines():
            module, name = line.split()
            yield Case("timm", name, module, lambda name=name: _vision(timm.create_model(name, pretrained=False)))
        return
    for module in sorted(timm.list_modules()):
        for name in timm.list_models(module=module):
            try:
                with torch.device("meta"):
                    size = sum(p.numel() for p in timm.create_model(name, pretrained=False).parameters())
            except Exception:
                continue
            if size <= most:
                yield Case("timm", name, module, lambda name=name: _vision(timm.create_model(name, pretrained=False)))


def _vision(model: nn.Module) -> tuple[nn.Module, torch.Tensor]:
    """Return the model and the smallest image that it takes."""
    wake(model)
    size = getattr(model, "pretrained_cfg", {}).get("input_size", (3, 224, 224))
    for side in (64, 96, 128, 160, 224, 256, 299, size[-1]):
        image = torch.randn(1, size[0], side, side, generator=torch.Generator().manual_seed(1))
        try:
            with torch.no_grad():
                if all(torch.isfinite(t).all() for t in flat(model(image))):
                    return model, image
        except Exception:
            continue
    raise ValueError("no size of image runs")


def flat(output: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of an output."""
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, dict):
        for value in output.values():
            yield from flat(value)
    elif isinstance(output, tuple | list):
        for value in output:
            yield from flat(value)


_TINY: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "embed_dim", "model_dim", "emb_dim"), 32),
    **dict.fromkeys(("embedding_size", "word_embed_proj_dim", "d_embed", "hidden_dim"), 32),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads", "attention_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **dict.fromkeys(("head_dim", "d_kv", "d_head", "attention_head_size"), 8),
    **dict.fromkeys(("intermediate_size", "d_ff", "n_inner", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim"), 40),
    **dict.fromkeys(("ffn_hidden_size", "moe_intermediate_size", "shared_expert_intermediate_size"), 40),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_decoder_layers", "depth"), 2),
    **dict.fromkeys(("vocab_size",), 64),
    **dict.fromkeys(
        ("max_position_embeddings", "n_positions", "max_seq_len", "block_size", "max_source_positions"), 64
    ),
    **dict.fromkeys(("type_vocab_size",), 2),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "num_experts_per_token"), 2),
    **dict.fromkeys(("n_group", "topk_group"), 1),
    **dict.fromkeys(("image_size",), 32),
    **dict.fromkeys(("patch_size",), 8),
    **dict.fromkeys(("pad_token_id",), 0),
    **dict.fromkeys(("bos_token_id",), 1),
    **dict.fromkeys(("eos_token_id", "sep_token_id"), 2),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank"), 16),
    **dict.fromkeys(("qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"), 8),
}
_HEADS = (
    "MODEL_FOR_CAUSAL_LM_MAPPING",
    "MODEL_FOR_MASKED_LM_MAPPING",
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING",
    "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING",
    "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING",
    "MODEL_MAPPING",
)
_LABELLED = ("MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING", "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING")


def transformers_cases(*, whole: bool = False, most: int = 3_000_000) -> Iterator[Case]:
    """Yield one tiny model of every configuration type that one generic recipe builds and runs."""
    from transformers import CONFIG_MAPPING

    for kind in CONFIG_MAPPING:
        whole_model, labelled = (
            lambda kind=kind, heads=heads: _transformer(kind, most, heads) for heads in (_HEADS, _LABELLED)
        )
        yield Case("transformers", kind, kind, whole_model, labelled)


def _transformer(kind: str, most: int, heads: tuple[str, ...]) -> tuple[nn.Module, Any]:
    from transformers import CONFIG_MAPPING
    from transformers.models.auto import modeling_auto

    config_class = CONFIG_MAPPING[kind]
    known = config_class().to_dict()
    config = config_class(**{name: value for name, value in _TINY.items() if name in known})
    words = torch.randint(3, 60, (1, 7), generator=torch.Generator().manual_seed(1))
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    examples = [
        {"input_ids": words},
        {"input_ids": words, "decoder_input_ids": words},
        {"pixel_values": image},
    ]
    problems: list[str] = []
    for mapping in heads:
        model_class = getattr(modeling_auto, mapping).get(config_class, None)
        if isinstance(model_class, tuple):
            model_class = model_class[0]
        if model_class is None:
            continue
        with torch.device("meta"):
            size = sum(p.numel() for p in model_class(copy.deepcopy(config)).parameters())
        if size > most:
            problems.append(f"{size} parameters")
            continue
        torch.manual_seed(0)
        model = wake(model_class(copy.deepcopy(config)))
        for example in examples:
            try:
                with torch.no_grad():
                    out = list(flat(model(**example)))
                if out and all(bool(torch.isfinite(t).all()) for t in out if t.is_floating_point()):
                    return model, example
            except Exception as error:
                problems.append(f"{type(error).__name__}: {error}".splitlines()[0][:80])
    raise ValueError("; ".join(problems[:3]) or "no head")


CASES = {"torchvision": torchvision_cases, "timm": timm_cases, "transformers": transformers_cases}
