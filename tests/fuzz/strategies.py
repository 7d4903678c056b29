"""Hostile inputs, by the surface that reads them. A new surface is a strategy, a reader, and a line in `SURFACES`."""

from __future__ import annotations

import copy
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import nn

import genewright as gw
from genewright.backends import backend_of
from genewright.backends.torch.attribute_paths import set_value, value_at
from genewright.backends.torch.kinds import KINDS
from genewright.backends.torch.layers import make_layer
from genewright.journal import Journal
from genewright.reshape import reshape
from tests.fuzz import commands
from tests.fuzz.watch import CONSTANT, NOTHING, Allowed

_FOLDER = Path(tempfile.mkdtemp(prefix="genewright-fuzz-"))


@dataclass(frozen=True)
class Surface:
    """A place where inputs of others come in.

    Attributes:
        inputs: The strategy.
        read: What reads one.
        good: An input that must be accepted: else a test that refuses all would pass.
        late: Inputs that make libraries import what they import late.
        allowed: What it may do beyond reading.
        constant: Bytes of memory that it may take for any input.
    """

    inputs: st.SearchStrategy[Any]
    read: Callable[[Any], object]
    good: Any
    late: tuple[Any, ...] = ()
    allowed: Allowed = NOTHING
    constant: int = CONSTANT

    def size(self, given: Any) -> int:
        """Return the size of an input in bytes."""
        return len(given) if isinstance(given, bytes) else len(repr(given))


class Config:
    """Settings as a library holds them."""

    def __init__(self) -> None:
        self.width = 4
        self.kinds = ["a", "b"]
        self.inner = {"rate": 0.5, "shape": (1, 2)}


class Victim(nn.Module):
    """A model with everything that a path might lead through."""

    def __init__(self) -> None:
        super().__init__()
        self.config = Config()
        self.linear = nn.Linear(4, 4)
        self.conv = nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")
        self.act = nn.functional.relu
        self.kind = nn.GELU
        self.globals = globals()
        self.library = json
        self.dim = 4

    def forward(self, x: Any) -> Any:
        return self.act(self.linear(x))


# --- bytes ------------------------------------------------------------------------------------------------------------


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    """Draw a valid file with bytes changed, cut out, put in or repeated."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        length = draw(st.integers(0, 16))
        new = draw(st.binary(max_size=8) | st.sampled_from([b"\xff" * 8, b"\0" * 8, b"\x7f" + b"\xff" * 7]))
        match draw(st.sampled_from("xidtr")):
            case "x":
                data[place : place + len(new)] = new
            case "i":
                data[place:place] = new
            case "d":
                del data[place : place + length]
            case "t":
                del data[place:]
            case _:
                data[place:place] = data[place : place + length] * draw(st.integers(1, 20))
    return bytes(data)


NUMBERS = st.sampled_from([0, 1, -1, 2**31, 2**62, 2**63 - 1, 2**64, 10**30, 4, 16]) | st.integers()
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def _state() -> dict[str, torch.Tensor]:
    return {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.ones(3)}


def _reading(suffix: str) -> Callable[[bytes], object]:
    path = _FOLDER / f"input{suffix}"

    def read(data: bytes) -> object:
        return gw.read_checkpoint(path)

    def written(data: bytes) -> object:
        return read(data)

    written.path = path  # type: ignore[attr-defined]  # where the harness puts the input before it watches
    return written


# --- safetensors ------------------------------------------------------------------------------------------------------


def _safetensors() -> bytes:
    gw.save(nn.Linear(4, 3), _FOLDER / "good.safetensors", overwrite=True)
    return (_FOLDER / "good.safetensors").read_bytes()


def _framed(header: bytes, data: bytes = bytes(64)) -> bytes:
    return len(header).to_bytes(8, "little") + header + data


_TENSOR = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F64", "BF16", "F8_E4M3", "BOOL", "X", 3, None]),
        "shape": st.lists(NUMBERS, max_size=4) | JSON,
        "data_offsets": st.tuples(NUMBERS, NUMBERS) | JSON,
    }
)
_HEADERS = st.dictionaries(st.sampled_from(["w", "v", "__metadata__", "a.weight"]), _TENSOR | JSON, max_size=3)
SAFETENSORS = (
    mutated(_safetensors())
    | _HEADERS.map(lambda header: _framed(json.dumps(header).encode()))
    | st.binary(max_size=40).map(_framed)
    | st.sampled_from(
        [
            _framed(b"[" * 100_000),
            _framed(b'{"a":' * 50_000),
            _framed(b'{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},' * 2 + b'"z":{}}'),
            _framed(b'{"__metadata__":{"a":NaN}}'),
            _framed(b'{"__metadata__":{"genewright.ties":"[[[["}}', b""),
            (2**63).to_bytes(8, "little"),
            b"",
        ]
    )
)

# --- .pt --------------------------------------------------------------------------------------------------------------


def _saved(zipped: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(_state(), buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def _repacked(pickled: bytes, packing: int = zipfile.ZIP_STORED) -> bytes:
    """Return a whole archive of torch's with another pickle in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_saved(True))) as old, zipfile.ZipFile(buffer, "w", packing) as new:
        for name in old.namelist():
            new.writestr(name, pickled if name.endswith("data.pkl") else old.read(name))
    return buffer.getvalue()


