"""Nonlinearities between weights and a norm: the norm of a mean of units is then not the mean of their norms.

Padding a stream with the mean of its units relies on affine operations alone between the weights and each layer norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from genewright.backends.torch.structure.propagation import is_pointwise, refs_of
from genewright.backends.torch.structure.record import Recording, Ref
from genewright.widths.reasons import Cause, Reason

AFFINE: Final = {"aten.add", "aten.sub", "aten.rsub", "aten.neg", "aten.mul", "aten.div", "aten.copy", "aten.where"}
"""Pointwise operations that commute with the mean over units; products only with a number."""

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
"""Operations with weights, behind which units are new ones: prefixes of their names."""

NORMS: Final = ("aten.native_layer_norm", "aten.layer_norm")


def nonlinearities_before_norms(recording: Recording) -> dict[str, Reason]:
    """Return the first nonlinearity between weights and each layer norm; norms without one are left out."""
    by_ref: dict[Ref, Reason] = {}
    found: dict[str, Reason] = {}
    for call in recording.calls:
        name = call.name.removesuffix("_")
        given = [ref for ref in refs_of((*call.args, *call.kwargs.values())) if ref.origin != "parameter"]
        held = next((by_ref[ref] for ref in given if ref in by_ref), None)
        if name in NORMS:
            if held is not None:
                found.setdefault(call.layer, held)
            continue
        if name.startswith(WEIGHTED):
            continue
        if is_pointwise(call) and not _is_affine(name, given):
            held = Reason(Cause.NONLINEAR, name, call.where, call.layer)
        if held is not None:
            for ref in (*refs_of(call.outputs), *(given[:1] if call.name.endswith("_") else ())):
                by_ref[ref] = held
    return found


def _is_affine(name: str, given: Sequence[Ref]) -> bool:
    return name in AFFINE and not (name in ("aten.mul", "aten.div") and sum(bool(ref.shape) for ref in given) > 1)
