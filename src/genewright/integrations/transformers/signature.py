"""The signature of a model, its shapes, layer classes and numbers, and the difference of two signatures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from genewright.backends.torch.tensors import named_layers

# Only training asks for these, and people set them by hand.
_TRAINING_ONLY = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


@dataclass(frozen=True, order=True)
class ConfigMismatch:
    """One number that a config gets wrong.

    Attributes:
        what: The tensor with its axis, or the layer's attribute, in words.
        built: What it is in a model built from the config.
        wanted: What it is in the mutant.
    """

    what: str
    built: Any
    wanted: Any


@dataclass(frozen=True)
class Signature:
    """What a model built from the right config has in common with the mutant.

    Attributes:
        shapes: The shape of every parameter and buffer.
        kinds: The class of every layer.
        numbers: Plain attributes of the layers, by layer and attribute.
    """

    shapes: dict[str, tuple[int, ...]]
    kinds: dict[str, type]
    numbers: dict[tuple[str, str], Any]

    @classmethod
    def of(cls, model: nn.Module) -> Signature:
        """Return the signature of a model, on the meta device or in memory."""
        layers = named_layers(model)
        return cls(
            shapes={name: tuple(tensor.shape) for name, tensor in _tensors(model).items()},
            kinds={name: type(module) for name, module in layers},
            numbers={
                (name, attribute): value
                for name, module in layers
                for attribute, value in vars(module).items()
                if not attribute.startswith("_") and _is_number(value) and not isinstance(module, _TRAINING_ONLY)
            },
        )


def structural_difference(mutant: Signature, built: Signature) -> str:
    """Name a tensor that only one of the two has, or a layer of another class; "" if there is none."""
    for mine, theirs in ((mutant.shapes, built.shapes), (built.shapes, mutant.shapes)):
        for name in mine:
            if name not in theirs:
                return f"tensor {name!r}"
    for name, kind in mutant.kinds.items():
        if built.kinds.get(name) is not kind:
            return f"layer {name!r} of class {kind.__name__}"
    return ""


def diff(
    mutant: Signature, built: Signature, original: Signature
) -> tuple[list[ConfigMismatch], list[tuple[str, str]]]:
    """Compare a mutant with a model built from a config.

    Args:
        mutant: The mutant's signature.
        built: That of the model built from the changed config.
        original: That of the model built from the config as it was.

    Returns:
        (mismatches, stale): the numbers that the config gets wrong; and the attributes (layer, name) that the changed
        config would set to another value, while the mutant still has the original one, because its forward pass never
        reads them.
    """
    mismatches = [
        ConfigMismatch(f"axis {axis} of {name!r}", made, wanted)
        for name, shape in mutant.shapes.items()
        for axis, (made, wanted) in enumerate(_paired(built.shapes[name], shape))
        if made != wanted
    ]
    stale: list[tuple[str, str]] = []
    for key, value in mutant.numbers.items():
        made = built.numbers.get(key, value)
        if made == value:
            continue
        if value == original.numbers.get(key):
            stale.append(key)
        else:
            mismatches.extend(_mismatches_of(key, made, value))
    return mismatches, stale


def _paired(made: tuple[int, ...], wanted: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    if len(made) != len(wanted):
        yield -1, len(wanted)
    else:
        yield from zip(made, wanted, strict=True)


def _mismatches_of(key: tuple[str, str], made: Any, wanted: Any) -> Iterator[ConfigMismatch]:
    name = ".".join(filter(None, key))
    if isinstance(made, tuple) and isinstance(wanted, tuple):
        entries = cast("tuple[Any, ...]", made), cast("tuple[Any, ...]", wanted)
        if len(entries[0]) == len(entries[1]):
            yield from (ConfigMismatch(name, a, b) for a, b in zip(*entries, strict=True) if a != b)
            return
    yield ConfigMismatch(name, made, wanted)


def _is_number(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_number(entry) for entry in cast("tuple[Any, ...]", value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    return {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }
