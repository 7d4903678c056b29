"""measure: the data once through the model, and every measure of every unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from genewright.backends import backend_of
from genewright.batches import Batch, batches, count, first_samples, number_of_batches
from genewright.calls import answered
from genewright.errors import (
    DataError,
    ExampleError,
    GenewrightError,
    SeedError,
    SelectionError,
    SettingError,
    UnsupportedError,
)
from genewright.named import where_for
from genewright.names import did_you_mean
from genewright.network import Network
from genewright.neurons.reading import SPARSE, Reading, cannot_take, look
from genewright.neurons.registry import Measure, MeasureLike, Surroundings, as_measures
from genewright.neurons.reservoir import Reservoir
from genewright.neurons.table import NeuronTable
from genewright.observation import Chunk, Numbers, UnitLayer, Wanted
from genewright.seeding import Noise, Seed, canonical_seed
from genewright.showing import Meter
from genewright.where import Where, as_layers, describe

DEFAULT = ("active_fraction", "mean", "variance", "dormancy", "constancy", "incoming_norm")


@answered(
    "gw.neurons.measure(model, data)",
    {"*": "Measures are given by name: measures=['dormancy'].", "metrics": "Did you mean 'measures'?"},
    who="gw.neurons.measure",
)
def measure(
    model: Any,
    data: Any,
    *,
    layers: Where | str | Iterable[str] | None = None,
    measures: MeasureLike | Iterable[MeasureLike] = DEFAULT,
    loss: Any = None,
    seed: Seed | None = None,
    batch_size: int = 256,
    progress: bool = False,
) -> NeuronTable:
    """Run the data once and measure every unit: neurons, channels, hidden units, heads, embedding rows, experts.

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
        progress: As in `gw.mutate`.

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
    chosen = where_for(model, as_layers("measure", layers), "measure")
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
    look(observer, opened)
    reading = Reading(observer, wanted, Surroundings(network, Noise(canonical_seed(0 if seed is None else seed))))
    with Meter("gw.neurons.measure", progress) as meter:
        total = number_of_batches(data, batch_size=batch_size)
        for number, batch in enumerate(meter.each(_chained(opened, parts), total)):
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
    look(observer, batch)
    reading = Reading(observer, (wanted,), Surroundings(network, noise))
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
        For each layer by name what is known of it, and its values, of shape (places, units); embeddings and experts
        are left out, whose values do not keep their places.

    Raises:
        ExampleError: There is no example.
        DataError: It is no batch of samples.
    """
    observer, example = network.observe(chosen)
    look(observer, Batch(example))
    kept: dict[str, Reservoir] = {}

    def keep(names: tuple[str, ...], chunk: Chunk) -> None:
        for name in names if observer.layers[names[0]].kind not in SPARSE else ():
            kept.setdefault(name, Reservoir(places, noise.stream(name))).add(chunk)

    try:
        observer.run(example, count(example), 0, Wanted(values=keep))
    except GenewrightError:
        raise
    except Exception as error:  # whatever the model's own code raises
        raise cannot_take(0, error, Batch(example)) from error
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
    if not any(chosen.has_layer(name, layer.class_name) for name, layer in network.layers.items()):
        names = [name for name in network.layers if name]  # a model that is one layer itself has no name to ask for
        asked = next(iter((*chosen.patterns, *chosen.layers)), "")
        raise SelectionError(f"measure: no layer matches {describe(chosen)}. {did_you_mean(asked, names)}")


def _chained(first: Batch, rest: Iterable[Batch]) -> Iterable[Batch]:
    yield first
    yield from rest
