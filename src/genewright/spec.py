"""Spec: a new layer as JSON can hold it, in neutral words as operators write it or in a framework's as users may."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from genewright.errors import SettingError
from genewright.names import did_you_mean
from genewright.references import Prototype, Reference, is_layer, is_layer_class

NewKind = Literal["identity", "linear", "convolution", "zero_padding", "activation", "copy", "chain", "gated", "blend"]
_KINDS: tuple[str, ...] = NewKind.__args__
_NEEDS: dict[str, tuple[str, ...]] = {
    "linear": ("inputs", "outputs"),
    "convolution": ("inputs", "outputs", "window"),
    "zero_padding": ("padding",),
    "activation": ("activation",),
    "copy": ("copy",),
    "chain": ("layers",),
    "gated": ("layers",),
    "blend": ("layers", "gate"),
}
_MOST_AXES = 8  # of a window
_MOST_UNITS = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class LayerSpec:
    """A new layer in words that hold for every framework; each framework has a translator.

    Attributes:
        kind: "identity", "linear", "convolution", "zero_padding" around an image, "activation", a "copy" of a layer of
            the same model with its weights, a "chain" of layers, "gated" (x + gate * layer(x), with a trainable gate),
            or a "blend" of two activations, old(x) + gate * (new(x) - old(x)).
        inputs: How many features or channels it receives.
        outputs: How many it returns.
        window: The window of a convolution, one length for each axis.
        stride: The window's step along each axis; () is 1.
        padding: Zeros on both sides of each axis, or "same" for as many as keep the size (at stride 1); () is none.
        channels: Where images have their channels: "first" (behind the batch) or "last".
        bias: Whether a linear layer or convolution has one.
        activation: Which activation function: "relu", "gelu", ...
        copy: The layer that it is a copy of.
        gate: The gate at first; a copy with one starts as x + gate * copy(x).
        layers: The layers of a chain, the one that is gated, or the old and the new one of a blend.

    Raises:
        SettingError: A field is missing or of the wrong kind.

    Example:
        >>> LayerSpec(kind="linear", inputs=8, outputs=4).to_json()
        {'kind': 'linear', 'inputs': 8, 'outputs': 4}
    """

    kind: NewKind
    inputs: int | None = None
    outputs: int | None = None
    window: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] | Literal["same"] = ()
    channels: Literal["first", "last"] = "first"
    bias: bool = True
    activation: str | None = None
    copy: str | None = None
    gate: float | None = None
    layers: tuple[Spec, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise SettingError(f"No new layer is of kind {self.kind!r}. {did_you_mean(str(self.kind), _KINDS)}")
        for name, (fits, expected) in _FIELDS.items():
            if not fits(getattr(self, name)):
                raise SettingError(
                    f"A new {self.kind}: {name} is {expected}; received {str(getattr(self, name))[:80]!r}."
                )
        for name in _NEEDS.get(self.kind, ()):
            if getattr(self, name) in (None, ()):
                raise SettingError(f"A new {self.kind} needs {name}: {_FIELDS[name][1]}.")
        if len(self.layers) != {"gated": 1, "blend": 2}.get(self.kind, len(self.layers)):
            raise SettingError(f"A {self.kind} holds {'one layer' if self.kind == 'gated' else 'two layers'}.")
        object.__setattr__(self, "layers", tuple(as_spec(f"A {self.kind}", layer) for layer in self.layers))

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are not as by default."""
        form: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.default is dataclasses.MISSING or value != field.default:
                form[field.name] = list(cast("tuple[int, ...]", value)) if isinstance(value, tuple) else value
        if self.layers:
            form["layers"] = [spec_to_json(layer) for layer in self.layers]
        return form

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> LayerSpec:
        """Read what `to_json` wrote.

        Raises:
            SettingError: It is damaged; the message says where.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for key in form:
            if key not in known:
                raise SettingError(f"A new layer has no {str(key)[:80]!r}. {did_you_mean(str(key), known)}")
        held: dict[str, Any] = {key: _as_tuple(value) for key, value in form.items()}
        return cls(**held)

    def words(self) -> str:
        """Say what the layer is.

        >>> LayerSpec(kind="convolution", inputs=3, outputs=8, window=(3, 3), padding="same").words()
        'a convolution of 3x3 from 3 to 8 channels'
        """
        inner = ", ".join(in_words(layer) for layer in self.layers)
        size = "x".join(map(str, self.window))
        match self.kind:
            case "linear":
                return f"a linear layer from {self.inputs} to {self.outputs} features"
            case "convolution":
                step = "" if all(s == 1 for s in self.stride) else f" with stride {'x'.join(map(str, self.stride))}"
                return f"a convolution of {size} from {self.inputs} to {self.outputs} channels{step}"
            case "zero_padding":
                return f"zeros around the image ({', '.join(map(str, self.padding))})"
            case "activation":
                return str(self.activation)
            case "copy":
                return f"a copy of {self.copy}" + (f" with a gate of {self.gate:g}" if self.gate is not None else "")
            case "gated":
                return f"{inner} with a gate of {self.gate or 0:g}"
            case "blend":
                return f"a blend of {inner} that starts at {self.gate:g}"
            case "chain":
                return f"({inner})"
            case _:
                return self.kind


Spec = str | Mapping[str, Any] | LayerSpec
"""A new layer. Operators write a `LayerSpec`; users may also write what their framework reads:

