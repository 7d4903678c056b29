"""Reading: the data streams by, and every gauge of every layer takes in what its units put out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.batches import Batch, count, first_samples
from genewright.errors import DataError, GenewrightError, SelectionError
from genewright.neurons.registry import Gauge, Measure, Surroundings
from genewright.neurons.table import NeuronTable
from genewright.observation import Chunk, Numbers, Observer, UnitLayer, Wanted
from genewright.where import Where, describe

SPARSE = {"embedding": "embedding rows", "experts": "experts"}
"""Kinds of units whose values, nearly all zero, do not keep their places."""


def look(observer: Observer, opened: Batch) -> None:
    """Learn where units are seen: from two small batches of different length, which tell the axis of samples."""
    total = count(opened.inputs)
    sizes = (2, 3) if total > 2 else (1, 2) if total == 2 else (1,)
    try:
        observer.look([(size, first_samples(opened.inputs, size)) for size in sizes])
    except GenewrightError:
        raise
    except Exception:  # a model that takes batches of one length alone: the first one tells what it can
        try:
            observer.look([(total, opened.inputs)])
        except GenewrightError:
            raise
        except Exception as error:
            raise cannot_take(0, error, opened) from error


def cannot_take(number: int, error: Exception, batch: Batch) -> DataError:
    """Return the error to raise where the model's own code cannot run a batch, counted from 0."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    several = ""
    if isinstance(error, TypeError) and "missing" in lines[0] and batch.targets is not None:
        several = (
            " Of two entries of a batch the second is taken for targets; several inputs go together: ((x1, x2), y), or "
            "((x1, x2),) where there are no targets."
        )
    return DataError(f"measure: the model cannot take batch {number}: {lines[0]}{several}")


class Reading:
    """The gauges of every layer while the data streams by, batch by batch, and the table at the end.

    Args:
        observer: Runs the model and shows what its units put out; it has looked already.
        wanted: The measures.
        around: What measures may ask beyond values.
    """

    def __init__(self, observer: Observer, wanted: tuple[Measure, ...], around: Surroundings) -> None:
        self._observer, self._measures, self._around = observer, wanted, around
        self._gauges: dict[str, dict[str, Gauge | None]] = {}
        self._nonfinite: dict[str, Numbers] = {}
        self._notes: dict[str, None] = {}
        self._samples = 0
        self._wanted = Wanted(
            values=self._values,
            inputs=self._inputs if any("inputs" in each.reads for each in wanted) else None,
            gradients=any("gradients" in each.reads for each in wanted),
        )
        self._labelled = [each.name for each in wanted if "labels" in each.reads]

    def take(self, batch: Batch, targets: NDArray[Any] | None, number: int, loss: Any) -> None:
        """Measure a batch; `targets` are its own, as an array."""
        size = count(batch.inputs)
        labels = self._labels(targets, size, number)
        try:
            self._observer.run(
                batch.inputs, size, self._samples, self._wanted, loss=loss, targets=batch.targets, labels=labels
            )
        except GenewrightError:
            raise
        except Exception as error:  # whatever the model's own code raises
            raise cannot_take(number, error, batch) from error
        self._samples += size

    def _labels(self, targets: NDArray[Any] | None, size: int, number: int) -> NDArray[np.int64] | None:
        if not self._labelled:
            return None
        if targets is None or targets.dtype.kind not in "iu" or targets.shape != (size,) or targets.min(initial=0) < 0:
            got = "none" if targets is None else f"{targets.dtype} of shape {targets.shape}"
            raise DataError(
                f"measure: {self._labelled[0]} needs labels, one integer class from 0 on for each of {size} samples; "
                f"batch {number} has {got}. Give the data as (X, y)."
            )
        return targets.astype(np.int64)

    def _of(self, name: str) -> dict[str, Gauge | None]:
        if name not in self._gauges:
            layer = self._observer.layers[name]
            self._gauges[name] = {each.name: self._started(each, layer) for each in self._measures}
            self._nonfinite[name] = np.zeros(layer.units)
        return self._gauges[name]

    def _started(self, measure: Measure, layer: UnitLayer) -> Gauge | None:
        if measure.dense and layer.kind in SPARSE:
            self._note(f"{measure.name} has no meaning for {SPARSE[layer.kind]} ({layer.name!r}): NaN.")
            return None
        return measure.start(layer, self._around)

    def _values(self, names: tuple[str, ...], chunk: Chunk) -> None:
        if not chunk.count:
            return
        nonfinite = chunk.nonfinite()
        for name in names:
            gauges = self._of(name)
            self._nonfinite[name] += nonfinite
            for each in self._measures:
                gauge = gauges[each.name]
                if gauge is None:
                    continue
                if each.by_sample and not chunk.by_sample:
                    gauges[each.name] = None
                    self._note(
                        f"{each.name} of {name!r}: it is not known which sample its positions belong to: NaN. (Only a "
                        "first batch of two samples or more tells.)"
                    )
                    continue
                gauge.add(chunk)

    def _inputs(self, names: tuple[str, ...], chunk: Chunk) -> None:
        for name in names:
            for gauge in self._of(name).values():
                if gauge is not None:
                    gauge.add_inputs(chunk)

    def _note(self, text: str) -> None:
        self._notes[text] = None

    def table(self, chosen: Where) -> NeuronTable:
        """Return what has been measured.

        Raises:
            SelectionError: The data reaches no layer that is chosen.
        """
        layers = tuple(self._observer.layers.values())
        if not layers:
            left = "; ".join(f"{name!r}: {why}" for name, why in list(self._observer.left_out.items())[:3])
            raise SelectionError(
                f"measure: the data reaches no layer with units among {describe(chosen)}. {left}".rstrip()
            )
        names = [column for each in self._measures for column in each.columns]
        columns = {name: [np.zeros(0)] for name in names}
        for layer in layers:
            found = self._found(layer)
            for name in names:
                columns[name].append(found.get(name, np.full(layer.units, np.nan)))
            bad = int(np.count_nonzero(self._nonfinite[layer.name]))
            if bad:
                values = int(self._nonfinite[layer.name].sum())
                self._note(
                    f"{layer.name!r}: {values:,} values of {bad:,} units were NaN or infinite; they count as they are."
                )
        for name, why in self._observer.left_out.items():
            self._note(f"{name!r} is left out: {why}.")
        return NeuronTable(
            layers=layers,
            samples=self._samples,
            notes=tuple(self._notes),
            _places=np.repeat(np.arange(len(layers)), [layer.units for layer in layers]),
            _units=np.concatenate([np.arange(layer.units) for layer in layers]),
            _columns={name: np.concatenate(parts) for name, parts in columns.items()},
        )

    def _found(self, layer: UnitLayer) -> Mapping[str, Numbers]:
        found: dict[str, Numbers] = {}
        for each in self._measures:
            gauge = self._of(layer.name)[each.name]
            value = None if gauge is None else gauge.value()
            if isinstance(value, Mapping):
                found.update(value)
            elif value is not None:
                found[each.columns[0]] = value
        return found
