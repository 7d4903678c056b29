"""New layers from their description: kinds of a fixed list, or copies of layers of the model."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from genewright.backends.torch.initial import initial_of
from genewright.backends.torch.kinds import HOLDERS, KINDS
from genewright.backends.torch.translating import in_torch
from genewright.backends.torch.wiring import gated
from genewright.backends.torch.wrappers import refuse_wrapped
from genewright.errors import GenewrightError, SettingError, UnknownNameError, UnsupportedError
from genewright.names import did_you_mean
from genewright.plain import MOST_LEVELS
from genewright.spec import Spec

_MOST_LAYERS = 512  # of one specification, beside twice as many as the model has
_MOST_ENTRIES = 64  # of a list among a layer's settings: sizes, windows, shapes
_MOST_STACKED = 1024  # `num_layers` and the like: torch makes each in a loop


def layer_called(model: nn.Module, name: str) -> nn.Module:
    """Return the sub-module called `name`; "" is the model itself.

    Raises:
        UnknownNameError: There is none; the message lists near names.
        UnsupportedError: The model is a TorchScript module, which has no layers that could change.
    """
    if isinstance(model, torch.jit.ScriptModule):
        refuse_wrapped(model)
    try:
        return model.get_submodule(name)
    except AttributeError:
        modules = cast("Iterator[tuple[str, nn.Module]]", model.named_modules())
        known = [layer for layer, _ in modules if layer]
        raise UnknownNameError(f"No layer is called {name!r}. {did_you_mean(name, known)}") from None


def make_layer(spec: Spec, model: nn.Module, *, limit: int | None = None) -> nn.Module:
    """Make the layer that `spec` describes, with the same values every time.

    What its kind draws at random starts at zero here (an operator draws it by seeded noise); gains and running
    statistics start as the kind sets them. A copy has the weights of what it is a copy of. Nothing is drawn from
    torch's own generators, and nothing is allocated before its size is known.

    Args:
        spec: "identity", {"layer": "Linear", "in_features": 4, ...}, {"layer": "Sequential", "layers": [...]} or
            {"copy": "layer1.0"}, with "gate": 0.0 where the copy is to start as the identity.
        model: Where layers to copy are found.
        limit: The most bytes that its tensors may take together, or None for any number.

    Raises:
        SettingError: It describes no layer of the list of kinds, or its settings do not fit.
        UnknownNameError: The layer to copy is not there.
        UnsupportedError: It is larger than `limit`, or made of too many layers.

    Example:
        >>> make_layer({"layer": "Linear", "in_features": 2, "out_features": 1}, nn.Sequential()).weight.tolist()
        [[0.0, 0.0]]
    """
    return _Making(model, limit, _MOST_LAYERS + 2 * _size(model)).made(spec, 0)


@dataclass
class _Making:
    """One specification on its way to a layer; what has been made of it so far counts together."""

    model: nn.Module
    limit: int | None
    most: int
    layers: int = 0
    size: int = 0

    def made(self, spec: object, level: int) -> nn.Module:
        self._number(1, level)
        spec = in_torch(cast(Spec, spec))
        if not isinstance(spec, str | Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # a recipe's
            raise SettingError(f"A new layer is a name or an object with the entry 'layer'; received {_shown(spec)}.")
        settings: dict[str, Any] = {"layer": spec} if isinstance(spec, str) else dict(spec)
        if "class_name" in settings and settings.keys() <= {"class_name", "config"}:  # as Keras writes it
            config = cast("Mapping[str, Any]", settings.get("config") or {})
            settings = {"layer": settings["class_name"], **config}
        if "copy" in settings and settings.keys() <= {"copy", "gate"}:
            return self._copied(settings)
        kind = str(settings.pop("layer", None)).lower()
        if kind not in KINDS:
            raise SettingError(
                f"A new layer is a kind of torch.nn, such as 'identity' or {{'layer': 'Linear', 'in_features': 8, "
                f"'out_features': 8}}, or {{'copy': name}}; received {_shown(cast(object, spec))}. "
                f"{did_you_mean(kind, KINDS)}"
            )
        parts = cast("list[object]", settings.pop("layers", ()))
        if not _is_many(parts) or (parts and kind not in HOLDERS):
            raise SettingError(f"{KINDS[kind].__name__}: 'layers' is a list of layers, for kinds that hold some.")
        inner = [self.made(part, level + 1) for part in parts]
        if kind in HOLDERS:  # what they are made of is there already; what is copied of it counts too
            times = _stacked(settings)
            self._number(times * sum(_size(layer) for layer in inner))
            self._count(_tensors_of(inner), times=times)
            return _constructed(kind, inner, settings)
        layer = _constructed(kind, [], settings, device="meta")
        self._count(_tensors_of([layer]))
        return _filled(layer)

    def _copied(self, settings: Mapping[str, Any]) -> nn.Module:
        layer = layer_called(self.model, str(settings["copy"]))
        gate = settings.get("gate")
        if "gate" in settings and (type(gate) not in (int, float) or not math.isfinite(cast(float, gate))):
            raise SettingError(f"The gate of a copy is a number; received {_shown(gate)}.")
        self._number(_size(layer))
        self._count(_tensors_of([layer]))
        try:
            copied = copy.deepcopy(layer)
        except Exception as error:  # whatever the layer holds
            raise UnsupportedError(
                f"{settings['copy']!r} of class {type(layer).__name__} cannot be copied: {error}"
            ) from error
        return copied if gate is None else gated(copied, float(gate))

    def _number(self, more: int, level: int = 0) -> None:
        self.layers += more
        if self.layers > self.most or level > MOST_LEVELS:
            raise UnsupportedError(
                f"A new layer is made of at most {self.most:,} layers here, at most {MOST_LEVELS} inside each other."
            )

    def _count(self, tensors: Iterable[torch.Tensor], *, times: int = 1) -> None:
        self.size += times * sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        if self.limit is not None and self.size > self.limit:
            raise UnsupportedError(
                f"A new layer would take {self.size:,} bytes, and {self.limit:,} are allowed here. A file is allowed "
                "new layers in proportion to the tensors that it holds itself."
            )


def _constructed(kind: str, inner: list[nn.Module], settings: Mapping[str, Any], device: str = "") -> nn.Module:
    name = KINDS[kind].__name__
    given = {key: _plain(value, f"{name}: {key!r}") for key, value in settings.items()}
    for key, value in given.items():
        if key.startswith("_") or key in ("device", "dtype"):
            raise SettingError(f"{name}: {key!r} is no setting of a new layer; it gets the dtype and device beside it.")
        if key.startswith("num_") and key.endswith("layers") and type(value) is int and value > _MOST_STACKED:
            raise UnsupportedError(f"{name}: {key}={value:,} is more than {_MOST_STACKED:,}.")
    try:
        if not device:
            return KINDS[kind](*inner, **given)
        with torch.device(device):
            return KINDS[kind](**given)
    except GenewrightError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingError(f"{name} cannot be made of {_shown(dict(settings))}: {reason}") from error


def _size(layer: nn.Module) -> int:
    """Return how many layers a layer consists of."""
    return sum(1 for _ in layer.modules())


def _is_many(parts: object) -> bool:
    return isinstance(parts, list | tuple)


def _stacked(settings: Mapping[str, Any]) -> int:
    """Return how many copies of its prototype layer a stack of torch's makes."""
    number = settings.get("num_layers", 0)
    return number if type(number) is int and number > 0 else 0


