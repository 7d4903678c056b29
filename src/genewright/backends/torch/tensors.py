"""The tensors of a torch module under stable names: which are one (tied), and which cannot be handled."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import UninitializedTensorMixin  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]  # __all__ leaves it out

from genewright.errors import UnsupportedError


@dataclass(frozen=True, kw_only=True)
class Member:
    """A tensor of a module with all its names.

    A tied tensor goes by the alphabetically first of its names, so that its noise depends neither on the order in which
    the module lists them nor on whether it was read from a file.

    Attributes:
        tensor: The parameter or buffer itself.
        names: Its names in state-dict form, in alphabetical order.
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
    inner = getattr(model, "_orig_mod", None)
    return inner if isinstance(inner, nn.Module) else model


def stable_name(name: str) -> str:
    """Drop what torch.compile puts into names, so that a compiled module has its own names."""
    return name.replace("_orig_mod.", "")


def members_of(model: nn.Module) -> dict[str, Member]:
    """Return parameters, then persistent buffers, by (first) name; tied ones once.

    Raises:
        UnsupportedError: A tensor is lazy, meta, quantised, sparse, expanded, or overlaps another; it is named.
    """
    tied: dict[object, list[Member]] = {}
    for one in _walk(model):
        _refuse_unreadable(one.names[0], one.tensor)
        tied.setdefault(_identity(one.tensor), []).append(one)
    members = [_joined(ones) for ones in tied.values()]
    _refuse_overlaps(members)
    return {member.names[0]: member for member in members}


def _joined(ones: list[Member]) -> Member:
    """Make one of the occurrences of a tied tensor; a parameter's names come before a buffer's."""
    ordered = sorted(ones, key=lambda one: (not one.is_parameter, one.names))
    return dataclasses.replace(
        ordered[0],
        trainable=all(one.trainable for one in ones if one.is_parameter) and ordered[0].is_parameter,
        names=tuple(one.names[0] for one in ordered),
        same=tuple({id(one.tensor): one.tensor for one in ordered}.values()),
    )


def _walk(model: nn.Module) -> Iterator[Member]:
    layers: dict[str, nn.Module] = {}
    every = cast(Iterable[tuple[str, nn.Module]], model.named_modules(remove_duplicate=False))
    for prefix, module in every:
        layers.setdefault(stable_name(f"{prefix}.").rstrip("."), unwrapped(module))
    for is_parameter in (True, False):
        for layer, module in layers.items():
            # the registries themselves: named_parameters and state_dict hide ties and owners
            held = module._parameters if is_parameter else module._buffers  # pyright: ignore[reportPrivateUsage]
            unsaved = module._non_persistent_buffers_set  # pyright: ignore[reportPrivateUsage]
            for attribute, tensor in held.items():
                if tensor is None or (not is_parameter and attribute in unsaved):
                    continue
                yield Member(
                    tensor=tensor,
                    owner=module,
                    attribute=attribute,
                    layer=layer,
                    is_parameter=is_parameter,
                    trainable=is_parameter and tensor.requires_grad,
                    names=(f"{layer}.{attribute}" if layer else attribute,),
                    same=(tensor,),
                )


def _identity(tensor: torch.Tensor) -> object:
    """Return a key that tensors share when they are the same elements of the same memory."""
    if tensor.numel() == 0:
        return id(tensor)
    place = (tensor.device, tensor.untyped_storage().data_ptr(), tensor.storage_offset())
    return (*place, tensor.shape, tensor.stride(), tensor.dtype)


def _refuse_unreadable(name: str, tensor: torch.Tensor) -> None:
    if isinstance(tensor, UninitializedTensorMixin):
        raise UnsupportedError(f"{name!r} is lazy: it has no shape yet. Run one forward pass first.")
    if tensor.is_meta:
        raise UnsupportedError(
            f"{name!r} is on the meta device: it has no values. Materialise the model first "
            "(model.to_empty(device='cpu'), then load_state_dict)."
        )
    if tensor.is_quantized:
        raise UnsupportedError(f"{name!r} is quantised ({tensor.dtype}). Mutate the model before quantising it.")
    if tensor.layout != torch.strided:
        raise UnsupportedError(f"{name!r} has the layout {tensor.layout}. Convert it: tensor.to_dense().")
    if _overlaps_itself(tensor):
        raise UnsupportedError(
            f"{name!r} is expanded: several of its elements are one place in memory. Give it memory of its own: "
            "nn.Parameter(p.detach().clone(memory_format=torch.contiguous_format))."
        )


def _overlaps_itself(tensor: torch.Tensor) -> bool:
    """Whether two elements of a tensor lie in one place."""
    axes = sorted((stride, size) for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1)
    if not tensor.numel() or not axes:
        return False
    reach = 0
    for stride, size in axes:
        if stride <= reach:
            break
        reach += (size - 1) * stride
    else:
        return False  # each axis steps over all that the smaller ones reach
    places = np.zeros(1, np.int64)
    for stride, size in axes:
        places = (places[:, None] + np.arange(size) * stride).reshape(-1)
    return len(np.unique(places)) < tensor.numel()


def _refuse_overlaps(members: Iterable[Member]) -> None:
    """Refuse different tensors that share elements: a change to one would change the other."""
    by_storage: dict[object, list[Member]] = {}
    for member in members:
        if member.tensor.numel():
            key = (member.tensor.device, member.tensor.untyped_storage().data_ptr())
            by_storage.setdefault(key, []).append(member)
    for sharing in by_storage.values():
        if len(sharing) < 2 or not _spans_overlap(sharing):
            continue
        first = sharing[0].tensor
        owners = np.zeros(first.untyped_storage().nbytes(), np.int32)
        for number, member in enumerate(sharing, start=1):
            tensor, width = member.tensor, member.tensor.element_size()
            used = np.lib.stride_tricks.as_strided(
                owners[tensor.storage_offset() * width :],
                (*tensor.shape, width),
                tuple(4 * stride for stride in (*(stride * width for stride in tensor.stride()), 1)),
            )
            if used.any():
                other = sharing[int(used.max()) - 1]
                raise UnsupportedError(
                    f"{other.names[0]!r} and {member.names[0]!r} are different views that share memory. "
                    "Give each memory of its own (clone), or make them one parameter."
                )
            used[...] = number


def _spans_overlap(sharing: list[Member]) -> bool:
    spans = sorted((s.storage_offset() * s.element_size(), _end(s)) for s in (m.tensor for m in sharing))
    return any(start < end for (_, end), (start, _) in itertools.pairwise(spans))


def _end(tensor: torch.Tensor) -> int:
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return int(tensor.storage_offset() + last + 1) * tensor.element_size()
