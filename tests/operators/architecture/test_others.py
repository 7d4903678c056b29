"""What each of the other operators of depth and wiring does, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from tests.operators.architecture.networks import make


def _mutant(network: str, operator: Any, seed: int = 1) -> tuple[Any, Any, torch.Tensor]:
    model, example = make(network)
    return gw.mutate(model, operator, seed=seed, example=example), model, example


def test_insert_behind_an_entry_of_a_chain_moves_the_later_ones() -> None:
    mutant, model, _ = _mutant("mlp", gw.InsertLayer(after="1", activation="ReLU"))
    assert [type(layer).__name__ for layer in mutant] == ["Linear", "ReLU", "Sequential", "Linear", "ReLU", "Linear"]
    assert torch.equal(mutant[2][0].weight, torch.eye(6))
    assert torch.equal(mutant[5].weight, model[4].weight)


def test_insert_behind_an_attribute_keeps_names_and_classes() -> None:
    mutant, model, _ = _mutant("plain", gw.InsertLayer(after="conv"))
    assert set(mutant.state_dict()) - set(model.state_dict()) == {"conv.graft.0.weight", "conv.graft.0.bias"}
    assert type(mutant.conv) is nn.Conv2d
    assert mutant.conv.graft[0].weight.shape == (8, 8, 3, 3)


def test_insert_of_an_activation_that_would_change_something_is_refused() -> None:
    with pytest.raises(gw.FunctionError, match="would change the outputs by"):
        _mutant("mlp", gw.InsertLayer(after="0", activation="Tanh"))


def test_insert_of_a_layer_that_does_not_fit_is_refused() -> None:
    wrong = {"layer": "Linear", "in_features": 9, "out_features": 9}
    with pytest.raises(gw.UnsupportedError, match="would not run any more"):
        _mutant("mlp", gw.InsertLayer(after="1", layer=wrong))


@pytest.mark.parametrize(
    ("layer", "error"),
    [
        ("Liner", "Did you mean 'linear'"),
        ({"kind": "Linear"}, "Did you mean 'linear'"),
        ({"kind": "linear", "inputs": 8}, "needs outputs: a positive int"),
        ({"layer": "Linear", "in_features": -1}, "Linear cannot be made of"),
        ({"layer": "os.system"}, "is a kind of torch.nn"),
    ],
)
def test_a_layer_that_cannot_be_made_is_refused(layer: Any, error: str) -> None:
    with pytest.raises(gw.SettingError, match=error):
        _mutant("mlp", gw.InsertLayer(after="1", layer=layer))


@pytest.mark.parametrize("layer", [3, None, {}, {"class": "Linear"}, ""])
def test_what_describes_no_layer_is_refused_at_once(layer: Any) -> None:
    with pytest.raises(gw.SettingError, match="a layer is a name"):
        gw.InsertLayer(layer=layer)


def test_a_kernel_that_cannot_be_the_identity_says_what_to_do() -> None:
    even = {"layer": "Conv2d", "in_channels": 8, "out_channels": 8, "kernel_size": 2, "padding": "same"}
    with pytest.raises(gw.SettingError, match="init='gate'"):
        _mutant("plain", gw.InsertLayer(after="conv", layer=even))


def test_an_activation_that_bends_what_it_gets_says_what_to_do() -> None:
    with pytest.raises(gw.FunctionError, match="init='gate'"):
        _mutant("mlp", gw.InsertLayer(after="1", activation="Sigmoid"))
    mutant, model, x = _mutant("mlp", gw.InsertLayer(after="1", activation="Sigmoid", init="gate"))
    assert torch.equal(mutant(x), model(x))


def test_fresh_weights_have_the_spread_of_their_kind() -> None:
    mutant, _, _ = _mutant("mlp", gw.InsertLayer(after="1", init="gate"))
    weight = mutant[2].layer.weight
    bound = 6**-0.5
    assert 0.7 * bound < weight.abs().max() <= bound
    assert mutant[2].gate.item() == 0


def test_removing_says_what_it_costs() -> None:
    model, example = make("resnet")
    plan = gw.plan(model, gw.RemoveLayer(layer="stage.0"), seed=1, example=example)
    assert plan.steps[0].change is not None
    assert plan.steps[0].change > 0.01
    with pytest.raises(gw.FunctionError, match=r"by 0\.\d+ of the largest one on this example, where 0.001 is allowed"):
        gw.mutate(model, gw.RemoveLayer(layer="stage.0", max_change=0.001), seed=1, example=example)
    assert len(gw.mutate(model, gw.RemoveLayer(layer="stage.0"), seed=1).stage) == 1


@pytest.mark.parametrize("operator", [gw.RemoveLayer(layer=""), gw.ReplaceLayer(layer="")])
def test_the_model_itself_cannot_go(operator: Any) -> None:
    with pytest.raises(gw.UnsupportedError, match="Name a layer of it"):
        _mutant("mlp", operator)


def test_a_replaced_layer_keeps_mode_dtype_hooks_and_every_place() -> None:
    model, example = make("resnet")
    model.double()
    seen: list[torch.Tensor] = []
    model.stage[0].relu.register_forward_hook(lambda module, args, output: seen.append(output))
    model.shared = model.stage[0].relu
    mutant = gw.mutate(model, gw.ReplaceLayer(layer="stage.0.relu", new="PReLU"), seed=1, example=example)
    assert isinstance(mutant.shared, nn.PReLU)
    assert mutant.shared is mutant.stage[0].relu
    assert mutant.shared.weight.dtype == torch.float64
    assert not mutant.shared.training
    seen.clear()
    mutant(example.double())
    assert len(seen) == 2


@pytest.mark.parametrize(
    "where",
    [
        *("act", "ReLU", ("nothing", "a*"), ["act"]),
        *(gw.where("act"), gw.where(layers="ReLU"), gw.where("a*", layers=["ReLU", "GELU"]), gw.where("*", "!conv")),
    ],
)
def test_activations_are_found_by_name_pattern_and_class(where: Any) -> None:
    mutant, _, _ = _mutant("plain", gw.ReplaceActivation(where=where, to="Mish"))
    assert isinstance(mutant.act, nn.Mish)


def test_what_is_under_a_layer_is_chosen_by_the_layer() -> None:
    mutant, _, _ = _mutant("resnet", gw.ReplaceActivation(where=("stage", "!stage.1"), to="Mish"))
    kinds = [type(block.relu) for block in (*mutant.stage, mutant.last)]
    assert kinds == [nn.Mish, nn.ReLU, nn.ReLU]


@pytest.mark.parametrize(
    "where", [gw.where(roles="kernel"), gw.where("act", units=[0]), gw.where(frozen=True), 3, [1], [""]]
)
def test_a_choice_of_other_things_than_layers_is_refused(where: Any) -> None:
    with pytest.raises(gw.SettingError, match=r"where chooses layers.*Write where=|where: expected|a pattern is a str"):
        gw.ReplaceActivation(where=where)


def test_an_activation_that_is_not_there_has_near_names() -> None:
    with pytest.raises(gw.SelectionError, match="Did you mean 'act'"):
        _mutant("plain", gw.ReplaceActivation(where="akt"))


def test_a_blend_starts_at_the_old_and_reaches_the_new() -> None:
    mutant, model, example = _mutant("plain", gw.ReplaceActivation(to="SiLU", blend=0))
    mutant.act.blend.data.fill_(1.0)
    swapped = gw.mutate(model, gw.ReplaceActivation(to="SiLU"), seed=1)
    torch.testing.assert_close(mutant(example), swapped(example))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv2d, nn.Conv3d])
def test_a_kernel_grows_around_its_centre(kind: Any, mode: str) -> None:
    dims = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}[kind]
    model = nn.Sequential(kind(2, 4, 3, padding=2, dilation=2, padding_mode=mode, groups=2))
    example = torch.randn(2, 2, *(9,) * dims)
    mutant = gw.mutate(model, gw.GrowKernel(layer="0", by=2), seed=1, example=example)
    assert mutant[0].kernel_size == (5,) * dims
    centre = (..., *(slice(1, 4),) * dims)
    assert torch.equal(mutant[0].weight[centre], model[0].weight)
    assert mutant[0].weight.count_nonzero() == model[0].weight.count_nonzero()


@pytest.mark.parametrize(
    "model", [nn.Conv2d(2, 4, 3, padding="same"), nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1)]
)
def test_kernels_grow_whatever_the_padding(model: nn.Module) -> None:
    example = torch.randn(2, 2, 7, 7)
    mutant = gw.mutate(nn.Sequential(model), gw.GrowKernel(layer="0", by=2), seed=1, example=example)
    torch.testing.assert_close(mutant(example), model(example))


@pytest.mark.parametrize("by", [0, 1, 3, -2, 2.0, True])
def test_a_kernel_grows_by_even_numbers(by: Any) -> None:
    with pytest.raises(gw.SettingError, match="even int"):
        gw.GrowKernel(by=by)


def test_only_convolutions_have_windows() -> None:
    with pytest.raises(gw.UnsupportedError, match="'head' is a Linear, not a convolution"):
        _mutant("plain", gw.GrowKernel(layer="head"))


def test_a_skip_leads_from_one_layer_to_another_and_learns() -> None:
    mutant, model, example = _mutant("plain", gw.AddSkip(start="norm", end="conv2"))
    path = mutant.conv2.graft[0]
    assert path.layer.weight.shape == (8, 8, 1, 1)
    assert path.layer.stride == (2, 2)
    path.gate.data.fill_(0.5)
    given: list[torch.Tensor] = []
    model.norm.register_forward_pre_hook(lambda module, args: given.append(args[0]))
    returned: list[torch.Tensor] = []
    model.conv2.register_forward_hook(lambda module, args, output: returned.append(output))
    model(example)
    expected = model.head(torch.relu(returned[0] + 0.5 * path.layer(given[0])).mean((2, 3)))
    torch.testing.assert_close(mutant(example), expected)


def test_a_skip_backwards_is_refused() -> None:
    with pytest.raises(gw.UnsupportedError, match="not called before its end"):
        _mutant("plain", gw.AddSkip(start="conv2", end="conv", path={"layer": "ConvTranspose2d", "in_channels": 8,
                                                                     "out_channels": 8, "kernel_size": 1}))  # fmt: skip


def test_a_skip_between_shapes_that_nothing_joins_is_refused_with_both() -> None:
    with pytest.raises(gw.UnsupportedError, match=r"receives the shape \(2, 3, 6, 6\) and 'head' returns \(2, 4\)"):
        _mutant("plain", gw.AddSkip(start="conv", end="head"))


def test_a_layer_that_is_used_twice_can_carry_no_skip() -> None:
    with pytest.raises(gw.UnsupportedError, match="is called 2 times"):
        _mutant("resnet", gw.AddSkip(start="stage.0.relu"))


def test_a_branch_is_a_second_layer_drawn_afresh() -> None:
    mutant, model, _ = _mutant("plain", gw.AddBranch(layer="conv2"))
    branch = mutant.conv2.graft[0].layer
    assert branch.weight.shape == model.conv2.weight.shape
    assert not torch.equal(branch.weight, model.conv2.weight)


def test_grafts_stack_and_come_off_again() -> None:
    model, example = make("plain")
    twice = gw.mutate(model, [gw.AddBranch(layer="conv"), gw.InsertLayer(after="conv")], seed=1, example=example)
    assert [type(layer).__name__ for layer in twice.conv.graft] == ["Path", "Conv2d"]
    removals = [gw.RemoveLayer(layer="conv.graft.1"), gw.RemoveLayer(layer="conv.graft.0")]
    bare = gw.mutate(twice, removals, seed=1, example=example)
    assert gw.fingerprint(bare) == gw.fingerprint(model)
    assert not bare.conv._forward_hooks


def test_the_plain_old_way_says_that_it_changes_the_function() -> None:
    model, example = make("plain")
    operator = gw.Widen(layer="conv", num_units=4, init="noise", placement="both")
    assert operator.claims() == frozenset()
    plan = gw.plan(model, operator, seed=1, example=example)
    assert plan.steps[0].change is not None
    assert plan.steps[0].change > 1e-3
    assert f"changes the function: the outputs change by {plan.steps[0].change:.2g} of the largest one" in str(plan)
    wide = plan.apply()
    assert torch.equal(wide.conv.weight[2:-2], model.conv.weight)  # half of the new units before, half after
    old = float(model.conv.weight.detach().std())
    new = torch.cat([wide.conv.weight[:2], wide.conv.weight[-2:]])
    assert 0.7 * old < float(new.detach().std()) < 1.3 * old


class PadsByHand(nn.Module):
    """Reads the window's size, as causal convolutions do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(nn.functional.pad(x, (self.conv.kernel_size[0] - 1, 0)))


