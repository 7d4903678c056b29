"""A cache of traces by structural key: models that run alike are traced once, not once for every operator."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from threading import Lock
from typing import Any, Final, NamedTuple

from torch import nn

from genewright.backends.torch.structure.propagation import Propagation, read, read_on
from genewright.backends.torch.structure.record import Recording, record, record_training
from genewright.backends.torch.structure.size_attributes import add_table
from genewright.backends.torch.structure.structural_key import structural_key
from genewright.backends.torch.structure.trace_devices import Meta
from genewright.interrupts import checkpoint
from genewright.widths.knobs import Knobs


class CachedTrace(NamedTuple):
    """A recording and its analysis. Models and threads share it: nothing in it changes once it is here.

    Attributes:
        recording: The forward pass.
        reading: Its axes; all bindings and reasons have been noted.
        knobs: The widths that are read off it.
    """

    recording: Recording
    reading: Propagation
    knobs: Knobs


class TraceCache:
    """The most recently used traces by structural key, for all threads.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, CachedTrace] = OrderedDict()

    def get(self, key: Hashable) -> CachedTrace | None:
        """Return the trace of a key, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, key: Hashable, found: CachedTrace) -> CachedTrace:
        """Cache a trace, and return it; where another thread was faster, return that one's."""
        with self._lock:
            found = self._kept.setdefault(key, found)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return found

    def clear(self) -> None:
        """Forget everything: the next run is traced anew."""
        with self._lock:
            self._kept.clear()


TRACE_CACHE: Final = TraceCache(8)


def cached_trace(
    model: nn.Module, examples: Sequence[Any], names: Mapping[int, str], knobs_of: Callable[[Propagation], Knobs]
) -> CachedTrace:
    """Return a recording of `model` on an example with its analysis; the cached one of a model with the same key.

    Only runs on meta tensors are kept, which hold no values. What is found again is held to the model itself before
    anything changes: every width is tried on it, and the outputs are compared.

    Args:
        model: Any module.
        examples: What it takes; the first one is recorded, and what it does on the others is read besides.
        names: Names of parameters and buffers, by the `id` of the tensor.
        knobs_of: Reads the widths off; it may note reasons in the reading.
    """
    example, *others = examples
    key = structural_key(model, tuple(examples) if others else example)
    known = None if key is None else TRACE_CACHE.get(key)
    if known is not None:
        return known
    recording = record(model, example, names)
    reading = read(recording)
    for other in others:
        read_on(reading, record(model, other, names))
    unseen = {name for name in _weighty(recording.layers) if name not in reading.touched}
    if unseen:  # a head that is for training alone reads the same widths
        training = record_training(model, example, names)
        if training is not None and any(call.layer in unseen for call in training.calls):
            read_on(reading, training)
    add_table(reading)
    found = CachedTrace(recording, reading, knobs_of(reading))
    checkpoint()  # what a signal's handler raised may have been taken for an answer: then this one is not kept
    return found if key is None or recording.trace_device is not Meta else TRACE_CACHE.keep(key, found)


def _weighty(layers: Mapping[str, nn.Module]) -> list[str]:
    """Return the names of layers that hold weights themselves."""
    return [name for name, layer in layers.items() if next(layer.parameters(recurse=False), None) is not None]
