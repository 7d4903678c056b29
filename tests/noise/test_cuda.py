"""The Triton kernel without a GPU: Triton's interpreter for the bits, the generated PTX for the arithmetic."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed: pip install --group gpu"),
    pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed"),
]


def run(module, *arguments, **environment):
    folder = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-m", f"{Path(__file__).parent.name}.{module}", *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.strip().splitlines()[-1]


FEW_AND_ALL = ["few", pytest.param("all", marks=pytest.mark.slow)]


@pytest.mark.parametrize("extent", FEW_AND_ALL)
def test_the_interpreter_writes_what_numpy_writes(extent):
    assert int(run("triton_interpreted", "cpu", extent, TRITON_INTERPRET="1")) >= 28


def test_the_device_writes_what_numpy_writes():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    assert int(run("triton_interpreted", "cuda", "all")) > 400


@pytest.mark.parametrize("extent", FEW_AND_ALL)
def test_no_fused_multiply_add_in_the_generated_code(extent):
    made = json.loads(run("triton_ptx", extent))
    assert made.pop("control")["fma"] > 0  # with fusion allowed, the plain formula is contracted
    for name, counts in made.items():
        assert counts["fma"] == 0, name
        assert counts["products"] > 0, name
        assert counts["sums"] > 0, name
        assert counts["flushes"] == 0, name
