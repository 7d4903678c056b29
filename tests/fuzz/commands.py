"""Hostile words after ``genewright``: every subcommand, every operator, every setting."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import nn

import genewright as gw
from genewright.cli import main
from genewright.operator import registered
from tests.fuzz.watch import Allowed

FOLDER = Path(tempfile.mkdtemp(prefix="genewright-fuzz-commands-"))
CONSTANT = 64 << 20  # a command makes all subcommands and may run a model
_MODULE = """
import torch


def net():
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))


def broken():
    raise RuntimeError("two\\nlines")


number = 3
"""


def _folder() -> dict[str, bytes]:
    """Make the files that commands are given, and return their bytes."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    gw.save(net, FOLDER / "net.safetensors", overwrite="force")
    mutant = gw.mutate(net, gw.GaussianNoise(), seed=1)
    gw.save(mutant, FOLDER / "mutant.safetensors", overwrite="force")
    gw.recipe(mutant).save(FOLDER / "mutant.json", overwrite="force")
    torch.save(net.state_dict(), FOLDER / "net.pt")
    np.savez(FOLDER / "data.npz", X=np.ones((5, 3), np.float32), y=np.array([0, 1, 0, 1, 0]))
    (FOLDER / "damaged.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    (FOLDER / "empty.json").write_bytes(b"")
    (FOLDER / "fuzzed_commands.py").write_text(_MODULE)
    (FOLDER / "a folder").mkdir(exist_ok=True)
    return _held()


def _held() -> dict[str, bytes]:
    files = (path for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(FOLDER)): path.read_bytes() for path in files}


_FILES = _folder()
_FACTORIES = (
    *("fuzzed_commands:net", "fuzzed_commands:broken", "fuzzed_commands:number", "fuzzed_commands:nett"),
    "no_such_module:Net",
)
_OUT = (
    *("out.safetensors", "out.pt", "out.json", "out.keras", "out", "net.safetensors", "missing/out.safetensors"),
    "a folder",
)
_SHAPES = (
    *("1x3", "2x3", "3", "0x3", "1x3:int64", "1x3:complex", "x=1x3", "1x99999999999x3", "1x1048576x1048576:bool"),
    "9" * 5000,
)
_NUMBERS = (
    *("0", "1", "-1", "0.5", "1e308", "1e400", "-1e400", "nan", "inf", "-inf", "0x10", "1_0", "\u0663"),
    *("9" * 5000, "-" + "9" * 5000),
)
_JSON = (
    *("null", "true", "[]", "{}", "[[[", '{"x": 1}', "[" * 3000, "gaussian-noise", "gaussian-noise:std=0.1"),
    *("a,b", "0,2,5", "0-9999999999", "*", "!*", "[", "kernel", "fro"),
)
# Words that a process can be given: no NUL, and bytes that are no text come as lone surrogates.
_TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)
_BYTES = st.binary(max_size=6).map(lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape"))

_VALUES = st.sampled_from((*_NUMBERS, *_JSON, *_SHAPES, *_FACTORIES, *_OUT, *_FILES, "", "-", "--")) | _TEXT | _BYTES
_MODELS = st.sampled_from((*_FILES, *_FACTORIES, "net.safetensors", "fuzzed_commands:net"))
_OPTIONS: dict[str, tuple[str, ...]] = {
    "mutate": ("--seed", "--weights", "--example", "--out", "--recipe", "--force", "--json"),
    "plan": ("--seed", "--weights", "--example", "--json"),
    "replay": ("--out", "--weights", "--example", "--force", "--json"),
    "compare": (
        *("--data", "--model", "--original-weights", "--mutant-weights", "--tolerance", "--metric"),
        *("--batch-size", "--json"),
    ),
    "show": ("--weights", "--json"),
    "knobs": ("--example", "--weights", "--layer", "--json"),
    "diff": ("--all", "--json"),
    "operators": ("--json",),
    "demo": ("--seed", "--epochs", "--json"),
}
_LIKELY: dict[str, st.SearchStrategy[str]] = {
    "--example": st.sampled_from(_SHAPES),
    "--out": st.sampled_from(_OUT),
    "--recipe": st.sampled_from(_OUT),
    "--seed": st.sampled_from(_NUMBERS) | _TEXT,
    "--data": st.sampled_from(("data.npz", "net.pt", "empty.json")),
    "--model": _MODELS,
    "--weights": _MODELS,
}
_FLAGS = ("--force", "--json", "--all")


@st.composite
def _words(draw: Any) -> list[str]:
    """Return the words of a command that may be right; then, often, some of them are exchanged, left out or doubled."""
    verb = draw(st.sampled_from(sorted(_OPTIONS)))
    words, options = [verb], _OPTIONS[verb]
    if verb in ("mutate", "plan"):
        name = draw(st.sampled_from(sorted(registered())))
        fields = [field.name for field in dataclasses.fields(registered()[name])]  # type: ignore[arg-type]
        words.append(name.replace("_", "-"))
        options = (*options, *(f"--{field.replace('_', '-')}" for field in fields))
    many = {"replay": 2, "compare": 2, "diff": 2, "operators": 0, "demo": 0}.get(verb, 1)
    words += [draw(_MODELS) for _ in range(many)]
    needed = {"mutate": ("--seed", "--out"), "plan": ("--seed",), "replay": ("--out",), "compare": ("--data",)}
    for option in (*needed.get(verb, ()), *draw(st.lists(st.sampled_from(options), max_size=4))):
        words += [option] if option in _FLAGS else [option, draw(_LIKELY.get(option, _VALUES) | _VALUES)]
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(words) - 1))
        instead = draw(st.sampled_from(("exchange", "leave out", "double", "insert")))
        word = draw(_VALUES | st.sampled_from(("--help", "--json", *options)))
        words[at : at + (instead != "insert")] = {"leave out": [], "double": [words[at]] * 2}.get(instead, [word])
        words = words or [verb]
    # The demo trains for seconds where nothing is wrong: here something always is.
    return [*words, "--framework", "neither"] if "demo" in words else words


