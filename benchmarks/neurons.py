"""What measuring neurons costs beside a plain forward pass over the same data, hooks by hand, and captum.

    python benchmarks/neurons.py [--runs 2] [--models resnet18 gpt2] [--batches 8] [--write docs/benchmarks/neurons.md]

Processor time of one process on one thread of torch; the ways take turns, and of each the fastest run counts. A batch
more is all batches less the first, divided; once is what the first takes beyond that.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from machine import machine
from torch import nn

import genewright as gw

STREAMING = ["active_fraction", "mean", "variance", "dormancy", "apoz", "saturation", "constancy", "wanda"]
OF_WEIGHTS = ["incoming_norm", "outgoing_norm"]
BEGIN, END = "<!-- measuring: made by benchmarks/neurons.py -->", "<!-- end of measuring -->"
TITLES = {
    "resnet18": ("ResNet-18", "16 images of 224 x 224"),
    "gpt2": ("GPT-2 small's shape", "4 texts of 128 tokens"),
}
KEEPING = ["duplicates", "entropy"]  # of 50,257 units, duplicates take minutes


def resnet18(batches: int) -> tuple[nn.Module, list[Any]]:
    """Return (ResNet-18, batches of 16 images)."""
    missing = torch.library.Library("torchvision", "FRAGMENT")  # torchvision's wheels are CUDA builds
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):  # it is there
            missing.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    torch.manual_seed(0)
    return torchvision.models.resnet18(weights=None).eval(), [torch.randn(16, 3, 224, 224) for _ in range(batches)]


def gpt2(batches: int) -> tuple[nn.Module, list[Any]]:
    """Return (a model of GPT-2 small's shape, batches of 4 texts of 128 tokens)."""
    resnet18(0)  # declares what torchvision misses, which transformers imports
    import transformers

    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(use_cache=False)).eval()
    return model, [{"input_ids": torch.randint(0, 50_000, (4, 128))} for _ in range(batches)]


def plain(model: nn.Module, batches: list[Any]) -> None:
    """Run the model over the data."""
    with torch.no_grad():
        for batch in batches:
            model(**batch) if isinstance(batch, dict) else model(batch)


def by_hand(model: nn.Module, batches: list[Any]) -> None:
    """Sum what the four default measures need, as people write it: hooks on layers, reductions in float32."""
    totals: dict[nn.Module, list[torch.Tensor]] = {}

    def hook(module: nn.Module, _args: Any, output: Any) -> None:
        x = output.detach()
        x = x.transpose(0, 1).flatten(1) if x.dim() == 4 else x.reshape(-1, x.shape[-1]).T
        found = [(x > 0).float().sum(1), x.sum(1), (x**2).sum(1), x.abs().sum(1)]
        held = totals.setdefault(module, found)
        if held is not found:
            totals[module] = [a + b for a, b in zip(held, found, strict=True)]

    kinds = (nn.Linear, nn.Conv2d, nn.BatchNorm2d, nn.LayerNorm, nn.ReLU)
    watched = [
        m for m in model.modules() if isinstance(m, kinds) or type(m).__name__ in ("Conv1D", "NewGELUActivation")
    ]
    handles = [module.register_forward_hook(hook) for module in watched]
    plain(model, batches)
    for handle in handles:
        handle.remove()


def of_captum(model: nn.Module, batches: list[Any]) -> None:
    """Let captum return the activations of every layer, and average them."""
    from captum.attr import LayerActivation

    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]
    with torch.no_grad():
        for batch in batches:
            for found in LayerActivation(model, layers).attribute(batch):
                (found[0] if isinstance(found, tuple) else found).mean(0)


def ours(measures: Any, **options: Any) -> Callable[[nn.Module, list[Any]], None]:
    """Return what measures the data."""

    def run(model: nn.Module, batches: list[Any]) -> None:
        gw.neurons.measure(model, batches, measures=measures, **options)

    return run


WAYS: dict[str, Callable[[nn.Module, list[Any]], None]] = {
    "a plain forward pass": plain,
    "`gw.neurons.measure`, the default measures": ours(gw.neurons.DEFAULT),
    "all that stream: these and apoz, saturation, wanda, outgoing norms": ours([*STREAMING, *OF_WEIGHTS]),
    "all that stream, duplicates and entropy": ours([*STREAMING, *OF_WEIGHTS, *KEEPING], seed=246),
    "hooks by hand: four sums in float32": by_hand,
    "captum's `LayerActivation` and a mean": of_captum,
}


def table_of(name: str, number: int, runs: int) -> list[str]:
    """Measure one model on that many batches; return the lines of its section."""
    model, batches = {"resnet18": resnet18, "gpt2": gpt2}[name](number)
    left_out = {list(WAYS)[3], list(WAYS)[5]} if name == "gpt2" else set()
    ways = {way: run for way, run in WAYS.items() if way not in left_out}
    whole = dict.fromkeys(ways, float("inf"))
    single = dict(whole)
    for turn in range(runs):
        for way, run in ways.items():
            for data, best in ((batches[:1], single), (batches, whole)):
                began = time.process_time()
                run(model, data)
                best[way] = min(best[way], time.process_time() - began)
        print(f"{name}: run {turn + 1} of {runs}", file=sys.stderr, flush=True)
    more = {way: (whole[way] - single[way]) / (number - 1) for way in ways}  # what is done once is not in it
    first = next(iter(ways))
    units = len(gw.neurons.measure(model, batches[:1], measures="mean"))
    title, samples = TITLES[name]
    lines = [f"## {title}, {units:,} units, {number} batches of {samples}", ""]
    lines += ["| way | a batch more, s | x plain | once, s | all batches, s | x plain |", "|---|---|---|---|---|---|"]
    for way in ways:
        ratios = more[way] / more[first], whole[way] / whole[first]
        once = max(0.0, single[way] - more[way])
        numbers = f"{more[way]:.2f} | {ratios[0]:.2f} | {once:.2f} | {whole[way]:.2f} | {ratios[1]:.2f}"
        lines.append(f"| {way} | {numbers} |")
    return [*lines, ""]


def main() -> None:
    """Print the tables, or write them into a page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--models", nargs="+", default=["resnet18", "gpt2"])
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [BEGIN, "", f"`make bench-neurons`, the fastest of {options.runs}: {machine()}.", ""]
    for name in options.models:
        lines += table_of(name, options.batches, options.runs)
    text = "\n".join([*lines, END])
    if options.write is None:
        print(text)
        return
    before, _, rest = options.write.read_text().partition(BEGIN)
    options.write.write_text(f"{before}{text}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
