"""Which tensors of two layers belong together."""

from __future__ import annotations

from genewright.errors import SelectionError, UnknownNameError, UnsupportedError
from genewright.names import did_you_mean
from genewright.network import Network
from genewright.tensor import Tensor


def tensors_called(name: str, network: Network, operator: str) -> list[Tensor]:
    """Return the tensor of that name, or the trainable ones of the layer of that name.

    Raises:
        UnknownNameError: Neither a tensor nor a layer with tensors is called so.
        SelectionError: The layer is frozen.
    """
    try:
        return [network.tensor(name)]
    except UnknownNameError:
        pass
    held = [tensor for _, tensor in _held(name, network)]
    if not held or not name:
        layers = dict.fromkeys(layer for t in network.tensors.values() for layer in _layers(t) if layer)
        known = [*layers, *network.tensors]
        raise UnknownNameError(f"{operator}: no layer or tensor is called {name!r}. {did_you_mean(name, known)}")
    trainable = [tensor for tensor in held if tensor.trainable]
    if not trainable:
        raise SelectionError(
            f"{operator}: nothing in {name!r} is trainable. Name a tensor in full to change a frozen one: "
            f"{held[0].name!r}."
        )
    return trainable


def pairs_of(source: str, target: str, network: Network, operator: str) -> list[tuple[Tensor, Tensor]]:
    """Return (source, target) tensors: two tensors by name, or those that two layers hold under the same name.

    Raises:
        UnknownNameError: A name is not known.
        SelectionError: The layers have nothing of one name.
        UnsupportedError: The two are one already.
    """
    given, taken = (tensors_called(name, network, operator) for name in (source, target))
    if len(given) == len(taken) == 1:
        pairs = [(given[0], taken[0])]
    else:
        by_name = {_own_name(t, source): t for t in given}
        pairs = [(by_name[name], t) for t in taken if (name := _own_name(t, target)) in by_name]
    if not pairs:
        has = [", ".join(_own_name(t, layer) for t in tensors) for layer, tensors in ((source, given), (target, taken))]
        raise SelectionError(f"{operator}: {source!r} has {has[0]}, {target!r} has {has[1]}: nothing of one name.")
    for first, second in pairs:
        if first.name == second.name:
            raise UnsupportedError(
                f"{operator}: {source!r} and {target!r} share {first.name!r} already. Name two layers."
            )
    return pairs


def candidates(network: Network) -> list[tuple[str, str]]:
    """Return pairs that could share weights, in alphabetical order.

    They are layers with a kernel whose trainable tensors have the same names, shapes and dtypes; where there are no two
    such layers, tensors of one name, role, shape and dtype. What is tied already is left out.
    """
    layers: dict[tuple[object, ...], list[str]] = {}
    tensors: dict[tuple[object, ...], list[str]] = {}
    for layer, held in network.tensors_by_layer().items():
        free = [t for t in held if t.trainable and not t.aliases and t.unit_axis is not None]
        for tensor in free:
            tensors.setdefault((_own_name(tensor, layer), tensor.role, tensor.shape, tensor.dtype), []).append(
                tensor.name
            )
        kernels = any(t.role in ("kernel", "recurrent_kernel") for t in free)
        if layer and kernels:
            layers.setdefault(tuple(sorted((_own_name(t, layer), t.shape, t.dtype) for t in free)), []).append(layer)
    for forms in (layers, tensors):
        pairs = [(a, b) for names in forms.values() for a in names for b in names if a != b]
        if pairs:
            return sorted(pairs)
    return []


def _held(layer: str, network: Network) -> list[tuple[str, Tensor]]:
    """Return the tensors that a layer holds, tied ones too, each with its name there."""
    prefix = f"{layer}."
    return [
        (name, tensor)
        for tensor in network.tensors.values()
        for name in (tensor.name, *tensor.aliases)
        if name.startswith(prefix) and (tensor.layer == layer or "." not in name.removeprefix(prefix))
    ]


def _layers(tensor: Tensor) -> list[str]:
    return [tensor.layer, *(alias.rpartition(".")[0] for alias in tensor.aliases)]


def _own_name(tensor: Tensor, layer: str) -> str:
    """Return a tensor's name in a layer; its own last name where it was named in full."""
    for name in (tensor.name, *tensor.aliases):
        if name.startswith(f"{layer}."):
            return name.removeprefix(f"{layer}.")
    return tensor.name.rpartition(".")[2]
