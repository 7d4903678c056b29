"""Coverage of the operators of depth and wiring: per model and operator kept, refused (why), or WRONG.

    python benchmarks/architecture/depth.py torchvision timm transformers [--all] [--only GLOB]

Every model is built at random init and randomized (random norm gains and statistics), so that differences show. A
mutation counts as kept only if an input that the operator has not seen, of another batch size, gives the same outputs
in float64 (relative to the largest one, under 1e-9; 1e-5 where the model itself computes in float32). Removing counts
as kept if taking away what was inserted gives the first fingerprint back.

One line of JSON a model goes to results/depth-LIBRARY.jsonl; models that are there already are left out, so that a run
can be stopped and gone on with. `table.py` renders them.
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
from residual import has_residuals
from zoo import CASES, Case, first_line

import genewright as gw
from genewright.backends.torch.float64_outputs import exact_outputs
from genewright.backends.torch.restructure.insert import inserted_name
from genewright.edits import InsertLayer
from genewright.outputs import largest_change

RESULTS = Path(__file__).parent / "results"
OPERATORS: dict[str, Any] = {
    "DuplicateBlock(by=zeros)": gw.DuplicateBlock(by="zeros"),
    "DuplicateBlock": gw.DuplicateBlock(),
    "InsertLayer": gw.InsertLayer(),
    "InsertLayer(init=gate)": gw.InsertLayer(init="gate"),
    "AddSkip": gw.AddSkip(),
    "AddBranch": gw.AddBranch(),
    "GrowKernel": gw.GrowKernel(),
    "ReplaceActivation(blend=0)": gw.ReplaceActivation(to="SiLU", blend=0),
}
UNDONE = ("DuplicateBlock", "InsertLayer", "InsertLayer(init=gate)")  # the first that is kept is removed again


def unseen_like(example: Any) -> Any:
    """Return an input of twice the batch size that is not the example."""
    if isinstance(example, dict):
        return {name: unseen_like(value) for name, value in example.items()}
    generator = torch.Generator().manual_seed(2)
    shape = (2 * example.shape[0], *example.shape[1:])
    if example.is_floating_point():
        return torch.randn(shape, generator=generator)
    return torch.randint(3, 60, shape, generator=generator)


def verdict(model: torch.nn.Module, example: Any, operator: Any, seed: int) -> tuple[str, torch.nn.Module | None]:
    """Return "kept", "refused: why" or "WRONG: why" for one mutation, and the mutant where there is one."""
    try:
        mutant = gw.mutate(model, operator, seed=seed, example=example)
    except gw.GenewrightError as error:
        return f"refused: {error}", None
    unseen = unseen_like(example)
    try:
        before = exact_outputs(model, unseen)
    except gw.GenewrightError:  # a model of one batch size
        unseen = example
        before = exact_outputs(model, unseen)
    after = exact_outputs(mutant, unseen)
    change = largest_change(before, after)
    exact = before.exact and after.exact
    if not change <= max(before.tolerance, after.tolerance):
        return f"WRONG: {change:.2g} by {gw.recipe(mutant).steps[0].operator}", mutant
    by = getattr(gw.recipe(mutant).steps[0].operator, "by", "")  # how a copied block starts without effect
    return " ".join(filter(None, ("kept", by if isinstance(by, str) else "", "" if exact else "(float32)"))), mutant


def removed(model: torch.nn.Module, example: Any, mutant: torch.nn.Module) -> str:
    """Say whether taking away the layer that `mutant` has more brings `model` back."""
    insertion = next(e for e in gw.recipe(mutant).steps[0].edits if isinstance(e, InsertLayer))
    operator = gw.RemoveLayer(layer=inserted_name(insertion, model), max_change=1e-5)
    try:
        back = gw.mutate(mutant, operator, seed=1, example=example)
    except gw.GenewrightError as error:
        return f"refused: {error}"
    return "kept" if gw.fingerprint(back) == gw.fingerprint(model) else "WRONG: other bytes"


def verdicts(model: torch.nn.Module, example: Any) -> dict[str, str]:
    """Return what is said of each operator."""
    row: dict[str, str] = {}
    for seed, (name, operator) in enumerate(OPERATORS.items()):
        try:
            row[name], mutant = verdict(model, example, operator, seed)
            if mutant is not None and name in UNDONE and not row.get("RemoveLayer", "").startswith("kept"):
                row["RemoveLayer"] = removed(model, example, mutant)
        except Exception as error:
            row[name] = f"CRASH: {type(error).__name__}: {error}"
    row.setdefault("RemoveLayer", "refused: nothing was inserted that could be removed")
    return row


def measured(case: Case) -> dict[str, Any]:
    """Return the line of one model."""
    row: dict[str, Any] = {"library": case.library, "name": case.name, "group": case.group, "built": ""}
    began = time.perf_counter()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            model, example = case.make()
    except Exception as error:
        return {**row, "built": first_line(error)}
    row["residual"] = has_residuals(model, example)
    row["verdicts"] = verdicts(model, example)
    row["seconds"] = round(time.perf_counter() - began, 1)
    return row


def main() -> None:
    """Run, and write a line a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", nargs="+", choices=CASES)
    parser.add_argument("--all", action="store_true", help="every model up to a size, not the smallest of each family")
    parser.add_argument("--only", default="*", help="a glob on model names")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder for results")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    asked.out.mkdir(exist_ok=True)
    for library in asked.libraries:
        file = asked.out / f"depth-{library}.jsonl"
        done = {json.loads(line)["name"] for line in file.read_text().splitlines()} if file.exists() else set()
        for case in CASES[library](whole=asked.all):
            if case.name in done or not fnmatch.fnmatchcase(case.name, asked.only):
                continue
            row = measured(case)
            with file.open("a") as out:
                out.write(json.dumps(row) + "\n")
            words = row["built"] or "  ".join(f"{k}={v.split(':')[0]}" for k, v in row["verdicts"].items())
            print(f"{case.name:<32} {row.get('seconds', 0):6.1f} s  {words}", flush=True)


if __name__ == "__main__":
    main()
