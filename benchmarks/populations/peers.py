"""A generation of 784-H-10 networks by genewright, EvoTorch, EvoX, evosax and PyGAD, each in its own environment.

python benchmarks/populations/peers.py --environments .venv-peers

CPU milliseconds of one thread, the least of two processes, which take turns: the evaluation of a population whose
noise is drawn, and a whole generation, in which it is drawn, evaluated and learnt from; and the memory above what the
process held before.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from environments import FOLDER, environment  # noqa: E402  # of the folder above

SIZES = ((100, 128, 256), (64, 1024, 32))
ROWS = (
    ("plain inference, one after the other", "genewright", "plain"),
    ("genewright, full rank", "genewright", "full"),
    ("genewright, rank 1", "genewright", "rank 1"),
    ("EvoTorch, `SupervisedNE`, `SNES`", "evotorch", "one by one"),
    ("EvoTorch, functional under vmap, `SNES`", "evotorch", "vmap"),
    ("EvoX, `SupervisedLearningProblem`, `OpenES`", "evox", "full"),
    ("EvoX, `VirtualLoRAProblem`, rank 1", "evox", "rank 1"),
    ("evosax, `Open_ES` under jit(vmap)", "evosax", "full"),
    ("PyGAD, `torchga.predict`, `GA`", "pygad", "genetic"),
)
WHAT = ("evaluation", "generation", "mb")
TURNS = 2


def taken(python: Path, name: str, way: str, size: tuple[int, int, int]) -> dict[str, float]:
    """Run a library's script once."""
    script = [str(HERE / f"generation_{name}.py"), way, *map(str, size)]
    one = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    if name != "genewright":
        one.pop("PYTHONPATH", None)
    made = subprocess.run([str(python), *script], check=True, stdout=subprocess.PIPE, text=True, env=one)
    return json.loads(made.stdout.splitlines()[-1])


def main() -> None:
    """Make the environments and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=Path, default=FOLDER)
    given = parser.parse_args()
    pythons = {name: environment(given.environments, name) for name in ("evotorch", "evox", "evosax", "pygad")}
    pythons["genewright"] = Path(sys.executable)
    least: dict[tuple[str, int, str], float] = {}
    for _ in range(TURNS):
        for number, size in enumerate(SIZES):
            for title, name, way in ROWS:
                for what, value in taken(pythons[name], name, way, size).items():
                    at = (title, number, what)
                    least[at] = min(value, least.get(at, value))
    heads = [f"{m} x {h} x {b}: {what}" for m, h, b in SIZES for what in ("evaluation, ms", "generation, ms", "MiB")]
    print(f"\n| members x hidden x samples | {' | '.join(heads)} |\n|{'---|' * (1 + len(heads))}")
    for title, *_ in ROWS:
        found = [least.get((title, number, what)) for number in range(len(SIZES)) for what in WHAT]
        print(f"| {title} | {' | '.join('' if value is None else f'{value:.0f}' for value in found)} |")


if __name__ == "__main__":
    main()
