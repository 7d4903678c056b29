"""Cost: what a network takes, in parameters, multiplications and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from genewright.calls import Answering


@dataclass(frozen=True, kw_only=True)
class Cost(metaclass=Answering):
    """What a network takes; print it.

    Attributes:
        parameters: Elements of its parameters, frozen ones too; a tied tensor counts once. Statistics do not.
        macs: Multiplications, each with its addition, of one run on the example as it was given, all samples of it
            together: of linear maps, convolutions, recurrences and attention; activations, norms and sums are left out,
            as is usual. None without an example, or where `note` says why.
        bytes: Memory of all its tensors, statistics too.
        macs_by_layer: The same by layer.
        note: Why there are no MACs; "" where there are.
    """

    parameters: int
    macs: int | None
    bytes: int
    macs_by_layer: Mapping[str, int] = field(default_factory=dict[str, int], hash=False)
    note: str = ""

    def __str__(self) -> str:
        macs = "" if self.macs is None else f", {self.macs:,} MACs"
        return f"{self.parameters:,} parameters{macs}, {self.bytes:,} bytes"

    def to(self, after: Cost) -> str:
        """Say what has become of it.

        >>> Cost(parameters=20, macs=40, bytes=80).to(Cost(parameters=10, macs=30, bytes=40))
        '20 -> 10 parameters, 40 -> 30 MACs, 80 -> 40 bytes'
        """
        known = self.macs is not None and after.macs is not None
        macs = f", {self.macs:,} -> {after.macs:,} MACs" if known else ""
        return f"{self.parameters:,} -> {after.parameters:,} parameters{macs}, {self.bytes:,} -> {after.bytes:,} bytes"
