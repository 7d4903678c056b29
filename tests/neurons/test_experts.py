"""Experts whose kernels lie in one tensor: a unit is an expert, its value the norm of what it puts out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from tests import pretrained

COLUMNS = ("active_fraction", "mean", "variance", "constancy")


class Mixture(nn.Module):
    """Two of four experts a token, each a gate, a way up and a way down, computed one expert at a time."""

    def __init__(self, experts: int = 4, width: int = 6, hidden: int = 5) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.randn(experts, 2 * hidden, width))
        self.down = nn.Parameter(torch.randn(experts, width, hidden))

    def forward(self, x: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        out = torch.zeros_like(x)
        for expert in range(len(self.up)):
            rows, place = torch.where(chosen == expert)
            gate, up = nn.functional.linear(x[rows], self.up[expert]).chunk(2, dim=-1)
            made = nn.functional.silu(gate) * up @ self.down[expert].T
            out = out.index_add(0, rows, made * weights[rows, place, None])
        return out


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(6, 4)
        self.experts = Mixture()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights, chosen = self.router(x).softmax(-1).topk(2)
        return self.experts(x, chosen, weights)


def model(seed: int = 0) -> Model:
    torch.manual_seed(seed)
    return Model()


def norms_by_hand(net: Model, x: torch.Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the norm of what each expert puts out for each row, 0 where it is not dealt it."""
    with torch.no_grad():
        _, chosen = net.router(x).softmax(-1).topk(2)
        out = np.zeros((len(x), 4))
        for row, experts in enumerate(chosen.tolist()):
            for expert in experts:
                gate, up = (net.experts.up[expert] @ x[row]).chunk(2)
                out[row, expert] = (net.experts.down[expert] @ (nn.functional.silu(gate) * up)).double().norm()
    return out


def test_an_expert_is_a_unit_with_the_norm_of_what_it_puts_out() -> None:
    net, x = model(), torch.randn(50, 6, generator=torch.Generator().manual_seed(1))
    table = gw.neurons.measure(net, x, layers="experts", measures=[*COLUMNS, "incoming_norm"], batch_size=16)
    norms = norms_by_hand(net, x)
    assert len(table) == 4
    np.testing.assert_allclose(table["active_fraction"], (norms > 0).mean(0))
    np.testing.assert_allclose(table["mean"], norms.mean(0), rtol=1e-6)
    np.testing.assert_allclose(table["variance"], norms.var(0), rtol=1e-5)
    kernels = [torch.cat([net.experts.up[e].flatten(), net.experts.down[e].flatten()]) for e in range(4)]
    np.testing.assert_allclose(table["incoming_norm"], [k.detach().norm() for k in kernels], rtol=1e-6)


def test_where_and_the_table_mean_the_same_units() -> None:
    net, x = model(), torch.randn(40, 6)
    with torch.no_grad():
        net.router.bias[2] = -1e6  # nothing is dealt to it
    idle = gw.neurons.measure(net, x, layers="experts").filter("active_fraction == 0")
    mutant = gw.mutate(net, gw.Zero(rate=1.0, where=gw.where(units=idle.mask())), seed=1)
    assert not mutant.experts.up[2].any()
    assert not mutant.experts.down[2].any()
    assert torch.equal(mutant.experts.up[[0, 1, 3]], net.experts.up[[0, 1, 3]])
    assert torch.equal(mutant(x), net(x))


def test_measures_that_need_places_say_that_experts_keep_none() -> None:
    table = gw.neurons.measure(model(), torch.randn(20, 6), layers="experts", measures=["mean", "duplicates"], seed=1)
    assert any("duplicates has no meaning for experts ('experts')" in note for note in table.notes)


def test_kernels_in_one_tensor_that_are_no_experts_are_named() -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = (nn.Parameter(torch.randn(4, 6, 6)) for _ in range(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.einsum("bi,hij,hjk->bk", x, self.first, self.second)

    net = nn.Sequential(nn.Linear(6, 6), Turned())
    table = gw.neurons.measure(net, torch.randn(9, 6))
    assert "'1' is left out: what the units of a Turned are is not known." in table.notes


@pytest.mark.parametrize("way", ["eager", "batched_mm", "grouped_mm"])
def test_every_way_of_computing_experts_shows_the_same(way: str) -> None:
    transformers = pretrained.transformers()
    config = transformers.MixtralConfig(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, num_local_experts=4, num_experts_per_tok=2, max_position_embeddings=32,
    )  # fmt: skip
    torch.manual_seed(0)
    net = transformers.MixtralForCausalLM(config).eval()
    tokens = torch.arange(28).reshape(4, 7)
    dealt: list[torch.Tensor] = []
    experts = net.model.layers[0].mlp.experts
    handle = experts.register_forward_pre_hook(lambda module, args: dealt.append(args[1]))
    net.set_experts_implementation("eager")
    net(tokens)
    handle.remove()
    net.set_experts_implementation(way)
    table = gw.neurons.measure(net, tokens, layers="*.experts", measures=COLUMNS)
    shares = torch.bincount(dealt[0].flatten(), minlength=4) / tokens.numel()
    np.testing.assert_allclose(table["active_fraction"], shares, rtol=1e-6)
