"""The read-only view of a torch module."""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from genewright.backends.torch.facts import facts_of
from genewright.backends.torch.initial import initial_of
from genewright.backends.torch.jacobian import TorchJacobian
from genewright.backends.torch.memory import InPlace, lies_in_order
from genewright.backends.torch.new_layer_sizes import completed, spec_like
from genewright.backends.torch.observing import TorchObserver
from genewright.backends.torch.restructure.blueprint import new_layer
from genewright.backends.torch.roles import (
    groups_of,
    input_axis_of,
    is_transposed_linear,
    owning_layer,
    role_of,
    unit_axis_of,
)
from genewright.backends.torch.sharding import is_sharded, whole
from genewright.backends.torch.state import states_of
from genewright.backends.torch.structure import TorchStructure
from genewright.backends.torch.tensors import Member, inventory_of, members_of, stable_name, unwrapped
from genewright.edits import InsertLayer, ReplaceLayer, Rewire
from genewright.errors import ExampleError
from genewright.example import examples_of
from genewright.jacobian import Jacobian
from genewright.layer import Layer
from genewright.network import Network
from genewright.spec import Spec
from genewright.state import State
from genewright.structure import Call, Structure
from genewright.tensor import FLOATS, Initial, Tensor, fans


class TorchNetwork(Network):
    """The tensors of a torch module.

    Attributes:
        members: The tensors themselves, by first name.
    """

    def __init__(self, model: nn.Module, example: Any = None) -> None:
        self.members, self._whole = inventory_of(model)
        self.tensors = {name: _tensor(name, member) for name, member in self.members.items()}
        self._in_place: dict[str, InPlace] = {}
        self._model = model
        self._example, *self._others = examples_of(example)

    @property
    def runs(self) -> bool:
        return self._example is not None

    def _trace(self) -> Structure:
        if self._example is None:
            raise ExampleError(self.unseen)
        return TorchStructure(unwrapped(self._model), self._example, self._others)

    def observe(self, chosen: Callable[[str], bool]) -> tuple[TorchObserver, Any]:
        if self._example is None:
            return super().observe(chosen)  # pyright: ignore[reportReturnType]  # it refuses
        return TorchObserver(self._model, chosen, lambda: self.structure.widths.knobs()), self._example

    def _jacobian(self, names: Sequence[str]) -> Jacobian:
        if self._example is None:
            return super()._jacobian(names)  # it refuses
        return TorchJacobian(self._model, self._example, names)

    def _layers(self) -> dict[str, Layer]:
        tensors = {name for member in self.members.values() for name in member.names}
        model = unwrapped(self._model)
        every = cast("Iterable[tuple[str, nn.Module]]", model.named_modules(remove_duplicate=False))
        places: dict[int, list[tuple[str, nn.Module]]] = {}
        for name, module in every:
            places.setdefault(id(module), []).append((stable_name(name), module))
        found = (
            facts_of(name, module, tensors, tuple(other for other, _ in others))
            for (name, module), *others in places.values()
        )
        return {layer.name: layer for layer in found}

    def name_of(self, part: Any) -> str | None:
        model = unwrapped(self._model)
        if part is self._model:
            return ""
        for name, module in cast("Iterable[tuple[str, nn.Module]]", model.named_modules()):
            if module is part:
                return stable_name(name)
        return next((name for name, member in self.members.items() if any(part is one for one in member.same)), None)

    def spec_like(self, layer: Any) -> Spec:
        return spec_like(layer) if isinstance(layer, nn.Module) else super().spec_like(layer)

    def completed(self, spec: Spec, call: Call, *, inserted: bool) -> Spec:
        return completed(spec, call, inserted=inserted)

    def blueprint(self, edit: InsertLayer | ReplaceLayer | Rewire) -> list[tuple[Tensor, Initial | None]]:
        model = unwrapped(self._model)
        name, layer = new_layer(edit, model)
        prefix = f"{name}." if name else ""
        return [
            (
                _renamed(prefix, _tensor(inner, member)),
                initial_of(member.owner, member.attribute, tuple(member.tensor.shape)),
            )
            for inner, member in members_of(layer).items()
        ]

    @functools.cached_property
    def state(self) -> Mapping[str, State]:
        return {} if self._whole else states_of(self._model)

    def refresh(self, member: Member) -> None:
        """Look again at one tensor whose shape has changed."""
        name = member.names[0]
        self.tensors = {**self.tensors, name: _tensor(name, member)}
        self._in_place.pop(name, None)

    def in_place(self, name: str) -> InPlace | None:
        """Return a tensor's elements where they lie; None where they are not whole and in order in main memory.

        A step reads and writes them several times, so they are looked up once.
        """
        held = self.members[name].tensor
        known = self._in_place.get(name)
        if known is None or not known.belongs_to(held):
            if is_sharded(held) or not lies_in_order(held):
                return None
            known = self._in_place[name] = InPlace(held.detach())
        return known

    def raw(self, name: str) -> memoryview:
        in_place = self.in_place(name) if self.tensors[name].dtype in FLOATS else None  # NumPy lacks some others
        if in_place is None:
            tensor = whole(self.members[name].tensor)
            tensor = tensor.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
            data: NDArray[Any] = tensor.view(torch.uint8).numpy()
        else:
            data = in_place.elements().view(np.uint8)
        if sys.byteorder == "big":
            width = self.members[name].tensor.element_size()
            data = data.reshape(-1, width)[:, ::-1].reshape(-1)
        return data.data

    def initial(self, name: str) -> Initial | None:
        member = self.members[name]
        return initial_of(member.owner, member.attribute, tuple(member.tensor.shape))


