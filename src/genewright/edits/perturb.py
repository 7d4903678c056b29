"""Perturb: seeded noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from genewright.edits.edit import Line, View
from genewright.edits.site import Site
from genewright.edits.values import ValueEdit
from genewright.errors import SettingError
from genewright.index import Index
from genewright.noise import Change
from genewright.noise.engine import LARGEST
from genewright.part import Part
from genewright.tensor import COMPLEX, Tensor

_NONE = Index()


@dataclass(frozen=True, kw_only=True)
class Perturb(ValueEdit):
    """Change elements of a tensor by seeded noise, in place.

    Real and imaginary part of a complex element are two numbers, each with noise of its own; they lie beside each
    other, as in an axis of length 2 behind all others.

    Attributes:
        tensor: The tensor's name.
        change: What is drawn and how it combines with the old value.
        stream: Name of the random words, within the step's noise; by convention the tensor's name.
        part: The elements that may change; an element's noise is the same in every part that holds it.
        elements: Exactly the elements that change, by their places in row-major order (a complex element has two), in
            place of a part and the change's rate; empty where these say it.
    """

    tensor: str
    change: Change
    stream: str
    part: Part = ()
    elements: Index = _NONE

    def check_tensor(self, tensor: Tensor, views: Sequence[View]) -> None:
        if self.elements.size:
            self.refuse_places(self.elements, tensor)
        if abs(self.change.scale) <= LARGEST["float32"]:
            return
        computing = "float64" if tensor.dtype in ("float64", "complex128") else "float32"
        if abs(self.change.scale) > LARGEST[computing]:
            raise SettingError(
                f"A strength of {self.change.scale:g} is infinite in {computing}, in which {tensor.name!r} of dtype "
                f"{tensor.dtype} is computed. Take a smaller one."
            )

    def apply(self, site: Site) -> None:
        stream = site.noise.stream(self.stream)
        if not self.elements.size:
            site.perturb(self.tensor, self.change, stream, self.part)
        else:
            site.perturb_at(self.tensor, self.change, stream, self.elements.array)

    def takes(self, dtype: str) -> bool:
        return super().takes(dtype) or dtype in COMPLEX

    def lines(self, view: View) -> Iterator[Line]:
        for line in super().lines(view):
            if self.elements.size:
                line = replace(line, what=f"{line.what}, {len(self.elements)} elements", expected=len(self.elements))
            if self.change.scale == 0 and self.change.combine in ("add", "add_relative"):
                line = replace(line, expected=0)
            yield replace(line, what=f"{line.what}, real and imaginary parts each") if line.dtype in COMPLEX else line

    def rate(self) -> float:
        return self.change.rate

    def words(self) -> str:
        return _words(self.change) + (f", rate {self.change.rate:g}" if self.change.rate < 1 else "")


def _words(change: Change) -> str:
    drawn = f"{abs(change.scale):.6g} * {change.distribution}"
    constant = change.distribution == "constant"
    return {
        "add": f"w {'-' if change.scale < 0 else '+'} {drawn}",
        "add_relative": f"w + {drawn} * |w|",
        "multiply": f"w * {change.scale:.6g}" if constant else f"w * exp({change.scale:.6g} * normal)",
        "replace": f"{change.scale:.6g}" if constant else drawn,
        "negate": "-w",
        "xor": f"flip one of bits {','.join(map(str, change.bits))}",
    }[change.combine]
