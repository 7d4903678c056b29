"""What was recorded lately: models of one form are run once, not once for every operator."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from threading import Lock
from typing import Any, Final, NamedTuple

from torch import nn

from genewright.backends.torch.structure.attributes import add_table
from genewright.backends.torch.structure.form import form_of
from genewright.backends.torch.structure.reading import Reading, read
from genewright.backends.torch.structure.record import Recording, record
from genewright.backends.torch.structure.stages import Meta
from genewright.widths.knob import Knobs


class Found(NamedTuple):
    """A recording and what it says. Models and threads share it: nothing in it changes once it is here.

    Attributes:
        recording: The forward pass.
        reading: Its axes; all bindings and reasons have been noted.
        knobs: The widths that are read off it.
    """

    recording: Recording
    reading: Reading
    knobs: Knobs


class Recent:
    """The results that were asked for last, by form, for all threads.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, Found] = OrderedDict()

    def get(self, form: Hashable) -> Found | None:
        """Return what is known of a form."""
        with self._lock:
            found = self._kept.get(form)
            if found is not None:
                self._kept.move_to_end(form)
            return found

    def keep(self, form: Hashable, found: Found) -> Found:
        """Keep a result, and return it; where another thread was faster, return that one's."""
        with self._lock:
            found = self._kept.setdefault(form, found)
            self._kept.move_to_end(form)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return found

    def clear(self) -> None:
        """Forget everything: the next run is recorded anew."""
        with self._lock:
            self._kept.clear()


RECENT: Final = Recent(8)


def recorded(model: nn.Module, example: Any, names: Mapping[int, str], knobs_of: Callable[[Reading], Knobs]) -> Found:
    """Return a recording of `model` on `example` and what it says; of a model of the same form where there is one.

    Only runs on meta tensors are kept, which hold no values. What is found again is held to the model itself before
    anything changes: every width is tried on it, and the outputs are compared.

    Args:
        model: Any module.
        example: What it takes.
        names: Names of parameters and buffers, by the `id` of the tensor.
        knobs_of: Reads the widths off; it may note reasons in the reading.
    """
    form = form_of(model, example)
    known = None if form is None else RECENT.get(form)
    if known is not None:
        return known
    recording = record(model, example, names)
    reading = read(recording)
    add_table(reading)
    found = Found(recording, reading, knobs_of(reading))
    return found if form is None or recording.stage is not Meta else RECENT.keep(form, found)