def _tensor(name: str, member: Member) -> Tensor:
    owner, held, names = member.owner, member.tensor, member.names
    layer, attribute = owning_layer(member)
    names = names if name == names[0] else (name, *names[1:])
    groups, is_parameter, trainable = groups_of(owner), member.is_parameter, member.trainable
    told = _told(names, type(owner), attribute, groups, layer, is_parameter, trainable, held.shape, held.dtype)
    return dataclasses.replace(told, shares=member.shares) if member.shares else told


@functools.lru_cache(maxsize=4096)  # models of one form, and one model again and again, have the same tensors
def _told(
    names: tuple[str, ...],
    kind: type[nn.Module],
    attribute: str,
    groups: int,
    layer: str,
    is_parameter: bool,
    trainable: bool,
    shape: tuple[int, ...],
    dtype: torch.dtype,
) -> Tensor:
    shape = tuple(shape)  # torch's own class, until here: its hash is the same
    role = role_of(kind, attribute, shape, is_parameter=is_parameter)
    fan_in, fan_out = fans(shape) if role in ("kernel", "recurrent_kernel", "embedding") else (None, None)
    if is_transposed_linear(kind):
        fan_in, fan_out = fan_out, fan_in
    unit_axis = unit_axis_of(kind, role, shape, groups=groups)
    return Tensor(
        name=names[0],
        shape=shape,
        dtype=str(dtype).removeprefix("torch."),
        role=role,
        layer=layer,
        layer_type=kind.__name__,
        trainable=trainable,
        aliases=names[1:],
        unit_axis=unit_axis,
        input_axis=input_axis_of(role, unit_axis, shape),
        fan_in=fan_in,
        fan_out=fan_out,
        nbytes=math.prod(shape) * dtype.itemsize,
    )


def _renamed(prefix: str, tensor: Tensor) -> Tensor:
    """Return a tensor of a layer under its name in the whole model."""
    layer = (prefix + tensor.layer).rstrip(".")
    aliases = tuple(prefix + alias for alias in tensor.aliases)
    return dataclasses.replace(tensor, name=prefix + tensor.name, layer=layer, aliases=aliases)
