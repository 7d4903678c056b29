"""Network: the read-only view of a model that operators see, the same for every framework."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast, final

import numpy as np
from numpy.typing import NDArray

from genewright.cost import Cost
from genewright.edits import InsertLayer, ReplaceLayer, Rewire
from genewright.elements import decoded
from genewright.errors import ExampleError, SettingError, UnknownNameError, UnsupportedError
from genewright.jacobian import Jacobian
from genewright.layer import Kind, Layer
from genewright.names import did_you_mean
from genewright.observation import Observer
from genewright.spec import Spec
from genewright.state import State
from genewright.structure import Call, Structure
from genewright.tensor import Initial, Tensor

NO_EXAMPLE = (
    "This operator has to see the model run once. Give a sample input, example=x, as in "
    "gw.mutate(model, operator, seed=246, example=x)."
)
_NO_MACS = "Multiplications are counted while the model runs on a sample input: gw.cost(model, x)."


class Network(ABC):
    """A read-only view of a model's tensors, in the order in which the model lists them.

    Attributes:
        tensors: Every tensor by its (first) name; parameters, then buffers.
        unseen: What to say where the model would have to be run and cannot be.
    """

    unseen: ClassVar[str] = NO_EXAMPLE

    tensors: Mapping[str, Tensor]
    _structure: Structure | None = None
    _differentiated: bool = False
    _first: list[Structure] | None = None
    _is_first: bool = True

    @property
    def structure(self) -> Structure:
        """How the model computes, seen while it ran once on the example; recorded at the first use.

        Raises:
            ExampleError: No example was given, or a checkpoint cannot be run.
        """
        if self._structure is None:
            remembers = self._first is not None and self._is_first
            self._structure = self._first[0] if remembers and self._first else self._trace()
            if remembers and not self._first:
                cast("list[Structure]", self._first).append(self._structure)
        return self._structure

    @property
    def runs(self) -> bool:
        """Whether there is something to see the model run on."""
        return False

    @property
    def traced(self) -> bool:
        """Whether somebody has asked how the model computes."""
        return self._structure is not None or self._differentiated

    @final
    def forget_structure(self) -> None:
        """Values have changed: what one run showed of the model no longer holds."""
        self._structure = None
        self._differentiated = False
        self._is_first = False

    @final
    def look_again(self) -> None:
        """The values are the first ones: nobody has asked how the model computes, and who asks gets what was seen.

        For whoever changes a model and takes it back, again and again, and looks at it through one view.
        """
        self.forget_structure()
        self._first = [] if self._first is None else self._first
        self._is_first = True

    @final
    def jacobian(self, names: Sequence[str]) -> Jacobian:
        """Return products with the derivatives of the model's first output by some tensors, on the example.

        Args:
            names: The tensors' names.

        Raises:
            ExampleError: No example was given, or a checkpoint cannot be run.
            UnsupportedError: The output has no gradients.
        """
        self._differentiated = True
        return self._jacobian(names)

    def _jacobian(self, names: Sequence[str]) -> Jacobian:
        """Return what `jacobian` does."""
        raise ExampleError(self.unseen)

    def _trace(self) -> Structure:
        """Return how the model computes; `structure` asks once."""
        raise ExampleError(self.unseen)

    def observe(self, chosen: Callable[[str], bool]) -> tuple[Observer, Any]:
        """Return what shows the units of chosen layers while the model runs, and the example that it is to run on.

        Raises:
            ExampleError: No example was given, or a checkpoint cannot be run.
        """
        raise ExampleError(self.unseen)

    @final
    def cost(self) -> Cost:
        """Return what the network takes; MACs only where there is an example to count them on."""
        tensors = self.tensors.values()
        macs: dict[str, int] | None = None
        note = ""
        try:
            macs = self.structure.macs()
        except ExampleError:
            note = _NO_MACS if self.unseen is NO_EXAMPLE else self.unseen
        except UnsupportedError as error:
            note = str(error)
        return Cost(
            parameters=sum(tensor.size for tensor in tensors if tensor.role not in ("statistic", "buffer")),
            macs=None if macs is None else sum(macs.values()),
            bytes=sum(tensor.nbytes for tensor in tensors),
            macs_by_layer=macs or {},
            note=note,
        )

    @functools.cached_property
    def state(self) -> Mapping[str, State]:
        """What the model computes with that no operator changes, by name: it is counted and saved, and left alone."""
        return {}

    @functools.cached_property
    def layers(self) -> Mapping[str, Layer]:
        """What is known of every layer, those without tensors included, by the layer's name."""
        return self._layers()

    @final
    def layer(self, name: str) -> Layer:
        """Return what is known of one layer, by any of its names.

        Raises:
            UnknownNameError: There is none; the message lists near names.
        """
        if name in self.layers:
            return self.layers[name]
        for layer in self.layers.values():
            if name in layer.aliases:
                return layer
        raise UnknownNameError(f"No layer is called {name!r}. {did_you_mean(name, self.layers)}")

    def _layers(self) -> dict[str, Layer]:
        """Return what the tensors alone tell of the layers."""
        return {name: _told_by(name, tensors) for name, tensors in self.tensors_by_layer().items()}

    def name_of(self, part: Any) -> str | None:
        """Return the name of a layer or tensor of the model, "" of the model itself; None where it is not its own."""
        return None

    def spec_like(self, layer: Any) -> Spec:
        """Return the specification of a new layer of the kind and with the settings of `layer`, without its weights.

        Raises:
            SettingError: It is of no kind that a recipe may make, or its settings cannot be read off it.
        """
        raise SettingError(f"A {type(layer).__name__} is no layer that this kind of model can take. Give the model.")

    def completed(self, spec: Spec, call: Call, *, inserted: bool) -> Spec:
        """Return a specification with the sizes that follow from where the new layer comes to stand.

        Args:
            spec: The specification, in which sizes may be missing.
            call: The layer behind which it comes to stand, or in whose place.
            inserted: It comes behind, and has to return what it receives; else it takes the layer's place.
        """
        return spec

    def blueprint(self, edit: InsertLayer | ReplaceLayer | Rewire) -> list[tuple[Tensor, Initial | None]]:
        """Return the tensors of the layer that an edit would make, under the names that they would have.

        With each comes how its kind of layer draws it at first, or None where that is not known.

        Raises:
            GenewrightError: The edit makes no layer here; the reason is named.
        """
        raise SettingError("A checkpoint has no layers, so none can be added. Give the model.")

    @final
    def read(self, name: str) -> NDArray[np.generic]:
        """Return the values, shape as in `tensors[name].shape`, read-only.

        float16 and bfloat16 are returned as float32, which holds them exactly; every other dtype as it is.
        """
        tensor = self.tensors[name]
        stored = np.dtype("<u2" if tensor.dtype == "bfloat16" else tensor.dtype).newbyteorder("<")
        flat = np.frombuffer(self.raw(name), stored) if tensor.nbytes else np.zeros(0, stored)
        array = decoded(flat, tensor.dtype).reshape(tensor.shape)
        array.flags.writeable = False
        return array

    @abstractmethod
    def raw(self, name: str) -> memoryview:
        """Return the bytes in row-major order, little-endian."""

    @abstractmethod
    def initial(self, name: str) -> Initial | None:
        """Return how the tensor's own layer initialises it, or None where that is not known."""

    @final
    def tensor(self, name: str) -> Tensor:
        """Return the tensor called `name`, by any of its names.

        Raises:
            UnknownNameError: There is none; the message lists near names.
        """
        if name in self.tensors:
            return self.tensors[name]
        for tensor in self.tensors.values():
            if name in tensor.aliases:
                return tensor
        raise UnknownNameError(f"No tensor is called {name!r}. {did_you_mean(name, self.tensors)}")

    @final
    def tensors_by_layer(self) -> dict[str, list[Tensor]]:
        """Return the tensors of every layer that owns some."""
        owned: dict[str, list[Tensor]] = {}
        for tensor in self.tensors.values():
            owned.setdefault(tensor.layer, []).append(tensor)
        return owned


def _told_by(name: str, tensors: list[Tensor]) -> Layer:
    roles = {tensor.role: tensor for tensor in reversed(tensors)}
    kernel = next((roles[role].name for role in ("kernel", "embedding", "norm_weight") if role in roles), None)
    bias = next((roles[role].name for role in ("bias", "norm_bias") if role in roles), None)
    kind: Kind = "other"
    if "embedding" in roles:
        kind = "embedding"
    elif "recurrent_kernel" in roles:
        kind = "recurrent"
    elif "norm_weight" in roles:
        kind = "norm"
    return Layer(name=name, class_name=tensors[0].layer_type, kind=kind, kernel=kernel, bias=bias)