def _plain(value: Any, what: str, level: int = 0) -> Any:
    """Return plain data, lists as tuples: JSON has no tuples.

    Raises:
        SettingError: It is something else, or more than a layer's setting holds.
    """
    if type(value) in (list, tuple) and level < MOST_LEVELS:
        entries = cast("list[Any]", value)
        if len(entries) <= _MOST_ENTRIES:
            return tuple(_plain(entry, what, level + 1) for entry in entries)
    elif value is None or type(value) in (bool, int, str) or (type(value) is float and not math.isnan(value)):
        return value
    raise SettingError(f"{what} is a number, a text or a short list of these; received {_shown(value)}.")


def _tensors_of(layers: Iterable[nn.Module]) -> Iterator[torch.Tensor]:
    for layer in layers:
        yield from layer.parameters()
        yield from layer.buffers()


def _filled(layer: nn.Module) -> nn.Module:
    """Give a layer that has shapes alone its memory: constants where its kind starts with them, zeros elsewhere."""
    if next(_tensors_of([layer]), None) is None:
        return layer
    layer.to_empty(device="cpu")
    with torch.no_grad():
        for module in layer.modules():
            for named in (module.named_parameters(recurse=False), module.named_buffers(recurse=False)):
                for attribute, tensor in named:
                    initial = initial_of(module, attribute, tuple(tensor.shape))
                    constant = initial is not None and initial.distribution == "constant"
                    tensor.fill_(initial.scale if initial is not None and constant else 0.0)
    return layer


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."
