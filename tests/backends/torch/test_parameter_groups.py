"""New parameters go where their neighbours are; an optimizer that was not told of a change says so when it steps."""

from __future__ import annotations

import copy
import tracemalloc
import warnings
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from tests.operators.architecture.networks import make

DUPLICATE = gw.DuplicateBlock(block="layers.0")


def _groups(optimizer: torch.optim.Optimizer) -> list[set[int]]:
    return [{id(p) for p in group["params"]} for group in optimizer.param_groups]


def _ids(parameters: Any) -> set[int]:
    return {id(p) for p in parameters}


def _step(model: nn.Module, example: Any, *optimizers: torch.optim.Optimizer) -> None:
    def loss() -> torch.Tensor:
        for optimizer in optimizers:
            optimizer.zero_grad()
        value = model(example).square().mean()
        value.backward()
        return value

    loss()
    for optimizer in optimizers:
        optimizer.step(loss) if isinstance(optimizer, torch.optim.LBFGS) else optimizer.step()


def _matrices(model: nn.Module) -> list[nn.Parameter]:
    return [p for p in model.parameters() if p.dim() == 2]


def _others(model: nn.Module) -> list[nn.Parameter]:
    return [p for p in model.parameters() if p.dim() != 2]


def test_two_optimizers_share_new_parameters_as_they_shared_the_old_and_each_moves_once() -> None:
    model, example = make("stack")
    matrices, others = torch.optim.SGD(_matrices(model), lr=0.1), torch.optim.SGD(_others(model), lr=0.1)
    both = [matrices, others]
    gw.mutate(model, DUPLICATE, seed=1, example=example, inplace=True, optimizer=both)
    assert _groups(matrices)[0] == _ids(_matrices(model))
    assert _groups(others)[0] == _ids(_others(model))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    _step(model, example, *both)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter, before[name] - 0.1 * parameter.grad)


def test_an_optimizer_of_matrices_gets_no_vectors() -> None:
    model = nn.Sequential(nn.Linear(5, 6, bias=False), nn.ReLU(), nn.Linear(6, 3, bias=False))
    example = torch.randn(4, 5)
    muon = torch.optim.Muon(model.parameters(), lr=0.1)
    with pytest.warns(UserWarning, match=r"No optimizer trains the new '2\.bias'"):
        gw.mutate(model, gw.InsertLayer(after="1"), seed=1, example=example, inplace=True, optimizer=muon)
    assert _groups(muon) == [_ids(_matrices(model))]
    _step(model, example, muon)


def test_an_optimizer_of_all_gets_all_though_the_model_had_no_vector() -> None:
    model = nn.Sequential(nn.Linear(5, 6, bias=False), nn.ReLU(), nn.Linear(6, 3, bias=False))
    adam = torch.optim.Adam(model.parameters())
    gw.mutate(model, gw.InsertLayer(after="1"), seed=1, example=torch.randn(4, 5), inplace=True, optimizer=adam)
    assert _groups(adam) == [_ids(model.parameters())]
    assert len(list(model.parameters())) == 4


def test_groups_without_weight_decay_and_groups_by_layer_stay_what_they_are() -> None:
    model, example = make("stack")
    first, rest = model.layers[0], model.layers[1:]
    groups = [
        {"params": [p for p in part.parameters() if (p.dim() == 2) is decay], "weight_decay": 0.1 * decay}
        for part in (first, rest)
        for decay in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups)
    gw.mutate(model, DUPLICATE, seed=1, example=example, inplace=True, optimizer=optimizer)
    new = model.layers[1]
    held = _groups(optimizer)
    assert _ids(_matrices(new)) <= held[0]
    assert _ids(_others(new)) <= held[1]


def test_names_in_groups_follow() -> None:
    model, example = make("mlp")
    optimizer = torch.optim.SGD(model.named_parameters(), lr=0.1)
    gw.mutate(model, gw.InsertLayer(after="1"), seed=1, example=example, inplace=True, optimizer=optimizer)
    names = {id(p): name for name, p in model.named_parameters()}
    group = optimizer.param_groups[0]
    assert group["param_names"] == [names[id(p)] for p in group["params"]]
    assert sorted(group["param_names"]) == sorted(names.values())
    gw.mutate(model, gw.RemoveLayer("2"), seed=1, inplace=True, optimizer=optimizer)
    assert group["param_names"] == [name for name, _ in model.named_parameters()]


