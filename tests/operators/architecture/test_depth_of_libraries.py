"""A fast part of the benchmark of depth, where the libraries are at hand: each runs in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

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


QUICK = ("test_mambaout",)  # the smallest


@pytest.mark.parametrize(
    ("library", "name"), [pytest.param(*key, marks=() if key[1] in QUICK else pytest.mark.slow) for key in REFUSED]
)
def test_what_the_benchmark_finds(library: str, name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed here")
    command = [sys.executable, str(BENCHMARK), library, "--only", name, "--out", str(tmp_path / "results")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (row,) = map(json.loads, (tmp_path / "results" / f"depth-{library}.jsonl").read_text().splitlines())
    assert row["built"] == ""
    assert row["residual"] == (name != "squeezenet1_1")
    verdicts = {operator: said.split(":")[0].split(" ")[0] for operator, said in row["verdicts"].items()}
    assert verdicts == dict.fromkeys(ALL, "kept") | dict.fromkeys(REFUSED[library, name], "refused"), row
