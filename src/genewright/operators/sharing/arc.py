"""The arc between two tensors, taken as vectors: spherical linear interpolation."""

from __future__ import annotations

import math

from genewright.network import Network
from genewright.part import Part, grid
from genewright.spread import dot
from genewright.tensor import Tensor

_BITS = 40  # of the factors: a sine's last bits differ from machine to machine
_PARALLEL = 1e-6  # below this sine of the angle, the way along the arc is the straight one


def arc(
    t: float, networks: tuple[Network, ...], mine: tuple[Tensor, Part], theirs: tuple[Tensor, Part]
) -> tuple[float, float]:
    """Return the factors of two vectors at `t` of the way along the arc from one to the other."""
    first, second = (
        network.read(tensor.name)[grid(part, tensor.shape)]
        for network, (tensor, part) in zip(networks, (mine, theirs), strict=True)
    )
    lengths = math.sqrt(dot(first, first)) * math.sqrt(dot(second, second))
    cosine = dot(first, second) / lengths if lengths else 1.0
    if not math.isfinite(cosine):
        return 1 - t, t
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    sine = math.sin(angle)
    if sine < _PARALLEL:
        return 1 - t, t
    own, other = math.sin((1 - t) * angle) / sine, math.sin(t * angle) / sine
    return math.ldexp(round(math.ldexp(own, _BITS)), -_BITS), math.ldexp(round(math.ldexp(other, _BITS)), -_BITS)
