"""Where in a graph the units of its layers are seen: behind the activation function that follows, fused or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genewright.backends.keras.library import keras
from genewright.backends.keras.members import is_graph
from genewright.layer import CONVOLUTIONS, Layer, activation_name
from genewright.network import Network
from genewright.observation import Positions, UnitKind, UnitLayer

_NONLINEAR = frozenset({
    "relu", "relu6", "leakyrelu", "prelu", "elu", "celu", "selu", "gelu", "silu", "mish", "tanh", "sigmoid",
    "hardsigmoid", "hardsilu", "hardswish", "hardtanh", "hardshrink", "softshrink", "tanhshrink", "softplus",
    "softsign", "logsigmoid", "exp", "abs", "square", "clip", "activation", "threshold", "squareplus", "sparseplus",
})  # fmt: skip
_PASS = frozenset({"batchnormalization", "dropout", "spatialdropout1d", "spatialdropout2d", "spatialdropout3d",
                   "gaussiannoise", "gaussiandropout", "alphadropout", "identity"})  # fmt: skip
Step = tuple[int, int]
"""An operation of the graph, by id, and which of its calls in a run."""


@dataclass
class GraphPlaces:
    """Which outputs hold which layers' units.

    Attributes:
        layers: The layers with units, by name.
        points: For every step whose output is looked at, the layers seen there, each with its axis of units.
        inputs: For every step whose layer multiplies its inputs, its name and the axis of features.
        heads: The attentions, by id of the layer.
        looked_up: The embeddings, by id of the layer.
        left_out: Why the units of some layers are not seen.
    """

    layers: dict[str, UnitLayer] = field(default_factory=dict[str, UnitLayer])
    points: dict[Step, list[tuple[str, int]]] = field(default_factory=dict[Step, list[tuple[str, int]]])
    inputs: dict[Step, tuple[str, int]] = field(default_factory=dict[Step, tuple[str, int]])
    heads: dict[int, str] = field(default_factory=dict[int, str])
    looked_up: dict[int, str] = field(default_factory=dict[int, str])
    left_out: dict[str, str] = field(default_factory=dict[str, str])


def places_in(graph: Any, names: dict[int, str], chosen: Callable[[str], bool], network: Network) -> GraphPlaces:
    """Return where the units of a graph's layers are seen.

    Args:
        graph: A Functional or Sequential model.
        names: The names of layers by id.
        chosen: Whether a layer is wanted.
        network: What is known of the layers.
    """
    places, calls = GraphPlaces(), dict[int, int]()
    _walk(graph, names, chosen, network, places, calls)
    return places


def nodes_of(graph: Any) -> Iterator[Any]:
    """Yield the nodes of a graph in the order in which they run."""
    inner = graph._functional if isinstance(graph, keras.Sequential) else graph
    for depth in sorted(inner._nodes_by_depth, reverse=True):
        for node in inner._nodes_by_depth[depth]:
            if node.operation and not node.is_input:
                yield node


def _walk(
    graph: Any,
    names: dict[int, str],
    chosen: Callable[[str], bool],
    network: Network,
    places: GraphPlaces,
    calls: dict[int, int],
) -> None:
    steps: dict[int, Step] = {}
    nodes = list(nodes_of(graph))
    for node in nodes:
        operation = node.operation
        if is_graph(operation):
            _walk(operation, names, chosen, network, places, calls)
            continue
        number = calls[id(operation)] = calls.get(id(operation), -1) + 1
        steps[id(node)] = id(operation), number
    for node in nodes:
        name = names.get(id(node.operation), "")
        if id(node) in steps and name and chosen(name) and name in network.layers:
            _place(node, name, nodes, steps, network, places)


def _place(
    node: Any, name: str, nodes: list[Any], steps: dict[int, Step], network: Network, places: GraphPlaces
) -> None:
    layer, facts = node.operation, network.layers[name]
    kind = _kind(facts)
    if facts.kind == "attention" and hasattr(layer, "_output_dense") and hasattr(layer, "num_heads"):
        places.heads[id(layer)] = name
        places.layers[name] = UnitLayer(
            name=name,
            kind="heads",
            units=int(layer.num_heads),
            rows={f"{name}.{part}": np.arange(int(layer.num_heads)) for part in ("query", "key", "value")},
            named=_all(name, facts.heads),
        )
        return
    if kind is None:
        return
    if kind == "embedding":
        places.looked_up[id(layer)] = name
        places.layers[name] = UnitLayer(
            name=name, kind=kind, units=int(layer.input_dim), named=_all(name, layer.input_dim)
        )
        return
    shape = node.outputs[0].shape
    axis = _unit_axis(layer, kind, len(shape))
    if axis is None or shape[axis] is None or len(shape) < 2:
        places.left_out[name] = "its shape does not tell along which axis its units lie"
        return
    end, activation = _behind(node, nodes, steps)
    if kind == "recurrent":
        end, activation = node, "" if "relu" in str(getattr(layer, "activation", "")) else "tanh"
    units = int(shape[axis])
    places.points.setdefault(steps[id(end)], []).append((name, axis))
    if kind in ("linear", "convolution"):
        places.inputs[steps[id(node)]] = name, axis
    rows, named = _of_cells(name, layer, network) if kind == "recurrent" else ({name: np.arange(units)}, {})
    if sum(map(len, named.values())) not in (0, units):  # two directions that are added, say
        rows, named = {}, {}
    held = UnitLayer(name=name, kind=kind, units=units, activation=activation, rows=rows, named=named)
    places.layers.setdefault(name, held)


def _kind(facts: Layer) -> UnitKind | None:
    if facts.kind in CONVOLUTIONS:
        return "convolution"
    return facts.kind if facts.kind in ("linear", "norm", "recurrent", "embedding") else None


def _unit_axis(layer: Any, kind: UnitKind, rank: int) -> int | None:
    if kind == "convolution" and getattr(layer, "data_format", None) == "channels_first":
        return 1
    if kind == "norm":
        named: Any = getattr(layer, "axis", -1)
        axes = [int(axis) for axis in keras.tree.flatten(named)]
        return axes[0] % rank if len(axes) == 1 else None
    return rank - 1


def _behind(node: Any, nodes: list[Any], steps: dict[int, Step]) -> tuple[Any, str]:
    """Return the node behind which the activation function ends that follows a node, and its name."""
    own = _fused(node.operation)
    if own:
        return node, own
    at = node
    while True:
        output = at.outputs[0]
        readers = [each for each in nodes if any(one is output for one in each.input_tensors) and id(each) in steps]
        alone = [each for each in readers if len({id(one) for one in each.input_tensors}) == 1]
        nonlinear = next((each for each in alone if _letters(each.operation) in _NONLINEAR), None)
        if nonlinear is not None:
            fused = _fused(nonlinear.operation)
            return nonlinear, fused or activation_name(type(nonlinear.operation).__name__)
        passing = next((each for each in alone if _letters(each.operation) in _PASS), None)
        if passing is None:
            return node, ""
        at = passing


def _letters(operation: Any) -> str:
    if type(operation).__name__ == "Activation" and _fused(operation) in ("", "softmax", "log_softmax", "glu"):
        return ""
    return type(operation).__name__.replace("_", "").lower()


def _fused(layer: Any) -> str:
    """Return the neutral name of the activation function that a layer applies itself; "" without one."""
    function = getattr(layer, "activation", None)
    name = activation_name(str(getattr(function, "__name__", type(function).__name__))) if function is not None else ""
    return "" if name == "linear" else name


def _all(name: str, count: int) -> dict[str, Positions]:
    return {name: np.arange(count)} if count else {}


def _of_cells(name: str, layer: Any, network: Network) -> tuple[dict[str, Positions], dict[str, Positions]]:
    """Return `rows` and `named` of a recurrent layer: of a stack the last cell's; directions lie side by side."""
    rows: dict[str, Positions] = {}
    named: dict[str, Positions] = {}
    count = 0
    one_way = not hasattr(layer, "backward_layer")
    inside = [name] if one_way else [f"{name}.{each.name}" for each in (layer.forward_layer, layer.backward_layer)]
    for around in inside:
        kernels = [
            tensor
            for tensor in network.tensors.values()
            if tensor.role == "recurrent_kernel" and f"{tensor.layer}.".startswith(f"{around}.")
        ]
        if not kernels or len(kernels[-1].shape) != 2:
            return {}, {}
        cells, width = kernels[-1].shape
        rows[kernels[-1].layer] = np.tile(np.arange(cells), width // cells) + count
        named[around if len(kernels) == 1 else kernels[-1].layer] = np.arange(cells) + count
        count += cells
    return rows, named
