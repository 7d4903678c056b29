"""New layers said by an example of one, and the sizes of new layers that follow from where they come to stand."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import nn

from genewright.backends.torch.kinds import HOLDERS, KINDS
from genewright.errors import SettingError
from genewright.references import said
from genewright.spec import Spec
from genewright.structure import Call

_RECEIVED = ("in_features", "in_channels", "input_size")
_RETURNED = ("out_features", "out_channels")
_KEPT = ("num_features", "num_channels", "normalized_shape", "embed_dim", "d_model", "hidden_size")
_SKIPPED = ("device", "dtype", "inplace", "args", "kwargs")
_WINDOW = 3


def spec_like(layer: nn.Module) -> Spec:
    """Return the specification of a layer: its kind, and the settings that its constructor would have to get.

    What cannot be read off is found out by making the layer again: both must print the same and have the same shapes.

    Raises:
        SettingError: It is of no kind of torch.nn that a recipe may make, or it cannot be read off.

    Example:
        >>> spec_like(nn.Conv2d(3, 8, 5, bias=False))
        {'layer': 'Conv2d', 'in_channels': 3, 'out_channels': 8, 'kernel_size': [5, 5], 'bias': False}
    """
    kind = type(layer).__name__
    if KINDS.get(kind.lower()) is not type(layer):
        raise SettingError(
            f"A {kind} is no layer of torch.nn that a recipe may make. A copy of a layer of the model is "
            "{'copy': 'its name'}."
        )
    if isinstance(layer, nn.Sequential):
        return {"layer": kind, "layers": [spec_like(part) for part in layer]}
    settings = {} if kind.lower() in HOLDERS else dict(_read_off(layer))
    try:
        with torch.device("meta"):
            again = type(layer)(**{name: _tuples(value) for name, value in settings.items()})
    except Exception:  # whatever its constructor wants
        again = None
    if again is None or repr(again) != repr(layer) or _shapes(again) != _shapes(layer):
        raise SettingError(
            f"The settings of {said(layer)} cannot be read off it. Write {{'layer': '{kind}', ...}} with the settings "
            f"that nn.{kind}(...) takes."
        )
    return {"layer": kind, **settings}


def completed(spec: Spec, call: Call, *, inserted: bool) -> Spec:
    """Return a specification of a layer with the sizes that follow from its place.

    Args:
        spec: The specification.
        call: The layer behind which the new one comes to stand, or in whose place.
        inserted: It comes behind, and returns what it receives.
    """
    if isinstance(spec, str):
        kind, given = spec, dict[str, Any]()
    elif isinstance(spec, Mapping) and isinstance(spec.get("layer"), str) and "layers" not in spec:
        given = {key: value for key, value in spec.items() if key != "layer"}
        kind = str(spec["layer"])
    else:
        return spec
    cls = KINDS.get(kind.lower())
    if cls is None or kind.lower() in HOLDERS:
        return spec
    needed = [p.name for p in inspect.signature(cls).parameters.values() if p.default is p.empty]
    received = call.output_shape if inserted else call.input_shape
    found: dict[str, Any] = {}
    axis = call.depth_axis
    for name in needed:
        if name in given:
            continue
        if name in (*_RECEIVED, *_KEPT) and axis < len(received):
            found[name] = received[axis]
        elif name in _RETURNED and axis < len(call.output_shape):
            found[name] = call.output_shape[axis]
        elif name == "kernel_size" and kind.lower() in ("conv1d", "conv2d", "conv3d"):
            found[name] = _WINDOW
    window = found.get("kernel_size", given.get("kernel_size"))
    if "conv" in kind.lower() and inserted and not given.keys() & {"padding", "stride"} and window not in (None, 1):
        found["padding"] = "same"
    return {"layer": cls.__name__, **given, **found} if found else spec


def _read_off(layer: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield the settings that are kept as attributes, where they are not the defaults."""
    for parameter in inspect.signature(type(layer)).parameters.values():
        name = parameter.name
        if name in _SKIPPED or not hasattr(layer, name):
            continue
        value = getattr(layer, name)
        if name == "bias":
            value = value if isinstance(value, bool) else value is not None
        if isinstance(value, torch.Tensor | nn.Module) or callable(value):
            continue
        if name == "num_parameters" and value == 1:
            continue
        plain: Any = list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
        if not _is_default(value, parameter.default):
            yield name, plain


def _is_default(value: Any, default: Any) -> bool:
    """Whether a value is what the constructor makes of its default: (0, 0) of 0."""
    many = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else ()
    return value == default or (bool(many) and not isinstance(default, tuple) and all(v == default for v in many))


def _tuples(value: Any) -> Any:
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def _shapes(layer: nn.Module) -> dict[str, tuple[int, ...]]:
    held = (layer.named_parameters(), layer.named_buffers())
    return {name: tuple(tensor.shape) for named in held for name, tensor in named}
