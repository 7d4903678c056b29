"""Coverage of the operators of depth and wiring: per model and operator kept, refused (why), or WRONG.

    python benchmarks/architecture/depth.py torchvision [--all] [--only GLOB] [--json FILE]

Every model is built at random init and woken up (random norm gains and statistics), so that differences show. A
mutation counts as kept only if an input that the operator has not seen, of another batch size, gives the same outputs
in float64 (relative to the largest one, under 1e-9; 1e-5 where the model itself computes in float32).
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from zoo import CASES

import genewright as gw
from genewright.backends.torch.witness import witness
from genewright.keeping import TOLERANCE, TOLERANCE_SINGLE, largest_change

OPERATORS: dict[str, list[Any]] = {
    "block by zeros": [gw.DuplicateBlock(by="zeros")],
    "block": [gw.DuplicateBlock()],
    "insert": [gw.InsertLayer(), gw.InsertLayer(init="gate")],
    "skip": [gw.AddSkip()],
    "branch": [gw.AddBranch()],
    "kernel": [gw.GrowKernel()],
    "blend": [gw.ReplaceActivation(to="SiLU", blend=0)],
}


def unseen_like(example: Any) -> Any:
    """Return an input of twice the batch size that is not the example."""
    if isinstance(example, dict):
        return {name: unseen_like(value) for name, value in example.items()}
    generator = torch.Generator().manual_seed(2)
    shape = (2 * example.shape[0], *example.shape[1:])
    if example.is_floating_point():
        return torch.randn(shape, generator=generator)
    return torch.randint(3, 60, shape, generator=generator)


def verdict(model: torch.nn.Module, example: Any, operator: Any, seed: int) -> str:
    """Return "kept", "refused: why" or "WRONG: why" for one mutation."""
    try:
        mutant = gw.mutate(model, operator, seed=seed, example=example)
    except gw.GenewrightError as error:
        return f"refused: {error}"
    unseen = unseen_like(example)
    before, after = witness(model, unseen), witness(mutant, unseen)
    change = largest_change(before, after)
    exact = before.exact and after.exact
    if not change <= (TOLERANCE if exact else TOLERANCE_SINGLE):
        return f"WRONG: {change:.2g} by {gw.recipe(mutant).steps[0].operator}"
    return "kept" if exact else "kept (float32 inside)"


def verdicts(model: torch.nn.Module, example: Any) -> dict[str, str]:
    """Return the worst verdict of each group of operators."""
    row: dict[str, str] = {}
    for column, operators in OPERATORS.items():
        for seed, operator in enumerate(operators):
            try:
                said = verdict(model, example, operator, seed)
            except Exception as error:
                said = f"CRASH: {type(error).__name__}: {error}"
            if column not in row or not said.startswith("kept"):
                row[column] = said
    return row


def main() -> None:
    """Run, print a table, and write all verdicts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=CASES)
    parser.add_argument("--all", action="store_true", help="every model up to a size, not the smallest of each family")
    parser.add_argument("--only", default="*", help="a glob on model names")
    parser.add_argument("--json", type=Path, help="where all verdicts go")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows: dict[str, dict[str, str]] = {}
    for case in CASES[asked.library](whole=asked.all):
        if not fnmatch.fnmatchcase(case.name, asked.only):
            continue
        began = time.perf_counter()
        try:
            with contextlib.redirect_stdout(sys.stderr):
                model, example = case.make()
        except Exception as error:
            print(f"{case.name:<32} not built: {type(error).__name__}: {str(error)[:80]!r}", flush=True)
            continue
        rows[case.name] = row = verdicts(model, example)
        words = "  ".join(f"{column}={said.split(':')[0].split(' ')[0]}" for column, said in row.items())
        print(f"{case.name:<32} {time.perf_counter() - began:6.1f} s  {words}", flush=True)
        if asked.json:
            asked.json.write_text(json.dumps(rows, indent=1))
    print(f"\n| operator | kept | refused | wrong | of {len(rows)} |\n|---|---|---|---|---|")
    for column in OPERATORS:
        said = [row[column].split(":")[0].split(" ")[0] for row in rows.values()]
        wrong = sum(s in ("WRONG", "CRASH") for s in said)
        print(f"| {column} | {said.count('kept')} | {said.count('refused')} | {wrong} | |")


if __name__ == "__main__":
    main()
