"""Which layers a run reaches, what each receives and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.conv import _ConvNd  # pyright: ignore[reportPrivateUsage]  # no public base class
from torch.utils.weak import WeakIdKeyDictionary

from genewright.backends.torch.copying import copy_module
from genewright.backends.torch.layers import layer_called
from genewright.backends.torch.predict import predict
from genewright.backends.torch.tensors import named_layers
from genewright.backends.torch.wiring import Gate, Graft, Path, Tap
from genewright.structure import Call

Seen = Callable[[nn.Module, tuple[Any, ...], dict[str, Any], Any], None]

_CHANNELS_FIRST = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm,
)  # fmt: skip
_FEATURES_LAST = (nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.Embedding)
_OURS = (Graft, Path, Gate, Tap)  # what a mutant's wiring is made of is no layer to choose
_PLAIN = (bool, int, float, str, type(None))


@dataclass
class _Tally:
    module: nn.Module
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    extra_inputs: tuple[str, ...]
    sources: tuple[str, ...] = ()
    num_calls: int = field(default=0)


def recorded_calls(model: nn.Module, example: Any) -> dict[str, Call]:
    """Run `model` on `example` and return the calls, in order, of layers that take and return floating tensors."""
    names: dict[int, str] = {}
    for name, module in named_layers(model):
        names.setdefault(id(module), name)
    tallies: dict[str, _Tally] = {}
    makers: Any = WeakIdKeyDictionary()  # of each tensor the innermost layer that returned it, and its version then

    def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        given, returned = first_tensor((args, kwargs)), main_output(output)
        if given is None or returned is None or not returned.is_floating_point():
            return
        name = names[id(module)]
        tally = tallies.setdefault(name, _Tally(module, tuple(padded(given).shape), tuple(padded(returned).shape), ()))
        tally.extra_inputs = tuple(dict.fromkeys((*tally.extra_inputs, *_extras((*args, *kwargs.values()), given))))
        tally.num_calls += 1
        origin = given if given in makers or given._base is None else given._base  # its axes may have been rearranged
        maker, version = cast("tuple[str, int]", makers.get(origin, ("", -1)))
        fed_by = maker if version == _version(given) else ""  # else it has been changed in place
        tally.sources = tuple(dict.fromkeys((*tally.sources, fed_by)))
        if makers.get(returned, ("", -1))[1] != _version(returned):
            makers[returned] = (name, _version(returned))

    watched = [module for _, module in named_layers(model) if not isinstance(module, _OURS)]
    with watching(watched, note):
        predict(model, example)
    grafts = [f"{name}." for name, module in named_layers(model) if isinstance(module, Graft)]
    calls: dict[str, Call] = {}
    first: dict[int, bool] = {}  # by number of axes: whether features lie first in the last tensor of known layout
    for name, tally in tallies.items():
        ndim = len(tally.output_shape)
        if isinstance(tally.module, _CHANNELS_FIRST + _FEATURES_LAST):
            first[ndim] = isinstance(tally.module, _CHANNELS_FIRST)
        known = _axis_of_parameters(tally)
        # A layer that does not say where its features lie has them where the last one of as many axes had them.
        axis = known if known is not None else 1 if ndim > 2 and first.get(ndim) else max(0, ndim - 1)
        grafted = any(name.startswith(graft) for graft in grafts)
        calls[name] = replace(_call(name, tally, axis), grafted=grafted)
    return calls


def laid_out(call: Call, axis: int | None) -> Call:
    """Return a call whose features lie along a known axis; without one, where the layer's kind has them."""
    ndim = len(call.output_shape)
    if axis is None:
        return call
    return replace(call, depth_axis=axis, window_axes=ndim - 2 if axis == 1 and 3 <= ndim <= 5 else 0)


