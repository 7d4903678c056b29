"""`make test-matrix`: the built wheel on other Pythons, on oldest releases, and with one framework at a time.

Every leg prints one line: passed, failed, or not to be had and why. `python -m tests.packaging.matrix NAME ...` runs
the legs whose names contain one of the words. CPU_INDEX names a package index with CPU builds of every torch release,
for the leg that needs an old one.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.packaging.environments import (
    HOME,
    ROOT,
    Environment,
    LegError,
    UnavailableError,
    build_wheel,
    fresh,
    interpreter,
    kept,
    oldest,
)
from tests.packaging.wheel import check_wheel

PROGRAM = ROOT / "tests" / "packaging" / "programs" / "without_extras.py"
TESTING = ("pytest>=8", "hypothesis>=6.110", "scipy>=1.13", "ml_dtypes>=0.5", "mpmath>=1.3", "expecttest>=0.3")
NEWEST = ("-c", "constraints.txt")
BITS = (
    *(f"tests/noise/test_{name}.py" for name in ("golden", "words", "philox", "backends", "machine_code", "rounding")),
    *("tests/widths", "tests/test_storage.py", "tests/test_spread.py"),
)
"""Tests that need no framework, of what has to be the same to the bit everywhere."""

Leg = Callable[[Path], None]
LEGS: dict[str, Leg] = {}


def leg(name: str) -> Callable[[Leg], Leg]:
    """Register a leg: a function of the wheel that raises where something is wrong."""

    def register(function: Leg) -> Leg:
        LEGS[name] = function
        return function

    return register


def run_program(environment: Environment, *extras: str) -> dict[str, str]:
    """Run the program of the wheel without extras; return what it found."""
    with tempfile.TemporaryDirectory() as folder:
        return json.loads(environment.run("-I", str(PROGRAM), folder, *extras, cwd=Path(folder)))


def run_tests(environment: Environment, *words: str) -> None:
    """Run tests of this repository on the installed wheel."""
    environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", *words)


@leg("wheel without extras")
def without_extras(wheel: Path) -> None:
    """What `pip install genewright` gives, on this Python."""
    version = check_wheel(wheel)
    assert run_program(kept("bare", wheel))["version"] == version


@leg("Python 3.12, compiled noise")
def python_3_12(wheel: Path) -> None:
    """Checkpoint operators and the noise to the bit."""
    on_python("3.12", wheel)


@leg("Python 3.13, compiled noise")
def python_3_13(wheel: Path) -> None:
    """Checkpoint operators and the noise to the bit."""
    on_python("3.13", wheel)


def on_python(version: str, wheel: Path) -> None:
    """Check the wheel on another Python."""
    environment = fresh(f"python-{version}", interpreter(version))
    environment.install(f"{wheel}[fast]", *TESTING)
    run_program(environment, "fast")
    run_tests(environment, *BITS)


@leg("oldest releases, no framework")
def oldest_releases(wheel: Path) -> None:
    """Everything that the package needs, and Numba, at the lower bounds of pyproject.toml."""
    environment = fresh("oldest")
    environment.install(str(wheel), *oldest("fast"), *TESTING)
    run_program(environment, "fast")
    run_tests(environment, *BITS)


@leg("oldest releases, newest torch")
def oldest_with_torch(wheel: Path) -> None:
    """The same beside the torch that constraints.txt pins: NumPy 1 and a torch that was built against NumPy 2."""
    environment = fresh("oldest-torch")
    newest = next(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch=="))
    environment.install(newest, f"{wheel}[torch]", *oldest("fast"), *TESTING, *torch_index())
    run_tests(environment, *TORCH_TESTS)


@leg("oldest torch")
def oldest_torch(wheel: Path) -> None:
    """The lower bound of torch, with the NumPy of its day."""
    if not torch_index():
        raise UnavailableError(
            "torch's old releases are CUDA builds of 2.5 GB on PyPI; CPU_INDEX may name an index of CPU builds"
        )
    environment = fresh("old-torch")
    environment.install(str(wheel), *oldest("torch", "fast"), *TESTING, *torch_index())
    run_tests(environment, *TORCH_TESTS)


TORCH_TESTS = (
    *("tests/operators/test_golden.py", "tests/operators/test_gaussian_noise.py", "tests/operators/test_bit_flip.py"),
    *("tests/operators/architecture/test_golden.py", "tests/operators/architecture/test_promises.py"),
    *("tests/backends/torch/structure/test_rules.py", "tests/test_mutate.py", "tests/test_files.py"),
    *("tests/test_where.py", "tests/test_recipe.py", "tests/test_fingerprint.py", "tests/noise/test_golden.py"),
)


def torch_index() -> tuple[str, ...]:
    """Return pip's words for the index of CPU builds, where one is named."""
    index = os.environ.get("CPU_INDEX")
    return ("--extra-index-url", index) if index else ()


@leg("torch without Keras")
def torch_alone(wheel: Path) -> None:
    """PyTorch modules where neither Keras nor TensorFlow is, and Numba, which is no must, neither."""
    environment = fresh("torch")
    environment.install(*NEWEST, f"{wheel}[torch]", *TESTING, *torch_index())
    environment.run("-m", "pip", "-q", "uninstall", "-y", "numba", "llvmlite")
    environment.run("-c", absent("keras", "tensorflow", "jax", "numba"))
    run_tests(environment, *TORCH_TESTS)


@leg("Keras on TensorFlow without torch")
def keras_alone(wheel: Path) -> None:
    """Keras models where torch is not installed."""
    environment = fresh("keras")
    environment.install(*NEWEST, f"{wheel}[keras,fast]", "tensorflow-cpu", *TESTING)
    environment.run("-c", absent("torch", "jax"))
    run_tests(environment, *KERAS_TESTS)


KERAS_TESTS = (
    *("tests/backends/keras/test_weights.py", "tests/backends/keras/test_files.py"),
    *("tests/backends/keras/test_rules.py", "tests/backends/keras/test_sharing.py", *BITS),
)


def absent(*names: str) -> str:
    """Return a program that fails where one of the packages is installed."""
    return f"from importlib.util import find_spec\nassert not [n for n in {names!r} if find_spec(n)]"


def outcome(name: str, wheel: Path) -> tuple[str, str]:
    """Run a leg; return "passed", "failed" or "not to be had", and the reason."""
    try:
        LEGS[name](wheel)
    except UnavailableError as reason:
        return "not to be had", str(reason)
    except (LegError, AssertionError) as reason:
        return "failed", str(reason)
    return "passed", ""


def main(words: list[str]) -> int:
    """Run the legs, and return how many failed."""
    wheel = build_wheel(HOME / "dist")
    count = {"passed": 0, "failed": 0, "not to be had": 0}
    failures: list[str] = []
    for name in (n for n in LEGS if not words or any(word in n for word in words)):
        start = time.monotonic()
        result, reason = outcome(name, wheel)
        count[result] += 1
        said = reason.strip().splitlines()[-1] if reason.strip() else ""
        print(f"{result:14} {name} ({time.monotonic() - start:.0f} s){': ' if said else ''}{said}", flush=True)
        failures += [f"{name}:\n{reason}"] if result == "failed" else []
    print("".join(f"\n{failure}\n" for failure in failures), end="", file=sys.stderr)
    print(f"{count['passed']} passed, {count['failed']} failed, {count['not to be had']} skipped")
    return count["failed"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
