"""What a mutation costs beyond the noise itself: small networks, long histories, wide layers, ResNet-50.

    python benchmarks/overhead.py [--rounds 400] [--before FOLDER] [--only small]

Run: make bench-overhead. Processor time of this process on one thread. The things that are compared take turns, so that
a busy machine slows all of them alike; the table has the median of all rounds and the least, beside the machine's load.
With ``--before`` (the ``src`` folder of another checkout) ResNet-50 is also measured on that one, in alternating
processes. The tables are printed as Markdown, for docs/benchmarks/overhead.md.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import cProfile
import importlib.util
import json
import os
import pstats
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from machine import machine
from torch import nn

import genewright as gw
from genewright.noise import Change, apply, derive

HISTORY = "_genewright_recipe"
DENSE = gw.GaussianNoise(std=1e-6)
SPARSE = gw.GaussianNoise(std=1e-6, rate=0.01)
OURS = f"{os.sep}genewright{os.sep}"


def small_network() -> nn.Sequential:
    """Return the classifier of 8 x 8 digits that the demo trains: 6,570 weights in six tensors."""
    layers = (nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    net = nn.Sequential(*layers)
    assert sum(weights.numel() for weights in net.parameters()) == 6570
    return net


def timed(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of processor time of every task in every round; tasks take turns."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(rounds + 20):
        for name, task in tasks.items():
            began = time.process_time_ns()
            task()
            if turn >= 20:  # before, kernels are loaded and caches filled
                times[name].append((time.process_time_ns() - began) / 1e6)
    return times


def noise_alone(net: nn.Module, operator: gw.GaussianNoise) -> Callable[[], None]:
    """Return what draws and adds the same noise to the same tensors, and nothing else."""
    change = Change(combine="add", distribution="normal", scale=operator.std, rate=operator.rate)
    parameters = list(net.named_parameters())

    def run() -> None:
        for name, weights in parameters:
            stream = derive(246, name=name, path="/0", salt=operator.name)
            apply(weights.detach().numpy().reshape(-1), change, stream, dtype="float32")

    return run


def small(rounds: int) -> None:
    """Time the ways to mutate a small network."""
    net = small_network()

    def mutated(operator: gw.GaussianNoise) -> None:
        with gw.mutated(net, operator, seed=246):
            pass

    def mutate(operator: gw.GaussianNoise, *, inplace: bool) -> None:
        vars(net).pop(HISTORY, None)
        gw.mutate(net, operator, seed=246, inplace=inplace)

    tasks: dict[str, Callable[[], object]] = {"bare copy.deepcopy": lambda: copy.deepcopy(net)}
    for name, operator in (("rate 1", DENSE), ("rate 0.01", SPARSE)):
        tasks |= {
            f"noise alone, {name}": noise_alone(net, operator),
            f"with gw.mutated, {name}": lambda o=operator: mutated(o),
            f"gw.mutate(inplace=True), {name}": lambda o=operator: mutate(o, inplace=True),
            f"gw.mutate (a copy), {name}": lambda o=operator: mutate(o, inplace=False),
        }
    times = timed(tasks, rounds)
    print("\n### A network of 6,570 weights (64-64-32-10, six tensors), ms\n")
    print("| | median | least | above the noise, median | above the noise, least |\n|---|---|---|---|---|")
    for name, each in times.items():
        floor = times.get(f"noise alone, {name.rpartition(', ')[2]}", [0.0])
        middle, least = statistics.median(each), min(each)
        above = (middle - statistics.median(floor), least - min(floor))
        extra = " | ".join(f"{ms:.3f}" for ms in above) if name.startswith(("with", "gw.")) else "|"
        print(f"| {name} | {middle:.3f} | {least:.3f} | {extra} |")


def history(rounds: int) -> None:
    """Time the thousandth mutation of one model against the first."""
    first, late = small_network(), small_network()
    for seed in range(1000):
        gw.mutate(late, DENSE, seed=seed, inplace=True)
    texts: tuple[str, ...] = vars(late)[HISTORY][:999]

    def mutate(net: nn.Module, before: tuple[str, ...], *, inplace: bool) -> None:
        vars(net)[HISTORY] = before
        gw.mutate(net, DENSE, seed=246, inplace=inplace)

    times = timed(
        {
            "in place, second": lambda: mutate(first, texts[:1], inplace=True),
            "in place, thousandth": lambda: mutate(late, texts, inplace=True),
            "a copy, second": lambda: mutate(first, texts[:1], inplace=False),
            "a copy, thousandth": lambda: mutate(late, texts, inplace=False),
        },
        rounds,
    )
    print("\n### The thousandth mutation of one model, ms\n")
    print("| | second | thousandth | ratio of the medians | ratio of the least |\n|---|---|---|---|---|")
    for way in ("in place", "a copy"):
        early, now = times[f"{way}, second"], times[f"{way}, thousandth"]
        middle = statistics.median(early), statistics.median(now)
        print(
            f"| {way} | {middle[0]:.3f} | {middle[1]:.3f} | {middle[1] / middle[0]:.2f} | {min(now) / min(early):.2f} |"
        )


def wide(runs: int) -> None:
    """Time widening 8,192 units by a quarter, and say whose functions the time is spent in."""
    net = nn.Sequential(nn.Linear(1024, 8192), nn.ReLU(), nn.Linear(8192, 1024)).eval()
    example, operator = torch.randn(2, 1024), gw.Widen(layer="0", factor=1.25)

    def widen() -> None:
        gw.mutate(net, operator, seed=246, example=example)

    widen()
    totals = [seconds(widen) for _ in range(runs)]
    shares: list[tuple[float, float, float]] = []
    for _ in range(runs):
        profile = cProfile.Profile(time.process_time)
        profile.runcall(widen)
        shares.append(share_of_ours(profile))
    ours, verifying, rest = (min(column) for column in zip(*shares, strict=True))
    print("\n### Widening 8,192 units by a quarter (Linear(1024, 8192), ReLU, Linear(8192, 1024)), s\n")
    print("| whole call, median | least | our own code | outputs before and after in float64 | torch |")
    print("|---|---|---|---|---|")
    print(f"| {statistics.median(totals):.2f} | {min(totals):.2f} | {ours:.2f} | {verifying:.2f} | {rest:.2f} |")


def share_of_ours(profile: cProfile.Profile) -> tuple[float, float, float]:
    """Return the seconds in our own functions (with the NumPy that they call), in verifying, and in the rest."""
    ours = torches = verifying = 0.0
    for (file, _, name), (_, _, own, cumulative, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if OURS in file and name == "exact_outputs" and file.endswith("float64_outputs.py"):
            verifying += cumulative
        if OURS in file or "numpy" in file or "numpy" in name:
            ours += own
        elif "torch" in file or "torch" in name:
            torches += own
        else:  # a builtin: whoever called it
            for (caller, _, _), times in callers.items():
                ours += times[2] if OURS in caller or "numpy" in caller else 0
    return ours, verifying, torches


def seconds(task: Callable[[], object]) -> float:
    """Return the processor seconds of one run."""
    began = time.process_time()
    task()
    return time.process_time() - began


def resnet_here(runs: int) -> dict[str, float]:
    """Return the least processor seconds of planning and of widening a ResNet-50, the form not yet recorded."""
    # torchvision's wheels are CUDA builds: beside a CPU build of torch two are missing, which nothing here runs
    missing = torch.library.Library("torchvision", "FRAGMENT")
    with contextlib.suppress(RuntimeError):  # it is there
        missing.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        missing.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    structure = "genewright.backends.torch.structure"
    later = importlib.util.find_spec(f"{structure}.trace_cache") is not None  # it had another name in earlier versions
    names = vars(importlib.import_module(f"{structure}.trace_cache" if later else f"{structure}.recent"))
    recorded: Any = next(names[name] for name in ("TRACE_CACHE", "RECENT", "_RECENT") if name in names)
    torch.manual_seed(0)
    model = torchvision.models.resnet50(weights=None).eval()
    operator, example = gw.Widen(layer="layer1.0.conv1", factor=1.3), torch.randn(1, 3, 224, 224)
    ways: dict[str, Callable[..., Any]] = {"plan": gw.plan, "mutate": gw.mutate}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):  # in turns: the first calls of a process are slow
        for name, way in ways.items():
            recorded.clear()
            found[name].append(seconds(lambda way=way: way(model, operator, seed=246, example=example)))
    return {name: min(each) for name, each in found.items()}


def resnet(runs: int, before: str | None) -> None:
    """Time ResNet-50, here and in another checkout, in alternating processes."""
    places = {"now": str(Path(gw.__file__).parents[1]), **({"before": before} if before else {})}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in places}
    for _ in range(runs):
        for name, place in places.items():
            command = [sys.executable, __file__, "--resnet", "8"]
            environment = {**os.environ, "PYTHONPATH": place}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
    print("\n### ResNet-50, Widen(layer='layer1.0.conv1', factor=1.3), the least of all runs, s\n")
    print("| | plan | mutate |\n|---|---|---|")
    for name, each in found.items():
        print(f"| {name} | " + " | ".join(f"{min(one[way] for one in each):.2f}" for way in ("plan", "mutate")) + " |")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--runs", type=int, default=3, help="of the slow ones")
    parser.add_argument("--before", help="the src folder of another checkout, for ResNet-50")
    parser.add_argument("--only", default="", choices=("", "small", "history", "wide", "resnet"))
    parser.add_argument("--resnet", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if asked.resnet:
        print(json.dumps(resnet_here(asked.resnet)))
        return
    torch.manual_seed(0)
    print(machine())
    tables: dict[str, Callable[[], None]] = {
        "small": lambda: small(asked.rounds),
        "history": lambda: history(asked.rounds),
        "wide": lambda: wide(asked.runs),
        "resnet": lambda: resnet(asked.runs, asked.before),
    }
    for name, table in tables.items():
        if asked.only in ("", name):
            table()
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
