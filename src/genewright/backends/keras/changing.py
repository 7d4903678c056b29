"""Edits of single Keras layers: another activation, a larger window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from genewright.activations import is_activation
from genewright.backends.keras.library import keras
from genewright.backends.keras.members import layers_of
from genewright.edit import Edit, Reindex, ReplaceLayer, SetAttribute, Structural
from genewright.errors import SettingError, UnsupportedError
from genewright.names import did_you_mean, snake_case
from genewright.network import Tensor
from genewright.spec import Spec


def activations_of(model: Any) -> dict[str, str]:
    """Return the layers with an activation: layers that are one, and layers whose config has one that does anything."""
    found: dict[str, str] = {}
    for name, layer in layers_of(model).items():
        kind = type(layer).__name__
        function = getattr(layer, "activation", None)
        if isinstance(layer, keras.layers.Activation) or _has_one(layer):
            found[name] = str(getattr(function, "__name__", type(function).__name__))
        elif is_activation(kind):
            found[name] = kind
    return {name: kind for name, kind in found.items() if kind != "linear"}


def with_activation(layer: Any, name: str, to: Spec, blend: float | None) -> Structural:
    """Return the edit of `Network.with_activation`.

    Raises:
        SettingError: Keras has no such activation.
        UnsupportedError: A blend is asked for.
    """
    if blend is not None:
        raise UnsupportedError(
            f"ReplaceActivation: a blend is not there for Keras ({name!r}). Leave blend out: the activation is "
            "replaced at once, which changes the function."
        )
    if isinstance(to, Mapping):
        if _has_one(layer) and not isinstance(layer, keras.layers.Activation):
            raise UnsupportedError(
                f"ReplaceActivation: {name!r} has its activation in its config, where only a name fits, such as 'gelu'."
            )
        return ReplaceLayer(layer=name, new=to)
    known = _known(to)
    if _has_one(layer) and not isinstance(layer, keras.layers.Activation):
        return SetAttribute(layer=name, attribute="activation", value=known)
    return ReplaceLayer(layer=name, new={"class_name": "Activation", "config": {"activation": known}})


def grown_kernel(layer: Any, name: str, tensors: Mapping[str, Tensor], by: int) -> list[Edit]:
    """Return the edits of `Network.grown_kernel`.

    Raises:
        UnsupportedError: The layer is no convolution with padding="same".
    """
    kernel = next((t for k in ("kernel", "depthwise_kernel") if (t := tensors.get(f"{name}.{k}")) is not None), None)
    sizes = tuple(getattr(layer, "kernel_size", ()))
    if kernel is None or not sizes or kernel.shape[: len(sizes)] != sizes or "Transpose" in type(layer).__name__:
        raise UnsupportedError(f"GrowKernel: {name!r} is a {type(layer).__name__}, not a convolution with a window.")
    if layer.padding != "same":
        raise UnsupportedError(
            f"GrowKernel: {name!r} has padding={layer.padding!r}, so a larger window would return fewer places. It "
            "works on convolutions with padding='same'. Nothing has been changed."
        )
    return list(_grown(kernel.name, name, sizes, by))


def _grown(kernel: str, layer: str, sizes: tuple[int, ...], by: int) -> Iterator[Edit]:
    yield SetAttribute(layer=layer, attribute="kernel_size", value=[size + by for size in sizes])
    for axis, size in enumerate(sizes):
        around = (-1,) * (by // 2)
        yield Reindex(tensor=kernel, axis=axis, index=(*around, *range(size), *around))


def _has_one(layer: Any) -> bool:
    own = "activation" in layer.get_config() if hasattr(layer, "activation") else False
    return own and not isinstance(layer, keras.layers.RNN)


def _known(name: str) -> str:
    for spelled in (name, name.lower(), snake_case(name)):
        if callable(getattr(keras.activations, spelled, None)):
            return spelled
    names = [n for n in dir(keras.activations) if not n.startswith("_")]
    raise SettingError(f"ReplaceActivation: Keras has no activation {name!r}. {did_you_mean(name.lower(), names)}")
