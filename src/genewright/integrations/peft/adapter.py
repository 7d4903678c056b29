"""A mutant by noise of low rank as a LoRA adapter: what PEFT adds to the base is what the mutation added.

The form is PEFT's: a folder with adapter_config.json and adapter_model.safetensors, in which the tensors of a layer are
called base_model.model.<layer>.lora_A.weight and so on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.tensors import named_layers, unwrapped
from genewright.edits import Edit, Map, Perturb
from genewright.edits.functions.add_low_rank import AddLowRank
from genewright.edits.map import Given
from genewright.errors import FileError, RecipeError, UnsupportedError
from genewright.fingerprint import fingerprint_of
from genewright.integrations.peft.lora_layer import is_transposed, lora_tensors
from genewright.recipe import Recipe
from genewright.seeding import Noise
from genewright.step import Step
from genewright.storage import Overwrite, write_atomically

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."


def save_adapter(
    model: nn.Module, recipe: Recipe, path: Path, metadata: Mapping[str, str], *, overwrite: Overwrite
) -> None:
    """Write what a recipe adds to its base as a LoRA adapter.

    Args:
        model: The mutant.
        recipe: How it was made.
        path: The folder.
        metadata: Texts for the file of weights.
        overwrite: As in `gw.save`.

    Raises:
        RecipeError: The model is not what its recipe made.
        UnsupportedError: The recipe adds something else than products of low rank and biases; it is named.
        FileError: The folder cannot be written.
    """
    network = TorchNetwork(model)
    if recipe.steps[-1].result != fingerprint_of(network) or any(step.trained_from for step in recipe.steps):
        raise RecipeError(
            "The model has changed since its last mutation, or between two, and an adapter holds mutations alone. "
            "Write gw.save(mutant, 'mutant.safetensors')."
        )
    factors: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    biases: dict[str, None] = {}
    for step in recipe.steps:
        for edit in _edits(step, network):
            name = network.tensor(edit.tensor).name
            if isinstance(edit, Map):
                factors.setdefault(name, []).append(_factors(edit, step, network))
            else:
                biases[name] = None
    layers = dict(named_layers(unwrapped(model)))
    tensors: dict[str, torch.Tensor] = {}
    ranks: dict[str, int] = {}
    for name, pairs in factors.items():
        left, right = (torch.cat(ones, dim=1) for ones in zip(*pairs, strict=True))
        for place in network.members[name].names:
            layer, _, attribute = place.rpartition(".")
            if attribute != "weight":
                raise UnsupportedError(
                    f"A LoRA adapter changes what its layer calls 'weight', and {place!r} is none. Leave it out of the "
                    f'mutation: where=("*", "!{place}").'
                )
            made = lora_tensors(layer, layers[layer], left, right)
            tensors |= {f"{_PREFIX}{layer}.{end}": one.clone() for end, one in made.items()}
            ranks[layer] = left.shape[1]
    for name in biases:
        layer, _, attribute = name.rpartition(".")
        held = f"{layer}.base_layer.{attribute}" if layer in ranks else name
        tensors[_PREFIX + held] = network.members[name].tensor.detach().cpu().contiguous()
    config = _config(model, ranks, transposed=any(is_transposed(layers[one]) for one in ranks), biases=bool(biases))
    _write(path, config, save(tensors, dict(metadata)), overwrite)


def _edits(step: Step, network: TorchNetwork) -> list[Map | Perturb]:
    """Return what a step added, where an adapter can hold it.

    Raises:
        UnsupportedError: It cannot.
    """
    edits: list[Edit] = list(step.edits)
    if not edits:
        edits = list(step.operator.propose((network,), Noise(step.seed, step.path, step.operator.name)))
    good: list[Map | Perturb] = []
    for edit in edits:
        low_rank = isinstance(edit, Map) and isinstance(edit.function, AddLowRank) and not edit.part
        bias = isinstance(edit, Perturb) and edit.tensor.rpartition(".")[2] == "bias"
        if not (isinstance(edit, Map | Perturb) and (low_rank or bias)):
            what = getattr(edit, "tensor", type(edit).__name__)
            raise UnsupportedError(
                f"A LoRA adapter holds products of low rank and biases, and {step.name!r} changed {what!r} otherwise. "
                'Mutate by gw.LowRankNoise(where=gw.where(roles=("kernel", "embedding"))), or write '
                "gw.save(mutant, 'mutant.safetensors')."
            )
        good.append(edit)
    return good


def _factors(edit: Map, step: Step, network: TorchNetwork) -> tuple[torch.Tensor, torch.Tensor]:
    """Return c A and B, in float32."""
    assert isinstance(edit.function, AddLowRank)
    assert edit.stream is not None
    tensor = network.tensor(edit.tensor)
    stream = Noise(step.seed, step.path, step.operator.name).stream(edit.stream)
    given = Given(tensor.dtype, edit.part, stream, tensor.name, tensor.shape)
    left, right = edit.function.factors(given)
    return torch.as_tensor(edit.function.factor(left.dtype) * left).float(), torch.as_tensor(right).float()


def _config(model: Any, ranks: Mapping[str, int], *, transposed: bool, biases: bool) -> dict[str, Any]:
    if not ranks:
        raise UnsupportedError("The recipe has no noise of low rank, so there is nothing that an adapter could hold.")
    usual = next(iter(ranks.values()))
    others = {f"^{re.escape(name)}$": rank for name, rank in ranks.items() if rank != usual}
    base = getattr(getattr(unwrapped(model), "config", None), "_name_or_path", None)
    return {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": base or None,
        "target_modules": f"({'|'.join(map(re.escape, ranks))})",
        "r": usual,
        "lora_alpha": usual,  # what PEFT multiplies by is alpha / r = 1
        "rank_pattern": others,
        "alpha_pattern": others,
        "lora_dropout": 0.0,
        "bias": "all" if biases else "none",
        "fan_in_fan_out": transposed,
        "inference_mode": True,
    }


def _write(path: Path, config: Mapping[str, Any], weights: bytes, overwrite: Overwrite) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{path}: the adapter's folder cannot be made ({error.strerror}).") from error
    taken = [name for name in (CONFIG, WEIGHTS) if (path / name).exists()]
    if taken and not overwrite:
        raise FileError(f"{path / taken[0]} exists. Write gw.save(..., overwrite=True) to replace it.")
    write_atomically(path / WEIGHTS, [weights], overwrite=overwrite)
    write_atomically(path / CONFIG, [json.dumps(config, indent=2).encode()], overwrite=overwrite)
