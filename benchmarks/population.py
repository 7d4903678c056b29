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


class Block(nn.Module):
    """A block of GPT-2: attention to the tokens before, then two wide layers."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.gather = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what follows x, of shape (sequences, tokens, width)."""
        heads = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.attend(self.before(x)).chunk(3, -1)
        )
        seen = nn.functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.gather(seen.transpose(1, 2).flatten(2))
        return x + self.narrow(nn.functional.gelu(self.widen(self.between(x)), approximate="tanh"))


@torch.no_grad()
def transformer() -> None:
    """Time the blocks of GPT-2 small by low rank, beside the unchanged model on as many sequences at once."""
    torch.manual_seed(0)
    model = nn.Sequential(*(Block(768, 12) for _ in range(12))).eval()
    x = torch.randn(1, 64, 768)
    many = x.repeat(32, 1, 1)
    population = gw.population(model, gw.LowRankNoise(std=0.01), range(32), memory=None)

    def anew() -> None:
        population._filled = (0, 0)
        population(x)

    ways: dict[str, Callable[[], object]] = {
        "plain inference, all sequences at once": lambda: model(many),
        "gw.population, rank 1": lambda: population(x),
        "gw.population, rank 1, new weights": anew,
    }
    told("The 12 blocks of GPT-2 small, 32 members, 64 tokens each", least(ways, 3))


def update(millions: int) -> None:
    """Time a generation of 30 seeds in place: each perturbs and is undone, then one step along their sum."""
    torch.manual_seed(0)
    model = nn.Linear(1000, 1000 * millions, bias=False, dtype=torch.bfloat16)
    seeds = range(30)
    noise = gw.GaussianNoise(std=0.01)
    operator = gw.EvolutionUpdate(seeds=tuple(seeds), weights=(0.01,) * 30)
    weight = model.weight.detach()

    def add(seed: int, scale: float) -> None:
        drawn = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed), dtype=weight.dtype)
        weight.add_(drawn, alpha=scale)

    def perturb() -> None:
        for seed in seeds:
            with gw.mutated(model, noise, seed=seed):
                pass

    def reside() -> None:
        with gw.resident(model) as base:
            for seed in seeds:
                base.mutant(noise, seed=seed)

    ways: dict[str, Callable[[], object]] = {
        "seeded torch.randn: perturb, subtract again": lambda: [add(seed, s) for seed in seeds for s in (0.01, -0.01)],
        "seeded torch.randn: update": lambda: [add(seed, 0.01) for seed in seeds],
        "gw.mutated: perturb, undo": perturb,
        "gw.resident: perturb from the base": reside,
        "gw.EvolutionUpdate: update": lambda: gw.mutate(model, operator, seed=1, inplace=True),
    }
    print(f"\n30 seeds, {millions} M weights in bfloat16, ns a weight in all")
    for name, took in least(ways, 2).items():
        print(f"  {name:44} {took / millions:8.1f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}")
    networks(100, 128, 256)
    networks(64, 1024, 32)
    policies()
    update(1)
    update(10)
    resnet()
    transformer()
