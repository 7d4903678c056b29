"""CartPole-v1 by genewright, EvoTorch and PyGAD, each in an environment of its own, on this machine: a table.

python benchmarks/evolution/peers.py --environments .venv-peers --seeds 10
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))
from environments import FOLDER, environment  # noqa: E402  # of the folder above

PEERS = {"evotorch": ("SNES", "PGPE"), "pygad": ("defaults", "tuned")}


def theirs(python: Path, name: str, way: str, seeds: int) -> list[dict[str, Any]]:
    """Run a library's script from some seeds."""
    script = HERE / f"cartpole_{name}.py"
    made = subprocess.run([str(python), str(script), way, str(seeds)], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in made.stdout.splitlines() if line.startswith("{")]


def ours(seeds: int) -> list[dict[str, Any]]:
    """Run examples/cartpole.py from some seeds."""
    sys.path.insert(0, str(ROOT / "examples"))
    import cartpole  # the example, which is a script in a folder of its own

    return cartpole.main(["--seeds", str(seeds)])


def row(name: str, found: list[dict[str, Any]]) -> str:
    """Return a row of the table."""
    cells = [name, f"{sum(one['unseen'] >= 475 for one in found)} of {len(found)}"]
    for what, digits in (("evaluations", 0), ("cpu", 1)):
        values = [one[what] for one in found]
        cells += [f"{statistics.median(values):.{digits}f}", f"{max(values):.{digits}f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Make the environments and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=Path, default=FOLDER)
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    rows = [row("genewright, `GeneticAlgorithm`", ours(given.seeds))]
    for name, ways in PEERS.items():
        python = environment(given.environments, name)
        for way in ways:
            rows.append(row(f"{name}, {way}", theirs(python, name, way, given.seeds)))
            print(rows[-1], flush=True)
    print("| library | solved | evaluations, median | worst | CPU seconds, median | worst |\n|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
