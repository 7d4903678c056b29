"""Masks by magnitude: which weights, how many, and that they stay while training goes on."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import genewright as gw


def _net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))


def _masked(model: Any) -> list[torch.Tensor]:
    return [model[0].weight == 0, model[2].weight == 0]


@settings(max_examples=20)
@given(st.floats(0, 1))
def test_each_tensor_loses_its_smallest(fraction: float) -> None:
    net = _net()
    mutant = gw.mutate(net, gw.MaskSmallest(fraction), seed=1)
    for layer, mask in zip((net[0], net[2]), _masked(mutant), strict=True):
        count = round(fraction * mask.numel())
        assert int(mask.sum()) == count
        assert set(layer.weight.abs().flatten().argsort()[:count].tolist()) == set(
            mask.flatten().nonzero().flatten().tolist()
        )
    assert torch.equal(mutant[0].bias, net[0].bias)


def test_all_together_have_one_threshold() -> None:
    net = _net()
    mutant = gw.mutate(net, gw.MaskSmallest(0.6, scope="all"), seed=1)
    every = torch.cat([net[0].weight.flatten(), net[2].weight.flatten()]).abs()
    threshold = every.sort().values[round(0.6 * 96) - 1]
    assert [torch.equal(mask, layer.weight.abs() <= threshold) for layer, mask in
            zip((net[0], net[2]), _masked(mutant), strict=True)] == [True, True]  # fmt: skip
    again = gw.mutate(mutant, gw.MaskSmallest(0.6, scope="all"), seed=1)
    assert all(torch.equal(a, b) for a, b in zip(_masked(again), _masked(mutant), strict=True))


@pytest.mark.parametrize("make", [
    lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.1),
    lambda parameters: torch.optim.AdamW(parameters, lr=0.1),
])  # fmt: skip
def test_zeros_stay_while_an_optimizer_with_momentum_trains(make: Any) -> None:
    net, x, y = _net(), torch.randn(16, 8), torch.randint(0, 4, (16,))
    optimizer = make(net.parameters())

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    step()  # momentum from before the mask
    gw.mutate(net, gw.MaskSmallest(0.5), seed=1, inplace=True, optimizer=optimizer)
    masks, before = [mask.clone() for mask in _masked(net)], net[0].weight.detach().clone()
    release = gw.keep_zeros(net, optimizer)
    for _ in range(3):
        step()
    assert all(bool((now >= mask).all()) for now, mask in zip(_masked(net), masks, strict=True))
    assert bool((net[0].weight != before)[~masks[0]].any())
    release()
    step()
    assert not bool(_masked(net)[0].any())


def test_a_ticket_goes_back_to_its_start_and_on_from_a_file(tmp_path: Any) -> None:
    net = _net()
    start = copy.deepcopy(net)
    nn.init.normal_(net[0].weight)
    ticket = gw.mutate(net, [gw.MaskSmallest(0.5), gw.Rewind("start")], seed=1, donors={"start": start})
    kept = ticket[0].weight != 0
    assert torch.equal(ticket[0].weight[kept], start[0].weight[kept])
    assert int(kept.sum()) == 32
    again = gw.replay(gw.recipe(ticket), net, donors=[start])
    assert gw.fingerprint(again) == gw.fingerprint(ticket)
    gw.save(ticket, tmp_path / "ticket.safetensors")
    loaded = gw.load(_net, tmp_path / "ticket.safetensors")
    optimizer = torch.optim.SGD(loaded.parameters(), lr=0.1)
    gw.keep_zeros(loaded, optimizer)
    loaded(torch.randn(4, 8)).sum().backward()
    optimizer.step()
    assert torch.equal(loaded[0].weight != 0, kept)
    whole = gw.mutate(ticket, gw.Rewind("start", keep_zeros=False), seed=1, donors={"start": start})
    assert gw.fingerprint(whole) == gw.fingerprint(start)


def test_what_does_not_fit_is_refused() -> None:
    net = _net()
    with pytest.raises(gw.UnsupportedError, match=r"keep_zeros\(model, optimizer\)"):
        gw.keep_zeros(net)
    with pytest.raises(gw.UnsupportedError, match="Transfer takes"):
        gw.mutate(
            net, gw.Rewind(), seed=1, donors={"start": nn.Sequential(nn.Linear(8, 9), nn.ReLU(), nn.Linear(9, 4))}
        )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    gw.keep_zeros(net, optimizer)
    example = torch.randn(2, 8)
    gw.mutate(net, gw.Widen("0", num_units=2), seed=1, example=example, inplace=True, optimizer=optimizer)
    net(example).sum().backward()
    with pytest.raises(gw.UnsupportedError, match="call it again"):
        optimizer.step()


def test_units_limit_the_mask() -> None:
    mutant = gw.mutate(_net(), gw.MaskSmallest(0.5, where=gw.where("0.weight", units=[1])), seed=1)
    assert (_masked(mutant)[0].sum(1) == torch.tensor(np.eye(8)[1] * 4)).all()


def test_a_copied_layer_computes_twice_and_has_weights_of_its_own() -> None:
    net, x = _net(), torch.randn(3, 8)
    mutant = gw.mutate(net, gw.CopyLayer("0"), seed=1, example=x)
    assert torch.allclose(mutant(x), net[2](net[0](net[0](x)).relu()), atol=1e-6)
    assert len({id(parameter) for parameter in mutant.parameters()}) == 6
    with pytest.raises(gw.UnsupportedError, match="would not run"):
        gw.mutate(net, gw.CopyLayer("2"), seed=1, example=x)
