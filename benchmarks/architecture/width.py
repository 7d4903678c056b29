"""Coverage of the width operators: for every model and operator kept, refused with the reason, or WRONG.

    python benchmarks/architecture/width.py torchvision timm transformers [--fast] [--all] [--only NAME ...]

For each model some of its free knobs are widened and narrowed again. A widening counts as kept where the outputs, in
float64 where the module allows, differ by less than 1e-9 of the largest (1e-5 where a layer computes in float32), as
measured here, not by the library; it is WRONG where the library let it pass and they differ by more; it is refused
where the library refuses. Narrowing the same units again has to give the first bytes back (not with --fast).

One line of JSON a model goes to results/width-LIBRARY.jsonl; models that are there already are left out, so that a run
can be stopped and gone on with. `table.py` renders them.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
import zoo

import genewright as gw
from genewright.backends.torch.network import TorchNetwork
from genewright.backends.torch.store import TorchStore
from genewright.backends.torch.structure.torch_widths import TorchWidths
from genewright.edits import Site
from genewright.seeding import Noise

RESULTS = Path(__file__).parent / "results"


def outputs(model: nn.Module, example: Any) -> list[torch.Tensor]:
    """Return the outputs in float64, or in the module's own dtype where it insists on that."""
    for double in (True, False):
        try:
            shadow = copy.deepcopy(model)
            given = example
            if double:
                shadow, given = shadow.double(), _doubled(example)
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)  # some models draw in their forward
                out = shadow(**given) if isinstance(given, dict) else shadow(given)
            found = [t.detach() for t in zoo.flat(out)]
            if double and not all(bool(torch.isfinite(t).all()) for t in found if t.is_floating_point()):
                continue  # some models put out NaN in float64: they are looked at in their own dtype
            return found
        except Exception:
            if not double:
                raise
    return []


def _doubled(example: Any) -> Any:
    if isinstance(example, dict):
        return {k: _doubled(v) for k, v in example.items()}
    return example.double() if isinstance(example, torch.Tensor) and example.is_floating_point() else example


def difference(before: list[torch.Tensor], after: list[torch.Tensor]) -> float:
    """Return the largest change of an output relative to the largest magnitude."""
    if [t.shape for t in before] != [t.shape for t in after]:
        return float("inf")
    return max(
        (
            float((a - b).abs().max() / b.abs().max())
            for b, a in zip(before, after, strict=True)
            if b.is_floating_point() and b.numel()
        ),
        default=0.0,
    )


def chosen(knobs: list[Any], count: int) -> list[Any]:
    """Return `count` knobs spread over the network."""
    if len(knobs) <= count:
        return knobs
    return [knobs[round(i * (len(knobs) - 1) / (count - 1))] for i in range(count)]


def together(
    model: nn.Module, example: Any, knobs: list[Any], inits: list[str], before: list[torch.Tensor]
) -> list[Any]:
    """Widen several knobs of one copy, from one recording, and look at the outputs once."""
    network = TorchNetwork(model, example)
    wide = copy.deepcopy(model)
    results, used = [], set()
    for position, knob in enumerate(knobs):
        init = inits[position % len(inits)]
        result = {"operator": f"Widen {init}", "knob": knob.name, "size": knob.size, "kind": knob.kind}
        places = {(place.tensor, place.axis) for place in knob.places}
        if places & used:
            continue
        results.append(result)
        try:
            operator = gw.Widen(layer=knob.name, num_units=4, init=init, placement="both")
            edits = list(operator.propose((network,), noise := Noise(1, f"/{position}", "widen")))
        except gw.GenewrightError as error:
            result["refused"] = str(error)[:400]
            continue
        used |= places
        site = Site(TorchStore(wide), noise)
        for edit in edits:
            edit.apply(site)
        result["applied"] = True
    change = difference(before, outputs(wide, example))
    double = all(t.dtype == torch.float64 for t in before if t.is_floating_point())
    exact = double and change <= 1e-9
    for result in results:
        if result.pop("applied", False):
            result.update(change=change, wrong=not (exact or change <= 1e-5), single=not exact)
    return results


