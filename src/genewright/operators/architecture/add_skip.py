"""A skip connection."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from genewright import edit
from genewright.errors import UnsupportedError
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.fresh import chosen, drawn
from genewright.seeding import Noise
from genewright.spec import Spec, as_spec
from genewright.structure import Call


@dataclass(frozen=True, kw_only=True)
class AddSkip(Operator):
    """Add a gated skip from the input of one layer to the output of another: y' = y + g * path(x), with g = 0.

    The gate g is trainable. `path` is the identity where the shapes are the same; else a projection: a convolution of
    window 1 with the stride that fits, or a linear layer, as its kind draws it.

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

    start: str | None = None
    end: str | None = None
    path: Any = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", as_spec("AddSkip", self.path))

    def settled(self, network: Network, noise: Noise) -> Operator:
        start, end, path = self.start, self.end, self.path
        if start is None:
            calls = network.structure.calls().values()
            options = [c.layer for c in calls if c.layer and c.times == 1 and c.given == c.returned]
            start = end if end is not None else chosen(options, noise, "AddSkip", "layer with room for a skip")
        end = start if end is None else end
        if path == "auto":
            path = _path(network.structure.call(start), network.structure.call(end))
        return dataclasses.replace(self, start=start, end=end, path=path)

    def propose(self, network: Network, noise: Noise) -> Iterator[edit.Edit]:
        skip = edit.Rewire(start=self.start or "", end=self.end or "", path=self.path)
        yield skip
        yield from drawn(skip, network, noise)


def _path(start: Call, end: Call) -> Spec:
    given, returned = start.given, end.returned
    if start.times > 1 or end.times > 1:
        shared = start if start.times > 1 else end
        raise UnsupportedError(
            f"AddSkip: {shared.layer!r} is called {shared.times} times in one run; a skip needs one."
        )
    if given == returned:
        return "identity"
    images = len(given) == len(returned) == 4 and end.depth_axis == 1 and given[0] == returned[0]
    if images:
        strides = [-(-a // b) if b else 0 for a, b in zip(given[2:], returned[2:], strict=True)]
        if all(s > 0 and -(-a // s) == b for s, a, b in zip(strides, given[2:], returned[2:], strict=True)):
            projection = {"layer": "Conv2d", "in_channels": given[1], "out_channels": returned[1]}
            return {**projection, "kernel_size": 1, "stride": strides}
    elif given[:-1] == returned[:-1]:
        return {"layer": "Linear", "in_features": given[-1], "out_features": returned[-1]}
    raise UnsupportedError(
        f"AddSkip: {start.layer!r} is given the shape {given} and {end.layer!r} returns {returned}; no projection of "
        "ours leads from one to the other. Say one: path={'layer': ...}. Nothing has been changed."
    )