def _pickled() -> bytes:
    with zipfile.ZipFile(io.BytesIO(_saved(True))) as archive:
        return archive.read("archive/data.pkl")


_OPCODES = st.lists(
    st.sampled_from(
        [b"(", b"t", b"}", b"]", b")", b"R", b"b", b"s", b"u", b"e", b"a", b"Q", b"K\x04",
         b"\x8a\x08" + b"\xff" * 7 + b"\x7f",
         b"cbuiltins\nbytearray\n", b"cos\nsystem\n", b"ctorch\nTensor\n", b"ccollections\nOrderedDict\n",
         b"q\0", b"h\0",
         b"ctorch._utils\n_rebuild_tensor_v2\n", b"X\x07\0\0\0storage", b"ctorch\nFloatStorage\n",
         b"\x81", b"N", b"\x85",
         b"r\xff\xff\xff\xff", b"\x96" + b"\xff" * 7 + b"\x7f", b"\x8e" + b"\xff" * 7 + b"\x7f"]
    ),
    max_size=30,
).map(lambda parts: b"\x80\x02" + b"".join(parts) + b".")  # fmt: skip
PT = (
    mutated(_saved(True))
    | mutated(_saved(False))
    | mutated(_pickled()).map(_repacked)
    | _OPCODES.map(_repacked)
    | _OPCODES
    | st.just(_repacked(b"\x80\x02(" + b"}" * 1_000_000 + b"t.", zipfile.ZIP_DEFLATED))
)

# --- Keras's files ----------------------------------------------------------------------------------------------------


def weights_file(fill: Callable[[Any], None] | None = None) -> bytes:
    """Return a weights file as Keras 3 writes it, with what `fill` adds to it."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        held = file.create_group("layers/dense/vars")
        held.create_dataset("0", data=np.arange(12.0, dtype=np.float32).reshape(3, 4))
        held.create_dataset("1", data=np.zeros(4, np.float32))
        if fill is not None:
            fill(file)
    return buffer.getvalue()


def archive(config: Any, weights: bytes | None = None, packing: int = zipfile.ZIP_STORED) -> bytes:
    """Return a .keras file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as made:
        made.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        made.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
        made.writestr("model.weights.h5", weights_file() if weights is None else weights)
    return buffer.getvalue()


CONFIG = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {"name": "dense"}}]}}
_CLASSES = st.sampled_from(["Sequential", "Lambda", "__lambda__", "Dense", "TFSMLayer", "Functional", 3, None, []])
_LAYER = st.fixed_dictionaries({"class_name": _CLASSES, "config": JSON | st.fixed_dictionaries({"layers": JSON})})
KERAS = (
    mutated(archive(CONFIG))
    | (_LAYER | JSON).map(archive)
    | st.lists(_LAYER, max_size=3).map(lambda layers: archive({"class_name": "S", "config": {"layers": layers}}))
    | mutated(json.dumps(CONFIG).encode()).map(archive)
    | st.just(archive(b" " * 30_000_000, packing=zipfile.ZIP_DEFLATED))
    | st.just(archive(b"[" * 200_000))
)

# --- attributes and layers --------------------------------------------------------------------------------------------

_PARTS = """
    forward __func__ __globals__ __class__ __init__ __dict__ config width kinds inner rate shape linear conv act kind
    globals library training sys path os modules weight data bias in_features kernel_size padding dim 0 1 -1
    _modules _parameters __builtins__ loads __code__ co_code decoder JSONDecoder register_buffer grad T 99 é
"""
_WORDS = st.sampled_from(_PARTS.split()) | st.text(max_size=4)
PATHS = st.tuples(st.lists(_WORDS, min_size=1, max_size=6).map(".".join), JSON)


def _set(given: tuple[str, Any]) -> None:
    model = Victim()
    path, value = given
    before = dict(globals())
    try:
        old = value_at(model, path)
        journal = Journal()
        set_value(model, path, value, journal)
        assert type(value_at(model, path)) is type(old) or old is None or isinstance(old, tuple)
        journal.restore()
        assert value_at(model, path) == old
    finally:
        assert globals() == before


