"""Copies of blocks: which tensors are zero, what counts layers, what cannot be copied."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import genewright as gw
from tests.operators.architecture.networks import Residual, Stack, make


def test_the_copy_is_exact_but_for_the_last_gain_and_shift() -> None:
    model, example = make("resnet")
    mutant = gw.mutate(model, gw.DuplicateBlock(block="stage.0", by="zeros"), seed=1, example=example)
    assert gw.recipe(mutant).steps[0].operator.zeros == ("bn2.weight", "bn2.bias")
    assert len(mutant.stage) == 3
    for name, tensor in model.stage[0].state_dict().items():
        copied = mutant.stage[1].state_dict()[name]
        assert torch.equal(copied, torch.zeros_like(tensor) if name in ("bn2.weight", "bn2.bias") else tensor), name
    assert torch.equal(mutant.stage[2].conv1.weight, model.stage[1].conv1.weight)


def test_indices_counts_and_per_layer_lists_follow() -> None:
    model, example = make("stack")
    mutant = gw.mutate(model, gw.DuplicateBlock(block="layers.1"), seed=1, example=example)
    assert [layer.layer_idx for layer in mutant.layers] == [0, 1, 2, 3]
    assert mutant.num_layers == 4
    assert vars(mutant.config) == {"num_hidden_layers": 4, "layer_types": ["full", "sliding", "sliding", "full"]}
    assert vars(model.config) == {"num_hidden_layers": 3, "layer_types": ["full", "sliding", "full"]}
    back = gw.mutate(mutant, gw.RemoveLayer(layer="layers.2", max_change=1e-9), seed=1, example=example)
    assert gw.fingerprint(back) == gw.fingerprint(model)
    assert vars(back.config) == vars(model.config)


def test_a_block_that_ends_in_a_norm_gets_a_gate() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
    model, x = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval(), torch.randn(2, 5, 8)
    mutant = gw.mutate(model, gw.DuplicateBlock(block="layers.0"), seed=1, example=x)
    assert gw.recipe(mutant).steps[0].operator.by == "gate"
    assert mutant.layers[1].graft[0].gate.item() == 0
    assert torch.equal(mutant(x), model(x))
    with pytest.raises(gw.UnsupportedError, match="no zeros"):
        gw.mutate(model, gw.DuplicateBlock(block="layers.0", by="zeros"), seed=1, example=x)


def test_a_block_as_attribute_keeps_its_names() -> None:
    model, example = make("resnet")
    mutant = gw.mutate(model, gw.DuplicateBlock(block="last"), seed=1, example=example)
    assert type(mutant.last) is Residual
    assert model.state_dict().keys() <= mutant.state_dict().keys()
    assert torch.equal(mutant.last.graft[0].conv1.weight, model.last.conv1.weight)


def test_a_net_that_puts_out_next_to_nothing_does_not_hide_what_a_block_does() -> None:
    """At plain init a branch may be 1e-12 of the signal: any copy would look like the identity there."""

    class Faint(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.full((6,), 1e-13))
            self.linear = nn.Linear(6, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.gain * self.linear(x)

    model, x = nn.Sequential(Faint(), nn.Linear(6, 2)).eval(), torch.randn(3, 6)
    mutant = gw.mutate(model, gw.DuplicateBlock(block="0"), seed=1, example=x)
    assert gw.recipe(mutant).steps[0].operator.zeros in (("gain",), ("linear.weight", "linear.bias"))


def test_a_block_of_another_shape_is_refused_with_both_shapes() -> None:
    model, example = make("mlp")
    with pytest.raises(gw.UnsupportedError, match=r"receives the shape \(4, 5\) and returns \(4, 6\)"):
        gw.mutate(model, gw.DuplicateBlock(block="0"), seed=1, example=example)


def test_an_unknown_block_has_near_names() -> None:
    model, example = make("resnet")
    with pytest.raises(gw.UnknownNameError, match=r"Did you mean 'stage.0'"):
        gw.mutate(model, gw.DuplicateBlock(block="stag.0"), seed=1, example=example)


def test_a_block_that_the_example_never_reaches_is_refused() -> None:
    model, example = make("resnet")
    model.spare = Residual(6)
    with pytest.raises(gw.UnsupportedError, match="'spare' is never called"):
        gw.mutate(model, gw.DuplicateBlock(block="spare"), seed=1, example=example)


def test_in_place_parameters_stay_the_same_objects() -> None:
    model, example = make("stack")
    before = {id(p) for p in model.parameters()}
    assert gw.mutate(model, gw.DuplicateBlock(), seed=1, example=example, inplace=True) is model
    assert before < {id(p) for p in model.parameters()}
    assert isinstance(model, Stack)


class Parallel(torch.nn.Module):
    """Two lists that forward goes through by one index: an entry more in one of them would have no partner."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.ModuleList(torch.nn.Linear(4, 4) for _ in range(2))
        self.second = torch.nn.ModuleList(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh()) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for place in range(len(self.first)):
            x = torch.tanh(self.first[place](x)) + self.second[place](x)
        return x