def run(case: zoo.Case, count: int, inits: list[str], fast: bool) -> dict[str, Any]:
    """Try the width operators on one model."""
    row: dict[str, Any] = {"library": case.library, "name": case.name, "group": case.group}
    start = time.perf_counter()
    try:
        model, example = case.make()
    except Exception as error:
        return {**row, "built": zoo.first_line(error)}
    row["built"] = ""
    row["parameters"] = sum(p.numel() for p in model.parameters())
    clock = time.perf_counter()
    try:
        widths = TorchWidths(model, example)
        knobs = list(widths.knobs())
    except gw.GenewrightError as error:
        return {**row, "recorded": str(error)[:300]}
    row["seconds"] = round(time.perf_counter() - clock, 2)
    row["unknown"] = widths.reading.unknown
    row["stage"] = widths.recording.trace_device.__name__
    hidden = [k for k in knobs if k.hidden and k.plain]
    row["knobs"] = len(knobs)
    row["hidden"] = len(hidden)
    row["stream"] = sum(k.free and k.kind == "stream" for k in knobs)
    before = outputs(model, example)
    first = {name: t.clone() for name, t in model.state_dict().items()}
    double = all(t.dtype == torch.float64 for t in before if t.is_floating_point())
    row["results"] = together(model, example, chosen(hidden, count), inits, before) if fast else []
    for position, knob in enumerate([] if fast else chosen(hidden, count)):
        init = inits[position % len(inits)]
        result = {"operator": f"Widen {init}", "knob": knob.name, "size": knob.size, "kind": knob.kind}
        row["results"].append(result)
        try:
            wide = gw.mutate(
                model, gw.Widen(layer=knob.name, num_units=4, init=init, placement="both"), seed=1, example=example
            )
        except gw.GenewrightError as error:
            result["refused"] = str(error)[:400]
            continue
        result["change"] = difference(before, outputs(wide, example))
        exact = double and result["change"] <= 1e-9
        result["wrong"] = not (exact or result["change"] <= 1e-5)
        result["single"] = not exact
        try:
            units = (0, 1, knob.size + 2, knob.size + 3)
            back = gw.mutate(wide, gw.Narrow(layer=knob.name, units=units), seed=1, example=example)
            state = back.state_dict()
            result["back"] = all(torch.equal(state[name].nan_to_num(), t.nan_to_num()) for name, t in first.items())
        except gw.GenewrightError as error:
            result["back"] = str(error)[:300]
    row["total"] = round(time.perf_counter() - start, 1)
    return row


def line(row: dict[str, Any]) -> str:
    """Return a row in words."""
    if row.get("built") or row.get("recorded"):
        return f"{row['library']:<12} {row['name']:<34} {row.get('built') or row.get('recorded')}"
    results = row["results"]
    kept = sum("wrong" in r and not r["wrong"] for r in results)
    wrong = sum(bool(r.get("wrong")) for r in results)
    back = sum(r.get("back") is True for r in results)
    worst = max((r["change"] for r in results if "change" in r), default=0.0)
    return (
        f"{row['library']:<12} {row['name']:<34} knobs {row['knobs']:>4} hidden {row['hidden']:>4} "
        f"stream {row['stream']:>3} "
        f"kept {kept}/{len(results)} back {back}{f' WRONG {wrong}' if wrong else ''} worst {worst:.1e} "
        f"rec {row['seconds']}s all {row['total']}s {row['stage']} {dict(row['unknown']) or ''}"
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", nargs="+", choices=zoo.CASES)
    parser.add_argument("--all", action="store_true", help="every model up to a size, not the smallest of each family")
    parser.add_argument("--only", nargs="*", default=[], help="names of models or of their groups")
    parser.add_argument("--knobs", type=int, help="how many widths of a model (6 of torchvision's, else 4)")
    parser.add_argument("--inits", nargs="*", default=["split", "silent", "pair"])
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder for results")
    parser.add_argument("--fast", action="store_true", help="record once, widen all tried widths of a model together")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    asked.out.mkdir(exist_ok=True)
    for library in asked.libraries:
        file = asked.out / f"width-{library}.jsonl"
        done = {json.loads(text)["name"] for text in file.read_text().splitlines()} if file.exists() else set()
        for case in zoo.CASES[library](whole=asked.all):
            if case.name in done or (asked.only and not {case.name, case.group} & set(asked.only)):
                continue
            count = asked.knobs or (6 if library == "torchvision" else 4)
            try:
                row = run(case, count, asked.inits, asked.fast)
            except Exception as error:
                crash = f"CRASH {type(error).__name__}: {error}".splitlines()[0]
                row = {"library": library, "name": case.name, "group": case.group, "built": crash}
            with file.open("a") as out:
                out.write(json.dumps(row) + "\n")
            print(line(row), flush=True)


if __name__ == "__main__":
    main()