def _axis_of_parameters(tally: _Tally) -> int | None:
    """Return the only axis, beyond the first, that is as long as the layer's own vectors; None if that says nothing."""
    lengths = {len(p) for p in tally.module.parameters(recurse=False) if p.dim() == 1}
    axes = [axis for axis, length in enumerate(tally.output_shape) if axis and length in lengths]
    return axes[0] if len(lengths) == len(axes) == 1 else None


def inputs_of_layer(model: nn.Module, example: Any, layer: str) -> NDArray[np.floating[Any]] | None:
    """Return every vector of features that a layer receives, of all its calls, in float64 where the model allows.

    Returns:
        Shape (positions, features); None where the layer is never called with a tensor.
    """
    for dtype in (torch.float64, None):
        copied = copy_module(model, dtype=dtype).to(dtype)
        seen: list[torch.Tensor] = []

        def note(
            host: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], seen: list[torch.Tensor] = seen
        ) -> None:
            tensor = first_tensor((args, dict(kwargs)))
            if tensor is not None:
                tensor = padded(tensor)
                features = tensor.movedim(-1 - _window_axes(host), -1) if isinstance(host, _ConvNd) else tensor
                seen.append(features.detach().reshape(-1, features.shape[-1]).double().cpu())

        layer_called(copied, layer).register_forward_pre_hook(note, with_kwargs=True)
        try:
            predict(copied, example)
        except Exception:  # it insists on its own dtype
            continue
        return torch.cat(seen).numpy() if seen else None
    return None


def _window_axes(layer: _ConvNd) -> int:
    """Return over how many axes a convolution's window moves: its channels lie before them."""
    return len(layer.kernel_size)


@contextmanager
def watching(modules: list[nn.Module], seen: Seen) -> Generator[None]:
    """Have `seen` called with (module, args, kwargs, output) after each call of a module, for a while."""

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        seen(module, args, kwargs, output)

    handles = [module.register_forward_hook(hook, with_kwargs=True, prepend=True) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def first_tensor(values: Any) -> torch.Tensor | None:
    """Return the first floating tensor among arguments, or None."""
    if isinstance(values, torch.Tensor):
        return values if values.is_floating_point() else None
    if isinstance(values, Mapping):
        return first_tensor(tuple(cast("Mapping[Any, Any]", values).values()))
    if isinstance(values, tuple | list):
        return next((t for v in cast("list[Any]", values) if (t := first_tensor(v)) is not None), None)
    return None


def padded(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor as it is; of a nested one, whose samples differ in length, the tensor padded with zeros.

    An `nn.TransformerEncoder` makes nested tensors of a batch with a padding mask: no shape, and few operations.
    """
    return cast("Any", torch.nested).to_padded_tensor(tensor, 0.0) if tensor.is_nested else tensor


def main_output(output: Any) -> torch.Tensor | None:
    """Return the tensor that a layer passes on: its output, or the first of a tuple."""
    if isinstance(output, tuple) and output:
        output = cast("tuple[Any, ...]", output)[0]
    return output if isinstance(output, torch.Tensor) else None


def _call(name: str, tally: _Tally, depth_axis: int) -> Call:
    ndim = len(tally.output_shape)
    return Call(
        layer=name,
        layer_type=type(tally.module).__name__,
        input_shape=tally.input_shape,
        output_shape=tally.output_shape,
        num_calls=tally.num_calls,
        composite=any(not isinstance(child, _OURS) for child in tally.module.children()),
        extra_inputs=tally.extra_inputs,
        sources=tally.sources,
        depth_axis=depth_axis,
        window_axes=ndim - 2 if depth_axis == 1 and 3 <= ndim <= 5 else 0,
    )


def _version(tensor: torch.Tensor) -> int:
    """Return how often a tensor has been changed in place."""
    return -2 if tensor.is_inference() else tensor._version  # pyright: ignore[reportPrivateUsage]  # autograd's own


def _extras(values: tuple[Any, ...], given: torch.Tensor) -> list[str]:
    return [type(v).__name__ for v in values if v is not given and not isinstance(v, _PLAIN)]
