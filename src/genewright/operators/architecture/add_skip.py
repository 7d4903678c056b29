"""A skip connection."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from genewright import edits
from genewright.errors import UnsupportedError
from genewright.layer import Layer
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.new_layer_init import chosen, init_new_layer
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.spec import LayerSpec, as_spec
from genewright.structure import Call


@dataclass(frozen=True, kw_only=True)
class AddSkip(Operator):
    """Add a gated skip from the input of one layer to the output of another: y' = y + g * path(x), with g = 0.

    The gate g is trainable. `path` is the identity where the shapes are the same; else a projection: a convolution of
    window 1 with the stride that fits (of its own window around a convolution that cuts the edges off), or a linear
    layer, as its kind draws it.

    Args:
        start: The layer whose input the skip takes; None lets the seed choose.
        end: The layer to whose output it is added; None is `start`: a skip around one layer.
        path: What the skip computes; "auto" chooses as said above.

    Raises:
        SettingError: `path` is no layer.
        UnknownNameError: There is no such layer.
        UnsupportedError: The shapes do not fit, or `end` comes before `start`; nothing is changed.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> x = torch.randn(5, 4)
        >>> mutant = gw.mutate(net, gw.AddSkip(start="0", end="2"), seed=1, example=x)
        >>> bool(torch.equal(mutant(x), net(x)))
        True

    References:
        He et al., "Deep Residual Learning", arXiv:1512.03385; Bachlechner et al., "ReZero", arXiv:2003.04887.
    """

    keeps = frozenset({"function"})

    start: LayerSetting = field(default=NO_LAYER, kw_only=False)
    end: LayerSetting = field(default=NO_LAYER, kw_only=False)
    path: Any = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", as_spec("AddSkip", self.path))

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Operator:
        network = networks[0]
        start, end, path = self.start, self.end, self.path
        if start is None:
            calls = network.structure.calls().values()
            options = [c.layer for c in calls if c.layer and c.num_calls == 1 and c.keeps_shape and not c.grafted]
            start = end if end is not None else chosen(options, noise, "AddSkip", "layer with room for a skip")
        end = start if end is None else end
        if path == "auto":
            around = network.layers.get(start) if start == end else None
            path = _path(network.structure.call(start), network.structure.call(end), around)
        return dataclasses.replace(self, start=start, end=end, path=path)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[edits.Edit]:
        network = networks[0]
        skip = edits.Rewire(start=self.start or "", end=self.end or "", path=self.path)
        yield skip
        yield from init_new_layer(skip, network)


def _path(start: Call, end: Call, around: Layer | None) -> LayerSpec:
    """Return what leads from the input of one layer to the output of another: the identity, or a projection.

    Args:
        start: The layer whose input the skip takes.
        end: The layer to whose output it is added.
        around: The layer that both are, if they are one.
    """
    for call in (start, end):
        if call.num_calls > 1:
            raise UnsupportedError(
                f"AddSkip: {call.layer!r} is called {call.num_calls} times in one run; a skip needs one."
            )
    given, returned, depth = start.input_shape, end.output_shape, end.depth_axis
    if given == returned:
        return LayerSpec(kind="identity")
    if len(given) == len(returned) and given[:1] == returned[:1] and depth:
        axes = [axis for axis in range(1, len(returned)) if axis != depth]
        steps = tuple(_step(given[axis], returned[axis]) for axis in axes)
        inputs, outputs = given[depth], returned[depth]
        if all(step == 1 for step in steps) and depth == len(returned) - 1:
            return LayerSpec(kind="linear", inputs=inputs, outputs=outputs)
        padding = () if around is None or depth != 1 else _own_padding(around)
        if around is not None and padding and len(axes) == len(around.window):
            return LayerSpec(
                kind="convolution",
                inputs=inputs,
                outputs=outputs,
                window=around.window,
                stride=around.stride,
                padding=padding,
                channels="first",
            )
        if all(steps) and len(axes) == end.window_axes:
            return LayerSpec(
                kind="convolution",
                inputs=inputs,
                outputs=outputs,
                window=(1,) * len(axes),
                stride=steps,
                padding="same",
                channels="first" if depth == 1 else "last",
            )
    raise UnsupportedError(
        f"AddSkip: {start.layer!r} receives the shape {given} and {end.layer!r} returns {returned}; no projection of "
        "ours leads from one to the other. Say one: path=... Nothing has been changed."
    )


def _own_padding(layer: Layer) -> tuple[int, ...]:
    """Return the padding of a convolution for which a window of 1 cannot stand at every size; () of any other."""
    if layer.kind != "convolution" or isinstance(layer.padding, str) or set(layer.dilation) != {1}:
        return ()
    edges = [2 * padding != window - 1 for window, padding in zip(layer.window, layer.padding, strict=True)]
    return layer.padding if any(edges) else ()


def _step(given: int, returned: int) -> int:
    """Return the stride by which a window of 1 takes one length to another, or 0."""
    if given == returned:
        return 1
    step = -(-given // returned) if given > 0 and returned > 0 else 0
    return step if step and -(-given // step) == returned else 0
