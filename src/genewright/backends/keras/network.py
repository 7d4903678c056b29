"""The read-only view of a Keras model."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends.files.keras_layout import fans_of, input_axis_of, role_of, unit_axis_of
from genewright.backends.keras.blueprint import made_by
from genewright.backends.keras.facts import facts_of
from genewright.backends.keras.initial import initial_of, initializer_of
from genewright.backends.keras.jacobian import KerasJacobian
from genewright.backends.keras.keras_structure import KerasStructure
from genewright.backends.keras.library import array_of, keras
from genewright.backends.keras.members import Member, layers_of, members_of
from genewright.backends.keras.new_layer_sizes import completed, spec_like
from genewright.backends.keras.observing import KerasObserver
from genewright.backends.keras.own_state import states_of
from genewright.edits import InsertLayer, ReplaceLayer, Rewire
from genewright.errors import UnknownNameError
from genewright.example import examples_of
from genewright.jacobian import Jacobian
from genewright.layer import Layer
from genewright.names import did_you_mean
from genewright.network import Network
from genewright.spec import Spec
from genewright.state import State
from genewright.structure import Call, Structure
from genewright.tensor import Initial, Tensor


class KerasNetwork(Network):
    """The tensors of a Keras model; names, shapes and bytes are the same on TensorFlow, JAX and torch.

    Attributes:
        members: The variables themselves, by first name.
    """

    def __init__(self, model: Any, example: Any = None) -> None:
        self.members = members_of(model)
        self._model, self._example = model, examples_of(example)[0]
        trainable = {id(variable) for variable in model.trainable_variables}
        self.tensors = {
            name: _tensor(name, member, trainable=id(member.variable) in trainable)
            for name, member in self.members.items()
        }

    @property
    def runs(self) -> bool:
        return self._example is not None

    def _trace(self) -> Structure:
        return KerasStructure(self._model, self._example)  # its graph says it, so that it needs no example

    def observe(self, chosen: Callable[[str], bool]) -> tuple[KerasObserver, Any]:
        if self._example is None:
            return super().observe(chosen)  # pyright: ignore[reportReturnType]  # it refuses
        return KerasObserver(self._model, chosen, self), self._example

    def _jacobian(self, names: Sequence[str]) -> Jacobian:
        if self._example is None:
            return super()._jacobian(names)  # it refuses
        return KerasJacobian(self._model, self._example, names)

    def _layers(self) -> dict[str, Layer]:
        return facts_of(self._model, self.tensors)

    @functools.cached_property
    def state(self) -> Mapping[str, State]:
        every = {"": self._model, **layers_of(self._model)}
        unique = {id(layer): (name, layer) for name, layer in reversed(every.items())}
        return {key: one for name, layer in unique.values() for key, one in states_of(name, layer).items()}

    def name_of(self, part: Any) -> str | None:
        if part is self._model:
            return ""
        for name, layer in layers_of(self._model).items():
            if layer is part:
                return name
        return next((name for name, member in self.members.items() if member.variable is part), None)

    def spec_like(self, layer: Any) -> Spec:
        return spec_like(layer) if isinstance(layer, keras.layers.Layer) else super().spec_like(layer)

    def completed(self, spec: Spec, call: Call, *, inserted: bool) -> Spec:
        return completed(spec, call, inserted=inserted)

    def blueprint(self, edit: InsertLayer | ReplaceLayer | Rewire) -> list[tuple[Tensor, Initial | None]]:
        found: list[tuple[Tensor, Initial | None]] = []
        structure = self.structure
        assert isinstance(structure, KerasStructure)  # `_trace` makes it
        for prefix, layer in made_by(edit, self._model, structure):
            for inner, member in members_of(layer).items():
                member.layer = f"{prefix}.{member.layer}" if member.layer else prefix
                tensor = _tensor(f"{prefix}.{inner}", member, trainable=member.is_parameter)
                found.append((tensor, initial_of(initializer_of(member.owner, member.attribute), tensor.shape)))
        return found

    def layer_object(self, name: str) -> Any:
        """Return the layer itself; "" is the model.

        Raises:
            UnknownNameError: There is none; the message has near names.
        """
        if not name:
            return self._model
        layers = layers_of(self._model)
        if name not in layers:
            raise UnknownNameError(f"No layer is called {name!r}. {did_you_mean(name, layers)}")
        return layers[name]

    def raw(self, name: str) -> memoryview:
        array = np.ascontiguousarray(array_of(self.members[name].variable))
        data: NDArray[Any] = array.reshape(-1).view(np.uint8)
        if sys.byteorder == "big":
            data = data.reshape(-1, array.dtype.itemsize)[:, ::-1].reshape(-1)
        return data.data

    def initial(self, name: str) -> Initial | None:
        member = self.members[name]
        return initial_of(initializer_of(member.owner, member.attribute), tuple(member.variable.shape))


def _tensor(name: str, member: Member, *, trainable: bool) -> Tensor:
    shape = tuple(int(size) for size in member.variable.shape)
    role = role_of(member.attribute, shape, is_parameter=member.is_parameter)
    fan_in, fan_out = fans_of(shape) if role in ("kernel", "recurrent_kernel", "embedding") else (None, None)
    unit_axis = unit_axis_of(_classes(member.owner), member.attribute, role, shape)
    dtype = str(keras.backend.standardize_dtype(member.variable.value.dtype))
    return Tensor(
        name=name,
        shape=shape,
        dtype=dtype,
        role=role,
        layer=member.layer,
        layer_type=type(member.owner).__name__,
        trainable=trainable,
        aliases=tuple(member.names[1:]),
        unit_axis=unit_axis,
        input_axis=input_axis_of(role, unit_axis, shape),
        fan_in=fan_in,
        fan_out=fan_out,
        nbytes=_width(dtype) * int(np.prod(shape, dtype=np.int64)),
    )


def _classes(owner: Any) -> list[str]:
    return [cls.__name__ for cls in type(owner).__mro__]


def _width(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else 1 if dtype.startswith("float8") else np.dtype(dtype).itemsize
