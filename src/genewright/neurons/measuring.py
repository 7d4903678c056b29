"""measure: the data once through the model, and every measure of every unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends import backend_of
from genewright.batches import Batch, batches, count, first_samples
from genewright.errors import (
    DataError,
    ExampleError,
    GenewrightError,
    SeedError,
    SelectionError,
    SettingError,
    UnsupportedError,
)
from genewright.names import did_you_mean
from genewright.network import Network
from genewright.neurons.registry import Gauge, Measure, MeasureLike, Surroundings, as_measures
from genewright.neurons.reservoir import Reservoir
from genewright.neurons.table import NeuronTable
from genewright.observation import Chunk, Numbers, Observer, UnitLayer, Wanted
from genewright.seeding import Noise, Seed, canonical_seed
from genewright.where import Where, as_layers, describe

DEFAULT = ("active_fraction", "mean", "variance", "dormancy", "constancy", "incoming_norm")


def measure(
    model: Any,
    data: Any,
    *,
    layers: Where | str | Iterable[str] | None = None,
    measures: MeasureLike | Iterable[MeasureLike] = DEFAULT,
    loss: Any = None,
    seed: Seed | None = None,
    batch_size: int = 256,
) -> NeuronTable:
    """Run the data once and measure every unit: neurons, channels, hidden units, heads, embedding rows.

    Units are seen after the activation function that follows their layer, be it a layer, a call or part of the layer;
    after none, as the layer puts them out. The model runs in evaluation mode on a shadow that shares its parameters:
    neither it nor the data is changed. Memory grows with the number of units, not with the data; sums are float64.

    A *position* is a pixel of a feature map, a token or a time step. Where a measure is a mean over values, every
    position of every sample counts alike, padding included; measures that work sample by sample say how positions of a
    sample are joined. ``gw.neurons.all_measures()`` lists all, with formulas.

    Args:
        model: A torch module or a Keras model.
        data: An array or tensor X, a tuple (X, y), a dict of arrays, a DataLoader, or any iterable of batches, each x
            or (x, y).
        layers: Which layers: names and patterns ("layer3.*", "!head"), class names, or gw.where(...). All by default.
        measures: Names, or measures with settings such as ``gw.neurons.ActiveFraction(threshold=0.1)``.
        loss: For measures that read gradients: "cross_entropy", "mse", or a function (outputs, targets) that returns
            the mean over the samples of the batch, or one loss a sample.
        seed: For measures that keep some of the data: which.
        batch_size: Samples a batch, where arrays are split.

    Raises:
        UnknownNameError: No measure has a name.
        SelectionError: No layer with units is chosen, or the data reaches none.
        DataError: There are no samples, they do not fit the model, or labels are missing.
        SettingError: A measure needs a loss and there is none.
        SeedError: A measure draws and there is no seed.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> table = gw.neurons.measure(net, torch.randn(100, 4), measures=["active_fraction", "dormancy"])
        >>> len(table), table.measures
        (11, ('active_fraction', 'dormancy'))
    """
    wanted = as_measures("measure", measures)
    _check(wanted, loss, seed)
    chosen = as_layers("measure", layers)
    backend = backend_of(model)
    parts = iter(batches(data, batch_size=batch_size))
    opened = next(parts, None)
    if opened is None or not count(opened.inputs):
        raise DataError("measure: the data holds no samples, so nothing can be measured.")
    example = first_samples(opened.inputs, 2)
    network = backend.network(model, example)

    def has(name: str) -> bool:
        return chosen.has_layer(name, network.layers[name].class_name if name in network.layers else "")

    try:
        observer, _ = network.observe(has)
    except ExampleError:
        raise UnsupportedError(
            f"measure: a {type(model).__name__} does not run, so its units have no values. Give the model that its "
            "tensors belong to: gw.load(factory, path)."
        ) from None
    _refuse_unknown(chosen, network)
    _look(observer, opened)
    reading = _Reading(observer, wanted, Surroundings(network, Noise(canonical_seed(0 if seed is None else seed))))
    for number, batch in enumerate(_chained(opened, parts)):
        targets = None if batch.targets is None else backend.numeric(batch.targets)
        reading.take(batch, targets, number, loss)
    return reading.table(chosen)


def measure_on_example(network: Network, chosen: Callable[[str], bool], wanted: Measure, noise: Noise) -> NeuronTable:
    """Measure units of a network on its own example, taken as a batch of data.

    Args:
        network: A view of a model, with an example.
        chosen: Whether the units of a layer of this name are wanted.
        wanted: A measure that reads neither gradients nor labels.
        noise: Seeded noise, for measures that draw.

    Raises:
        ExampleError: There is no example.
        DataError: It is no batch of samples.
    """
    observer, example = network.observe(chosen)
    batch = Batch(example)
    _look(observer, batch)
    reading = _Reading(observer, (wanted,), Surroundings(network, noise))
    reading.take(batch, None, 0, None)
    return reading.table(Where())


def values_on_example(
    network: Network, chosen: Callable[[str], bool], places: int, noise: Noise
) -> dict[str, tuple[UnitLayer, Numbers]]:
    """Return what units put out on the network's own example, taken as a batch of data.

    Args:
        network: A view of a model, with an example.
        chosen: Whether the units of a layer of this name are wanted.
        places: How many places (a sample and a position of it) are kept at most, drawn by the seed.
        noise: Seeded noise; with the same, the places are those of another network of the same form.

    Returns:
        For each layer by name what is known of it, and its values, of shape (places, units); embeddings are left out,
        whose rows are looked up and have no values.

    Raises:
        ExampleError: There is no example.
        DataError: It is no batch of samples.
    """
    observer, example = network.observe(chosen)
    _look(observer, Batch(example))
    kept: dict[str, Reservoir] = {}

    def keep(names: tuple[str, ...], chunk: Chunk) -> None:
        for name in names if observer.layers[names[0]].kind != "embedding" else ():
            kept.setdefault(name, Reservoir(places, noise.stream(name))).add(chunk)

    try:
        observer.run(example, count(example), 0, Wanted(values=keep))
    except GenewrightError:
        raise
    except Exception as error:  # whatever the model's own code raises
        raise _cannot_take(0, error) from error
    rows = {name: reservoir.rows() for name, reservoir in kept.items()}
    return {name: (observer.layers[name], found) for name, found in rows.items() if found is not None}


def _check(wanted: tuple[Measure, ...], loss: Any, seed: Seed | None) -> None:
    graded = [each.name for each in wanted if "gradients" in each.reads]
    if graded and loss is None:
        raise SettingError(
            f"measure: {graded[0]} reads gradients, so it needs a loss. Write loss='cross_entropy' (or 'mse', or a "
            "function (outputs, targets) -> mean loss)."
        )
    if isinstance(loss, str) and loss not in ("cross_entropy", "mse"):
        raise SettingError(
            f"measure: no loss is called {loss!r}. {did_you_mean(loss, ('cross_entropy', 'mse'))} Or give a function."
        )
    if loss is not None and not isinstance(loss, str) and not callable(loss):
        raise SettingError(f"measure: loss is 'cross_entropy', 'mse' or a function; received {loss!r}.")
    drawn = [each.name for each in wanted if "seed" in each.reads]
    if drawn and seed is None:
        raise SeedError(f"measure: {drawn[0]} keeps some of the data, drawn by seed. Write seed=246.")


def _refuse_unknown(chosen: Where, network: Network) -> None:
    names = list(network.layers)
    kinds = [network.layers[name].class_name for name in names]
    if not any(chosen.has_layer(name, kind) for name, kind in zip(names, kinds, strict=True)):
        asked = next(iter((*chosen.patterns, *chosen.layers)), "")
        raise SelectionError(f"measure: no layer matches {describe(chosen)}. {did_you_mean(asked, names)}")


def _look(observer: Observer, opened: Batch) -> None:
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
            raise _cannot_take(0, error) from error


def _cannot_take(number: int, error: Exception) -> DataError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return DataError(f"measure: the model cannot take batch {number}: {lines[0]}")


def _chained(first: Batch, rest: Iterable[Batch]) -> Iterable[Batch]:
    yield first
    yield from rest


class _Reading:
    """The gauges of every layer while the data streams by."""

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
            raise _cannot_take(number, error) from error
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
        if measure.dense and layer.kind == "embedding":
            self._note(f"{measure.name} has no meaning for embedding rows ({layer.name!r}): NaN.")
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
