"""Networks cut over two processes (gloo): a shard changes as its part of the whole network does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import genewright


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the program on two processes; return what the first one says."""
    store = tmp_path_factory.mktemp("gloo") / "store"
    root, source = Path(__file__).parents[3], Path(genewright.__file__).parents[1]
    program = [sys.executable, "-m", "tests.backends.torch.sharded_program"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(source), str(root)])}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [
        subprocess.Popen([*program, str(rank), str(store)], cwd=root, env=environment, **pipes) for rank in (0, 1)
    ]
    outputs = [process.communicate(timeout=400) for process in processes]
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors
    return json.loads(outputs[0][0].splitlines()[-1])


def test_shards_change_as_the_whole_does_and_every_byte_comes_back(answer: dict[str, Any]) -> None:
    checks = answer["checks"]
    assert len(checks) == 4 * 11 + 1
    assert [name for name, results in checks.items() if not all(results.values())] == []


def test_what_cannot_be_sharded_is_refused_with_what_to_do(answer: dict[str, Any]) -> None:
    assert "fully_shard, whose tensors are mutated where they lie" in answer["said"]["FSDP1"]
    assert "before it was sharded" in answer["said"]["widen"]