_SETTINGS = """
    in_features out_features bias num_embeddings kernel_size in_channels out_channels stride padding num_layers d_model
    nhead hidden_size input_size device dtype _weight normalized_shape inplace dim layers gate blend
"""
_KEYS = st.sampled_from(_SETTINGS.split())
_KINDS = st.sampled_from([*KINDS, "ModuleList", "DataParallel", "os.system", "__class__", "LazyLinear"])
_SETTING = NUMBERS | st.integers(-2, 8) | st.floats() | st.text(max_size=6) | st.lists(st.integers(-2, 8), max_size=4)
SPECS = st.recursive(
    _KINDS
    | st.builds(
        lambda kind, held: {**held, "layer": kind}, _KINDS, st.dictionaries(_KEYS, _SETTING | JSON, max_size=5)
    )
    | st.builds(lambda name, gate: {"copy": name, "gate": gate}, st.sampled_from(["linear", "", "conv", "none"]), JSON),
    lambda inner: st.builds(
        lambda kind, layers: {"layer": kind, "layers": layers},
        st.sampled_from(["Sequential", "Gated", "Blend", "TransformerEncoder"]), st.lists(inner, max_size=3) | JSON
    ),
    max_leaves=6,
)  # fmt: skip


def _make(spec: Any) -> nn.Module:
    victim = Victim()
    state = torch.random.get_rng_state()
    layer = make_layer(spec, victim, limit=1 << 16)
    assert torch.equal(state, torch.random.get_rng_state())
    assert sum(t.nbytes for t in layer.parameters()) <= (1 << 16) + 64
    return layer


_RECIPE = gw.recipe(gw.mutate(nn.Linear(2, 2), gw.GaussianNoise(), seed=1)).to_json()
_BASE = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
_GROWN = gw.recipe(
    gw.mutate(_BASE, [gw.Widen("0", factor=1.5), gw.InsertLayer("1")], seed=1, example=torch.zeros(1, 3))
).to_json()


@st.composite
def _edited(draw: Any) -> bytes:
    """Return the recipe of a grown network with one value somewhere in its edits exchanged."""
    form = json.loads(_GROWN)
    places: list[tuple[Any, Any]] = []

    def walk(held: Any) -> None:
        entries = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ()
        for key, value in entries:
            places.append((held, key))
            walk(value)

    walk([node.get("edits", []) for node in form["nodes"]])
    held, key = draw(st.sampled_from(places))
    held[key] = draw(JSON | st.integers(-(2**60), 2**60) | st.just([[0, 2**50], [-1, 2**50, 0]]))
    return json.dumps(form).encode()


def _replay(text: bytes) -> None:
    recipe, base = gw.Recipe.from_json(text), copy.deepcopy(_BASE)
    before = gw.fingerprint(base), repr(base)
    try:
        gw.replay(recipe, base, inplace=True)
    except gw.GenewrightError:
        if (gw.fingerprint(base), repr(base)) != before:
            raise AssertionError("a replay that was refused has changed the base") from None
        raise


def _rebuild(text: bytes) -> None:
    net = copy.deepcopy(_BASE)
    reshape(backend_of(net), net, gw.Recipe.from_json(text).all_steps(), limit=1 << 12)
    assert sum(p.nbytes for p in net.parameters()) < 1 << 16


RECIPES = mutated(_RECIPE.encode()) | JSON.map(lambda form: json.dumps(form).encode())

SURFACES: dict[str, Surface] = {
    "safetensors": Surface(SAFETENSORS, _reading(".safetensors"), _safetensors()),
    "pt": Surface(PT, _reading(".pt"), _saved(True)),
    "keras": Surface(KERAS, _reading(".keras"), archive(CONFIG)),
    "hdf5": Surface(mutated(weights_file()), _reading(".h5"), weights_file()),
    "attributes": Surface(PATHS, _set, ("config.inner.shape", [3, 4])),
    "layers": Surface(SPECS, _make, {"layer": "Tanh"}),
    "recipes": Surface(RECIPES, gw.Recipe.from_json, _RECIPE.encode()),
    "replays": Surface(_edited() | mutated(_GROWN.encode()), _replay, _GROWN.encode()),
    "rebuilding": Surface(_edited() | mutated(_GROWN.encode()), _rebuild, _GROWN.encode()),
    "commands": Surface(
        commands.WORDS, commands.run, commands.GOOD, commands.LATE, commands.ALLOWED, commands.CONSTANT
    ),
}
