"""The tensors of a torch module under stable names: which are one (tied), and which cannot be handled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import torch
from torch import nn
from torch.nn.parameter import UninitializedTensorMixin  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]  # __all__ leaves it out

from genewright.backends.torch.overlaps import overlaps, overlaps_itself
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
        shares: Names of other buffers that have some of its elements in them.
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
    shares: tuple[str, ...] = ()


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
        UnsupportedError: A tensor is lazy or meta; it is named.
    """
    return inventory_of(model).members


class Inventory(NamedTuple):
    """What one walk through a module finds.

    Attributes:
        members: Its tensors (`members_of`).
        whole: Nothing is in its state dict besides, as far as tensors and the layers' classes can tell.
    """

    members: dict[str, Member]
    whole: bool


def inventory_of(model: nn.Module) -> Inventory:
    """Return a module's tensors, and whether there may be other state: looked for only where this says so.

    Raises:
        UnsupportedError: As `members_of`.
    """
    every: list[Member] = []
    storages: set[int] = set()
    kinds: set[type[nn.Module]] = set()
    whole = True
    for one in _walk(model, kinds):
        held = one.tensor
        usual = type(held) in _USUAL and held.layout is _STRIDED and held.is_contiguous()
        if not usual or held.is_meta or held.is_quantized:  # else it lies in rows: nothing more has to be asked
            _refuse_unreadable(one.names[0], held)
            if left_alone(held) is not None:
                whole = False
                continue
            held = memory_of(held)
        every.append(one)
        storages.add(held.untyped_storage().data_ptr())
    whole = whole and not any(map(saves_more, kinds))
    apart = len(storages) == len(every)  # each lies in a storage of its own: none is tied
    return Inventory({one.names[0]: one for one in every} if apart else _tied(every), whole)


def saves_more(kind: Any) -> bool:
    """Whether modules of a class may save other state than parameters and buffers."""
    base: Any = nn.Module
    return kind._save_to_state_dict is not base._save_to_state_dict or kind.get_extra_state is not base.get_extra_state


def _tied(every: list[Member]) -> dict[str, Member]:
    tied: dict[int | tuple[Any, ...], list[Member]] = {}
    for one in every:
        tied.setdefault(_identity(memory_of(one.tensor)), []).append(one)
    members = [ones[0] if len(ones) == 1 else _joined(ones) for ones in tied.values()]
    places = [identity[:2] for identity in tied if isinstance(identity, tuple)]
    if len(set(places)) < len(places):  # several lie in one storage: are they apart there?
        members = _sharing(members)
    return {member.names[0]: member for member in members}


def _sharing(members: list[Member]) -> list[Member]:
    """Note which tensors are views that overlap: no operator changes one, and they are in nobody else's way."""
    shares: dict[str, list[str]] = {}
    for one, other in overlaps((member.names[0], memory_of(member.tensor)) for member in members):
        shares.setdefault(one, []).append(other)
        shares.setdefault(other, []).append(one)
    return [member._replace(shares=tuple(shares.get(member.names[0], ()))) for member in members]


def _joined(ones: list[Member]) -> Member:
    """Make one of the occurrences of a tied tensor; a parameter's names come before a buffer's."""
    place = {name: place for place, name in enumerate(in_order(one.names[0] for one in ones))}
    ordered = sorted(ones, key=lambda one: (not one.is_parameter, place[one.names[0]]))
    return ordered[0]._replace(
        trainable=all(one.trainable for one in ones if one.is_parameter) and ordered[0].is_parameter,
        names=tuple(one.names[0] for one in ordered),
        same=tuple({id(one.tensor): one.tensor for one in ordered}.values()),
    )


def _walk(model: nn.Module, kinds: set[type[nn.Module]]) -> list[Member]:
    """Return every occurrence of a tensor, parameters first, and note the classes of layers.

    It reads the registries themselves: named_parameters and state_dict hide ties and owners.
    """
    layers: dict[str, nn.Module] = {}
    fsdp = sharding_module()
    places: list[tuple[str, nn.Module]] = [("", model)]
    _places("", model, places)
    for prefix, module in places:
        if fsdp is not None:
            ready(module, prefix, fsdp)
        if "_orig_mod" in module._modules or "_orig_mod" in prefix:  # pyright: ignore[reportPrivateUsage]
            layers.setdefault(stable_name(f"{prefix}.").rstrip("."), unwrapped(module))
        else:
            layers.setdefault(prefix, module)
    parameters: list[Member] = []
    buffers: list[Member] = []
    for layer, module in layers.items():
        kinds.add(type(module))
        prefix = f"{layer}." if layer else ""
        if held := module._parameters:  # pyright: ignore[reportPrivateUsage]
            for attribute, tensor in held.items():
                if tensor is not None:
                    names = (prefix + attribute,)
                    parameters.append(
                        Member(tensor, module, attribute, layer, True, tensor.requires_grad, names, (tensor,))
                    )
        if kept := module._buffers:  # pyright: ignore[reportPrivateUsage]
            unsaved = module._non_persistent_buffers_set  # pyright: ignore[reportPrivateUsage]
            for attribute, tensor in kept.items():
                if tensor is not None and attribute not in unsaved:
                    buffers.append(
                        Member(tensor, module, attribute, layer, False, False, (prefix + attribute,), (tensor,))
                    )
    return parameters + buffers


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


def _places(name: str, module: nn.Module, found: list[tuple[str, nn.Module]]) -> None:
    """Add all modules within a module, under each of their names: in a third of the time of `named_modules`."""
    prefix = f"{name}." if name else ""
    for child, held in module._modules.items():  # pyright: ignore[reportPrivateUsage]
        if held is not None:
            found.append((prefix + child, held))
            if held._modules:  # pyright: ignore[reportPrivateUsage]
                _places(prefix + child, held, found)


def layers_under_stable_names(model: nn.Module) -> dict[str, nn.Module]:
    """Return every sub-module under each of its names, compiled ones looked through."""
    layers: dict[str, nn.Module] = {}
    for prefix, module in cast(Iterable[tuple[str, nn.Module]], model.named_modules(remove_duplicate=False)):
        layers.setdefault(stable_name(f"{prefix}.").rstrip("."), unwrapped(module))
    return layers


_USUAL = (nn.Parameter, torch.Tensor)
_STRIDED = torch.strided


def _refuse_unreadable(name: str, tensor: torch.Tensor) -> None:
    if isinstance(tensor, UninitializedTensorMixin):
        raise UnsupportedError(f"{name!r} is lazy: it has no shape yet. Run one forward pass first.")
    if tensor.is_meta:
        raise UnsupportedError(
            f"{name!r} is on the meta device: it has no values. Materialise the model first "
            "(model.to_empty(device='cpu'), then load_state_dict)."
        )
