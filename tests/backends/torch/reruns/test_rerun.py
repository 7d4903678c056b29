"""Runs from the middle are whole runs, byte for byte, and shorter; where that cannot be, they are whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.backends.torch import BACKEND
from genewright.backends.torch.reruns import TorchRerun
from genewright.conformance import torch_cases
from genewright.fingerprint import fingerprint_of
from tests.drawn_networks import Convolutional, Transformer, example, seeded

Net = tuple[nn.Module, Any]


class Residual(nn.Module):
    """Branches, a shared ReLU that works in place, an addition in place, an output that passes through unchanged."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 4)
        self.norm, self.act, self.keep = nn.LayerNorm(6), nn.ReLU(inplace=True), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.act(self.first(x))
        kept = self.keep(y)  # the same tensor, in evaluation mode
        z = self.second(y)
        z += y
        kept.mul_(2)  # so y is twice what it was
        return self.third(self.norm(self.act(z)) + y)


class Split(nn.Module):
    """A layer's value in parts that lie in one memory, one of them written to."""

    def __init__(self) -> None:
        super().__init__()
        self.both, self.last = nn.Linear(6, 8), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        left, right = self.both(x).chunk(2, dim=1)
        left.relu_()
        return self.last(left + right), left


class Twice(nn.Module):
    """A layer called twice, and one whose weights are read outside of it."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.apart, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.shared(x)
        x = self.apart(x).tanh()
        return self.head(self.shared(x) @ self.apart.weight)


class Lists(nn.Module):
    """Values in lists and dicts that the caller goes on filling."""

    class Part(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(6, 6)

        def forward(self, seen: list[torch.Tensor]) -> dict[str, torch.Tensor]:
            seen.append(self.linear(seen[-1]).relu_())
            return {"last": seen[-1]}

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList([self.Part(), self.Part()])
        self.head = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = [x]
        for part in self.parts:
            seen[-1] = part(seen)["last"]
        return self.head(sum(seen, torch.zeros(6)))


class Writes(nn.Module):
    """Works in place on what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        x.add_(y)
        return self.second(x)


def rows() -> torch.Tensor:
    return example((7, 6))


def chain() -> nn.Module:
    layers = (nn.Linear(6, 9), nn.ReLU(inplace=True), nn.Dropout(), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 4))
    return nn.Sequential(*layers)


SUFFIX: dict[str, Callable[[], Net]] = {
    "chain": lambda: (seeded(chain, 1), rows()),
    "residual": lambda: (seeded(Residual, 1), rows()),
    "split": lambda: (seeded(Split, 1), rows()),
    "twice": lambda: (seeded(Twice, 1), rows()),
    "lists": lambda: (seeded(Lists, 1), rows()),
    "writes": lambda: (seeded(Writes, 1), rows()),
    "convolutional": lambda: (seeded(lambda: Convolutional(3, 4, 2), 1), example((2, 2, 6, 6))),
    "transformer": lambda: (seeded(lambda: Transformer(2, 3, 5, 2, tied=True), 1), example((3, 4), tokens=True)),
    "layer": lambda: (seeded(lambda: nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), 1), example((2, 5, 6))),
    "attention": lambda: (seeded(lambda: nn.MultiheadAttention(6, 2), 1), (example((5, 2, 6)),) * 3),
    "half": lambda: (seeded(chain, 1).bfloat16(), rows()),
}
"""Networks of which runs from the middle can be had."""


def state(net: nn.Module) -> dict[str, Any]:
    """Return what modules hold beside their tensors' values."""
    return {name: {k: id(v) for k, v in vars(module).items()} for name, module in net.named_modules()}


def assert_reruns_are_whole_runs(net: nn.Module, batch: Any) -> int:
    """Run mutants of every tensor both ways; return how many runs began or ended in the middle."""
    whole, before, held = gw.fingerprint(net), [(m, m.training) for m in net.modules()], state(net)
    network, shortened = BACKEND.network(net), 0
    operators = [gw.GaussianNoise(std=0.5), gw.BitFlip(bits="exponent", count=1), gw.Zero(count=1)]
    names = [t.name for t in network.tensors.values() if t.trainable and t.size]
    with TorchRerun(net) as rerun:
        original = [array.copy() for array in rerun.start(batch)]
        assert same(original, BACKEND.predict(net, batch))
        for name in names:
            for seed, operator in enumerate(operators):
                with gw.mutated(net, dataclasses.replace(operator, where=gw.where(name)), seed=seed):
                    wanted = BACKEND.predict(net, batch)
                    found = rerun.again((name,))
                    found = original if found is None else found
                    assert same(found, wanted), (name, operator)
        shortened = sum(plan is not None for plan in plans(rerun))
    assert fingerprint_of(BACKEND.network(net)) == whole
    assert [(m, m.training) for m in net.modules()] == before
    assert state(net) == held
    return shortened


