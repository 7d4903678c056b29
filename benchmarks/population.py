"""What a generation of mutants costs, beside plain inference of the same work and torch.func by hand.

CPU milliseconds of one thread, the least of several runs, all in one process; the ways take turns.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import nn
from torch.func import functional_call, vmap

import genewright as gw

ROUNDS = 5


def least(ways: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Return the least CPU milliseconds of each way."""
    found = dict.fromkeys(ways, float("inf"))
    for turn in range(rounds + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if turn:  # the first one warms up
                found[name] = min(found[name], 1e3 * (time.process_time() - start))
    return found


def told(title: str, found: dict[str, float]) -> None:
    """Print a table; the first way is plain inference."""
    print(f"\n{title}")
    plain = next(iter(found.values()))
    for name, took in found.items():
        print(f"  {name:44} {took:8.1f} ms {took / plain:6.2f} x plain")


def by_hand(model: nn.Module, size: int) -> tuple[Callable[[torch.Tensor], object], Callable[[], None]]:
    """Return torch.func as its documentation has it, and what draws new weights."""
    base = {name: p.detach() for name, p in model.named_parameters()}
    stacked: dict[str, torch.Tensor] = {}

    def draw() -> None:
        for name, p in base.items():
            stacked[name] = p + 0.01 * torch.randn(size, *p.shape)

    draw()
    mapped = vmap(lambda own, x: functional_call(model, own, (x,)), in_dims=(0, None))
    return lambda x: mapped(stacked, x), draw


@torch.no_grad()
def networks(size: int, hidden: int, batch: int) -> None:
    """Time a network of one hidden layer."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, hidden), nn.Tanh(), nn.Linear(hidden, 10))
    x = torch.randn(batch, 784)
    full = gw.population(model, gw.GaussianNoise(std=0.01), range(size), memory=None)
    thin = gw.population(model, gw.LowRankNoise(std=0.01), range(size), memory=None)
    run, draw = by_hand(model, size)

    def anew(population: gw.Population) -> None:
        population._filled = (0, 0)  # as a next generation would
        population(x)

    ways: dict[str, Callable[[], object]] = {
        "plain inference, one after the other": lambda: [model(x) for _ in range(size)],
        "torch.func.vmap by hand": lambda: run(x),
        "gw.population, full rank": lambda: full(x),
        "gw.population, rank 1": lambda: thin(x),
        "torch.func.vmap by hand, new weights": lambda: (draw(), run(x)),
        "gw.population, full rank, new weights": lambda: anew(full),
        "gw.population, rank 1, new weights": lambda: anew(thin),
    }
    told(f"{size} members, 784-{hidden}-10, {batch} samples", least(ways))


@torch.no_grad()
def resnet() -> None:
    """Time a network of convolutions."""
    library = torch.library.Library("torchvision", "FRAGMENT")  # a wheel for CUDA needs them declared on a CPU
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    try:
        models = importlib.import_module("torchvision").models
    except ImportError:
        print("\nResNet-18: torchvision is not installed")
        return
    torch.manual_seed(0)
    model, x = models.resnet18().eval(), torch.randn(32, 3, 64, 64)
    population = gw.population(model, gw.GaussianNoise(std=0.001), range(16), memory=None)
    ways: dict[str, Callable[[], object]] = {
        "plain inference, one after the other": lambda: [model(x) for _ in range(16)],
        "gw.population, full rank": lambda: population(x),
    }
    told("ResNet-18, 16 members, 32 images of 64 x 64", least(ways, 2))


def policies() -> None:
    """Time many small networks, each with a sample of its own."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 68), nn.Tanh(), nn.Linear(68, 68), nn.Tanh(), nn.Linear(68, 2))
    population = gw.population(model, gw.GaussianNoise(std=0.1), range(256))
    seen = torch.randn(256, 1, 4)
    found = least({"step": lambda: population.each(seen), "one": lambda: gw.mutate(model, gw.GaussianNoise(), seed=1)})

    def anew() -> None:
        population._filled = (0, 0)
        population.each(seen)

    born = least({"anew": anew})["anew"] - found["step"]
    print(f"\n256 policies of 5,170 weights\n  a step of all {found['step']:33.2f} ms")
    print(f"  new weights, for each {1e3 * born / 256:25.0f} us\n  gw.mutate of one {1e3 * found['one']:30.0f} us")


def update() -> None:
    """Time a step along the sum of 30 seeds' noise."""
    torch.manual_seed(0)
    model = nn.Linear(1000, 1000, bias=False, dtype=torch.bfloat16)
    operator = gw.EvolutionUpdate(seeds=tuple(range(30)), weights=(0.01,) * 30)
    weight = model.weight.detach()

    def usual() -> None:
        for seed in range(30):
            noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed), dtype=weight.dtype)
            weight.add_(noise, alpha=0.01)

    found = least({"usual": usual, "ours": lambda: gw.mutate(model, operator, seed=1, inplace=True)}, 3)
    print("\nUpdate by 30 seeds, 1 M weights in bfloat16, ns a weight in all")
    print(f"  seeded torch.randn, added one by one {found['usual']:6.0f}\n  gw.EvolutionUpdate {found['ours']:6.0f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}")
    networks(100, 128, 256)
    networks(64, 1024, 32)
    policies()
    update()
    resnet()
