"""Network: the read-only view of a model that operators see, the same for every framework."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.edits import Edit, InsertLayer, ReplaceLayer, Rewire
from genewright.errors import ExampleError, SettingError, UnknownNameError, UnsupportedError
from genewright.names import did_you_mean
from genewright.spec import Spec, is_activation
from genewright.structure import Structure
from genewright.tensor import Initial, Tensor

NO_EXAMPLE = (
    "This operator has to see the model run once. Give a sample input: gw.mutate(model, operator, seed=246, example=x)."
)


class Network(ABC):
    """A read-only view of a model's tensors, in the order in which the model lists them.

    Attributes:
        tensors: Every tensor by its (first) name; parameters, then buffers.
    """

    tensors: Mapping[str, Tensor]

    @property
    def structure(self) -> Structure:
        """How the model computes, seen while it ran once on the example; recorded at the first use.

        Raises:
            ExampleError: No example was given, or a checkpoint cannot be run.
        """
        raise ExampleError(NO_EXAMPLE)

    @property
    def traced(self) -> bool:
        """Whether somebody has asked how the model computes."""
        return False

    def forget_structure(self) -> None:  # noqa: B027  # a checkpoint has none
        """Values have changed: what one run showed of the model no longer holds."""

    def kinds(self) -> dict[str, str]:
        """Return the class name of every layer, those without tensors included, by the layer's name."""
        return {tensor.layer: tensor.layer_type for tensor in self.tensors.values()}

    def activations(self) -> dict[str, str]:
        """Return the layers that have an activation function that can be replaced, each with that one's name."""
        every = self.kinds()
        holders = {name.rpartition(".")[0] for name in every}
        return {n: kind for n, kind in every.items() if n and n not in holders and is_activation(kind)}

    def with_activation(self, layer: str, to: Spec, blend: float | None) -> list[Edit]:
        """Return the edits that give a layer another activation, at once or blended in from the old one."""
        new = to if blend is None else {"layer": "Blend", "layers": [{"copy": layer}, to], "blend": float(blend)}
        return [ReplaceLayer(layer=layer, new=new)]

    def grown_kernel(self, layer: str, by: int) -> list[Edit]:
        """Return the edits that enlarge a convolution's window by zeros all around, and its padding with it.

        Args:
            layer: The convolution.
            by: By how many positions the window grows along each axis: an even number, half on each side.

        Raises:
            UnknownNameError: There is no such layer.
            UnsupportedError: The layer is no convolution whose window can grow; the reason is named.
        """
        raise UnsupportedError("A checkpoint has no layers, so no window can grow. Give the model.")

    def attribute(self, layer: str, path: str) -> Any:
        """Return an attribute of a layer, by a dotted path.

        Raises:
            UnknownNameError: There is no such layer or attribute; the message lists near names.
        """
        raise SettingError("A checkpoint has no layers with attributes. Give the model.")

    def blueprint(self, edit: InsertLayer | ReplaceLayer | Rewire) -> list[tuple[Tensor, Initial | None]]:
        """Return the tensors of the layer that an edit would make, under the names that they would have.

        With each comes how its kind of layer draws it at first, or None where that is not known.

        Raises:
            GenewrightError: The edit makes no layer here; the reason is named.
        """
        raise SettingError("A checkpoint has no layers, so none can be added. Give the model.")

    @abstractmethod
    def read(self, name: str) -> NDArray[np.generic]:
        """Return the values, shape as in `tensors[name].shape`, read-only.

        float16 and bfloat16 are returned as float32, which holds them exactly; every other dtype as it is.
        """

    @abstractmethod
    def raw(self, name: str) -> memoryview:
        """Return the bytes in row-major order, little-endian."""

    @abstractmethod
    def initial(self, name: str) -> Initial | None:
        """Return how the tensor's own layer initialises it, or None where that is not known."""

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

    def layers(self) -> dict[str, list[Tensor]]:
        """Return the tensors of every layer that owns some."""
        owned: dict[str, list[Tensor]] = {}
        for tensor in self.tensors.values():
            owned.setdefault(tensor.layer, []).append(tensor)
        return owned
