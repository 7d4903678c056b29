"""What a torch layer is, in neutral words."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd  # pyright: ignore[reportPrivateUsage]  # no public base class
from torch.nn.utils import parametrize

from genewright.backends.torch.roles import is_norm, is_transposed_linear
from genewright.layer import Kind, Layer, is_activation

_KINDS: tuple[tuple[type[nn.Module] | tuple[type[nn.Module], ...], Kind], ...] = (
    (nn.Linear, "linear"),
    (_ConvTransposeNd, "transposed_convolution"),
    (_ConvNd, "convolution"),
    ((nn.Embedding, nn.EmbeddingBag), "embedding"),
    ((nn.RNNBase, nn.RNNCellBase), "recurrent"),
    (nn.MultiheadAttention, "attention"),
)
_EPSILONS = ("eps", "epsilon", "variance_epsilon", "norm_eps", "layer_norm_eps")
_SHIFTS = ("bias", "beta", "shift")


def facts_of(name: str, module: nn.Module, tensors: Collection[str], aliases: tuple[str, ...] = ()) -> Layer:
    """Return what is known of a layer.

    Args:
        name: Its name in the model.
        module: The layer.
        tensors: The names of all tensors of the model, second names of tied ones included.
        aliases: Its other names.
    """
    held = vars(module)
    prefix = f"{name}." if name else ""
    kernel = f"{prefix}weight" if f"{prefix}weight" in tensors else None
    kind = _kind(module)
    settings: dict[str, str] = {}
    convolution: dict[str, Any] = {}
    if kernel is not None and _has_window(module):
        convolution = {key: held[key] for key in ("dilation", "padding", "padding_mode", "groups") if key in held}
        convolution |= {"window": held["kernel_size"], "window_axis": 2, "channels": "first"}
        convolution["stride"] = held.get("stride", ())
        settings["window"] = "kernel_size"
        if held.get("padding") == "valid":
            convolution["padding"] = (0,) * len(held["kernel_size"])
        if not isinstance(convolution.get("padding"), str):
            settings["padding"] = "padding"
    epsilon = next((key for key in _EPSILONS if isinstance(held.get(key), float)), None)
    if epsilon is not None:
        settings["epsilon"] = epsilon
    return Layer(
        name=name,
        class_name=type(module).__name__,
        kind=kind,
        plain=_is_plain(module),
        composite=any(child is not None for child in module._modules.values()),  # pyright: ignore[reportPrivateUsage]
        kernel=kernel,
        bias=next((f"{prefix}{shift}" for shift in _SHIFTS if f"{prefix}{shift}" in tensors), None),
        epsilon=None if epsilon is None else held[epsilon],
        activation=type(module).__name__ if kind == "activation" else None,
        aliases=aliases,
        heads=int(cast(Any, module).num_heads) if isinstance(module, nn.MultiheadAttention) else 0,
        settings=settings,
        **convolution,
    )


def _kind(module: nn.Module) -> Kind:
    for classes, kind in _KINDS:
        if isinstance(module, classes):
            depthwise = kind == "convolution" and 1 < cast(_ConvNd, module).groups == cast(_ConvNd, module).in_channels
            return "depthwise_convolution" if depthwise else kind
    if is_transposed_linear(type(module)):
        return "linear"
    if is_norm(type(module)):
        return "norm"
    return "activation" if is_activation(type(module).__name__) and not module._modules else "other"  # pyright: ignore[reportPrivateUsage]


def _is_plain(module: nn.Module) -> bool:
    """Whether no class of somebody else's changes what torch's own computes, and no parametrization its tensors."""
    if is_transposed_linear(type(module)):
        return True
    own = next((cls for cls in type(module).__mro__ if cls.__module__.startswith("torch.nn.modules.")), nn.Module)
    kept = all(getattr(type(module), name, None) is getattr(own, name, None) for name in ("forward", "_conv_forward"))
    return own is not nn.Module and kept and not parametrize.is_parametrized(module)


def _has_window(module: nn.Module) -> bool:
    """Whether it holds what a convolution holds, and a kernel of its window."""
    held = vars(module)
    sizes = held.get("kernel_size")
    if "dilation" not in held or "padding_mode" not in held or not isinstance(sizes, tuple):
        return False  # so is whatever TorchScript holds
    weight = held["_parameters"].get("weight")
    return weight is not None and tuple(weight.shape[2:]) == sizes
