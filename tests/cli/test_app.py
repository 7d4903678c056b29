from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import Any

import pytest

import genewright as gw
from genewright.cli.output import log_shown
from genewright.operator import registered

COMMANDS = ["demo", "operators", "plan", "mutate", "replay", "compare", "show", "knobs", "neurons", "diff"]
COMMANDS += ["evolve", "resume"]
OPERATORS = [f"{verb} {name.replace('_', '-')}" for verb in ("mutate", "plan") for name in registered()]


_HELP: dict[str, Any] = {}


def helped(words: str, genewright: Any) -> Any:
    """Return what `--help` says; drawn once, for it takes long."""
    if words not in _HELP:
        _HELP[words] = genewright(*words.split(), "--help")
    return _HELP[words]


@pytest.mark.parametrize("words", ["", *COMMANDS, *OPERATORS])
def test_every_help_text_has_an_example(words: str, genewright: Any) -> None:
    said = helped(words, genewright)
    assert (said.code, said.err) == (0, "")
    example = said.out.split("Example")[1]
    assert " ".join(["genewright", *words.split()]) in " ".join(example.split())


@pytest.mark.parametrize("words", OPERATORS)
def test_every_setting_has_its_option_and_its_help(words: str, genewright: Any) -> None:
    form = genewright("operators", words.split()[1], "--json").json()
    text = helped(words, genewright).out
    for setting in form["settings"]:
        assert setting["about"], f"{form['class']}: its docstring says nothing of {setting['name']}"
        assert setting["option"] in text


def test_starting_is_quick_because_it_imports_no_framework() -> None:
    heavy = "torch", "sklearn", "matplotlib", "scipy", "numba", "keras", "tensorflow", "jax"
    code = f"""
import sys
from genewright.cli import main
for words in (["--help"], ["mutate", "--help"], ["mutate", "gaussian-noise", "--help"], ["operators"]):
    assert main(words) == 0
found = [name for name in {heavy!r} if name in sys.modules]
assert not found, found
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [[], ["mutate"], ["plan"]])
def test_words_alone_show_the_help(words: list[str], genewright: Any) -> None:
    said = genewright(*words)
    assert said.code == (2 if words else 0)
    assert "Usage" in said.out


def test_exit_codes_of_a_real_process(folder: Any) -> None:
    def code(*words: str) -> int:
        command = [sys.executable, "-m", "genewright", *words]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert code("diff", "net.safetensors", "net.safetensors") == 0
    assert code("show", "nope.safetensors") == 1
    assert code("shw") == 2


@pytest.mark.parametrize("words", ["--help 0 --json", "mutate zero --help --json", "--version 0 --json"])
def test_a_text_that_is_asked_for_is_printed_beside_json_too(words: str, genewright: Any) -> None:
    said = genewright(*words.split())
    assert (said.code, said.err) == (0, "")
    assert "genewright" in said.out


def test_operators_are_listed_and_described(genewright: Any) -> None:
    listed = genewright("operators").out
    for name, cls in registered().items():
        assert name.replace("_", "-") in listed
        assert cls.__doc__
        assert cls.__doc__.strip().splitlines()[0] in " ".join(listed.split())
    assert genewright("operators", "--json").json().keys() == registered().keys()
    text = genewright("operators", "GaussianNoise").out
    assert "--relative-to" in text
    assert "0.01" in text


def test_a_plan_is_printed_and_changes_nothing(genewright: Any) -> None:
    said = genewright("plan", "gaussian-noise", "net.pt", "--rate", "0.5", "--where", "3.*", "--seed", "1")
    assert said.code == 0
    assert "3.weight" in said.out
    assert "0.weight" not in said.out
    assert "rate 0.5" in said.out
    form = genewright("plan", "gaussian-noise", "net.pt", "--seed", "1", "--json").json()
    assert [edit["tensor"] for edit in form["steps"][0]["edits"]][:2] == ["0.weight", "0.bias"]
    assert json.dumps(form, allow_nan=False)


@pytest.mark.parametrize("shown", [True, False])
def test_notes_of_the_library_go_where_they_are_shown(shown: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with log_shown(shown=shown):
        logging.getLogger("genewright.noise").warning("compiling")
        logging.getLogger("genewright").info("the outputs change by 0.1")
    said = "note: compiling\nnote: the outputs change by 0.1\n"
    assert capsys.readouterr().err == (said if shown else "")
    assert logging.getLogger("genewright").level == logging.NOTSET


def test_version_help_and_completion(genewright: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert genewright("--version").out == f"genewright {gw.__version__}\n"
    assert genewright("mutate", "zero", "-h").out == genewright("mutate", "zero", "--help").out
    environment = {**os.environ, "_GENEWRIGHT_COMPLETE": "complete_bash"}
    for words, expected in (("genewright mut", "mutate"), ("genewright mutate gauss", "gaussian-noise")):
        asked = {**environment, "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        command = [sys.executable, "-m", "genewright"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=asked)
        assert done.stdout.split() == [expected], done.stderr


def test_operators_are_grouped_by_what_they_are_for(genewright: Any) -> None:
    listed = genewright("operators").out
    titles = [line for line in listed.splitlines() if line and not line.startswith(" ")]
    assert titles[:2] == ["Change weights", "Change whole units"]
    assert listed.index("Change the architecture") < listed.index("  widen ") < listed.index("Combine operators")
    assert "Change the architecture" in genewright("mutate", "--help").out


@pytest.mark.parametrize("words", [(), ("mutate", "widen"), ("plan", "zero"), ("show",), ("compare",), ("mutate",)])
def test_help_names_no_value_behind_a_flag(words: tuple[str, ...], genewright: Any) -> None:
    shown = genewright(*words, "--help")
    assert "--help" in shown.out
    assert "<bool>" not in shown.out
    assert " range>" not in shown.out
