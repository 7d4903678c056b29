"""A run of a Keras model on shapes alone: every operation that it carries out, with the shapes that it is given."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from genewright.backends.keras.library import error_text, keras
from genewright.backends.keras.members import is_graph, is_of_keras, layers_of
from genewright.backends.keras.tracing import traced, traced_call
from genewright.errors import UnsupportedError


@dataclass(frozen=True)
class Carried:
    """One call of an operation.

    Attributes:
        name: The layer that carries it out.
        operation: A layer of Keras's own, or one of keras.ops.
        args: What it is given, tensors as KerasTensor of known shape.
        kwargs: Likewise.
        result: What it returns, likewise.
    """

    name: str
    operation: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any


def shape_run(model: Any, example: Any) -> list[Carried]:
    """Return every call of an operation in a run on an example, what happens inside of layers of one's own included.

    No weight is read and nothing is computed; a layer that runs twice is there twice.

    Raises:
        UnsupportedError: A layer of the user's class does not run on symbolic tensors.
    """
    run = _ShapeRun(model)
    graph = model if is_graph(model) else traced(model, training=False)
    given = [
        keras.KerasTensor(tuple(value.shape), dtype=keras.backend.standardize_dtype(value.dtype))
        for value in keras.tree.flatten(example)
    ]
    run.graph(graph, given, "")
    return run.carried


class _ShapeRun:
    """The calls seen so far."""

    def __init__(self, model: Any) -> None:
        self.carried: list[Carried] = []
        self._every = (model, *layers_of(model).values())
        self._names = {} if is_graph(model) else {id(layer): name for name, layer in layers_of(model).items()}

    def graph(self, graph: Any, given: list[Any], prefix: str) -> Any:
        """Run a Functional or Sequential model."""
        inner = graph._functional if isinstance(graph, keras.Sequential) else graph
        return inner._run_through_graph(given, operation_fn=functools.partial(self._as_run, prefix))

    def _as_run(self, prefix: str, operation: Any) -> Callable[..., Any]:
        """Return what stands for an operation: it takes and returns shapes."""
        inside = prefix.rstrip(".") if not isinstance(operation, keras.layers.Layer) else ""
        name = self._names.get(id(operation)) or inside or f"{prefix}{operation.name}"

        def carried_out(*args: Any, **kwargs: Any) -> Any:
            if is_graph(operation):
                return self.graph(operation, keras.tree.flatten(args[0] if args else kwargs), f"{name}.")
            if isinstance(operation, keras.layers.Layer) and not is_of_keras(operation):
                return self._inside(operation, name, args, kwargs)
            result = operation.compute_output_spec(*args, **kwargs)
            self.carried.append(Carried(name, operation, args, kwargs, result))
            return result

        return carried_out

    def _inside(self, layer: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        try:
            graph = traced_call(layer, args, kwargs, self._every, training=False)
        except Exception as error:
            raise UnsupportedError(
                f"How many multiplications {name!r} ({type(layer).__name__}) takes is not known: its call does not run "
                f"on symbolic tensors: {error_text(error)} Write it with layers and keras.ops."
            ) from None
        tensors = [value for value in keras.tree.flatten((args, dict(kwargs))) if isinstance(value, keras.KerasTensor)]
        return self.graph(graph, tensors, f"{name}.")
