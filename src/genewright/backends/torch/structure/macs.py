"""Multiplications of a recorded run, by the shapes that its operations took."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from genewright.backends.torch.structure.record import Call, Recording, Ref
from genewright.errors import UnsupportedError

Shapes = tuple[tuple[int, ...], ...]


def macs_of(recording: Recording) -> dict[str, int]:
    """Return the multiplications of every layer that has some.

    Raises:
        UnsupportedError: An operation multiplies matrices in a way that is not known here.
    """
    found: dict[str, int] = {}
    for call in recording.calls:
        name = call.name.removeprefix("aten.")
        count = _COUNTS.get(name) or (_attention if "scaled_dot_product" in name else None)
        if count is not None:
            found[call.layer] = found.get(call.layer, 0) + count(call, _shapes(call))
        elif any(part in name for part in _MULTIPLYING):
            raise UnsupportedError(
                f"How many multiplications {call.name} takes is not known here; {call.layer or 'the model'!r} computes "
                f"it ({call.where})."
            )
    return found


def _shapes(call: Call) -> Shapes:
    return tuple(arg.shape for arg in call.args if isinstance(arg, Ref))


def _matrices(call: Call, shapes: Shapes) -> int:
    """The last two tensors are (..., n, k) and (..., k, m), or a vector of k."""
    left, right = shapes[-2:]
    return prod(left) * (right[-1] if len(right) > 1 else 1)


def _convolution(call: Call, shapes: Shapes) -> int:
    """Each element of the output, or of a transposed convolution's input, meets the kernel of one channel."""
    given, kernel = shapes[:2]
    meets: Any = given if call.args[6] else call.outputs.shape
    return prod(meets) * prod(kernel[1:])


def _attention(call: Call, shapes: Shapes) -> int:
    """Scores of all pairs (query, key), products over the head size; and their products with the values."""
    query, key, value = shapes[:3]
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _trilinear(call: Call, shapes: Shapes) -> int:
    """A bilinear layer: first with the one input, then with the other."""
    first, kernel, second = shapes[:3]
    positions = prod(first[:-1])
    return positions * prod(kernel) + positions * kernel[0] * second[-1]


_COUNTS: dict[str, Callable[[Call, Shapes], int]] = {
    **dict.fromkeys(("mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot", "vdot"), _matrices),
    "convolution": _convolution,
    "_trilinear": _trilinear,
}
_MULTIPLYING = ("_mm", "conv", "lstm", "gru_", "rnn_", "_attention", "sparse", "einsum")
