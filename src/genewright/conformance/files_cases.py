"""Checkpoints as test cases, and the built-in ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from genewright.backends import backend_of
from genewright.backends.files.checkpoint import Checkpoint, Entry
from genewright.conformance.cases import Case
from genewright.elements import encoded


class CheckpointCase(Case):
    """A checkpoint."""

    def fresh(self) -> Any:
        return backend_of(self.model).copy(self.model)

    def traits(self, model: Checkpoint) -> dict[str, object]:
        tied = {
            name: tuple(other for other, e in model.entries.items() if e.data is entry.data)
            for name, entry in model.entries.items()
        }
        return {name: (entry.dtype, entry.shape, tied[name]) for name, entry in model.entries.items()}

    def content(self, model: Checkpoint) -> dict[str, bytes]:
        return {name: entry.data.tobytes() for name, entry in model.entries.items()}

    def places(self, model: Checkpoint) -> dict[str, object]:
        return {name: id(entry.data) for name, entry in model.entries.items()}

    def reordered(self, model: Checkpoint, *, runs: bool) -> Any:
        model.entries = dict(reversed(model.entries.items()))
        return model


CASE = CheckpointCase


def networks() -> dict[str, Checkpoint]:
    """Return checkpoints by name; their values are fixed, and drawn from no generator."""
    names = {
        "body.weight": (6, 5),
        "body.bias": (6,),
        "conv.weight": (4, 3, 3, 3),
        "norm.weight": (4,),
        "norm.running_mean": (4,),
        "rnn.weight_hh_l0": (8, 2),
        "scale": (),
        "nothing.weight": (0, 3),
    }
    dtypes = ("float32", "float64", "bfloat16", "float16")
    plain = Checkpoint({name: _entry("float32", shape) for name, shape in names.items()})
    mixed = Checkpoint(
        {f"{dtype}.{name}": _entry(dtype, shape) for dtype in dtypes for name, shape in list(names.items())[:4]}
    )
    mixed.entries["steps"] = Entry("int64", (), np.arange(1, dtype=np.int64).view(np.uint8))
    tied = Checkpoint({"token_embed.weight": _entry("float32", (7, 4)), "head.bias": _entry("float32", (7,))})
    tied.entries["head.weight"] = Entry("float32", (7, 4), tied.entries["token_embed.weight"].data)
    return {
        "checkpoint": plain,
        "checkpoint of many dtypes": mixed,
        "tied checkpoint": tied,
        "no tensors": Checkpoint({}),
    }


def _entry(dtype: str, shape: tuple[int, ...]) -> Entry:
    size = int(np.prod(shape, dtype=np.int64))
    # multiples of 1/64 with all signs: exact in every dtype
    numbers = ((np.arange(size) * 37 % 127) - 63) / 64
    return Entry(dtype, shape, encoded(numbers, dtype).view(np.uint8))
