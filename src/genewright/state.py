"""State: what a model computes with that is no tensor whose elements an operator could change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class State:
    """Packed weights of a quantised layer, extra state, a sparse or expanded tensor: left alone, counted, and saved.

    Attributes:
        name: Its name in a state dict.
        layer: Name of the layer that holds it.
        what: What it is, in a few words.
        size: Number of elements of all its tensors.
        about: What counts of it in a fingerprint.
        data: Its bytes as files hold them (`backends/files/values.py`); None where no file can that executes nothing.
        trainable: Training changes it, so that an operator on all trainable tensors has to refuse it.
        advice: What to do so that it can be changed.
    """

    name: str
    layer: str
    what: str
    size: int
    about: bytes
    data: bytes | None
    trainable: bool = False
    advice: str = ""