def plans(rerun: Any) -> list[Any]:
    return [] if rerun._kept is None else list(rerun._kept._plans.values())


def same(one: list[Any], other: list[Any]) -> bool:
    return [(a.dtype, a.shape, a.tobytes()) for a in one] == [(b.dtype, b.shape, b.tobytes()) for b in other]


@pytest.mark.parametrize("name", SUFFIX)
def test_a_run_from_the_middle_is_a_whole_run(name: str) -> None:
    net, batch = SUFFIX[name]()
    assert assert_reruns_are_whole_runs(net, batch) > 0


@pytest.mark.parametrize("name", [name for name, net in torch_cases.networks().items() if isinstance(net, tuple)])
def test_on_every_network_of_the_conformance_suite(name: str) -> None:
    net, batch = torch_cases.networks()[name]
    assert_reruns_are_whole_runs(net, batch)


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.head, self.calls = nn.Linear(6, 6), nn.Linear(6, 3), 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.head(self.linear(x)) * self.calls


class Remembers(Counts):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = self.linear(x)
        return self.head(x) + self.seen[:, :3]


class Draws(Counts):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(nn.functional.dropout(self.linear(x), training=True))


def hooked() -> nn.Module:
    net = chain()
    net[0].register_forward_hook(lambda module, args, output: output + 1)
    return net


WHOLE: dict[str, Callable[[], nn.Module]] = {
    "counts": Counts,
    "remembers": Remembers,
    "draws": Draws,
    "hooked": hooked,
    "scripted": lambda: torch.jit.script(chain()),
}
"""Networks that have to be run whole."""


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is:DeprecationWarning")
@pytest.mark.parametrize("name", WHOLE)
def test_what_cannot_be_followed_is_run_whole(name: str) -> None:
    net = seeded(WHOLE[name], 1)
    assert assert_reruns_are_whole_runs(net, rows()) == 0


WAYS: dict[str, Callable[[torch.Tensor], float]] = {
    "item": float,
    "numpy": lambda tensor: tensor.numpy().item(),
    "tolist": lambda tensor: tensor.tolist(),
}


class Branches(nn.Module):
    """Which way it goes depends on values: by a number of torch's, or by one that left torch."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.first, self.second, self.third, self.head = (nn.Linear(6, 6) for _ in range(4))
        self.way, self.last = way, 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        biggest = y.max()
        most = WAYS[self.way](biggest)
        z = self.second(torch.relu(y) * 0)  # does not depend on y, unless it is infinite
        if most > 3.5:
            z = self.third(z)
        return self.head(z)


@pytest.mark.parametrize("way", WAYS)
def test_ways_that_depend_on_values_are_gone(way: str) -> None:
    net = seeded(lambda: Branches(way), 3)
    assert assert_reruns_are_whole_runs(net, rows()) > 0
    ways = set()
    with TorchRerun(net) as rerun:
        before = rerun.start(rows())[0].copy()
        for seed in range(12):
            with gw.mutated(net, gw.GaussianNoise(std=1.0, where="first.*"), seed=seed):
                found = rerun.again(("first.weight", "first.bias"))
                wanted = BACKEND.predict(net, rows())
                assert same([before] if found is None else found, wanted)
                ways.add(wanted[0].tobytes())
    assert len(ways) == 2  # both ways were gone


def test_layers_before_the_change_do_not_run_and_equal_values_end_the_run() -> None:
    net = seeded(chain, 1)
    counts = dict.fromkeys(range(6), 0)

    def counting(at: int) -> Any:
        kind = type(net[at])

        class Counting(kind):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                counts[at] += 1
                return super().forward(x)

        return Counting

    for at in range(6):
        net[at].__class__ = counting(at)
    with TorchRerun(net) as rerun:
        before = rerun.start(rows())[0].copy()
        counts.update(dict.fromkeys(counts, 0))
        with gw.mutated(net, gw.GaussianNoise(std=0.5, where="3.weight"), seed=1):
            found = rerun.again(("3.weight",))
            assert found is not None
            assert (found[0] != before).any()
        assert [counts[at] for at in (0, 3, 4, 5)] == [0, 1, 1, 1]
        with gw.mutated(net, gw.Zero(rate=0.0), seed=1):
            assert rerun.again(("0.bias",)) is None
        assert [counts[at] for at in (0, 3, 5)] == [1, 1, 1]
