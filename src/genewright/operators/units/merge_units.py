"""Merging of units that say the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genewright.edits import Edit, Share
from genewright.errors import SelectionError
from genewright.index import Index
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.compensate import add_to_bias, bias_of, reader_inputs, round_bits
from genewright.operators.architecture.merge_duplicates import first_of_each
from genewright.operators.units.hidden_widths import hidden_units
from genewright.operators.units.removal import without_units
from genewright.seeding import Noise
from genewright.settings import check_fraction
from genewright.where import EVERYTHING, WhereSetting, as_where
from genewright.widths.knob import Knob, Place
from genewright.widths.layouts import by_unit, layout_of

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class MergeUnits(Operator):
    """Merge units that say the same into one, whose outgoing weights become those of all of them together.

    column' = column + a * column of the one that goes, where its value is a * (the one that stays) + b.

    Units with equal rows, biases, gains and statistics are duplicates: column' = column + the others' columns, and the
    outputs stay, up to the rounding of that sum to the weights' dtype.

    With a `threshold` below 1, units are merged as well whose values on the example are correlated by at
    least that, in absolute value: the one that goes is written as a * (the one that stays) + b by least squares over
    what each reader receives; column' = column + a * column that goes, bias' = bias + b * column that goes. That
    changes the outputs; the plan says by how much.

    Args:
        threshold: Least correlation, in [0, 1]; 1 merges duplicates alone.
        where: Which layers, by their kernels, and which of their units; hidden units alone.

    Raises:
        SettingError: A setting is out of its range.
        SelectionError: No two chosen units are so much alike.
        UnsupportedError: A width cannot shrink; the reason is named.
        ExampleError: There is no example.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).double()
        >>> with torch.no_grad():
        ...     net[0].weight[5], net[0].bias[5] = net[0].weight[1], net[0].bias[1]
        >>> data = torch.randn(16, 4, dtype=torch.float64)
        >>> slim = gw.mutate(net, gw.MergeUnits(), seed=1, example=data)
        >>> slim[0].out_features, torch.allclose(slim(data), net(data), rtol=1e-9)
        (7, True)

    References:
        Srinivas and Babu, "Data-free Parameter Pruning for Deep Neural Networks", arXiv:1507.06149, section 3 (copies
        are summed); Mariet and Sra, "Diversity Networks", arXiv:1511.05077, section 3.2 (what goes is refitted on what
        stays).
    """

    follows_units: ClassVar[bool] = True

    threshold: float = field(default=1.0, kw_only=False)
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_fraction(self, "threshold", self.threshold)
        object.__setattr__(self, "threshold", float(self.threshold))
        object.__setattr__(self, "where", as_where(self.where))

    def claims(self) -> frozenset[str]:
        return frozenset({"function"}) if self.threshold == 1 else frozenset()

    def note(self, networks: tuple[Network, ...]) -> str:
        if self.threshold == 1:
            return ""
        return (
            f"Units correlated by {self.threshold:g} or more are merged by least squares on the example: not exactly."
        )

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network = networks[0]
        gone: dict[Knob, list[int]] = {}
        for knob, units in hidden_units(self.where, network, "MergeUnits"):
            first = first_of_each(knob, network)
            stays: dict[int, int] = {}
            copies = [unit for unit in units if stays.setdefault(first[unit], unit) != unit]
            near = {} if self.threshold == 1 else self._near(knob, [u for u in units if u not in copies], network)
            for place in knob.places if near else ():
                if "reader" in place.roles:
                    yield from _taken_over(knob, place, near, network)
            gone[knob] = sorted([*copies, *near])
        if not any(gone.values()):
            alike = "equal" if self.threshold == 1 else f"correlated by {self.threshold:g}"
            raise SelectionError(f"MergeUnits: no two chosen hidden units of a layer are {alike}. Lower threshold.")
        yield from without_units(gone, network)

    def _near(self, knob: Knob, units: Sequence[int], network: Network) -> dict[int, int]:
        """Return for each unit that goes the one that stays: of those before it that do, the most correlated one."""
        seen = [values for place in knob.places if (values := reader_inputs(knob, place, network)) is not None]
        if not seen or len(seen) < sum("reader" in place.roles for place in knob.places):
            return {}  # what a reader receives cannot be seen
        values = np.asarray(seen[0], np.float64)
        centred = values - values.mean(axis=0)
        size = np.sqrt(np.square(centred).sum(axis=0))
        moving = [unit for unit in units if size[unit] > 1e-12 * np.abs(values).max(initial=0.0)]
        unit_vectors = centred[:, moving] / size[moving]
        alike = np.abs(unit_vectors.T @ unit_vectors)
        stays: list[int] = []
        out: dict[int, int] = {}
        for at, unit in enumerate(moving):
            best = max(stays, key=lambda other: alike[at, other], default=None)
            if best is not None and alike[at, best] >= self.threshold:
                out[unit] = moving[best]
            else:
                stays.append(at)
        return out


def _taken_over(knob: Knob, place: Place, near: dict[int, int], network: Network) -> Iterator[Edit]:
    """Yield the edits by which a reader's columns and bias take over those of units that go."""
    seen = reader_inputs(knob, place, network)
    assert seen is not None  # else nothing is near
    values = np.asarray(seen, np.float64)
    shifts = bias_of(place, network) is not None
    factors: list[float] = []
    constants: dict[int, float] = {}
    for goes, stays in near.items():
        known = np.column_stack([values[:, stays], np.ones(len(values))][: 2 if shifts else 1])
        found = np.linalg.lstsq(known, values[:, goes], rcond=1e-10)[0]
        factors.append(round_bits(float(found[0])))
        constants[goes] = round_bits(float(found[-1])) if shifts else 0.0
    yield from add_to_bias(knob, place, network, constants)
    at = by_unit(layout_of(place.layout, knob.leaf), knob.size)
    yield Share(
        tensor=place.tensor,
        axis=place.axis,
        source=Index.of(at[list(near)].reshape(-1)),
        target=Index.of(at[list(near.values())].reshape(-1)),
        share=np.repeat(factors, at.shape[1]),
    )
