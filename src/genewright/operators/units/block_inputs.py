"""Blocking of a layer's inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from genewright.edits import Edit, Perturb
from genewright.errors import SelectionError, UnsupportedError
from genewright.index import Index
from genewright.layer import CONVOLUTIONS
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.units.drawn_units import DrawnUnits
from genewright.operators.units.hidden_widths import ZERO
from genewright.operators.weights.kernels import selected_kernels
from genewright.part import Part
from genewright.seeding import Noise
from genewright.tensor import Tensor
from genewright.where import Selected, describe


@dataclass(frozen=True, kw_only=True)
class BlockInputs(DrawnUnits, Operator):
    """Block inputs of a layer: it no longer sees them, whatever they are.

    W'[:, j] = 0 in the kernel of the layer, for each chosen input j (a feature, or a channel of a convolution; with
    groups, in the rows of the group that reads it).

    The layer's outputs do not depend on a blocked input at all; other layers that read the same values still do, unlike
    with `BlockUnits`, which blocks a hidden unit for all its readers. At the first layer, what is blocked are inputs of
    the network. State that a recurrent layer hands itself is no input here.

    Args:
        rate: Share of the inputs of each kernel, in [0, 1]; ceil(rate * n) of n.
        count: Instead of `rate`, exactly how many inputs of all chosen kernels; those of a count are among those of a
            higher one.
        where: Which layers, by their kernels; by default all whose inputs lie along one axis (not Keras's attention).
            Chosen units are those that no longer see the inputs.

    Raises:
        SettingError: A setting is out of its range.
        SelectionError: `where` chooses no kernel with inputs.
        UnsupportedError: A kernel is made from other tensors.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.BlockInputs(count=1), seed=1)
        >>> int((mutant.weight == 0).all(dim=0).sum())
        1

    References:
        Shen et al., "MuNN: Mutation Analysis of Neural Networks", QRS-C 2018 (Delete Input Neuron).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})
    version: ClassVar[int] = 2

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network = networks[0]
        kernels = [
            kernel
            for kernel in selected_kernels(self.where, network, "BlockInputs")
            if kernel.tensor.role == "kernel" and _has_inputs(kernel, network)
        ]
        if not kernels:
            raise SelectionError(
                f"BlockInputs: {describe(self.where)} chooses no kernel whose inputs lie along an axis. Choose linear "
                "layers or convolutions, or leave `where` out."
            )
        pools = [(kernel.tensor.name, range(_count(kernel.tensor, network))) for kernel in kernels]
        for kernel, inputs in zip(kernels, self.drawn(pools, noise), strict=True):
            if inputs or self.count is None:
                name = kernel.tensor.name
                for part in _parts(kernel, inputs, _groups(kernel.tensor, network)):
                    yield Perturb(tensor=name, change=ZERO, stream=name, part=part)


def _has_inputs(kernel: Selected, network: Network) -> bool:
    """Whether a kernel's inputs lie along one axis: those of an einsum of heads do not."""
    tensor, facts = kernel.tensor, network.layers.get(kernel.tensor.layer)
    known = facts is None or not facts.class_name or facts.kind in CONVOLUTIONS
    return tensor.input_axis not in (None, kernel.axis) and (known or len(tensor.shape) == 2)


def _parts(kernel: Selected, inputs: tuple[int, ...], groups: int) -> Iterator[Part]:
    """Yield where the given inputs of a kernel's chosen units lie, group by group."""
    tensor = kernel.tensor
    unit_axis, input_axis = tensor.unit_axis or 0, tensor.input_axis or 0
    units, columns = tensor.shape[unit_axis] // groups, tensor.shape[input_axis]
    for group in range(groups):
        mine = [j - group * columns for j in inputs if j // columns == group]
        part = list(kernel.part) + [None] * (max(unit_axis, input_axis) + 1 - len(kernel.part))
        part[input_axis] = Index.of(mine)
        if groups > 1:
            chosen = range(tensor.shape[unit_axis]) if kernel.units is None else kernel.units
            part[unit_axis] = Index.of([unit for unit in chosen if unit // units == group])
        if mine or groups == 1:
            yield tuple(part)


def _count(tensor: Tensor, network: Network) -> int:
    """Return how many inputs a kernel has."""
    return tensor.shape[tensor.input_axis or 0] * _groups(tensor, network)


def _groups(tensor: Tensor, network: Network) -> int:
    """Return into how many groups a kernel divides its inputs.

    Raises:
        UnsupportedError: It is not what the layer multiplies its inputs by.
    """
    facts = network.layers.get(tensor.layer)
    made = "parametrizations" in tensor.name.split(".")
    if made or (facts is not None and facts.kind == "separable_convolution"):
        what = "made from other tensors" if made else "a product of two kernels"
        raise UnsupportedError(
            f"BlockInputs: what {tensor.layer or 'the model'!r} multiplies its inputs by is {what}. Leave it out: "
            f"where=('*', '!{tensor.layer or tensor.name}.*')."
        )
    return 1 if facts is None or facts.kind == "transposed_convolution" else facts.groups
