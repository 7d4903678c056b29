"""Check and time a GPU: the bits of the noise, dense mutation, undo, populations (`make check-gpu`; torch and triton).

It prints the table for docs/benchmarks/gpu.md, and ends with an error where bits differ. Under five minutes.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

import genewright as gw

SIZE = 1 << 26
OPERATORS = (
    gw.GaussianNoise(std=0.1),
    gw.GaussianNoise(std=0.1, rate=0.01),
    gw.UniformNoise(bound=0.1),
    gw.LaplaceNoise(scale=0.1),
    gw.CauchyNoise(scale=0.1),
    gw.FactorNoise(std=0.1),
    gw.SignFlip(rate=0.3),
    gw.Zero(rate=0.3),
    gw.Reset(init="truncated_normal"),
    gw.EvolutionNoise(std=0.1, mirrored=True),
    gw.LowRankNoise(rank=2, std=0.1),
)


def least(way: Callable[[], object], rounds: int = 10) -> float:
    """Return the least milliseconds of a way, the GPU's work included."""
    found = float("inf")
    for _ in range(rounds + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        way()
        torch.cuda.synchronize()
        found = min(found, 1e3 * (time.perf_counter() - start))
    return found


def bits() -> bool:
    """Compare mutants made on the GPU with those made on the CPU; say which differ."""
    good = True
    for dtype in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
        torch.manual_seed(0)
        base = nn.Sequential(nn.Linear(300, 170), nn.Linear(170, 3)).to(dtype)
        for operator in OPERATORS:
            here = gw.fingerprint(gw.mutate(base, operator, seed=7))
            there = gw.fingerprint(gw.mutate(copy.deepcopy(base).cuda(), operator, seed=7))
            if here != there:
                good = False
                print(f"BITS DIFFER: {operator} in {dtype}")
    return good


@torch.no_grad()
def speed() -> None:
    """Print the table."""
    rows: list[tuple[str, float, float]] = []
    layer = nn.Linear(1 << 13, SIZE >> 13, bias=False, device="cuda")
    copied = torch.empty_like(layer.weight)
    copying = least(lambda: copied.copy_(layer.weight))
    noise = gw.GaussianNoise(std=1e-9)

    def there_and_back() -> None:
        with gw.mutated(layer, noise, seed=1):
            pass

    rows.append((f"dense noise with undo, {SIZE >> 20} M float32, by a device copy", least(there_and_back), copying))
    model = nn.Sequential(nn.Linear(1024, 4096), nn.GELU(), nn.Linear(4096, 1024)).cuda()
    x = torch.randn(256, 1024, device="cuda")
    many = x.repeat(32, 1)
    plain = least(lambda: model(many))
    for name, operator in (("full rank", gw.GaussianNoise(std=0.01)), ("rank 1", gw.LowRankNoise(std=0.01))):
        population = gw.population(model, operator, range(32), memory=None)
        rows.append((f"population of 32, {name}, by plain batched inference", least(lambda p=population: p(x)), plain))
    update = gw.EvolutionUpdate(seeds=tuple(range(30)), weights=(0.01,) * 30)
    small = nn.Linear(1000, 1000, bias=False, dtype=torch.bfloat16, device="cuda")
    took = least(lambda: gw.mutate(small, update, seed=1, inplace=True), 2)
    rows.append(("update of 1 M bfloat16 weights by 30 seeds, by a device copy of it", took, copying * 1e6 / SIZE / 2))
    print(f"\n{torch.cuda.get_device_name()}, torch {torch.__version__}\n\n| what | ms | ratio |\n|---|---|---|")
    for what, took, by in rows:
        print(f"| {what} | {took:.3f} | {took / by:.2f} |")
    print(f"\npeak memory {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")


if __name__ == "__main__":
    if not torch.cuda.is_available():
        print(
            f"No GPU that torch {torch.__version__} sees: nothing was checked or measured, and docs/benchmarks/gpu.md "
            "stays as it is. This needs an NVIDIA GPU with its driver, a torch built for CUDA and triton; then "
            "`make check-gpu` takes less than five minutes. Without a GPU, the tests run the same kernels in Triton's "
            "interpreter: pytest tests/noise/test_cuda.py"
        )
        sys.exit(0)
    same = bits()
    print("bits: equal to the CPU's" if same else "bits: DIFFERENT")
    speed()
    sys.exit(0 if same else 1)
