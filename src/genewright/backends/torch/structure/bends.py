"""Which norms are given what a curved function has made, so that the mean of units does not pass through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from genewright.backends.torch.structure.reading import is_pointwise, refs_of
from genewright.backends.torch.structure.record import Recording, Ref
from genewright.widths.reasons import Cause, Reason

STRAIGHT: Final = {"aten.add", "aten.sub", "aten.rsub", "aten.neg", "aten.mul", "aten.div", "aten.copy", "aten.where"}
"""Pointwise operations that the mean of the units passes through; products only with a number."""

WEIGHTED: Final = (
    "aten.mm",
    "aten.addmm",
    "aten.bmm",
    "aten.baddbmm",
    "aten.matmul",
    "aten.linear",
    "aten.convolution",
    "aten.embedding",
    "aten._scaled_dot_product",
)
"""What makes units anew from others, by weights; names begin so."""

NORMS: Final = ("aten.native_layer_norm", "aten.layer_norm")


def bends_before_norms(recording: Recording) -> dict[str, Reason]:
    """Return, by layer, why a layer norm would not be given the mean of the old units where these are given it."""
    bent: dict[Ref, Reason] = {}
    found: dict[str, Reason] = {}
    for call in recording.calls:
        name = call.name.removesuffix("_")
        given = [ref for ref in refs_of((*call.args, *call.kwargs.values())) if ref.origin != "parameter"]
        held = next((bent[ref] for ref in given if ref in bent), None)
        if name in NORMS:
            if held is not None:
                found.setdefault(call.layer, held)
            continue
        if name.startswith(WEIGHTED):
            continue
        if is_pointwise(call) and not _is_straight(name, given):
            held = Reason(Cause.BENT, name, call.where, call.layer)
        if held is not None:
            for ref in (*refs_of(call.outputs), *(given[:1] if call.name.endswith("_") else ())):
                bent[ref] = held
    return found


def _is_straight(name: str, given: Sequence[Ref]) -> bool:
    return name in STRAIGHT and not (name in ("aten.mul", "aten.div") and sum(bool(ref.shape) for ref in given) > 1)
