"""A fast part of the benchmark of depth, where the libraries are at hand: each library in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "architecture" / "depth.py"
ALL = {
    "AddBranch",
    "AddSkip",
    "DuplicateBlock",
    "DuplicateBlock(by=zeros)",
    "GrowKernel",
    "InsertLayer",
    "InsertLayer(init=gate)",
    "RemoveLayer",
    "ReplaceActivation(blend=0)",
}
NO_KERNEL = {"GrowKernel"}  # a Conv1d of transformers is a linear layer
REFUSED = {
    ("torchvision", "resnet18"): set[str](),
    ("torchvision", "squeezenet1_1"): {"DuplicateBlock(by=zeros)"},
    ("timm", "test_mambaout"): set[str](),
    ("transformers", "gpt2"): NO_KERNEL,
    ("transformers", "llama"): NO_KERNEL,
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, dict[str, Any]]]:
    """What the benchmark finds of a library's models, by name; it runs once."""

    @cache
    def found(library: str) -> dict[str, dict[str, Any]]:
        folder = tmp_path_factory.mktemp(library)
        names = [name for each, name in REFUSED if each == library]
        command = [sys.executable, str(BENCHMARK), library, "--only", *names, "--out", str(folder)]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr[-2000:]
        lines = map(json.loads, (folder / f"depth-{library}.jsonl").read_text().splitlines())
        return {row["name"]: row for row in lines}

    return found


@pytest.mark.parametrize(("library", "name"), REFUSED)
def test_what_the_benchmark_finds(library: str, name: str, rows: Callable[[str], dict[str, dict[str, Any]]]) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed here")
    row = rows(library)[name]
    assert row["built"] == ""
    assert row["residual"] == (name != "squeezenet1_1")
    verdicts = {operator: said.split(":")[0].split(" ")[0] for operator, said in row["verdicts"].items()}
    assert verdicts == dict.fromkeys(ALL, "kept") | dict.fromkeys(REFUSED[library, name], "refused"), row
