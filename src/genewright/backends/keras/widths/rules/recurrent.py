"""Recurrent layers: gates lie one after the other, and the state is read again."""

from __future__ import annotations

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.reading import Step, Value, rule
from genewright.widths.axes import Axis, Leaf, bind, total

_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


@rule(keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)
def recurrent(step: Step) -> list[Value]:
    """Read kernel (in, gates * units), recurrent kernel (units, gates * units) and bias."""
    kind = next(k.__name__ for k in type(step.layer).__mro__ if k.__name__ in _GATES)
    cell = next((name.rpartition(".")[0] for name in step.tensors if name.endswith(".recurrent_kernel")), None)
    if cell is None or step.layer.return_state or len(step.inputs) > 1:
        return step.pinned("its state is handed on")
    x = step.inputs[0]
    kernel = step.parameter(f"{cell}.kernel") or []
    inner = step.parameter(f"{cell}.recurrent_kernel") or []
    units = inner[0]
    for attribute, place, axes in (("kernel", 1, kernel), ("recurrent_kernel", 1, inner)):
        _gated(step, axes[place], units, _GATES[kind])
        step.mark(f"{cell}.{attribute}", place, "writer")
    bias = step.parameter(f"{cell}.bias")
    if bias is not None:
        _gated(step, bias[-1], units, _GATES[kind])
        step.mark(f"{cell}.bias", len(bias) - 1, "carrier")
        if len(bias) == 2:
            step.pin(bias[0], "it counts a GRU's two biases")
    step.mark(f"{cell}.kernel", 0, "reader")
    step.mark(f"{cell}.recurrent_kernel", 0, "reader")
    step.join(x.axes[-1], kernel[0])
    step.bind("units", units)
    if step.layer.return_sequences:
        return [Value((x.axes[0], x.axes[1], units))]
    return [Value((x.axes[0], units))]


def _gated(step: Step, axis: Axis, units: Axis, gates: int) -> None:
    """Let an axis be the units of every gate, one gate after the other."""
    if isinstance(axis, Leaf) and axis.link is None and gates > 1:
        bind(axis, total([units] * gates))
    else:
        step.join(axis, total([units] * gates))
