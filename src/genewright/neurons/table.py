"""NeuronTable: a row for every unit, a column for every measure."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError, UnknownNameError, UnsupportedError
from genewright.names import did_you_mean, is_pattern, matches
from genewright.neurons.filtering import rows_that
from genewright.neurons.heat_map import heat_map
from genewright.observation import Numbers, UnitLayer
from genewright.settings import check_integer
from genewright.showing import Shown, fragment, histogram, more_line, shortened, table

_SHOWN = 20  # rows of a printed table
_HISTOGRAMS, _BINS = 6, 20


@dataclass(frozen=True, eq=False, repr=False)
class NeuronTable(Shown):
    """Units of a network and what was measured of them: a row a unit, a column a measure, all numbers float64.

    It never changes: `filter` and `top` return tables of some of its rows.

    Attributes:
        layers: The layers that were measured, with where their units were seen.
        samples: How many samples the data held.
        notes: What could not be measured, and why; values that were NaN or infinite.
    """

    made_by = "gw.neurons.measure(model, data)"
    layers: tuple[UnitLayer, ...]
    samples: int
    notes: tuple[str, ...]
    _places: NDArray[np.int64]
    _units: NDArray[np.int64]
    _columns: Mapping[str, Numbers]

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of the columns that hold measures."""
        return tuple(self._columns)

    @property
    def layer(self) -> NDArray[np.str_]:
        """The layer's name of every row."""
        names = np.array([layer.name for layer in self.layers] or [""])
        return names[self._places]

    @property
    def unit(self) -> NDArray[np.int64]:
        """The number of every row's unit in its layer."""
        return self._units.copy()

    def __len__(self) -> int:
        return len(self._units)

    def __getitem__(self, column: str) -> NDArray[Any]:
        """Return a column, as an array of its own: `layer`, `unit`, or a measure's.

        Raises:
            UnknownNameError: There is none of that name; the message lists near names.
        """
        if column in ("layer", "unit"):
            return self.layer if column == "layer" else self.unit
        if column not in self._columns:
            names = ("layer", "unit", *self._columns)
            raise UnknownNameError(f"No column is called {column!r}. {did_you_mean(column, names)}")
        return self._columns[column].copy()

    def filter(self, condition: str | NDArray[np.bool_] | Callable[[NeuronTable], Any]) -> NeuronTable:
        """Return the rows that meet a condition.

        Args:
            condition: A text such as ``"active_fraction < 0.01 & layer.str.startswith('layer3')"`` (comparisons joined
                by ``&``, ``|``, ``~``; a NaN meets none of them but ``!=``), a boolean array of one entry a row, or a
                function of the table that returns such.

        Raises:
            SettingError: It is no condition, or the array has another length.
            UnknownNameError: It names a column that is not there.
        """
        if isinstance(condition, str):
            kept = rows_that(condition, {"layer": self.layer, "unit": self._units, **self._columns})
        else:
            kept = np.asarray(condition(self) if callable(condition) else condition)
        if kept.dtype.kind != "b" or kept.shape != (len(self),):
            raise SettingError(
                f"filter: expected a condition or {len(self)} bools, one a row; received {kept.dtype} of shape "
                f"{kept.shape}."
            )
        return self._taking(np.flatnonzero(kept))

    def top(self, count: int, by: str, *, largest: bool = True) -> NeuronTable:
        """Return the `count` rows with the largest values of a column, largest first; rows with NaN come last.

        Args:
            count: How many rows; all, where there are fewer.
            by: The column.
            largest: False for the smallest, smallest first.

        Raises:
            UnknownNameError: There is no such column.
            SettingError: `count` is negative.
        """
        check_integer("top", "count", count, low=0)
        values = self[by]
        if values.dtype.kind == "U":
            raise SettingError(f"top: by is a column of numbers; {by!r} holds names.")
        keys = values.astype(np.float64) * (-1.0 if largest else 1.0)
        return self._taking(np.argsort(keys, kind="stable")[:count])  # NaN is sorted last

    def mask(self, layer: str | None = None) -> dict[str, NDArray[np.bool_]]:
        """Return which units of their layers this table's rows are, as ``gw.where(units=...)`` takes it.

        Args:
            layer: A layer's name, or a pattern such as "layer3.*"; None for every layer that has rows here.

        Returns:
            For every layer a mask of its units; for heads that somebody wrote, masks of their projections' rows; for a
            recurrent stack masks of its last layer's cells, one a direction, under names such as "lstm.l1_reverse".

        Raises:
            UnknownNameError: No layer of the table is called so.
            UnsupportedError: The units have no place of their own in tensors that `where` could choose.

        Example:
            >>> import torch, genewright as gw
            >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
            >>> dead = gw.neurons.measure(net, torch.randn(8, 4)).filter("active_fraction == 0")
            >>> chosen = gw.where(units=dead.mask("0"))
        """
        wanted = [each for each in self.layers if layer is None or each.name == layer or matches(layer, each.name)]
        if layer is not None and not wanted:
            names = [each.name for each in self.layers]
            raise UnknownNameError(f"mask: no layer of the table is called {layer!r}. {did_you_mean(layer, names)}")
        masks: dict[str, NDArray[np.bool_]] = {}
        for each in wanted:
            chosen = np.zeros(each.units + 1, bool)  # the last entry stands for -1: positions that are no unit's
            chosen[self._units[self._places == self.layers.index(each)]] = True
            asked = layer is not None and not is_pattern(layer)
            if not (each.rows or each.named) and (asked or chosen.any()):
                raise UnsupportedError(
                    f"mask: the units of {each.name!r} ({each.kind}) have no rows of tensors of their own that where "
                    "could choose."
                )
            if chosen.any() or asked:
                for name, rows in (each.named or each.rows).items():
                    masks[name] = masks.get(name, False) | chosen[rows]
        return masks

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with the columns `layer`, `unit` and one a measure.

        Raises:
            UnsupportedError: pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError:
            raise UnsupportedError(
                "to_frame needs pandas: pip install 'genewright[frames]'. Without it, table['name'] gives a column as "
                "a NumPy array."
            ) from None
        return pandas.DataFrame({"layer": self.layer, "unit": self._units, **self._columns})

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield every row by column, numbers as Python's."""
        layer = self.layer.tolist()
        columns = {name: values.tolist() for name, values in self._columns.items()}
        for at, unit in enumerate(self._units.tolist()):
            yield {"layer": layer[at], "unit": unit, **{name: values[at] for name, values in columns.items()}}

    def details(self) -> str:
        """Return every row in words."""
        return self._text(len(self))

    def __str__(self) -> str:
        return shortened(self._text(_SHOWN))

    def _text(self, most: int) -> str:
        held = [layer for at, layer in enumerate(self.layers) if (self._places == at).any()]
        lines = [f"{len(self):,} units of {len(held)} layers, {self.samples:,} samples"]
        rows: list[tuple[str, ...]] = [("layer", "unit", *self._columns)]
        rows += [
            tuple(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values())
            for row in self._taking(np.arange(min(len(self), most))).rows()
        ]
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        for row in rows:
            numbers = (f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
            lines.append("  ".join([f"{row[0]:<{widths[0]}}", *numbers]))
        if len(self) > most:
            lines.append(f"... and {len(self) - most:,} more; .filter(...), .top(n, by=...), .to_frame(), .details()")
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    def heat_map(self, by: str | None = None) -> str:
        """Return a picture as SVG: a strip a layer, a cell a unit (or the mean of some), coloured by a measure.

        Args:
            by: The column; by default the first measure.

        Raises:
            UnknownNameError: There is no such column.
        """
        by = by or next(iter(self._columns), "unit")
        values = self[by].astype(np.float64)
        strips: list[tuple[str, Numbers]] = []
        for at, layer in enumerate(self.layers):
            here = self._places == at
            if here.any():
                strip = np.full(layer.units, np.nan)
                strip[self._units[here]] = values[here]
                strips.append((layer.name, strip))
        return heat_map(by, strips)

    def _repr_html_(self) -> str:
        rows = [
            tuple(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values())
            for row in self._taking(np.arange(min(len(self), _SHOWN))).rows()
        ]
        more = f"... and {len(self) - _SHOWN:,} more rows" if len(self) > _SHOWN else ""
        notes = "".join(more_line(f"note: {note}") for note in self.notes[:_SHOWN])
        return fragment(
            self._text(0).partition("\n")[0],
            self.heat_map() if self._columns and len(self) else "",
            "".join(_course(name, values) for name, values in list(self._columns.items())[:_HISTOGRAMS]),
            table(("layer", "unit", *self._columns), rows, numbers=("unit", *self._columns)),
            more_line(more),
            notes,
        )

    def _taking(self, rows: NDArray[np.integer[Any]]) -> NeuronTable:
        columns = {name: values[rows] for name, values in self._columns.items()}
        return replace(self, _places=self._places[rows], _units=self._units[rows], _columns=columns)


def _course(name: str, values: Numbers) -> str:
    """Return a histogram of a measure over all units; nothing where no value is finite."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return ""
    low, high = float(finite.min()), float(finite.max())
    if not high - low < np.inf or high - low <= 1e-12 * abs(high):
        return ""  # one value alone, or a range that has no width in float64
    counts = np.histogram(finite, bins=_BINS, range=(low, high))[0]
    return histogram(f"units by {name}", counts.tolist(), f"{low:.4g}", f"{high:.4g}")
