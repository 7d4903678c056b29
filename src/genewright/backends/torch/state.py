"""What a torch module computes with beside plain tensors: packed weights, extra state, sparse and expanded tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from genewright.backends.files.values import state_of, value_of
from genewright.backends.torch.tensors import layers_under_stable_names, left_alone, saves_more
from genewright.errors import FileError
from genewright.state import State


def states_of(model: nn.Module) -> dict[str, State]:
    """Return the state of a module by name: what its state dict holds beside plain tensors."""
    found: dict[str, State] = {}
    for name, layer, module in _layers(model):
        for attribute, tensor in _registered(module).items():
            reason = left_alone(tensor)
            if reason is not None:
                found[name + attribute] = state_of(
                    name + attribute,
                    tensor,
                    torch,
                    layer=layer,
                    what=reason[0],
                    advice=reason[1],
                    trainable=isinstance(tensor, nn.Parameter) and tensor.requires_grad,
                )
        for key, value in _own(module, name).items():
            what = f"state of a {type(module).__name__}"
            found[key] = state_of(key, value, torch, layer=layer, what=what)
    return found


def put_state(model: nn.Module, states: Mapping[str, bytes], place: str) -> None:
    """Give a module the state that a file holds.

    Raises:
        FileError: A piece is missing in the file or in the module, or is damaged; nothing has changed then.
    """
    wanted = states_of(model)
    if set(wanted) != set(states):
        raise FileError(
            f"{place}: does not fit this {type(model).__name__}: the state {sorted(set(wanted) - set(states))[:5]} is "
            f"missing in the file, {sorted(set(states) - set(wanted))[:5]} is unknown to the model."
        )
    values = {name: value_of(data, torch, f"{place}: {name!r}") for name, data in states.items()}
    for prefix, _, module in _layers(model):
        registered = _registered(module)
        for attribute, tensor in registered.items():
            if prefix + attribute in values and left_alone(tensor) is not None:
                made = values[prefix + attribute].to(tensor.device)
                if isinstance(tensor, nn.Parameter):
                    module._parameters[attribute] = nn.Parameter(made, requires_grad=tensor.requires_grad)  # pyright: ignore[reportPrivateUsage]
                else:
                    module._buffers[attribute] = made  # pyright: ignore[reportPrivateUsage]
        own = {key: values[key] for key in _own(module, prefix)}
        if own:
            held, faults = _saved(module, prefix), list[str]()
            version = {"version": getattr(module, "_version", None)}
            whole: Any = module
            whole._load_from_state_dict({**held, **own}, prefix, version, True, faults, faults, faults)
            if faults:
                raise FileError(f"{place}: the state of {prefix.rstrip('.')!r} cannot be set ({faults[0]}).")


def _layers(model: nn.Module) -> Iterator[tuple[str, str, nn.Module]]:
    for layer, module in layers_under_stable_names(model).items():
        yield (f"{layer}." if layer else ""), layer, module


def _registered(module: nn.Module) -> dict[str, torch.Tensor]:
    unsaved = module._non_persistent_buffers_set  # pyright: ignore[reportPrivateUsage]
    every = {**module._parameters, **module._buffers}  # pyright: ignore[reportPrivateUsage]
    return {name: tensor for name, tensor in every.items() if tensor is not None and name not in unsaved}


def _own(module: nn.Module, prefix: str) -> dict[str, Any]:
    """Return what a module saves beside its parameters and buffers."""
    if not saves_more(type(module)):
        return {}
    known = {prefix + name for name in (*module._parameters, *module._buffers)}  # pyright: ignore[reportPrivateUsage]
    return {key: value for key, value in _saved(module, prefix).items() if key not in known}


def _saved(module: Any, prefix: str) -> dict[str, Any]:
    held: dict[str, Any] = {}
    module._save_to_state_dict(held, prefix, keep_vars=False)
    return held