WORDS = _words() | st.lists(_VALUES | st.sampled_from((*_OPTIONS, "--help", "--json")), max_size=5).filter(
    lambda words: "demo" not in words
)


GOOD = ["mutate", "widen", "fuzzed_commands:net", "--layer", "0", "--example", "1x3", "--seed", "1", "--out", "out.pt"]
LATE = (
    *([verb, "--help"] for verb in _OPTIONS),
    ["plan", "widen", "--help"],
    ["show", "net.safetensors"],
    ["knobs", "fuzzed_commands:net", "--example", "1x3"],
    ["compare", "net.pt", "mutant.safetensors", "--model", "fuzzed_commands:net", "--data", "data.npz"],
    ["replay", "mutant.json", "net.safetensors", "--out", "out.pt"],
    ["diff", "net.pt", "mutant.safetensors"],
    ["nothing"],
)
# Subcommands are made when they are asked for (typer sets a variable on the way), and factories are imported.
_MAKING = frozenset({"exec", "compile", "import", "code.__new__", "function.__new__", "marshal.loads", "os.putenv"})
ALLOWED = Allowed(_MAKING, FOLDER)


def run(words: list[str]) -> None:
    """Run a command; what is promised of its exit code, of what it says and of files is asserted."""
    with _streams() as (out, err), contextlib.chdir(FOLDER):
        code = main(words)
    said, complaint = out(), err()
    after = _held()
    named = {value for word in words for value in (word, word.partition("=")[2])}
    changed = {name for name in {*_FILES, *after} if _FILES.get(name) != after.get(name)}
    try:
        assert code in (0, 1, 2)
        assert "Traceback" not in said + complaint
        assert changed <= named, f"written without being named: {changed - named}"
        assert not changed or code == 0, f"refused, and written: {changed}"
        if code == 0:
            assert complaint == ""
        elif complaint:
            assert complaint.startswith("error: ")
            assert complaint.count("\n") == 1
            if "--json" in words:
                assert set(json.loads(said)) == {"error"}
        else:  # a comparison with another answer, or the help of a group
            assert {"diff", "compare", "mutate", "plan"} & set(words)
    finally:
        _restore(changed)


def _restore(changed: set[str]) -> None:
    for name in changed:
        path = FOLDER / name
        if name in _FILES:
            path.write_bytes(_FILES[name])
        else:
            path.unlink()


@contextlib.contextmanager
def _streams() -> Iterator[Any]:
    """Take standard output and error as a process's own: text of an encoding, with what cannot be said in it."""
    before = sys.stdout, sys.stderr, list(sys.path)
    raw = io.BytesIO(), io.BytesIO()
    sys.stdout, sys.stderr = (io.TextIOWrapper(stream, "utf-8") for stream in raw)
    kept = sys.stdout, sys.stderr

    def text(at: int) -> str:
        kept[at].flush()
        return raw[at].getvalue().decode()

    try:
        yield lambda: text(0), lambda: text(1)
    finally:
        sys.stdout, sys.stderr, sys.path[:] = before
