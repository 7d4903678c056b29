"""Layers that are not there yet: made from what a recipe can hold, with Keras's own layers alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from genewright.backends.keras.library import error_text, keras
from genewright.errors import SettingError
from genewright.names import did_you_mean


@dataclass(frozen=True)
class NewLayer:
    """A layer to be made.

    Attributes:
        spec: ``{"class_name": ..., "config": {...}}`` as Keras writes it.
        name: Its name.
        copied: The layer of the model whose weights it takes over, or "".
        dtype: The dtype policy that it has where its config names none: that of the layer beside it.
    """

    spec: dict[str, Any]
    name: str
    copied: str = ""
    dtype: str | None = None

    def make(self) -> Any:
        """Return the layer, not built yet.

        Raises:
            SettingError: Keras has no such layer, or its config is wrong.
        """
        config = {"dtype": self.dtype, **self.spec.get("config", {}), "name": self.name}
        spec = {"module": "keras.layers", "registered_name": None, **self.spec, "config": config}
        try:
            return keras.saving.deserialize_keras_object(spec)
        except Exception as error:
            name = str(self.spec.get("class_name"))
            known = [n for n in dir(keras.layers) if n[0].isupper()]
            hint = "" if name in known else f" {did_you_mean(name, known)}"
            raise SettingError(f"No layer can be made of {self.spec!r}: {error_text(error)}{hint}") from error


@dataclass(frozen=True)
class NewLayers:
    """Layers that work one after the other, or a gated path beside nothing: x + gate * layers(x).

    Attributes:
        layers: The layers.
        gate: The gate at first, or None for none.
        name: What the names of the gate and the sum begin with.
        dtype: Their dtype policy.
    """

    layers: tuple[NewLayer, ...]
    gate: float | None
    name: str
    dtype: str | None = None

    @functools.cached_property
    def chain(self) -> list[Any]:
        """The layers themselves: the same ones at every call of a shared layer."""
        return [layer.make() for layer in self.layers]

    def on(self, given: Any) -> Any:
        """Return what follows from `given`."""
        made = given
        for layer in self.chain:
            made = layer(made)
        if self.gate is None:
            return made
        if tuple(made.shape) != tuple(given.shape):
            raise SettingError(
                f"A gated layer has to return the shape of its input, {tuple(given.shape)}; it returns "
                f"{tuple(made.shape)}."
            )
        return added(given, made, self.gate, self.name, self.dtype)


@dataclass(frozen=True)
class Blend:
    """Another activation, blended in: old(x) + gate * (new(x) - old(x)).

    Attributes:
        old: The old activation, to be applied to what the layer returns; None where the layer itself is the activation.
        new: The new one.
        gate: The share of the new one at first; a trainable number for each channel.
        name: What the names of the new layers begin with.
    """

    old: NewLayer | None
    new: NewLayer
    gate: float
    name: str

    @property
    def layers(self) -> tuple[NewLayer, ...]:
        """The new layers with a name of their own."""
        return (self.new,) if self.old is None else (self.old, self.new)

    def on(self, given: Any, made: Any) -> Any:
        """Return what follows from a layer that received `given` and returned `made`."""
        old, x = (made, given) if self.old is None else (self.old.make()(made), made)
        dtype = self.new.dtype
        difference = keras.layers.Subtract(dtype=dtype, name=f"{self.name}_subtract")([self.new.make()(x), old])
        return added(old, difference, self.gate, self.name, dtype)


def added(made: Any, path: Any, gate: float, name: str, dtype: str | None) -> Any:
    """Return made + gate * path, with a trainable gate for each channel: two layers of Keras's own."""
    letters = "abcdefghijk"[: len(made.shape)]
    gated = keras.layers.EinsumDense(
        f"{letters},{letters[-1]}->{letters}",
        output_shape=tuple(made.shape[1:]),
        kernel_initializer=keras.initializers.Constant(gate),
        dtype=dtype,
        name=f"{name}_gate",
    )
    return keras.layers.Add(dtype=dtype, name=f"{name}_add")([made, gated(path)])
