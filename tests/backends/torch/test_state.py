"""State that is no plain tensor: seen by fingerprint and plan, left alone, saved and loaded; never in anybody's way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.backends import backend_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta"),
    pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated"),
    pytest.mark.filterwarnings("ignore::UserWarning:torch"),
]


class Counting(nn.Module):
    """A layer with extra state of plain data."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.amax = {"scale": 0.1, "history": [torch.ones(2), torch.zeros(1)], "format": (3, None, True, b"x", "e4m3")}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * self.amax["scale"]

    def get_extra_state(self) -> Any:
        return self.amax

    def set_extra_state(self, state: Any) -> None:
        self.amax = state


class TensorState(Counting):
    """Its extra state is one tensor, as FP8 layers keep theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.amax = torch.tensor([1, 2, 3], dtype=torch.uint8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * self.amax


class Graph(nn.Module):
    """A layer over a sparse adjacency."""

    def __init__(self, layout: torch.layout = torch.sparse_coo) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        edges = (torch.rand(4, 4) > 0.5).float() * torch.rand(4, 4)
        self.register_buffer("adjacency", edges.to_sparse(layout=layout))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sparse.mm(self.adjacency, self.linear(x))


class Masked(nn.Module):
    """A layer with an expanded mask."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.register_buffer("mask", torch.rand(1, 3).expand(4, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * self.mask


def quantized() -> nn.Module:
    base = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.LayerNorm(5), nn.Linear(5, 2))
    return torch.ao.quantization.quantize_dynamic(base, {nn.Linear})


def per_channel() -> nn.Module:
    made = nn.Sequential(nn.Linear(3, 2))
    scales = torch.tensor([0.1, 0.2]).double()
    made.register_buffer("packed", torch.quantize_per_channel(torch.rand(2, 3), scales, torch.zeros(2), 0, torch.qint8))
    return made


MAKE: dict[str, Callable[[], nn.Module]] = {
    "extra state": Counting,
    "extra state, a tensor": TensorState,
    "nested": lambda: nn.Sequential(nn.Linear(3, 3), nn.Sequential(Counting())),
    "sparse": Graph,
    "sparse rows": lambda: Graph(torch.sparse_csr),
    "expanded": Masked,
    "quantised, packed": quantized,
    "quantised buffer": per_channel,
}


def _state(model: nn.Module) -> dict[str, Any]:
    return dict(backend_of(model).network(model).state)


@pytest.mark.parametrize("kind", MAKE)
def test_it_is_in_the_fingerprint(kind: str) -> None:
    torch.manual_seed(0)
    model = MAKE[kind]()
    assert gw.fingerprint(model) == gw.fingerprint(backend_of(model).copy(model))
    torch.manual_seed(1)
    other = MAKE[kind]()
    with torch.no_grad():
        for a, b in zip(model.parameters(), other.parameters(), strict=True):
            b.copy_(a)
    for module in other.modules():
        if isinstance(module, TensorState):
            module.amax = module.amax + 1
        elif isinstance(module, Counting):
            module.amax = {**module.amax, "scale": 0.2}
    assert gw.fingerprint(other) != gw.fingerprint(model)
    recipe = gw.recipe(gw.mutate(model, gw.GaussianNoise(), seed=1))
    with pytest.raises(gw.FingerprintError, match="base differs"):
        gw.replay(recipe, other)


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize("kind", MAKE)
def test_it_goes_to_a_file_and_back(kind: str, suffix: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = MAKE[kind]()
    mutant = gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1)
    assert {n: s.about for n, s in _state(mutant).items()} == {n: s.about for n, s in _state(model).items()}
    path = tmp_path / f"a.{suffix}"
    gw.save(mutant, path)
    torch.manual_seed(1)
    again = gw.load(MAKE[kind], path)
    assert gw.fingerprint(again) == gw.fingerprint(mutant)
    checkpoint = gw.read_checkpoint(path)
    assert gw.fingerprint(checkpoint) == gw.fingerprint(mutant)
    gw.save(checkpoint, tmp_path / f"b.{suffix}")
    assert gw.fingerprint(gw.read_checkpoint(tmp_path / f"b.{suffix}")) == gw.fingerprint(mutant)
    x = torch.rand(4, 3)
    assert torch.equal(again.eval()(x), mutant.eval()(x))
    if suffix == "pt":
        torch.manual_seed(2)
        theirs = MAKE[kind]()
        if kind not in ("expanded", "sparse rows"):  # torch itself does not copy into these
            theirs.load_state_dict(torch.load(path, weights_only=True))
            assert gw.fingerprint(theirs) == gw.fingerprint(mutant)
        torch.save(mutant.state_dict(), tmp_path / "c.pt")
        assert gw.fingerprint(gw.read_checkpoint(tmp_path / "c.pt")) == gw.fingerprint(mutant)


