"""What is watched of a module: its shadow, the layers with units, and where these are seen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from genewright.backends.torch.observing.following import Instance
from genewright.backends.torch.observing.heads import Heads
from genewright.backends.torch.observing.places import Layout, growing_axis
from genewright.backends.torch.predict import array_of
from genewright.backends.torch.structure.traceable_copy import traceable_copy
from genewright.backends.torch.tensors import named_layers
from genewright.observation import Numbers, UnitKind
from genewright.reductions.chunk import AskedByLayer

Key = tuple[str, int]
"""A layer, and which of its calls in a run."""


@dataclass
class Plan:
    """Where the units of one call of a layer are seen.

    Attributes:
        end: Behind how many functions of the layer's output alone.
        activation: The activation function that ends there.
        layout: How the tensor there holds them.
    """

    end: int
    activation: str
    layout: Layout


@dataclass
class Look:
    """What a run has shown of calls that there is no plan for.

    Attributes:
        instances: The calls, with what followed each.
        shapes: The shape of what each returned, by the number of samples.
        units: How its units lie, as far as one run tells.
        again: Calls there is a plan for, of which the run could not tell which axis is that of samples.
        attends: Something was called that attentions call.
        given: What could be the outputs of heads, in the order of the calls: the layer that was given it (or the `id`
            of the weight, in torch's own attention), its shape, and how many `instances` there were before.
    """

    instances: dict[Key, Instance] = field(default_factory=dict[Key, Instance])
    shapes: dict[Key, dict[int, tuple[int, ...]]] = field(default_factory=dict[Key, dict[int, tuple[int, ...]]])
    units: dict[Key, Layout] = field(default_factory=dict[Key, Layout])
    again: dict[Key, None] = field(default_factory=dict[Key, None])
    attends: bool = False
    given: list[tuple[str | int, tuple[int, ...], int]] = field(
        default_factory=list[tuple[str | int, tuple[int, ...], int]]
    )

    def add_heads(self, heads: Heads, number: int, shape: tuple[int, ...], count: int) -> None:
        """Note the outputs of all heads of an attention in one of its calls."""
        key = heads.name, number
        self.instances[key] = Instance(*key)
        lie_so = (heads.order == np.arange(shape[-1])).all() if len(heads.order) == shape[-1] else False
        order = None if lie_so else torch.from_numpy(heads.order)  # pyright: ignore[reportUnknownMemberType]
        self.units[key] = Layout(len(shape) - 1, heads=heads.count, order=order)
        self.shapes.setdefault(key, {})[count] = shape


class Watched:
    """A module under observation.

    Attributes:
        model: The module; never touched.
        shadow: A module around the same parameters, and copies of all else.
        modules: The shadow's layers by name.
        kinds: The layers with units that are wanted, and what their units are.
        experts: How many experts there may be in layers that hold several kernels in a tensor, where these are wanted.
        heads: The attentions whose heads are wanted, by the layer that reads them.
        plans: Where units are seen.
        unsettled: For plans without an axis of samples as yet, the shapes that were seen by the number of samples.
        left_out: Why the units of some layers are not.
        asked: What chunks were asked for.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.kinds: dict[str, UnitKind] = {}
        self.experts: dict[str, int] = {}
        self.heads: dict[str, Heads] = {}
        self.plans: dict[Key, Plan] = {}
        self.unsettled: dict[Key, dict[int, tuple[int, ...]]] = {}
        self.left_out: dict[str, str] = {}
        self._norms: dict[str, Numbers] = {}
        self.asked = AskedByLayer()
        self.shadow = traceable_copy(self.model, _instead)
        self.modules = dict(named_layers(self.shadow))

    def norms_of(self, name: str, rows: torch.Tensor) -> Numbers:
        """Return the Euclidean norms of an embedding's rows, worked out once."""
        if name not in self._norms:
            step = max(1, (1 << 16) // max(1, rows.shape[1]))
            blocks = (rows.detach()[start : start + step] for start in range(0, len(rows), step))
            parts = [block.double().square().sum(dim=1).sqrt() for block in blocks]
            self._norms[name] = array_of(torch.cat(parts))
        return self._norms[name]

    def settle(self, key: Key, shape: tuple[int, ...], count: int) -> bool:
        """Learn a plan's axis of samples from the shape that `count` samples have; return whether it is known now."""
        if key not in self.unsettled:
            return True
        axis = growing_axis({**self.unsettled[key], count: shape})
        if axis is None:
            return False
        del self.unsettled[key]
        plan = self.plans[key]
        plan.layout = replace(plan.layout, sample_axis=axis)
        return True

    @property
    def place(self) -> torch.Tensor | None:
        """A parameter, whose device and dtype inputs are to have."""
        return next(iter(self.shadow.parameters()), None)


def holds_kernels(module: nn.Module) -> bool:
    """Whether a layer of no known kind holds what could be kernels: several in a tensor, or one and no layers."""
    if isinstance(module, nn.MultiheadAttention | nn.EmbeddingBag | parametrize.ParametrizationList):
        return False
    held = module._parameters.values()  # pyright: ignore[reportPrivateUsage]  # its own alone
    own = [p for p in held if p is not None and p.dim() > 1]
    several = any(p.dim() > 2 and min(p.shape) > 1 for p in own)
    return several or (any(min(p.shape) > 1 for p in own) and not any(True for _ in module.children()))


def _instead(tensor: torch.Tensor) -> torch.Tensor | None:
    """Return what stands in the shadow for a tensor: the same elements of a parameter, a copy of all else."""
    if isinstance(tensor, nn.Parameter):
        if type(tensor) is not nn.Parameter:
            return tensor
        return nn.Parameter(tensor.detach(), requires_grad=tensor.is_floating_point())
    return None if tensor.is_leaf else tensor.detach().clone()
