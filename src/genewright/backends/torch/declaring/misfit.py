"""In what a model differs from the sketch that its config makes: shapes of tensors, numbers that layers hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from genewright.backends.torch.tensors import named_layers

_PLAIN = (int, float, str, type(None))
# Only training asks for these, and people set them by hand.
_TRAINING_ONLY = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


@dataclass(frozen=True, order=True)
class Misfit:
    """One number that a config gets wrong.

    Attributes:
        what: The tensor with its axis, or the layer's attribute, in words.
        made: What the config makes of it.
        wanted: What it is in the model.
    """

    what: str
    made: Any
    wanted: Any


@dataclass(frozen=True)
class Account:
    """What a model holds, as a sketch of it would hold it too.

    Attributes:
        shapes: The shape of every parameter and buffer.
        kinds: The class of every layer.
        numbers: Plain attributes of the layers, by layer and attribute.
    """

    shapes: dict[str, tuple[int, ...]]
    kinds: dict[str, type]
    numbers: dict[tuple[str, str], Any]

    @classmethod
    def of(cls, model: nn.Module) -> Account:
        """Return the account of a model, or of a sketch."""
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


def strangers(account: Account, sketched: Account) -> str:
    """Return what one of the two has and the other has not, layers of another class included; "" if nothing."""
    for mine, theirs in ((account.shapes, sketched.shapes), (sketched.shapes, account.shapes)):
        for name in mine:
            if name not in theirs:
                return f"tensor {name!r}"
    for name, kind in account.kinds.items():
        if sketched.kinds.get(name) is not kind:
            return f"layer {name!r} of class {kind.__name__}"
    return ""


def misfits(account: Account, sketched: Account, first: Account) -> tuple[list[Misfit], list[tuple[str, str]]]:
    """Compare a model with what a config makes.

    Args:
        account: The model.
        sketched: What the config makes.
        first: What the config made before it was changed.

    Returns:
        (hard, soft): what differs; and the attributes that a config would change and the model has not followed,
        because nothing in its forward pass asks for them.
    """
    hard = [
        Misfit(f"axis {axis} of {name!r}", made, wanted)
        for name, shape in account.shapes.items()
        for axis, (made, wanted) in enumerate(_paired(sketched.shapes[name], shape))
        if made != wanted
    ]
    soft: list[tuple[str, str]] = []
    for key, value in account.numbers.items():
        made = sketched.numbers.get(key, value)
        if made == value:
            continue
        if value == first.numbers.get(key):
            soft.append(key)
        else:
            hard.extend(_in_parts(key, made, value))
    return hard, soft


def _paired(made: tuple[int, ...], wanted: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    if len(made) != len(wanted):
        yield -1, len(wanted)
    else:
        yield from zip(made, wanted, strict=True)


def _in_parts(key: tuple[str, str], made: Any, wanted: Any) -> Iterator[Misfit]:
    name = ".".join(filter(None, key))
    if isinstance(made, tuple) and isinstance(wanted, tuple):
        entries = cast("tuple[Any, ...]", made), cast("tuple[Any, ...]", wanted)
        if len(entries[0]) == len(entries[1]):
            yield from (Misfit(name, a, b) for a, b in zip(*entries, strict=True) if a != b)
            return
    yield Misfit(name, made, wanted)


def _is_number(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_number(entry) for entry in cast("tuple[Any, ...]", value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    return {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }
