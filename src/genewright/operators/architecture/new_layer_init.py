"""Initialise new layers, at random or as the identity; and choose a layer by the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genewright import noise as gw_noise
from genewright.edits import InsertLayer, Map, Perturb, ReplaceLayer, Rewire
from genewright.edits.functions import Identity
from genewright.errors import SettingError, UnsupportedError
from genewright.network import Network
from genewright.noise import Change
from genewright.seeding import Noise
from genewright.tensor import Tensor


def init_new_layer(edit: InsertLayer | ReplaceLayer | Rewire, network: Network) -> Iterator[Perturb]:
    """Yield what draws a new layer's tensors as its kind draws them at first, each under its new name."""
    for tensor, initial in network.blueprint(edit):
        if initial is None or initial.distribution == "constant":
            continue
        change = Change(combine="replace", distribution=initial.distribution, scale=initial.scale)
        yield Perturb(tensor=tensor.name, change=change, stream=tensor.name)


def init_identity(edit: InsertLayer | ReplaceLayer, network: Network, who: str) -> Iterator[Map]:
    """Yield what makes the kernels of a new layer the identity: ones on the diagonal, at the centre of the window.

    Raises:
        SettingError: A kernel has fewer outputs than inputs, so that it cannot be the identity.
    """
    for tensor, _ in network.blueprint(edit):
        if tensor.role == "kernel":
            yield Map(tensor=tensor.name, function=_identity(tensor, who))


def chosen(options: Sequence[str], noise: Noise, who: str, what: str) -> str:
    """Return the option that the seed chooses.

    Raises:
        UnsupportedError: There is none.
    """
    if not options:
        raise UnsupportedError(f"{who}: this network has no {what}. Nothing has been changed.")
    return options[gw_noise.choice(noise.stream("layer"), [1.0] * len(options))]


def shuffled(options: Sequence[str], noise: Noise) -> list[str]:
    """Return the options in an order that the seed chooses."""
    order = gw_noise.permutation(noise.stream("layer"), len(options))
    return [options[int(position)] for position in order]


def _identity(tensor: Tensor, who: str) -> Identity:
    if tensor.unit_axis is None or tensor.input_axis is None:
        raise SettingError(f"{who}: {tensor.name!r} has no axes of inputs and units. Use init='gate'.")
    out, inner = tensor.shape[tensor.unit_axis], tensor.shape[tensor.input_axis]
    window = {a: n for a, n in enumerate(tensor.shape) if a not in (tensor.unit_axis, tensor.input_axis)}
    if out < inner or any(size % 2 == 0 for size in window.values()):
        raise SettingError(
            f"{who}: a kernel of shape {tensor.shape} cannot be the identity: it needs at least as many outputs as "
            "inputs and an odd window. Use init='gate', or init='noise'."
        )
    return Identity(unit_axis=tensor.unit_axis, input_axis=tensor.input_axis)