@pytest.mark.parametrize("operator", [gw.Widen("0", factor=2), gw.InsertLayer(after="1")])
@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
def test_lbfgs_goes_on_with_all_parameters(operator: Any, line_search: Any) -> None:
    model, example = make("mlp")
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3, line_search_fn=line_search)
    _step(model, example, optimizer)
    settings: dict[str, Any] = {"seed": 1, "example": example, "optimizer": optimizer}
    state = copy.deepcopy(optimizer.state_dict()["state"][0]["d"])
    with pytest.warns(UserWarning, match="LBFGS: its history"), gw.mutated(model, operator, **settings):
        pass
    assert torch.equal(optimizer.state_dict()["state"][0]["d"], state)
    _step(model, example, optimizer)
    assert any("LBFGS" in note for note in gw.plan(model, gw.Widen("0", factor=2), **settings).notes)
    with pytest.warns(UserWarning, match="LBFGS: its history"):
        gw.mutate(model, operator, inplace=True, **settings)
    before = [p.detach().clone() for p in model.parameters()]
    _step(model, example, optimizer)
    assert all(not torch.equal(old, p) for old, p in zip(before, model.parameters(), strict=True))


def test_state_that_is_a_list_of_tensors_starts_again() -> None:
    model, example = make("mlp")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.state[model[0].weight]["factors"] = [torch.eye(6), torch.eye(5)]
    with pytest.warns(UserWarning, match="'factors' of '0.weight' cannot be moved"):
        gw.mutate(model, gw.Widen("0", factor=2), seed=1, example=example, inplace=True, optimizer=optimizer)
    assert model[0].weight not in optimizer.state


def test_an_optimizer_from_before_says_at_its_next_step_what_it_does_not_train() -> None:
    model, example = make("mlp")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    gw.mutate(model, gw.InsertLayer(after="1"), seed=1, example=example, inplace=True)
    with pytest.warns(UserWarning, match=r"no optimizer trains '2\.weight', '2\.bias'.*optimizer=optimizer"):
        _step(model, example, optimizer)
    _step(model, example, optimizer)  # said once


def test_an_optimizer_from_before_with_moments_of_another_shape_is_refused_by_name() -> None:
    model, example = make("mlp")
    optimizer = torch.optim.Adam(model.parameters())
    _step(model, example, optimizer)
    gw.mutate(model, gw.Widen("0", factor=2), seed=1, example=example, inplace=True)
    with pytest.raises(gw.UnsupportedError, match=r"This Adam was made before a mutation in place"):
        _step(model, example, optimizer)


def test_who_makes_a_new_optimizer_or_adds_the_parameters_hears_nothing() -> None:
    model, example = make("mlp")
    old = torch.optim.Adam(model.parameters())
    _step(model, example, old)
    gw.mutate(model, [gw.InsertLayer(after="1"), gw.Widen("0", factor=2)], seed=1, example=example, inplace=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _step(model, example, torch.optim.Adam(model.parameters()))
        model, example = make("mlp")
        kept = torch.optim.SGD(model.parameters(), lr=0.1)
        gw.mutate(model, gw.InsertLayer(after="1"), seed=1, example=example, inplace=True)
        more = torch.optim.SGD(model[2].parameters(), lr=0.1)
        before = model[2].weight.detach().clone()
        _step(model, example, kept, more)
        assert not torch.equal(model[2].weight, before)


def test_looking_for_optimizers_takes_no_memory_for_what_else_the_process_holds() -> None:
    others = [[at] for at in range(1_000_000)]  # a list of them would take 8 MB
    model, example = make("mlp")
    gw.mutate(model, gw.Widen("0", factor=2), seed=1, example=example, inplace=True)  # what is loaded the first time
    tracemalloc.start()
    gw.mutate(model, gw.Widen("0", factor=2), seed=1, example=example, inplace=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(others) * 8


def test_a_mutation_that_is_taken_back_leaves_no_hook() -> None:
    model, example = make("mlp")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gw.mutated(model, gw.InsertLayer(after="1"), seed=1, example=example):
        pass
    with pytest.raises(gw.UnknownNameError):
        gw.mutate(model, [gw.InsertLayer(after="1"), gw.RemoveLayer("9")], seed=1, example=example, inplace=True)
    _step(model, example, optimizer)
    assert not optimizer._optimizer_step_pre_hooks
