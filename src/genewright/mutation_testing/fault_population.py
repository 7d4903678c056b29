"""The population of faults: which tensors can have how many, and into which groups they fall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from genewright.errors import SettingError
from genewright.mutation_testing.fault_units import FaultUnits
from genewright.operators.weights.stored_bits import fields_of

Group = Literal["bit", "field", "unit", "tensor", "layer"]
GROUPS = ("bit", "field", "unit", "tensor", "layer")


@dataclass(frozen=True, kw_only=True)
class FaultTensor:
    """One tensor of the population.

    Attributes:
        name: Its name.
        layer: Its layer.
        dtype: Its dtype.
        elements: How many of its elements can be hit.
        bits: In which of their bits; () where the operator does not act on bits.
        units: Where its layer's units stand in it; None where they have no place of their own.
    """

    name: str
    layer: str
    dtype: str
    elements: int
    bits: tuple[int, ...] = ()
    units: FaultUnits | None = None

    @classmethod
    def from_json(cls, form: dict[str, Any]) -> FaultTensor:
        """Read what `dataclasses.asdict` made."""
        return cls(
            name=str(form["name"]),
            layer=str(form["layer"]),
            dtype=str(form["dtype"]),
            elements=int(form["elements"]),
            bits=tuple(int(bit) for bit in form["bits"]),
            units=None if form.get("units") is None else FaultUnits.from_json(form["units"]),
        )

    @property
    def size(self) -> int:
        """How many faults it can have."""
        return self.elements * max(1, len(self.bits))


def grouped(tensors: Sequence[FaultTensor], what: Group, who: str) -> tuple[dict[tuple[int, int], str], dict[str, int]]:
    """Return the group of each (tensor, way of harm), and the population of each group.

    Args:
        tensors: The population.
        what: The kind of groups.
        who: The operator, for the message.

    Raises:
        SettingError: It does not act on bits, and groups of bits are asked for.
    """
    sizes: dict[str, int] = {}
    of: dict[tuple[int, int], str] = {}
    dtypes = {tensor.dtype for tensor in tensors}
    for at, tensor in enumerate(tensors):
        if what in ("bit", "field") and not tensor.bits:
            raise SettingError(f"by({what!r}): {who} does not act on bits.")
        for way in tensor.bits or (0,):
            label = {
                "tensor": tensor.name,
                "layer": tensor.layer or "(the model)",
                "bit": f"{way}" if len(dtypes) == 1 else f"{tensor.dtype} {way}",
                "field": field_of(way, tensor.dtype) if tensor.bits else "",
            }[what]
            of[at, way] = label
            sizes[label] = sizes.get(label, 0) + tensor.elements
    if what == "bit":
        sizes = dict(sorted(sizes.items(), key=lambda item: (item[0].split()[:-1], int(item[0].split()[-1]))))
    return of, sizes


def field_of(bit: int, dtype: str) -> str:
    """Return the field of a number format that a bit belongs to.

    >>> field_of(31, "float32"), field_of(23, "float32"), field_of(22, "float32")
    ('sign', 'exponent', 'mantissa')
    """
    return next(name for name, bits in fields_of(dtype).items() if bit in bits)
