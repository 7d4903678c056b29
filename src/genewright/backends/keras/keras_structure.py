"""How a Keras model computes: its graph says it, without a run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.backends.keras.float64_outputs import exact_outputs
from genewright.backends.keras.library import keras
from genewright.backends.keras.macs import macs_of
from genewright.backends.keras.members import is_graph, layers_of
from genewright.backends.keras.tracing import inner_graph, is_traceable, traced
from genewright.backends.keras.widths import KerasWidths
from genewright.edits import InsertLayer
from genewright.errors import ExampleError, UnknownNameError, UnsupportedError
from genewright.names import did_you_mean
from genewright.structure import Call, Structure

_UNKNOWN = -1  # a length that the graph leaves open, such as the batch's


class KerasStructure(Structure):
    """The graph of a model; that of a subclassed one is what its code does with symbolic tensors.

    Attributes:
        model: The model.
        example: A sample input, or None: the graph is known without one.
    """

    def __init__(self, model: Any, example: Any = None) -> None:
        self.model = model
        self.example = example
        self._given: dict[str, NDArray[np.floating[Any]] | None] = {}
        self._widths: KerasWidths | None = None

    @property
    def widths(self) -> KerasWidths:
        if self._widths is None:
            self._widths = KerasWidths(self.model)
        return self._widths

    def calls(self) -> dict[str, Call]:
        self._refuse_python()
        return {name: call for name, (call, _, _) in self._seen.items()}

    def call(self, layer: str) -> Call:
        return self._of(layer)[0]

    def layer_inputs(self, layer: str) -> NDArray[np.floating[Any]] | None:
        if layer not in self._given:
            self._given[layer] = self._inputs_of(layer)
        return self._given[layer]

    def macs(self) -> dict[str, int]:
        if self.example is None:
            raise ExampleError("Multiplications are counted for a batch. Give a sample input: gw.cost(model, example).")
        return macs_of(self.model, self.example)

    def _inputs_of(self, layer: str) -> NDArray[np.floating[Any]] | None:
        """Run the graph as far as a layer of it; None where the layer is inside another, or there is no example."""
        if self.example is None or not is_graph(self.model) or layer not in self._seen or "." in layer:
            return None
        call, given, _ = self._seen[layer]
        if call.num_calls != 1:
            return None
        inner = self.model._functional if isinstance(self.model, keras.Sequential) else self.model
        values = exact_outputs(keras.Model(inner.input, given), self.example).tensors[0]
        features = 1 if call.depth_axis == 1 and call.window_axes else values.ndim - 1
        return np.moveaxis(np.asarray(values, np.float64), features, -1).reshape(-1, values.shape[features])

    def tensors(self, layer: str) -> tuple[Any, Any]:
        """Return the symbolic tensors that a layer receives first, and that it returns."""
        _, given, returned = self._of(layer)
        return given, returned

    def blocks(self) -> tuple[tuple[str, ...], ...]:
        alone = [
            call for call in self.calls().values() if not call.extra_inputs
        ]  # a layer of one tensor can stand for them
        alike = [c for c in alone if c.input_shape == c.output_shape and c.num_calls == 1 and len(c.input_shape) > 1]
        inner = tuple(c.layer for c in alike if c.composite)
        return inner, tuple(c.layer for c in alike if not c.composite)

    def in_layer_list(self, block: str) -> bool:
        return False

    def accepts(self, insertion: InsertLayer, zeros: tuple[str, ...]) -> bool:
        # In a graph any layer can follow another, and a copy starts behind a gate of zero (no zeros are looked for):
        # there is nothing to try out beforehand. The check of the whole model still follows.
        return True

    def zero_init_tensors(self, block: str) -> tuple[str, ...] | None:
        return None

    def _refuse_python(self) -> None:
        """Refuse what needs new wiring where the wiring is the user's Python code."""
        if not is_graph(self.model):
            raise UnsupportedError(
                f"{self.model.name!r} of class {type(self.model).__name__} is a subclassed model: its wiring is Python "
                "code, so no layer can be put in or taken out (sizes and settings of its layers can change). Make that "
                "part of it a Functional model, and mutate that. Nothing has been changed."
            )

    def _of(self, layer: str) -> tuple[Call, Any, Any]:
        if layer in self._seen:
            return self._seen[layer]
        if layer not in layers_of(self.model):
            raise UnknownNameError(f"No layer is called {layer!r}. {did_you_mean(layer, self._seen)}")
        raise UnsupportedError(
            f"{layer!r} is no layer of the graph that takes a tensor and returns one, so nothing can be put beside it. "
            f"{did_you_mean(layer, self._seen)}"
        )

    @functools.cached_property
    def _seen(self) -> dict[str, tuple[Call, Any, Any]]:
        found: dict[str, tuple[Call, Any, Any]] = {}
        graph = self.model if is_graph(self.model) else traced(self.model, training=False)
        self._walk(graph, "", found)
        return found

    @functools.cached_property
    def _names(self) -> dict[int, str]:
        """The names of layers that a subclassed model holds as attributes, by id."""
        names: dict[int, str] = {}
        for name, layer in ({} if is_graph(self.model) else layers_of(self.model)).items():
            names.setdefault(id(layer), name)
        return names

    def _walk(self, model: Any, prefix: str, found: dict[str, tuple[Call, Any, Any]]) -> None:
        inner = model._functional if isinstance(model, keras.Sequential) else model
        for depth in sorted(inner._nodes_by_depth, reverse=True):
            for node in inner._nodes_by_depth[depth]:
                layer = node.operation
                if not node.input_tensors or not isinstance(layer, keras.layers.Layer):
                    continue
                name = self._names.get(id(layer)) or f"{prefix}{layer.name}"
                if is_graph(layer) and name not in found:
                    self._walk(layer, f"{name}.", found)
                elif self._names and is_traceable(layer) and name not in found:
                    every = (self.model, *layers_of(self.model).values())
                    args, keywords = node.arguments.args, node.arguments.kwargs
                    self._walk(inner_graph(layer, args, keywords, every, training=False), f"{name}.", found)
                times = found[name][0].num_calls + 1 if name in found else 1
                (given, *others), returned = node.input_tensors, node.outputs[0]
                floating = "float" in str(given.dtype) and "float" in str(returned.dtype)
                if floating and len(node.outputs) == 1:
                    maker = next((made for made, (_, _, output) in found.items() if output is given), "")
                    sources = tuple(dict.fromkeys((*(found[name][0].sources if name in found else ()), maker)))
                    call = _call(name, layer, given, others, returned, times, sources)
                    found[name] = (call, given, returned)


def _call(
    name: str, layer: Any, given: Any, others: Sequence[Any], returned: Any, times: int, sources: tuple[str, ...]
) -> Call:
    rank = len(returned.shape)
    first = getattr(layer, "data_format", None) == "channels_first" and rank > 2
    return Call(
        layer=name,
        layer_type=type(layer).__name__,
        input_shape=tuple(_UNKNOWN if size is None else int(size) for size in given.shape),
        output_shape=tuple(_UNKNOWN if size is None else int(size) for size in returned.shape),
        num_calls=times,
        composite=is_graph(layer),
        depth_axis=1 if first else max(0, rank - 1),
        window_axes=rank - 2 if rank in (4, 5) or (first and rank == 3) else 0,
        extra_inputs=tuple(type(other).__name__ for other in others),
        sources=sources,
    )