@pytest.mark.parametrize("kind", MAKE)
def test_a_plan_names_and_counts_it(kind: str) -> None:
    model = MAKE[kind]()
    plan = gw.plan(model, gw.GaussianNoise(), seed=1)
    names = list(_state(model))
    assert names
    assert f"left alone: {len(names)} pieces of state that are no plain tensors ({names[0]}" in str(plan)
    size = sum(state.size for state in _state(model).values())
    assert f", {size:,} values" in str(plan)


def test_weights_that_are_bytes_are_named_and_counted() -> None:
    model = nn.Linear(3, 2)
    model.register_buffer("packed", torch.ones(2, 3, dtype=torch.int8))
    notes = gw.plan(model, gw.GaussianNoise(0.1), seed=1).notes
    assert notes == ("left alone: 1 tensors of bytes (packed), 6 values",)


@pytest.mark.parametrize("how", ["sparse.mm", "@", "addmm"])
def test_widths_over_a_sparse_adjacency(how: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.out = nn.Linear(4, 8), nn.Linear(8, 3)
            self.register_buffer("edges", (torch.eye(6) + torch.eye(6).flip(0)).to_sparse())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h, edges = self.fc(x), self.edges
            h = {"sparse.mm": torch.sparse.mm, "@": torch.matmul}.get(how, lambda a, b: torch.addmm(b, a, b))(edges, h)
            return self.out(h.relu())

    net, x = Net(), torch.randn(6, 4)
    wide = gw.mutate(net, gw.Widen("fc", factor=2), seed=1, example=x)
    torch.testing.assert_close(wide(x), net(x))
    assert gw.mutate(net, gw.Narrow("fc", units=(1,)), seed=1, example=x).fc.out_features == 7


def test_where_all_is_quantised_it_is_said() -> None:
    model = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 5)), {nn.Linear})
    with pytest.raises(gw.SelectionError, match=r"Left alone are 4 pieces of state that are no plain"):
        gw.mutate(model, gw.GaussianNoise(), seed=1)


def test_what_is_chosen_is_refused_by_name() -> None:
    with pytest.raises(gw.UnsupportedError, match=r"'adjacency' has the layout torch\.sparse_coo.*to_dense"):
        gw.mutate(Graph(), gw.GaussianNoise(where="adjacency"), seed=1)
    base = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))
    base[1].weight = nn.Parameter(torch.eye(2).to_sparse())
    with pytest.raises(gw.UnsupportedError, match=r"'1\.weight' has the layout"):
        gw.mutate(base, gw.GaussianNoise(), seed=1)
    mutant = gw.mutate(base, gw.GaussianNoise(std=1.0, where=("*", "!1.weight")), seed=1)
    assert not torch.equal(mutant[0].weight, base[0].weight)


def test_state_of_a_file_that_does_not_fit(tmp_path: Path) -> None:
    gw.save(Counting(), tmp_path / "a.safetensors")
    with pytest.raises(gw.FileError, match="_extra_state"):
        gw.load(lambda: nn.ModuleDict({"linear": nn.Linear(3, 3)}), tmp_path / "a.safetensors")


def test_objects_are_not_written(tmp_path: Path) -> None:
    model = Counting()
    model.amax = {"scale": object()}
    gw.fingerprint(model)
    with pytest.raises(gw.FileError, match=r"'_extra_state'.*objects of Python"):
        gw.save(model, tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []
