"""Mutants a second of a campaign, beside loops by hand over the same mutants; and whether memory stays flat.

    python benchmarks/mutation_testing/speed.py [--write docs/benchmarks/mutation_testing.md] [--runs 3]

Processor time of one process on one thread of torch; ours and the loops take turns, and of each the fastest run counts.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from machine import machine

import genewright as gw

Data = tuple[torch.Tensor, torch.Tensor]
FLIP = gw.BitFlip(count=1)


def digits(*shape: int) -> tuple[Data, Data]:
    """Return 1,257 digits to train on, and 540 to test on."""
    bunch: Any = load_digits()
    order = torch.randperm(len(bunch.target), generator=torch.Generator().manual_seed(0))
    x = torch.tensor(bunch.data / 16, dtype=torch.float32)[order].reshape(-1, *shape)
    y = torch.tensor(bunch.target)[order]
    return (x[:-540], y[:-540]), (x[-540:], y[-540:])


def trained(net: nn.Module, data: Data, steps: int = 150) -> nn.Module:
    """Return the network after some steps on all samples."""
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(data[0]), data[1]).backward()
        optimizer.step()
    return net.eval()


def mlp() -> tuple[nn.Module, Data]:
    """Return a network of 6,570 weights and 540 digits."""
    train, test = digits(64)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    return trained(net, train), test


def cnn() -> tuple[nn.Module, Data]:
    """Return a convolutional network of 38,282 weights and 540 digits."""
    train, test = digits(1, 8, 8)
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    return trained(net, train, 60), test


def resnet18() -> tuple[nn.Module, Data]:
    """Return ResNet-18 and 256 images of 64 x 64."""
    missing = torch.library.Library("torchvision", "FRAGMENT")  # torchvision's wheels are CUDA builds
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):  # it is there
            missing.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    torch.manual_seed(0)
    net = torchvision.models.resnet18(weights=None).eval()
    x = torch.randn(256, 3, 64, 64)
    with torch.no_grad():
        y = torch.cat([net(part).argmax(1) for part in x.split(64)])
    return net, (x, y)


def ours(net: nn.Module, data: Data, mutants: Any, count: int) -> None:
    """Run a campaign."""
    gw.campaign(net, data, mutants, count=count, criterion="any", seed=1)


def by_mutated(net: nn.Module, data: Data, operator: Any, count: int, batch: int) -> None:
    """Do what users write: `gw.mutated` and a whole forward pass, each mutant."""
    with torch.no_grad():
        wanted = torch.cat([net(part).argmax(1) for part in data[0].split(batch)])
        for seed in range(count):
            with gw.mutated(net, operator, seed=seed):
                found = torch.cat([net(part).argmax(1) for part in data[0].split(batch)])
            (found != wanted).sum().item()


def by_hand(net: nn.Module, data: Data, count: int, batch: int) -> None:
    """Flip a bit of a drawn weight in place, run the whole network, compare labels, flip it back: nothing is kept."""
    draw = torch.Generator().manual_seed(0)
    weights = [p.detach().view(-1).view(torch.int32) for p in net.parameters()]
    sizes = torch.tensor([w.numel() for w in weights]).cumsum(0)
    with torch.no_grad():
        wanted = torch.cat([net(part).argmax(1) for part in data[0].split(batch)])
        for _ in range(count):
            at = int(torch.randint(int(sizes[-1]), (), generator=draw))
            bit = int(torch.randint(31, (), generator=draw))
            tensor = int(torch.searchsorted(sizes, at, right=True))
            place = at - (int(sizes[tensor - 1]) if tensor else 0)
            weights[tensor][place] ^= 1 << bit
            found = torch.cat([net(part).argmax(1) for part in data[0].split(batch)])
            (found != wanted).sum().item()
            weights[tensor][place] ^= 1 << bit


CASES: dict[str, tuple[Callable[[], tuple[nn.Module, Data]], int, int, int]] = {
    "digits MLP, 540 samples": (mlp, 1000, 300, 540),
    "digits CNN, 540 samples": (cnn, 300, 60, 540),
    "ResNet-18, 256 images of 64 x 64": (resnet18, 96, 4, 64),
}
"""What makes it; mutants of a campaign, and of a loop; samples a batch in the loops."""


def seconds(call: Callable[[], None]) -> float:
    """Return the processor time of a call."""
    began = time.process_time()
    call()
    return time.process_time() - began


def timed(runs: int, only: str) -> list[str]:
    """Return the rows of the table."""
    rows: list[str] = []
    for name, (make, count, fewer, batch) in CASES.items():
        if only not in name:
            continue
        net, data = make()
        ways: dict[str, tuple[Callable[[], None], int]] = {
            "weights": (partial(ours, net, data, gw.Mutants(FLIP, sites="all"), count), count),
            "layers": (partial(ours, net, data, gw.Mutants(FLIP), count), count),
            "mutated": (partial(by_mutated, net, data, FLIP, fewer, batch), fewer),
            "hand": (partial(by_hand, net, data, fewer, batch), fewer),
        }
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(runs):
            for way, (call, number) in ways.items():
                best[way] = min(best[way], seconds(call) / number)
        gains = f"{best['mutated'] / best['weights']:.1f} | {best['hand'] / best['weights']:.1f}"
        speeds = " | ".join(f"{1 / best[way]:,.{0 if best[way] < 0.1 else 2}f}" for way in ways)
        rows.append(f"| {name} | {speeds} | {gains} |")
        print(rows[-1], flush=True)
    return rows


def memory(count: int) -> str:
    """Return how much memory the process takes more, from the thousandth mutant to the last."""
    net, data = mlp()
    seen: list[tuple[int, int]] = []

    def look(done: int, of: int) -> None:
        seen.append((done, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10))

    gw.campaign(net, data, gw.Mutants(FLIP, sites="all"), count=count, criterion="any", seed=1, progress=look)
    first = next(pair for pair in seen if pair[0] >= 1000)
    return f"{first[1]} MB at {first[0]:,} mutants, {seen[-1][1]} MB at {seen[-1][0]:,}"


HEAD = """| network | campaign, weights at random | campaign, a layer at random | `gw.mutated` and forward | by hand | \
against `mutated` | against by hand |
|---|---|---|---|---|---|---|"""


def main() -> None:
    """Print the table, and write it into a page between its marks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--mutants", type=int, default=10_000, help="for the memory; 0 for none")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    lines = [f"`make bench-mutation-testing`: {machine()}. Mutants a second of processor time.", "", HEAD]
    print("\n".join(lines))
    lines += timed(asked.runs, asked.only)
    if asked.mutants:
        lines += ["", f"Largest memory of the process in one campaign of the MLP: {memory(asked.mutants)}."]
        print(lines[-1])
    if asked.write is not None:
        before, _, rest = asked.write.read_text().partition("<!-- speed -->\n")
        after = rest.partition("<!-- end of speed -->\n")[2]
        asked.write.write_text(f"{before}<!-- speed -->\n" + "\n".join(lines) + f"\n<!-- end of speed -->\n{after}")


if __name__ == "__main__":
    main()
