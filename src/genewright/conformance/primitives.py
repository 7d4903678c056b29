"""The laws of a backend's primitives, held on one model: what every operator and the core rely on."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genewright.backends import Backend, backend_of
from genewright.calls import answered
from genewright.conformance.generators import states
from genewright.edits import Gather, RemoveLayer, Site
from genewright.edits.layout import UNIT
from genewright.elements import decoded
from genewright.errors import ConformanceError, ExampleError, GenewrightError, UnsupportedError
from genewright.fingerprint import fingerprint_of
from genewright.index import Index
from genewright.interrupts import hearing
from genewright.journal import Journal
from genewright.layer import KINDS
from genewright.network import Network
from genewright.operators.architecture.gather_units import gather
from genewright.outputs import largest_change
from genewright.seeding import Noise
from genewright.tensor import ROLES, Tensor, is_plain

_SUFFIXES = (".safetensors", ".keras", ".weights.h5", ".pt")
_HISTORY = ("one", "two")


@answered("gw.check_backend(model, example=x)")
@hearing
def check_backend(model: Any, *, example: Any = None) -> None:
    """Check that a framework's backend keeps the laws of its primitives on a model, as `check_operator` does operators.

    1. Listing: names, shapes, dtypes and facts of layers agree with the bytes; nobody can write into what is read.
    2. Writing: what is written into memory is what is read, bit for bit, in every tensor.
    3. A copy has the same bytes and class, and shares no memory with the original.
    4. History left on a model travels with copies, and a journal takes it back.
    5. Running a model leaves nothing behind, gives the same every time, and exactly where that is said.
    6. A width that grows keeps the object and its values; the journal takes it back, byte for byte.
    7. Saved and loaded, a model is what it was; a file is not overwritten unasked.
    8. What is refused leaves everything as it was.

    Args:
        model: A model of the framework; it is only copied.
        example: A sample input, for 5 and 6; without one they are left out.

    Raises:
        ConformanceError: A law is broken; the message names it.
        UnsupportedError: No backend owns the model.

    Example:
        >>> import torch, genewright as gw
        >>> gw.check_backend(torch.nn.Linear(3, 2), example=torch.ones(1, 3))
    """
    check = _BackendCheck(backend_of(model), model, example)
    for law in check.laws():
        law()
    check.untouched()


class _BackendCheck:
    """A backend and a model that is only copied."""

    def __init__(self, backend: Backend, model: Any, example: Any) -> None:
        self.backend = backend
        self.model = model
        self.example = example
        self.base = self.fingerprint(model)

    def laws(self) -> list[Callable[[], None]]:
        with_example = [self.runs, self.resizes] if self.example is not None else []
        return [self.lists, self.writes, self.copies, self.signs, *with_example, self.saves, self.refuses]

    def fingerprint(self, model: Any) -> str:
        return fingerprint_of(self.backend.network(model))

    def untouched(self) -> None:
        self.require(
            self.fingerprint(self.model) == self.base, "only copies are changed", "the model itself has changed"
        )

    def lists(self) -> None:
        law = "what is listed agrees with the bytes"
        network = self.backend.network(self.model)
        taken: set[str] = set()
        known = {each for layer in network.layers.values() for each in (layer.name, *layer.aliases)}
        for name, tensor in network.tensors.items():
            names = {tensor.name, *tensor.aliases}
            self.require(tensor.name == name and not names & taken, law, f"{name!r} is listed twice")
            taken |= names
            raw = network.raw(name)
            self.require(raw.nbytes == tensor.nbytes, law, f"{name!r} has {raw.nbytes} bytes, not {tensor.nbytes}")
            self.require(tensor.role in ROLES, law, f"{name!r} has the role {tensor.role!r}")
            self.require(tensor.layer in known, law, f"the layer {tensor.layer!r} of {name!r} is not listed")
            if is_plain(tensor.dtype):
                values = network.read(name)
                self.require(values.shape == tensor.shape, law, f"{name!r} is read in the shape {values.shape}")
                self.require(not values.flags.writeable, law, f"what is read of {name!r} can be written into")
                self.require(_numbers(tensor, raw).tobytes() == values.tobytes(), law, f"{name!r} is read otherwise")
            for alias in tensor.aliases:
                self.require(network.tensor(alias) is tensor, law, f"{alias!r} is not {name!r}")
        for name, layer in network.layers.items():
            self.require(layer.name == name and layer.kind in KINDS, law, f"the layer {name!r} is not told rightly")
            for held in (layer.kernel, layer.bias):
                self.require(held is None or held in taken, law, f"{name!r} has no tensor {held!r}")

    def writes(self) -> None:
        law = "what is written is read, bit for bit"
        model = self.backend.copy(self.model)
        network = self.backend.network(model)
        store = self.backend.store(model)
        wanted: dict[str, bytes] = {}
        for name, tensor in network.tensors.items():
            if is_plain(tensor.dtype) and tensor.size:
                turned = np.roll(np.frombuffer(network.raw(name), _stored(tensor)), 1)
                with store.memory(name).open() as values:
                    self.require(values.shape == (tensor.size,), law, f"the memory of {name!r} is not one row of all")
                    values[:] = turned
                wanted[name] = turned.tobytes()
        model = store.finish()
        after = self.backend.network(model)
        wrong = [name for name, data in wanted.items() if bytes(after.raw(name)) != data]
        self.require(not wrong, law, f"{', '.join(map(repr, wrong[:3]))} reads otherwise")
        self.untouched()

    def copies(self) -> None:
        law = "a copy is the same and shares no memory"
        copied = self.backend.copy(self.model)
        self.require(type(copied) is type(self.model), law, f"it is a {type(copied).__name__}")
        self.require(self.fingerprint(copied) == self.base, law, "its bytes differ")
        before = self.backend.network(self.model).tensors
        after = self.backend.network(copied).tensors
        self.require(list(before.values()) == list(after.values()), law, "what is listed of it differs")

    def signs(self) -> None:
        law = "history travels with copies"
        model = self.backend.copy(self.model)
        old = self.backend.history(model)
        journal = Journal()
        signed = self.backend.sign(model, _HISTORY, journal)
        self.require(self.backend.history(signed) == _HISTORY, law, "it is not what was left")
        self.require(self.backend.history(self.backend.copy(signed)) == _HISTORY, law, "a copy has lost it")
        self.require(self.fingerprint(signed) == self.base, law, "it has changed a tensor")
        journal.restore()
        self.require(self.backend.history(model) == old, law, "the journal does not take it back")
        self.require(self.backend.history(self.model) == old, law, "the original of a copy has it too")

    def runs(self) -> None:
        law = "a run leaves nothing behind"
        before = states()
        first = self.backend.run(self.model, self.example)
        moved = [name for name, state in states().items() if state != before.get(name, state)]
        self.require(not moved, law, f"the random generator of {', '.join(moved)} has moved")
        self.untouched()
        again = self.backend.run(self.backend.copy(self.model), self.example)
        same = [a.tobytes() == b.tobytes() for a, b in zip(first.tensors, again.tensors, strict=True)]
        self.require(all(same), law, "a copy gives other outputs")
        exact = self.backend.run(self.model, self.example, exactly=True)
        self.untouched()
        self.require(largest_change(_wide(exact), _wide(first)) < 1e-2, law, "exactly, it computes something else")

    def resizes(self) -> None:
        law = "a width that grows keeps the object and its values"
        model = self.backend.copy(self.model)
        network = self.backend.network(model, self.example)
        edit = self.growth(network)
        if edit is None:
            return
        old = {place.tensor: bytes(network.raw(place.tensor)) for place in edit.places}
        store = self.backend.store(model)
        store.journal = journal = Journal()
        edit.apply(Site(store, Noise(0), journal))
        grown = store.finish()
        after = self.backend.network(grown)
        for place in edit.places:
            tensor = network.tensors[place.tensor]
            if sum(other.tensor == place.tensor for other in edit.places) > 1 or not is_plain(tensor.dtype):
                continue
            values = np.frombuffer(old[place.tensor], _stored(tensor)).reshape(tensor.shape)
            made = after.tensors[place.tensor]
            now = np.frombuffer(after.raw(place.tensor), _stored(made)).reshape(made.shape)
            kept = np.take(now, range(tensor.shape[place.axis]), place.axis)
            if place.layout == UNIT:
                self.require(kept.tobytes() == values.tobytes(), law, f"{place.tensor!r} has other values")
        journal.restore()
        self.require(self.fingerprint(model) == self.base, law, "the journal does not take it back")

    def growth(self, network: Network) -> Gather | None:
        """Return the edit that gives the first width that can have one a unit more, a copy of its first; None if none.

        None too where nothing is known of such a model's widths.
        """
        try:
            structure = network.structure
            for knob in structure.widths.knobs():
                try:
                    attributes = structure.widths.resolve_attributes(knob, knob.size + 1) if knob.free else None
                except UnsupportedError:
                    continue  # such as heads, of which the sizes hang together
                if attributes is not None:
                    return gather(knob, Index.of([*range(knob.size), 0]), attributes=attributes)
        except (ExampleError, UnsupportedError):
            pass
        return None

    def saves(self) -> None:
        law = "saved and loaded, a model is what it was"
        with tempfile.TemporaryDirectory() as folder:
            for suffix in _SUFFIXES:
                path = Path(folder) / f"model{suffix}"
                try:
                    self.backend.save(self.model, path, {"about": "a test"}, overwrite=False)
                except GenewrightError:
                    continue  # a kind of file that is not this framework's
                break
            else:
                raise self.broken(law, f"it saves to none of {', '.join(_SUFFIXES)}")
            try:
                self.backend.save(self.model, path, {}, overwrite=False)
            except GenewrightError:
                pass
            else:
                raise self.broken(law, "it overwrites a file unasked")
            model = self.backend.copy(self.model)
            store = self.backend.store(model)
            for name, tensor in self.backend.network(model).tensors.items():
                if is_plain(tensor.dtype):
                    with store.memory(name).open() as values:
                        values[...] = 0
            model = self.backend.load(store.finish(), path)
            self.require(self.fingerprint(model) == self.base, law, f"read from a {suffix} file, its bytes differ")

    def refuses(self) -> None:
        law = "what is refused leaves everything as it was"
        model = self.backend.copy(self.model)
        store = self.backend.store(model)
        journal = store.journal = Journal()
        asked: tuple[Callable[[], object], ...] = (
            lambda: store.restructure(RemoveLayer(layer="no layer of this name")),
            lambda: store.resize("no tensor of this name", 0, np.zeros(1, np.int64)),
            lambda: store.memory("no tensor of this name"),
            lambda: self.backend.load(model, Path("no file of this name.safetensors")),
            lambda: self.backend.companion(model, object()),
        )
        for ask in asked:
            try:
                ask()
            except GenewrightError:
                continue
            raise self.broken(law, "it takes names that do not exist, or raises no GenewrightError")
        journal.restore()
        self.require(self.fingerprint(model) == self.base, law, "its bytes differ")

    def require(self, kept: bool, law: str, detail: str) -> None:
        if not kept:
            raise self.broken(law, detail)

    def broken(self, law: str, detail: str) -> ConformanceError:
        return ConformanceError(f"The backend {self.backend.name!r} breaks the law '{law}': {detail}.")


def _stored(tensor: Tensor) -> np.dtype[Any]:
    return np.dtype("<u2" if tensor.dtype == "bfloat16" else tensor.dtype).newbyteorder("<")


def _numbers(tensor: Tensor, raw: memoryview) -> Any:
    if math.prod(tensor.shape) == 0:
        return np.zeros(0, np.uint8)
    return decoded(np.frombuffer(raw, _stored(tensor)), tensor.dtype)


def _wide(seen: Any) -> Any:
    return type(seen)([np.asarray(output, np.float64) for output in seen.tensors], seen.exact)
