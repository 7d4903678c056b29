"""Activations inside other layers: what they do to the units."""

from __future__ import annotations

from typing import Any

from genewright.backends.keras.library import keras
from genewright.backends.keras.widths.propagation import RuleContext, Value
from genewright.widths.reasons import Cause

_ACROSS = ("softmax", "log_softmax", "sparsemax", "glu")  # of the last axis


def activated(step: RuleContext, values: list[Value], holder: Any = None) -> list[Value]:
    """Note what the activations of a step's layer do to the units of what it returns, and return that.

    Args:
        step: The step.
        values: What the layer returns.
        holder: What holds the activations, where that is not the layer itself: a recurrent layer's cell.
    """
    for attribute in ("activation", "recurrent_activation"):
        function: Any = getattr(holder or step.layer, attribute, None)
        name = str(getattr(function, "__name__", type(function).__name__))
        for value in values:
            if function is not None and name in _ACROSS:
                step.mix(value.axes[-1], Cause.SOFTMAX, name)
            elif function is not None and not _is_known(function):
                for axis in value.axes[1:]:
                    step.mix(axis, Cause.UNKNOWN_ACTIVATION, repr(name))
    return values


def _is_known(function: Any) -> bool:
    """Whether a function is one of keras.activations, which look at every element on its own but for those named."""
    return getattr(keras.activations, str(getattr(function, "__name__", "")), None) is function
