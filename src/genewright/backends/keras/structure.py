"""How a Keras model computes: its graph says it, without a run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from genewright.backends.keras.library import keras
from genewright.backends.keras.members import is_graph, layers_of
from genewright.backends.keras.tracing import inner_graph, opens, traced
from genewright.backends.keras.widths import KerasWidths
from genewright.edits import InsertLayer
from genewright.errors import UnknownNameError, UnsupportedError
from genewright.names import did_you_mean
from genewright.spec import Spec
from genewright.structure import Call, Structure

_UNKNOWN = -1  # a length that the graph leaves open, such as the batch's
_CONVOLUTIONS = {3: "Conv1D", 4: "Conv2D", 5: "Conv3D"}


class KerasStructure(Structure):
    """The graph of a model; that of a subclassed one is what its code does with symbolic tensors.

    Attributes:
        model: The model.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
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

    def tensors(self, layer: str) -> tuple[Any, Any]:
        """Return the symbolic tensors that a layer is given first, and that it returns."""
        _, given, returned = self._of(layer)
        return given, returned

    def as_wide_as(self, layer: str) -> Spec:
        self._refuse_python()
        call = self.call(layer)
        rank, width = len(call.returned), call.returned[call.depth_axis] if call.returned else _UNKNOWN
        if rank < 2 or width == _UNKNOWN:
            raise UnsupportedError(f"InsertLayer: {layer!r} returns shape {call.returned}, which has no features.")
        if rank in (4, 5) or call.depth_axis != rank - 1:
            place = "channels_first" if call.depth_axis == 1 else "channels_last"
            config = {"filters": width, "kernel_size": 3, "padding": "same", "data_format": place}
            return {"class_name": _CONVOLUTIONS[rank], "config": config}
        return {"class_name": "Dense", "config": {"units": width}}

    def path(self, start: str, end: str) -> Spec:
        self._refuse_python()
        first, last = self.call(start), self.call(end)
        for call in (first, last):
            if call.times > 1:
                raise UnsupportedError(
                    f"AddSkip: {call.layer!r} is called {call.times} times in one run; a skip needs one."
                )
        given, returned = first.given, last.returned
        if given == returned:
            return "identity"
        places = [axis for axis in range(len(returned)) if axis != last.depth_axis]
        if len(given) == len(returned) and all(given[p] == returned[p] for p in places) and last.depth_axis:
            if last.depth_axis == len(returned) - 1:
                return {"class_name": "Dense", "config": {"units": returned[-1], "use_bias": False}}
            config = {"filters": returned[1], "kernel_size": 1, "use_bias": False, "data_format": "channels_first"}
            return {"class_name": _CONVOLUTIONS[len(returned)], "config": config}
        if len(given) == len(returned) == 4 and last.depth_axis == 3:
            strides = [-(-a // b) if b > 0 else 0 for a, b in zip(given[1:3], returned[1:3], strict=True)]
            if all(s > 0 and -(-a // s) == b for s, a, b in zip(strides, given[1:3], returned[1:3], strict=True)):
                config = {"filters": returned[3], "kernel_size": 1, "strides": strides, "padding": "same"}
                return {"class_name": "Conv2D", "config": {**config, "use_bias": False}}
        raise UnsupportedError(
            f"AddSkip: {start!r} is given the shape {given} and {end!r} returns {returned}; no projection of ours "
            "leads from one to the other. Say one: path={'class_name': ..., 'config': {...}}. Nothing has been changed."
        )

    def blocks(self) -> tuple[tuple[str, ...], ...]:
        alone = [call for call in self.calls().values() if not call.extras]  # a layer of one tensor can stand for them
        alike = [c for c in alone if c.given == c.returned and c.times == 1 and len(c.given) > 1]
        inner = tuple(c.layer for c in alike if c.composite)
        return inner, tuple(c.layer for c in alike if not c.composite)

    def is_listed(self, block: str) -> bool:
        return False

    def takes(self, insertion: InsertLayer, zeros: tuple[str, ...]) -> bool:
        # In a graph any layer can follow another, and a copy starts behind a gate of zero (`silencing` finds no zeros):
        # there is nothing to try out beforehand. The check of the whole model still follows.
        return True

    def silencing(self, block: str) -> tuple[str, ...] | None:
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
                elif self._names and opens(layer) and name not in found:
                    every = (self.model, *layers_of(self.model).values())
                    args, keywords = node.arguments.args, node.arguments.kwargs
                    self._walk(inner_graph(layer, args, keywords, every, training=False), f"{name}.", found)
                times = found[name][0].times + 1 if name in found else 1
                (given, *others), returned = node.input_tensors, node.outputs[0]
                if "float" in str(given.dtype) and "float" in str(returned.dtype):
                    found[name] = (_call(name, layer, given, others, returned, times), given, returned)


def _call(name: str, layer: Any, given: Any, others: Sequence[Any], returned: Any, times: int) -> Call:
    first = getattr(layer, "data_format", None) == "channels_first" and len(returned.shape) > 2
    return Call(
        layer=name,
        layer_type=type(layer).__name__,
        given=tuple(_UNKNOWN if size is None else int(size) for size in given.shape),
        returned=tuple(_UNKNOWN if size is None else int(size) for size in returned.shape),
        times=times,
        composite=is_graph(layer),
        depth_axis=1 if first else max(0, len(returned.shape) - 1),
        extras=tuple(type(other).__name__ for other in others),
    )
