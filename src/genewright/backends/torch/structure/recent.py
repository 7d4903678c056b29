"""What was recorded lately: models of one form are run once, not once for every operator."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any

from torch import nn

from genewright.backends.torch.structure.form import form_of
from genewright.backends.torch.structure.reading import Reading, read
from genewright.backends.torch.structure.record import Recording, record
from genewright.backends.torch.structure.stages import Meta

_MOST = 8
_RECENT: OrderedDict[Hashable, tuple[Recording, Reading]] = OrderedDict()


def recorded(model: nn.Module, example: Any, names: Mapping[int, str]) -> tuple[Recording, Reading]:
    """Return a recording of `model` on `example` and what it says; of a model of the same form where there is one.

    Only runs on meta tensors are kept, which hold no values. What is found again is held to the model itself before
    anything changes: every width is tried on it, and the outputs are compared.

    Args:
        model: Any module.
        example: What it takes.
        names: Names of parameters and buffers, by the `id` of the tensor.
    """
    form = form_of(model, example)
    if form is not None and form in _RECENT:
        _RECENT.move_to_end(form)
        return _RECENT[form]
    recording = record(model, example, names)
    found = recording, read(recording)
    if form is not None and recording.stage is Meta:
        _RECENT[form] = found
        while len(_RECENT) > _MOST:
            _RECENT.popitem(last=False)
    return found


def forget() -> None:
    """Forget all recordings: the next run is recorded anew."""
    _RECENT.clear()
