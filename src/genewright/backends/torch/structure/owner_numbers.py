"""Numbers that the run does not read, and other methods do: a classifier's number of features, a table of channels.

What follows a width is said by more than its value: a name that means a width, where only this one of what the owner
computes has that size, or the features that the model's last layers read; or a table's entry that names the layer.
Every other number of the old value is named, and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from genewright.backends.torch.attribute_paths import is_settings
from genewright.backends.torch.integrations import integrations
from genewright.backends.torch.structure.propagation import Propagation
from genewright.widths.axes import Leaf, leaves, resized, size_of
from genewright.widths.knob import Attribute, Knob
from genewright.widths.reasons import Cause

_WIDTH = re.compile(
    r"(n|num)_?(hid(den)?|units?|channels?|feat(ure)?s?|filters|embd?|neurons)|nhid|d_(model|hidden|inner|ff)"
    r"|(hid(den)?|emb(ed(ding)?)?|feature|head_hidden|model|inner|ff|mlp|state|cell|lstm|gru|rnn)_"
    r"(size|dim|units|channels|features|width)"
)
_FEATURES = re.compile(r"(n|num)_?feat(ure)?s|head_hidden_size|feature_dim|feat_dim")
_HEADS = re.compile(r"(n|num)_?(attention_|attn_)?heads?")
_OF_ALL_HEADS = re.compile(r"inner_(dim|size)|all_head_size")
_SMALLEST_TOLD = 3  # numbers below are too common to say anything
_LIBRARIES = ("torch.", "transformers.")  # their rules and configs say what follows


@dataclass(frozen=True)
class OwnerNumbers:
    """Numbers of a module that have the size of a width.

    Attributes:
        follow: Those that mean it.
        stay: Names of those of which nothing says what they mean.
    """

    follow: tuple[Attribute, ...] = ()
    stay: tuple[str, ...] = ()


def owner_numbers(
    reading: Propagation, knobs: Sequence[Knob], every: Sequence[Knob], new: int, taken: Sequence[Attribute]
) -> OwnerNumbers:
    """Return the numbers of old size in all that computes with some widths.

    Args:
        reading: What a run said.
        knobs: The widths that change together; all have one size.
        every: All widths of the module.
        new: Their new size.
        taken: Attributes that follow already.
    """
    changing, old = {knob.leaf for knob in knobs}, knobs[0].size
    known = {(attribute.layer, attribute.path) for attribute in taken}
    heads = [one for one in _head_numbers(reading, knobs, new) if (one.layer, one.path) not in known]
    if old < _SMALLEST_TOLD:
        return OwnerNumbers(tuple(heads))
    last = _is_read_last(knobs, every)
    known |= {(attribute.layer, attribute.path) for attribute in heads}
    follow = list(heads)
    stay: list[str] = []
    for path, axes in reading.touched.items():
        owner = reading.layers[path]
        if type(owner).__module__.startswith(_LIBRARIES):
            continue
        alike = {leaf for axis in axes for leaf in leaves(axis) if leaf.size == old}
        if alike.isdisjoint(changing):
            continue
        for name, layer in _numbers(owner, old):
            if (path, name) in known:
                continue
            word = name.rpartition(".")[2]
            if layer is not None:
                if _writes(reading, f"{path}.{layer}".lstrip("."), changing, old):
                    follow.append(Attribute(path, name, old, new))
            elif (last and _FEATURES.fullmatch(word)) or (alike <= changing and _WIDTH.fullmatch(word)):
                follow.append(Attribute(path, name, old, new))
            else:
                stay.append(f"{path}.{name}".lstrip("."))
    return OwnerNumbers(tuple(follow), tuple(stay))


def _head_numbers(reading: Propagation, knobs: Sequence[Knob], new: int) -> Iterator[Attribute]:
    """Yield the numbers by which an attention says how many heads it has, and how many units these have together.

    Their names say what they mean, so that small numbers follow too, and those of transformers' own modules: its code
    asks the shapes where it computes, and leaves them for whoever reads them.
    """
    sizes = {knob.leaf: new for knob in knobs}
    heads = {knob.leaf for knob in knobs if knob.kind == "heads"}
    if not heads and not any(knob.kind == "head size" for knob in knobs):
        return
    for path, axes in reading.touched.items():
        together = {size_of(axis): resized(axis, sizes) for axis in axes if any(leaf in sizes for leaf in leaves(axis))}
        inside = any(leaf in heads for axis in axes for leaf in leaves(axis))
        for name, value in vars(reading.layers[path]).items() if together else ():
            if type(value) is not int:
                continue
            if inside and value == knobs[0].size and _HEADS.fullmatch(name):
                yield Attribute(path, name, value, new)
            elif _OF_ALL_HEADS.fullmatch(name) and together.get(value, value) != value:
                yield Attribute(path, name, value, together[value])


def _is_read_last(knobs: Sequence[Knob], every: Sequence[Knob]) -> bool:
    """Whether these are the features that the layers read whose widths are the model's outputs."""
    heads = {layer for knob in every for layer in knob.layers if any(r.cause is Cause.OUTPUT for r in knob.pins)}
    return any(place.layer in heads and "reader" in place.roles for knob in knobs for place in knob.places)


def _writes(reading: Propagation, layer: str, changing: set[Leaf], size: int) -> bool:
    """Whether a layer returns one of the widths, whole."""
    axes = reading.returned.get(layer, ())
    return any(size_of(axis) == size and not changing.isdisjoint(leaves(axis)) for axis in axes)


def _numbers(owner: nn.Module, size: int) -> Iterator[tuple[str, str | None]]:
    """Yield the paths of an owner's numbers of one size; of a table's entry with the layer that it is about."""
    for name, value in vars(owner).items():
        if name.startswith("_") or name == "training":
            continue
        if _is(value, size):
            yield name, None
        elif isinstance(value, list | tuple):
            for position, entry in enumerate(cast("list[Any]", value)):
                if isinstance(entry, dict):
                    about = cast("dict[Any, Any]", entry)
                    layer = next((about[key] for key in ("module", "layer", "name") if key in about), None)
                    for key, number in about.items():
                        if _is(number, size) and isinstance(layer, str):
                            yield f"{name}.{position}.{key}", layer
        elif _is_config(cast(object, value)):
            held = cast("Mapping[str, Any]", vars(value))
            yield from ((f"{name}.{key}", None) for key, number in held.items() if _is(number, size))


def _is(value: Any, size: int) -> bool:
    return type(value) is int and value == size


def _is_config(value: Any) -> bool:
    """Whether a value is an object of settings that no integration knows."""
    return (
        not isinstance(value, nn.Module)
        and hasattr(value, "__dict__")
        and not any(one.is_config(value) for one in integrations())
        and is_settings(value)
    )