def test_a_window_whose_size_other_code_reads_is_refused_with_an_example_and_unchecked_without() -> None:
    model, example = PadsByHand(), torch.randn(2, 3, 6)
    with pytest.raises(gw.FunctionError, match="would change the outputs by"):
        gw.mutate(model, gw.GrowKernel("conv"), seed=1, example=example)
    assert model.conv.kernel_size == (4,)
    plan = gw.plan(model, gw.GrowKernel("conv"), seed=1)
    assert "not checked, for no example was given" in str(plan)


def test_removing_says_what_it_costs_in_words_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    model, example = make("resnet")
    plan = gw.plan(model, gw.RemoveLayer(layer="stage.1"), seed=1, example=example)
    change = plan.steps[0].change
    assert change is not None
    with torch.no_grad():
        shorter = plan.apply()
        expected, found = model(example), shorter(example)
    assert change == pytest.approx(float((found - expected).abs().max() / expected.abs().max()), rel=1e-3)
    assert f"changes the function: the outputs change by {change:.2g}" in str(plan)
    without = gw.plan(model, gw.RemoveLayer(layer="stage.1"), seed=1)
    assert "changes the function; with an example, the plan says by how much" in str(without)
    with caplog.at_level("INFO", logger="genewright"):
        gw.mutate(model, gw.RemoveLayer(layer="stage.1"), seed=1, example=example)
    assert f"RemoveLayer changes the outputs by {change:.2g}" in caplog.text
    with pytest.raises(gw.FunctionError, match="is allowed"):
        gw.mutate(model, gw.RemoveLayer(layer="stage.1", max_change=change / 2), seed=1, example=example)


def test_an_inserted_layer_works_along_features_where_no_layer_of_torch_says_where_they_lie() -> None:
    class Gain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.weight

    class Tokens(nn.Module):  # as many tokens as features
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.dropout, self.gain = nn.Conv2d(1, 4, 4, stride=4), nn.Dropout(), Gain()
            self.head = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.gain(self.dropout(self.patches(x).flatten(2).transpose(1, 2))).mean(1))

    model = Tokens().eval()
    for layer in ("dropout", "gain"):
        mutant = gw.mutate(model, gw.InsertLayer(after=layer), seed=1, example=torch.randn(2, 1, 8, 8))
        larger = torch.randn(2, 1, 12, 8)  # six tokens
        torch.testing.assert_close(mutant(larger), model(larger))


def test_a_gated_layer_behind_one_that_takes_more_than_one_input_is_given_one() -> None:
    model, example = make("stack")  # its layers are given a scale, too
    mutant = gw.mutate(model, gw.InsertLayer("layers.1", init="gate"), seed=1, example=example)
    assert torch.equal(mutant(example), model(example))
    with torch.no_grad():
        mutant.layers[1].graft[0].gate.fill_(0.5)
    assert not torch.allclose(mutant(example), model(example))
