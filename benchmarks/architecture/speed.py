"""How long widening takes, and where the time goes: processor seconds, and as multiples of one forward pass in float32.

    python benchmarks/architecture/speed.py [--runs 5] [--only resnet50]

*record*: one run on meta tensors, and reading the axes off it; it is used again for models of one form. *try*: the run
with the new shapes, which finds the attributes. *check*: the outputs before and after, in float64. *plan* and *mutate*:
the whole calls, with fingerprints and the copy of the model. *again*: one more mutation of the same model. The fastest
of some runs, one thread; the load of the machine is printed beside it.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
import zoo
from torch import nn

import genewright as gw
from genewright.backends.torch.float64_outputs import exact_outputs
from genewright.backends.torch.structure.torch_widths import TorchWidths
from genewright.backends.torch.structure.trace_cache import TRACE_CACHE


def models(only: str) -> Iterator[tuple[str, nn.Module, Any, str]]:
    """Yield names, models, examples and the layers that are widened."""
    import torchvision
    from transformers import GPT2Config, GPT2LMHeadModel

    image = torch.randn(1, 3, 224, 224)
    for name in ("resnet18", "resnet50"):
        if only in name:
            yield name, zoo.wake(torchvision.models.get_model(name, weights=None)), image, "layer1.0.conv1"
    if only in "gpt2":
        words = {"input_ids": torch.randint(0, 50257, (1, 64))}
        yield "gpt2", GPT2LMHeadModel(GPT2Config()).eval(), words, "transformer.h.0.mlp.c_fc"


def fastest(what: Callable[[], Any], runs: int) -> float:
    """Return the processor seconds of the fastest of some runs."""
    out: list[float] = []
    for _ in range(runs):
        began = time.process_time()
        what()
        out.append(time.process_time() - began)
    return min(out)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="a part of a model's name")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    columns = ("record", "try", "check", "plan", "mutate", "again")
    print(f"load {os.getloadavg()[0]:.1f}, torch {torch.__version__}, one thread, the fastest of {asked.runs} runs\n")
    print(f"| model | parameters | forward | {' | '.join(columns)} | mutate / forward |")
    print("|---|---|---|" + "---|" * (len(columns) + 1))
    for name, model, example, layer in models(asked.only):
        operator = gw.Widen(layer=layer, factor=1.3)
        widths = TorchWidths(model, example)
        knob = widths.find(layer)
        given: Any = example if isinstance(example, dict) else {"x": example}
        calls: dict[str, Callable[[], Any]] = {
            "forward": lambda model=model, given=given: model(**given),
            "record": lambda m=model, e=example, layer=layer: (TRACE_CACHE.clear(), TorchWidths(m, e).find(layer)),
            "try": lambda widths=widths, knob=knob: widths.resolve_attributes(knob, round(1.3 * knob.size)),
            "check": lambda model=model, example=example: (
                exact_outputs(model, example),
                exact_outputs(model, example),
            ),
            "plan": lambda m=model, o=operator, e=example: (TRACE_CACHE.clear(), gw.plan(m, o, seed=1, example=e)),
            "mutate": lambda m=model, o=operator, e=example: (TRACE_CACHE.clear(), gw.mutate(m, o, seed=1, example=e)),
            "again": lambda m=model, o=operator, e=example: gw.mutate(m, o, seed=1, example=e),
        }
        with torch.no_grad():
            seconds = {what: fastest(call, asked.runs) for what, call in calls.items()}
        cells = " | ".join(f"{seconds[column]:.2f} s" for column in ("forward", *columns))
        size = sum(p.numel() for p in model.parameters()) / 1e6
        print(f"| {name} | {size:.1f} M | {cells} | {seconds['mutate'] / seconds['forward']:.1f} |", flush=True)


if __name__ == "__main__":
    main()
