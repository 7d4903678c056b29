"""Reparametrized, pruned and quantised layers: their weights derive from other tensors, so shapes cannot change."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

_OLD = {"_g": "weight_norm", "_orig": "spectral_norm"}
_QUANTISED = ("torch.ao.nn.", "torch.ao.quantization.")


def reparametrized(layers: Mapping[str, nn.Module], layer: str) -> str:
    """Say why the widths of a layer are not its own, and what to do; "" where they are.

    Args:
        layers: All modules by name.
        layer: A name; of a parametrization too, which stands for the layer that it belongs to.
    """
    owner = layer.partition("parametrizations.")[0].rstrip(".") if "parametrizations." in layer else layer
    module = layers.get(owner)
    if module is None:
        return ""
    if is_parametrized(module):
        held = module.parametrizations
        assert isinstance(held, nn.ModuleDict)
        name, entries = next(iter(held.items()))
        assert isinstance(entries, ParametrizationList)
        kinds = ", ".join(type(entry).__name__.strip("_") for entry in entries)
        return (
            f"the {name} of {owner!r} is parametrized ({kinds}): it is made of other tensors in every run. Take it "
            "off, mutate, and put it on again: torch.nn.utils.parametrize.remove_parametrizations"
            f"(layer, {name!r})"
        )
    for ending, kind in _OLD.items():
        own = [
            name
            for name in module._parameters  # pyright: ignore[reportPrivateUsage]
            if name.endswith(ending) and name.removesuffix(ending) in vars(module)
        ]
        if own:
            name = own[0].removesuffix(ending)
            pruned = f"{name}_mask" in module._buffers  # pyright: ignore[reportPrivateUsage]
            kind, off = ("pruned", "prune.remove") if pruned else (kind, f"remove_{kind}")
            again = "prune it again" if pruned else "put it on again"
            return (
                f"the {name} of {owner!r} is made of {own[0]!r} before every run ({kind}). Take that off, mutate, and "
                f"{again}: torch.nn.utils.{off}(layer, {name!r})"
            )
    if type(module).__module__.startswith(_QUANTISED):
        return f"{owner!r} is quantised ({type(module).__name__}). Mutate the model before quantising it"
    return ""