``"identity"``, ``"GELU"``, ``{"layer": "Linear", "in_features": 8, "out_features": 8}``, ``{"layer": "Sequential",
"layers": [...]}``, or ``{"copy": "layer1.0"}``: a copy of a layer of the same model, with its weights; with
``"gate": 0.0`` it starts as the identity, x + gate * copy(x). For Keras, ``{"class_name": "Dense", "config": {...}}``
as Keras itself writes it.
"""


def as_spec(owner: str, value: Any) -> Spec:
    """Return a specification with plain lists, as JSON gives it back.

    Raises:
        SettingError: It is neither a name nor an object with the entry "kind", "layer", "copy" or "class_name".

    >>> as_spec("InsertLayer", {"layer": "Conv2d", "kernel_size": (3, 3)})
    {'layer': 'Conv2d', 'kernel_size': [3, 3]}
    """
    if isinstance(value, Reference) or is_layer(value):
        return Prototype(value.of if isinstance(value, Reference) else value)
    if is_layer_class(value):
        return str(value.__name__)
    if isinstance(value, LayerSpec) or (isinstance(value, str) and value):
        return value
    if isinstance(value, Mapping) and "kind" in value:
        return LayerSpec.from_json(cast("Mapping[str, Any]", value))
    if isinstance(value, Mapping) and sum(key in value for key in ("layer", "copy", "class_name")) == 1:
        return cast("Mapping[str, Any]", _plain(cast(object, value)))
    raise SettingError(
        f"{owner}: a layer is a name such as 'identity' or 'GELU', {{'layer': 'Linear', 'in_features': 8, "
        f"'out_features': 8}}, {{'class_name': 'Dense', 'config': {{'units': 8}}}} for Keras, or "
        f"{{'copy': 'layer1.0'}}; received {value!r}."
    )


def spec_to_json(spec: Spec) -> Any:
    """Return the JSON form of a specification, which `as_spec` reads."""
    return spec.to_json() if isinstance(spec, LayerSpec) else spec


def is_copy(spec: Spec) -> bool:
    """Whether it is a copy of a layer, with its weights."""
    return spec.kind == "copy" if isinstance(spec, LayerSpec) else not isinstance(spec, str) and "copy" in spec


def in_words(spec: Spec) -> str:
    """Say what a layer is.

    >>> in_words({"layer": "Linear", "in_features": 8, "out_features": 4})
    'Linear(in_features=8, out_features=4)'
    """
    if isinstance(spec, LayerSpec):
        return spec.words()
    if isinstance(spec, str):
        return spec
    if "copy" in spec:
        return f"a copy of {spec['copy']}" + (f" with a gate of {spec['gate']:g}" if "gate" in spec else "")
    if "class_name" in spec:
        config = ", ".join(f"{key}={value!r}" for key, value in spec.get("config", {}).items())
        return f"{spec['class_name']}({config})"
    inner = [in_words(part) for part in spec.get("layers", ())]
    settings = [f"{key}={value!r}" for key, value in spec.items() if key not in ("layer", "layers")]
    return f"{spec['layer']}({', '.join(inner + settings)})"


def _plain(value: Any) -> Any:
    if is_layer(value):
        return Prototype(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in cast("list[Any]", value)]
    return value


def _as_tuple(value: Any) -> Any:
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def _is_count(value: Any, low: int = 1) -> bool:
    return type(value) is int and low <= value <= _MOST_UNITS


def _is_size(value: Any, low: int = 1) -> bool:
    return (
        isinstance(value, tuple)
        and len(cast("tuple[Any, ...]", value)) <= _MOST_AXES
        and all(_is_count(entry, low) for entry in cast("tuple[Any, ...]", value))
    )


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "inputs": (lambda value: value is None or _is_count(value), "a positive int"),
    "outputs": (lambda value: value is None or _is_count(value), "a positive int"),
    "window": (_is_size, "a positive int for each axis"),
    "stride": (_is_size, "a positive int for each axis"),
    "padding": (lambda value: value == "same" or _is_size(value, 0), "an int for each axis, or 'same'"),
    "channels": (lambda value: value in ("first", "last"), "'first' or 'last'"),
    "bias": (lambda value: isinstance(value, bool), "true or false"),
    "activation": (_is_text, "a name"),
    "copy": (_is_text, "the name of a layer"),
    "gate": (lambda value: value is None or (type(value) in (int, float) and math.isfinite(value)), "a finite number"),
    "layers": (lambda value: isinstance(value, tuple), "a list of layers"),
}