def test_where_a_list_takes_no_entry_more_the_copy_is_grafted() -> None:
    model, example = Parallel().eval(), torch.randn(3, 4)
    mutant = gw.mutate(model, gw.DuplicateBlock("first.0", by="graft"), seed=1, example=example)
    assert len(mutant.first) == 2
    assert torch.equal(mutant.first[0].graft[0].layer.weight, model.first[0].weight)
    assert torch.equal(mutant(example), model(example))
    with torch.no_grad():
        mutant.first[0].graft[0].gate.fill_(1.0)
    assert not torch.allclose(mutant(example), model(example))
    back = gw.mutate(mutant, gw.RemoveLayer("first.0.graft.0"), seed=1, example=example)
    assert gw.fingerprint(back) == gw.fingerprint(model)


class _Adapted(nn.Module):
    """A frozen linear layer with a low-rank adapter, whose second factor starts at zero (LoRA)."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base_layer = base.requires_grad_(False)
        self.lora_A = nn.Linear(base.in_features, 2, bias=False)
        self.lora_B = nn.Linear(2, base.out_features, bias=False)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base_layer(x) + self.lora_B(self.lora_A(x))


class _Attention(nn.Module):
    """A block x + out(softmax(q k) v) with adapters on q and v, as they are usually put."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8).requires_grad_(False)
        self.q, self.v = _Adapted(nn.Linear(8, 8)), _Adapted(nn.Linear(8, 8))
        self.k, self.out = nn.Linear(8, 8).requires_grad_(False), nn.Linear(8, 8).requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.norm(x)
        return x + self.out(nn.functional.scaled_dot_product_attention(self.q(h), self.k(h), self.v(h)))


def _adapted_net() -> tuple[nn.Sequential, torch.Tensor]:
    torch.manual_seed(0)
    return nn.Sequential(_Attention(), _Attention(), nn.Linear(8, 3)), torch.randn(4, 5, 8)


def _trained(model: nn.Module, x: torch.Tensor, steps: int = 30) -> None:
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    target = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) - target).square().mean().backward()
        optimizer.step()


def test_under_adapters_the_copy_can_be_left_by_training() -> None:
    model, x = _adapted_net()
    deeper = gw.mutate(model, gw.DuplicateBlock(block="0"), seed=1, example=x)
    frozen = {name: p.detach().clone() for name, p in deeper.named_parameters() if not p.requires_grad}
    assert all(p.any() for name, p in frozen.items() if "bias" not in name)
    torch.testing.assert_close(deeper(x), model(x))
    before = {name: p.detach().clone() for name, p in deeper.named_parameters()}
    _trained(deeper, x)
    for name, p in deeper.named_parameters():
        assert torch.equal(p, before[name]) is not p.requires_grad, name
        assert p.grad is None or p.grad.any(), name


def test_zeros_alone_are_refused_where_frozen_tensors_would_have_to_be_zero() -> None:
    model, x = _adapted_net()
    with pytest.raises(gw.UnsupportedError, match="no zeros in what is trained"):
        gw.mutate(model, gw.DuplicateBlock(block="0", by="zeros"), seed=1, example=x)


def test_a_block_that_is_frozen_whole_is_copied_as_one_that_is_trained() -> None:
    model, example = make("resnet")
    zeros = gw.recipe(gw.mutate(model, gw.DuplicateBlock(block="stage.0"), seed=1, example=example)).steps[0].operator
    model.stage.requires_grad_(False)
    frozen = gw.mutate(model, gw.DuplicateBlock(block="stage.0"), seed=1, example=example)
    assert gw.recipe(frozen).steps[0].operator == zeros


def test_the_last_trained_layer_of_a_block_that_is_frozen_in_part_is_zero() -> None:
    model, example = make("resnet")
    model.stage[0].conv1.requires_grad_(False)
    mutant = gw.mutate(model, gw.DuplicateBlock(block="stage.0"), seed=1, example=example)
    assert gw.recipe(mutant).steps[0].operator.zeros == ("bn2.weight", "bn2.bias")
