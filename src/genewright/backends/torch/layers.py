"""New layers from their description: torch's own kinds, or copies of layers of the model."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import nn

from genewright.backends.torch.initial import initial_of
from genewright.backends.torch.wiring import Blend, Gated, gated
from genewright.errors import GenewrightError, SettingError, UnknownNameError
from genewright.names import did_you_mean
from genewright.spec import Spec

# Only torch's own layers: a recipe is read from files, and reading one must not import what it names.
_OWN: dict[str, type[nn.Module]] = {"gated": Gated, "blend": Blend}
_KINDS: dict[str, type[nn.Module]] = {
    name.lower(): value
    for name, value in vars(nn).items()
    if isinstance(value, type) and issubclass(value, nn.Module) and not name.startswith(("Lazy", "Module", "Parameter"))
} | _OWN


def layer_called(model: nn.Module, name: str) -> nn.Module:
    """Return the sub-module called `name`; "" is the model itself.

    Raises:
        UnknownNameError: There is none; the message lists near names.
    """
    try:
        return model.get_submodule(name)
    except AttributeError:
        modules = cast("Iterator[tuple[str, nn.Module]]", model.named_modules())
        known = [layer for layer, _ in modules if layer]
        raise UnknownNameError(f"No layer is called {name!r}. {did_you_mean(name, known)}") from None


def make_layer(spec: Spec, model: nn.Module) -> nn.Module:
    """Make the layer that `spec` describes, with the same values every time.

    What its kind draws at random starts at zero here (an operator draws it by seeded noise); gains and running
    statistics start as the kind sets them. A copy has the weights of what it is a copy of.

    Args:
        spec: "identity", {"layer": "Linear", "in_features": 4, ...}, {"layer": "Sequential", "layers": [...]} or
            {"copy": "layer1.0"}, with "gate": 0.0 where the copy is to start as the identity.
        model: Where layers to copy are found.

    Raises:
        SettingError: It describes no layer of torch.nn, or its settings do not fit.
        UnknownNameError: The layer to copy is not there.
    """
    settings: dict[str, Any] = {"layer": spec} if isinstance(spec, str) else dict(spec)
    if "copy" in settings and settings.keys() <= {"copy", "gate"}:
        copied = copy.deepcopy(layer_called(model, str(settings["copy"])))
        return gated(copied, float(settings["gate"])) if "gate" in settings else copied
    kind = str(settings.pop("layer", None))
    if kind.lower() not in _KINDS:
        raise SettingError(
            f"A new layer is a kind of torch.nn, such as 'identity' or {{'layer': 'Linear', 'in_features': 8, "
            f"'out_features': 8}}, or {{'copy': name}}; received {spec!r}. {did_you_mean(kind, _KINDS)}"
        )
    inner = [make_layer(cast(Spec, part), model) for part in settings.pop("layers", ())]
    state = torch.random.get_rng_state()
    try:
        made = _KINDS[kind.lower()](*inner, **{key: _tupled(value) for key, value in settings.items()})
    except GenewrightError:
        raise
    except Exception as error:
        raise SettingError(f"{_KINDS[kind.lower()].__name__} cannot be made of {settings!r}: {error}") from error
    finally:
        torch.random.set_rng_state(state)
    if not inner:
        _still(made)  # layers within have been stilled one by one
    return made


def _tupled(value: Any) -> Any:
    """Return lists as tuples: JSON has no tuples."""
    if isinstance(value, list | tuple):
        return tuple(_tupled(part) for part in cast("list[Any]", value))
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value


def _still(layer: nn.Module) -> None:
    """Replace what was drawn at random by zeros."""
    with torch.no_grad():
        for module in layer.modules():
            for attribute, parameter in module.named_parameters(recurse=False):
                initial = initial_of(module, attribute, tuple(parameter.shape))
                constant = initial is not None and initial.distribution == "constant"
                parameter.fill_(initial.scale if initial is not None and constant else 0.0)
