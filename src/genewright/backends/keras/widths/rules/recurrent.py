"""Recurrent layers: gates lie one after the other, and the state is read again."""

from __future__ import annotations

from genewright.backends.keras.library import keras
from genewright.backends.keras.members import layers_of
from genewright.backends.keras.widths.propagation import RuleContext, Value, rule
from genewright.backends.keras.widths.rules.activation import activated
from genewright.widths.axes import Axis, Leaf, bind, total
from genewright.widths.reasons import Cause

_GATES = {
    "LSTM": 4, "GRU": 3, "SimpleRNN": 1, "LSTMCell": 4, "GRUCell": 3, "SimpleRNNCell": 1,
    "ConvLSTM1D": 4, "ConvLSTM2D": 4, "ConvLSTM3D": 4,
}  # fmt: skip
_STATES = {"LSTM": 2, "GRU": 1, "SimpleRNN": 1}
_CELLS = (keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell)


@rule(keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)
def recurrent(step: RuleContext) -> list[Value]:
    """Read kernel (in, gates * units), recurrent kernel (units, gates * units) and bias; states are units."""
    kind = _kind(step.layer)
    if step.layer.stateful:
        return step.pinned(Cause.RECURRENT, "stays from batch to batch")
    if len(step.inputs) - 1 not in (0, _STATES[kind]):
        return step.pinned(Cause.CALLED_OTHERWISE, "its state is not handed over as plain tensors")
    x, *states = step.inputs
    units = _cell(step, _prefix(step), kind, x.axes[-1])
    step.mix(x.axes[1], Cause.ORDERED, kind)
    step.bind("units", units)
    for state in states:
        step.join(state.axes[-1], units)
    made = [Value((x.axes[0], x.axes[1], units) if step.layer.return_sequences else (x.axes[0], units))]
    if step.layer.return_state:
        made += [Value((x.axes[0], units))] * _STATES[kind]
    return activated(step, made, step.layer.cell)


@rule(keras.layers.ConvLSTM1D, keras.layers.ConvLSTM2D, keras.layers.ConvLSTM3D)
def convolutional(step: RuleContext) -> list[Value]:
    """Read kernel (*window, in, gates * filters), recurrent kernel (*window, filters, gates * filters) and bias."""
    if step.layer.stateful or step.layer.return_state or len(step.inputs) > 1:
        return step.pinned(Cause.RECURRENT, "is handed on")
    x = step.inputs[0]
    channel = 2 if step.layer.data_format == "channels_first" else len(x.axes) - 1
    filters = _cell(step, _prefix(step), _kind(step.layer), x.axes[channel])
    step.bind("filters", filters)
    for place, axis in enumerate(x.axes):
        if place not in (0, channel):
            step.pin(axis, Cause.SPACE)
    axes = [step.fresh(size) for size in step.shapes[0]]
    axes[0] = x.axes[0]
    axes[len(axes) - (len(x.axes) - channel)] = filters
    return activated(step, [Value(tuple(axes))], step.layer.cell)


@rule(keras.layers.RNN)
def cells(step: RuleContext) -> list[Value]:
    """Read a cell of Keras's own, or several of them one after the other."""
    layer, x = step.layer, step.inputs[0]
    if layer.stateful or layer.return_state or len(step.inputs) > 1:
        return step.pinned(Cause.RECURRENT, "is handed on")
    stacked = isinstance(layer.cell, keras.layers.StackedRNNCells)
    chain = list(layer.cell.cells) if stacked else [layer.cell]
    if not all(type(cell) in _CELLS for cell in chain):
        return step.pinned(Cause.UNKNOWN_OPERATION, "its cell, which is not one of Keras's own,")
    units = x.axes[-1]
    step.mix(x.axes[1], Cause.ORDERED, "RNN")
    for position, cell in enumerate(chain):
        path = next(path for path, found in layers_of(layer).items() if found is cell)
        units = _cell(step, path, type(cell).__name__, units)
        step.bind(f"cell.config.cells.{position}.config.units" if stacked else "cell.config.units", units)
        activated(step, [Value((x.axes[0], units))], cell)
    return [Value((x.axes[0], x.axes[1], units) if layer.return_sequences else (x.axes[0], units))]


def _kind(layer: object) -> str:
    return next(kind.__name__ for kind in type(layer).__mro__ if kind.__name__ in _GATES)


def _prefix(step: RuleContext) -> str:
    """Return what the names of the cell's variables begin with."""
    return next(name.rpartition(".")[0] for name in step.tensors if name.endswith(".recurrent_kernel"))


def _cell(step: RuleContext, cell: str, kind: str, given: Axis) -> Axis:
    """State what a cell does: it reads `given` and its own units. Returns its units."""
    kernel = step.parameter(f"{cell}.kernel") or []
    inner = step.parameter(f"{cell}.recurrent_kernel") or []
    units = inner[-2]
    for attribute, axes in (("kernel", kernel), ("recurrent_kernel", inner)):
        for axis in axes[:-2]:
            step.pin(axis, Cause.WINDOW)
        _gated(step, axes[-1], units, _GATES[kind])
        step.mark(f"{cell}.{attribute}", len(axes) - 1, "writer")
        step.mark(f"{cell}.{attribute}", len(axes) - 2, "reader")
    bias = step.parameter(f"{cell}.bias")
    if bias is not None:
        _gated(step, bias[-1], units, _GATES[kind])
        step.mark(f"{cell}.bias", len(bias) - 1, "carrier")
        if len(bias) == 2:
            step.pin(bias[0], Cause.COUNT, "a GRU's two biases")
    step.join(given, kernel[-2])
    return units


def _gated(step: RuleContext, axis: Axis, units: Axis, gates: int) -> None:
    """Let an axis be the units of every gate, one gate after the other."""
    if isinstance(axis, Leaf) and axis.link is None and gates > 1:
        bind(axis, total([units] * gates))
    else:
        step.join(axis, total([units] * gates))
