"""The tensors of a torch module under stable names: which are one (tied), and which cannot be handled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

import torch
from torch import nn
from torch.nn.parameter import UninitializedTensorMixin  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]  # __all__ leaves it out

from genewright.backends.torch.overlaps import overlaps_itself, refuse_overlaps
from genewright.backends.torch.sharding import memory_of, ready, sharding_module
from genewright.errors import UnsupportedError
from genewright.tensor import in_order


class Member(NamedTuple):
    """A tensor of a module with all its names.

    A tied tensor goes by the first of its names (`in_order`), so that its noise depends neither on the order in which
    the module lists them nor on whether it was read from a file.

    Attributes:
        tensor: The parameter or buffer itself.
        names: Its names in state-dict form, the one that it goes by first.
        same: The tensor objects under those names, each once: usually one, more where objects share memory.
        owner: The module that holds it under its first name.
        attribute: Its name there.
        layer: The owner's name.
        is_parameter: A parameter, not a buffer.
        trainable: A parameter that is frozen under none of its names.
    """

    tensor: torch.Tensor
    owner: nn.Module
    attribute: str
    layer: str
    is_parameter: bool
    trainable: bool
    names: tuple[str, ...]
    same: tuple[torch.Tensor, ...]


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the module inside a compiled module, or the module itself."""
    held = model._modules  # pyright: ignore[reportPrivateUsage]  # asked for as an attribute, a missing name is slow
    if "_orig_mod" not in held:
        return model
    inner = held["_orig_mod"]
    return model if inner is None else inner


def stable_name(name: str) -> str:
    """Drop what torch.compile puts into names, so that a compiled module has its own names."""
    return name.replace("_orig_mod.", "")


def named_layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return every sub-module once, under its first name, the model itself first."""
    return list(cast(Iterable[tuple[str, nn.Module]], model.named_modules()))


def members_of(model: nn.Module) -> dict[str, Member]:
    """Return parameters, then persistent buffers, by (first) name; tied ones once.

    Quantised, sparse and expanded ones are not among them (`left_alone`, `state.states_of`).

    Raises:
        UnsupportedError: A tensor is lazy, meta, or overlaps another; it is named.
    """
    every = [one for one in _walk(model) if left_alone(one.tensor) is None]
    storages: set[int] = set()
    for one in every:
        held = memory_of(one.tensor)
        _refuse_unreadable(one.names[0], one.tensor)
        storages.add(held.untyped_storage().data_ptr())
    if len(storages) == len(every):  # each lies in a storage of its own: none is tied
        return {one.names[0]: one for one in every}
    tied: dict[int | tuple[Any, ...], list[Member]] = {}
    for one in every:
        tied.setdefault(_identity(memory_of(one.tensor)), []).append(one)
    members = [ones[0] if len(ones) == 1 else _joined(ones) for ones in tied.values()]
    places = [identity[:2] for identity in tied if isinstance(identity, tuple)]
    if len(set(places)) < len(places):  # several lie in one storage: are they apart there?
        refuse_overlaps((member.names[0], memory_of(member.tensor)) for member in members)
    return {member.names[0]: member for member in members}


def _joined(ones: list[Member]) -> Member:
    """Make one of the occurrences of a tied tensor; a parameter's names come before a buffer's."""
    place = {name: place for place, name in enumerate(in_order(one.names[0] for one in ones))}
    ordered = sorted(ones, key=lambda one: (not one.is_parameter, place[one.names[0]]))
    return ordered[0]._replace(
        trainable=all(one.trainable for one in ones if one.is_parameter) and ordered[0].is_parameter,
        names=tuple(one.names[0] for one in ordered),
        same=tuple({id(one.tensor): one.tensor for one in ordered}.values()),
    )


def _walk(model: nn.Module) -> Iterator[Member]:
    layers: dict[str, nn.Module] = {}
    every = cast(Iterable[tuple[str, nn.Module]], model.named_modules(remove_duplicate=False))
    fsdp = sharding_module()
    for prefix, module in every:
        if fsdp is not None:
            ready(module, prefix, fsdp)
        name = stable_name(f"{prefix}.").rstrip(".") if "_orig_mod" in prefix else prefix
        layers.setdefault(name, unwrapped(module))
    for is_parameter in (True, False):
        for layer, module in layers.items():
            # the registries themselves: named_parameters and state_dict hide ties and owners
            held = module._parameters if is_parameter else module._buffers  # pyright: ignore[reportPrivateUsage]
            if not held:
                continue
            unsaved = module._non_persistent_buffers_set  # pyright: ignore[reportPrivateUsage]
            for attribute, tensor in held.items():
                if tensor is None or (not is_parameter and attribute in unsaved):
                    continue
                name = f"{layer}.{attribute}" if layer else attribute
                trainable = is_parameter and tensor.requires_grad
                yield Member(tensor, module, attribute, layer, is_parameter, trainable, (name,), (tensor,))


def _identity(tensor: torch.Tensor) -> int | tuple[Any, ...]:
    """Return a key that tensors share when they are the same elements of the same memory; its storage comes first."""
    if tensor.numel() == 0:
        return id(tensor)
    place = (tensor.device, tensor.untyped_storage().data_ptr(), tensor.storage_offset())
    return (*place, tensor.shape, tensor.stride(), tensor.dtype)


def left_alone(tensor: torch.Tensor) -> tuple[str, str] | None:
    """Return why no operator can change a tensor, and what to do about it; None for any other tensor."""
    if isinstance(tensor, UninitializedTensorMixin) or tensor.is_meta:
        return None  # refused altogether
    if tensor.is_quantized:
        return f"is quantised ({tensor.dtype})", "Mutate the model before quantising it."
    if tensor.layout != torch.strided:
        return f"has the layout {tensor.layout}", "Convert it: tensor.to_dense()."
    if overlaps_itself(memory_of(tensor)):
        return (
            "is expanded: several of its elements are one place in memory",
            "Give it memory of its own: nn.Parameter(p.detach().clone(memory_format=torch.contiguous_format)).",
        )
    return None


def layers_under_stable_names(model: nn.Module) -> dict[str, nn.Module]:
    """Return every sub-module under each of its names, compiled ones looked through."""
    layers: dict[str, nn.Module] = {}
    for prefix, module in cast(Iterable[tuple[str, nn.Module]], model.named_modules(remove_duplicate=False)):
        layers.setdefault(stable_name(f"{prefix}.").rstrip("."), unwrapped(module))
    return layers


def _refuse_unreadable(name: str, tensor: torch.Tensor) -> None:
    if isinstance(tensor, UninitializedTensorMixin):
        raise UnsupportedError(f"{name!r} is lazy: it has no shape yet. Run one forward pass first.")
    if tensor.is_meta:
        raise UnsupportedError(
            f"{name!r} is on the meta device: it has no values. Materialise the model first "
            "(model.to_empty(device='cpu'), then load_state_dict)."
        )
