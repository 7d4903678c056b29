"""The members of a generation, as edits hold them: (seed, weight) pairs, and the sum of their noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

from genewright.edits.functions.add_low_rank import matrix_shape
from genewright.noise import Stream, WeightedSum, derive
from genewright.noise.change import Rounding
from genewright.packed import packed

Members = Sequence[tuple[int, float]]

_SALT = "evolution_update"


def sum_of(
    members: Members,
    tensor: str,
    shape: tuple[int, ...],
    *,
    salt: str,
    rate: float,
    rank: int,
    decay: float = 0.0,
    rounding: str = "nearest",
) -> WeightedSum:
    """Return the sum of what members were perturbed by, times their weights.

    Args:
        members: Pairs of a seed and a weight.
        tensor: The tensor's name.
        shape: Its shape.
        salt: The name of the operator that perturbed them.
        rate: Its rate.
        rank: Its rank; 0 for noise of full rank.
        decay: What of the old values is subtracted.
        rounding: "nearest" or "stochastic".
    """
    terms = tuple((derive(seed, name=tensor, path="/0", salt=salt), weight) for seed, weight in members)
    return WeightedSum(
        terms=terms,
        rate=rate,
        rank=rank or None,
        matrix=matrix_shape(shape) if rank else (0, 0),
        decay=decay,
        rounding=cast(Rounding, rounding),
    )


def rounding_stream(members: Members, tensor: str) -> Stream:
    """Return the words that an update rounds by: others for every generation, and for every tensor."""
    seeds, weights = zip(*members, strict=True)
    return derive(packed(seeds, "u8") + packed(weights, "f8"), name=tensor, path="/0", salt=_SALT)


def fault_of(members: Any, *, rate: float, rank: int, shape: tuple[int, ...], rounding: str) -> str:
    """Return why members and their noise do not fit a tensor of this shape, or ""."""
    entries: list[Any] = list(cast("list[Any]", members)) if isinstance(members, list | tuple) else []
    if not entries or not all(map(_is_member, entries)):
        return "a generation is a list of (seed, weight)"
    if not 0 <= rate <= 1 or (rank and rate < 1):
        return f"a rate is from 0 to 1, and 1 where there is a rank; {rate} is not"
    if rank < 0 or (rank and len(shape) < 2):
        return f"a rank is at least 1 and of a matrix, and {rank} of shape {shape} is not"
    return "" if rounding in ("nearest", "stochastic") else f"no rounding is called {rounding!r}"


def _is_member(one: Any) -> bool:
    pair: list[Any] = list(cast("list[Any]", one)) if isinstance(one, list | tuple) else []
    return len(pair) == 2 and type(pair[0]) is int and isinstance(pair[1], float) and math.isfinite(pair[1])
