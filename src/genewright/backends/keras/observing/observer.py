"""Running a Keras model's graph, operation by operation, and showing what its units put out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends.keras.kept_state import kept_state
from genewright.backends.keras.library import array_of, attributes_of, keras
from genewright.backends.keras.members import is_graph, layers_of, refuse_unbuilt
from genewright.backends.keras.observing.chunk import chunks
from genewright.backends.keras.observing.gradients import as_numbers, loss_of, refuse_without_gradients, with_gradients
from genewright.backends.keras.observing.graph_places import GraphPlaces, nodes_of, places_in
from genewright.backends.keras.predict import inputs_of
from genewright.backends.keras.tracing import traced
from genewright.lookup_counts import LookupCounts
from genewright.network import Network
from genewright.observation import Observer, UnitLayer, Wanted
from genewright.reductions.chunk import AskedByLayer


class KerasObserver(Observer):
    """Runs the graph of a model; that of a subclassed one is what its code does with symbolic tensors.

    Args:
        model: A built model.
        chosen: Whether the units of a layer of this name are wanted.
        network: What is known of its layers.
    """

    def __init__(self, model: Any, chosen: Callable[[str], bool], network: Network) -> None:
        refuse_unbuilt(model)
        self._model = model
        self._graph = model if is_graph(model) else traced(model, training=False)
        names: dict[int, str] = {}
        for name, layer in layers_of(model).items():
            names.setdefault(id(layer), name)
        self._places = places_in(self._graph, names, chosen, network)
        self.layers: dict[str, UnitLayer] = self._places.layers
        self.left_out = self._places.left_out
        self._asked = AskedByLayer()

    def look(self, samples: Iterable[tuple[int, Any]]) -> None:
        """Nothing has to be tried: the graph says where units are seen, and samples come first."""

    def run(
        self,
        batch: Any,
        count: int,
        first: int,
        wanted: Wanted,
        *,
        loss: Any = None,
        targets: Any = None,
        labels: NDArray[np.int64] | None = None,
    ) -> None:
        given = inputs_of(batch)
        if self._graph is not self._model:
            given = keras.tree.flatten(given)  # a traced graph takes what its code takes, in order
        run = _Run(self._graph, self._places, count, first, wanted, labels, self._asked)
        with kept_state(self._model), run.attentions_shown(self._model):
            if not wanted.gradients:
                run.outputs(given, run.hand)
                return
            refuse_without_gradients()
            probabilities = _ends_in_softmax(self._graph)
            kept, found = with_gradients(
                lambda keep: run.outputs(given, lambda names, tensor, heads: run.remember(names, keep(tensor), heads)),
                lambda outputs: loss_of(loss, outputs, targets, count, probabilities=probabilities),
            )
        for (names, heads), tensor, gradient in zip(run.remembered, kept, found, strict=True):
            run.hand(names, tensor, heads, gradient)


Hand = Callable[[list[tuple[str, int]], Any, bool], Any]


class _Run:
    """One pass through the graph."""

    def __init__(
        self,
        graph: Any,
        places: GraphPlaces,
        count: int,
        first: int,
        wanted: Wanted,
        labels: NDArray[np.int64] | None,
        asked: AskedByLayer,
    ) -> None:
        self._asked = asked
        self._graph, self._places, self._count, self._first = graph, places, count, first
        self._wanted, self._labels = wanted, labels
        self._calls: dict[int, int] = {}
        self._hand: Hand = self.hand
        self.remembered: list[tuple[list[tuple[str, int]], bool]] = []

    def outputs(self, given: Any, hand: Hand) -> Any:
        """Run the graph on a batch; `hand` takes what is seen, and returns what to go on with."""
        self._hand = hand
        return self._through(self._graph, given)

    def _through(self, graph: Any, given: Any) -> Any:
        inner = graph._functional if isinstance(graph, keras.Sequential) else graph
        values = dict(zip(map(id, inner.inputs), inner._standardize_inputs(given), strict=True))
        for node in nodes_of(graph):
            args, keywords = node.arguments.fill_in(values)
            result = self._called(node.operation, args, keywords)
            for symbol, tensor in zip(node.outputs, keras.tree.flatten(result), strict=True):
                values[id(symbol)] = tensor

        def computed(symbol: Any) -> Any:
            return values[id(symbol)]

        return keras.tree.map_structure(computed, inner._outputs_struct)

    def _called(self, operation: Any, args: Any, keywords: Any) -> Any:
        if is_graph(operation):
            return self._through(operation, args[0] if len(args) == 1 else list(args))
        number = self._calls[id(operation)] = self._calls.get(id(operation), -1) + 1
        step = id(operation), number
        if getattr(operation, "_call_has_training_arg", False):
            keywords = {**keywords, "training": False}
        self._look_up(operation, args)
        if self._wanted.inputs is not None and step in self._places.inputs:
            name, axis = self._places.inputs[step]
            values = _positions(as_numbers(args[0]), 1 if axis == 1 and args[0].ndim > 2 else args[0].ndim - 1, 1)
            asked = self._asked.of((name,), inputs=True)
            for chunk in chunks(values, None, first=self._first, by_sample=False, labels=None, asked=asked):
                self._wanted.inputs((name,), chunk)
        result = operation(*args, **keywords)
        names = self._places.points.get(step)
        if names is None:
            return result
        flat = keras.tree.flatten(result)
        new = self._hand(names, flat[0], False)
        mask = getattr(flat[0], "_keras_mask", None)
        if new is not flat[0] and mask is not None:
            new._keras_mask = mask
        return keras.tree.pack_sequence_as(result, [new, *flat[1:]])

    def _look_up(self, operation: Any, args: Any) -> None:
        name = self._places.looked_up.get(id(operation))
        if name is None:
            return
        table = array_of(operation.embeddings).astype(np.float64)
        indices = array_of(args[0]).astype(np.int64).reshape(-1)
        often = np.bincount(indices, minlength=len(table)).astype(np.float64)
        norms = np.sqrt(np.square(table).sum(axis=1))
        self._wanted.values((name,), LookupCounts(often, norms, 1, len(indices), self._first))

    def hand(self, names: list[tuple[str, int]], tensor: Any, heads: bool, gradient: NDArray[Any] | None = None) -> Any:
        """Hand over what is seen."""
        values = as_numbers(tensor)
        told = self._count > 0 and len(values) % self._count == 0
        by_axis: dict[int, list[str]] = {}
        for name, axis in names:
            by_axis.setdefault(axis, []).append(name)
        for axis, alike in by_axis.items():
            samples = self._count if told else 1
            parts = [
                None if each is None else _positions(each, axis, samples, heads=heads) for each in (values, gradient)
            ]
            assert parts[0] is not None
            labels, asked = self._labels if told else None, self._asked.of(tuple(alike))
            for chunk in chunks(parts[0], parts[1], first=self._first, by_sample=told, labels=labels, asked=asked):
                self._wanted.values(tuple(alike), chunk)
        return tensor

    def remember(self, names: list[tuple[str, int]], tensor: Any, heads: bool) -> Any:
        """Keep in mind whose values a tensor has, until its gradient is there."""
        self.remembered.append((names, heads))
        return tensor

    @contextmanager
    def attentions_shown(self, model: Any) -> Generator[None]:
        """Look at what the output projections of attentions are given, for a while."""
        dense: list[Any] = []
        try:
            for layer in layers_of(model).values():
                name = self._places.heads.get(id(layer))
                if name is not None and layer._output_dense not in dense:
                    dense.append(layer._output_dense)
                    attributes_of(dense[-1])["call"] = self._shown(name, dense[-1].call)
            yield
        finally:
            for layer in dense:
                attributes_of(layer).pop("call", None)

    def _shown(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def shown(inputs: Any, *args: Any, **keywords: Any) -> Any:
            return call(self._hand([(name, inputs.ndim - 2)], inputs, True), *args, **keywords)

        return shown


def _positions(values: NDArray[Any], axis: int, samples: int, *, heads: bool = False) -> NDArray[Any]:
    """Return values as (samples, positions, units), or with the entries of heads behind."""
    if heads:
        return values.reshape(samples, -1, *values.shape[-2:])
    units_last = np.moveaxis(values, axis, -1)
    return units_last.reshape(samples, -1, units_last.shape[-1])


def _ends_in_softmax(graph: Any) -> bool:
    operation = graph.outputs[0]._keras_history.operation
    while is_graph(operation):
        operation = operation.outputs[0]._keras_history.operation
    named = getattr(getattr(operation, "activation", None), "__name__", type(operation).__name__)
    return str(named).lower() == "softmax"
