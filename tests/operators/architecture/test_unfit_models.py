"""What is wrong with a model, an example or a width is said by name, and nothing is changed."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import genewright as gw
from genewright.backends import backend_of


class _Forks(nn.Module):
    """Data decide which layer runs."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(6, 12)
        self.left = nn.Linear(12, 8)
        self.right = nn.Linear(12, 8)
        self.down = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.up(x))
        return self.down(torch.relu(self.left(hidden) if bool(x.sum() > 0) else self.right(hidden)))


def _net(wrap: Any = None) -> nn.Sequential:
    torch.manual_seed(0)
    first = nn.Linear(6, 12)
    return nn.Sequential(first if wrap is None else wrap(first), nn.ReLU(), nn.Linear(12, 3))


EXAMPLE = torch.ones(2, 6)
OPERATORS = [gw.Widen(layer="0", num_units=2), gw.Widen(layer="0", num_units=2, init="noise"), gw.Narrow(layer="0")]


def _state(model: nn.Module) -> tuple[Any, ...]:
    held = [(name, id(tensor), tensor.data_ptr(), tuple(tensor.shape)) for name, tensor in model.named_parameters()]
    plain = [
        (name, {key: repr(value) for key, value in vars(module).items() if isinstance(value, int | str | tuple)})
        for name, module in model.named_modules()
    ]
    return gw.fingerprint(model), held, plain


def assert_refused(
    model: nn.Module, operator: Any, match: str, example: Any = EXAMPLE, error: Any = gw.UnsupportedError
) -> None:
    before = _state(model)
    for inplace in (False, True):
        with pytest.raises(error, match=match):
            gw.mutate(model, operator, seed=1, example=example, inplace=inplace)
    with pytest.raises(error, match=match):
        gw.plan(model, operator, seed=1, example=example)
    assert _state(model) == before


@pytest.mark.parametrize("operator", OPERATORS, ids=str)
@pytest.mark.parametrize(
    ("wrap", "kind"),
    [
        (parametrizations.weight_norm, "WeightNorm"),
        (parametrizations.spectral_norm, "SpectralNorm"),
        (parametrizations.orthogonal, "Orthogonal"),
    ],
)
def test_parametrized_layers_are_refused_with_what_to_do(wrap: Any, kind: str, operator: Any) -> None:
    assert_refused(_net(wrap), operator, rf"'0' is parametrized \({kind}\).*remove_parametrizations\(layer, 'weight'\)")


def test_the_seed_chooses_no_parametrized_layer_and_a_plain_one_beside_it_can_change() -> None:
    assert_refused(_net(parametrizations.orthogonal), gw.Widen(num_units=2), "no width of this network can grow")
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 6), *_net(parametrizations.weight_norm)).eval()
    wide = gw.mutate(net, gw.Widen(layer="0", num_units=2), seed=1, example=EXAMPLE)
    torch.testing.assert_close(wide(EXAMPLE), net(EXAMPLE))
    plain = torch.nn.utils.parametrize.remove_parametrizations(net[3], "weight")
    assert isinstance(plain, nn.Linear)
    assert gw.mutate(net, gw.Widen(layer="3", num_units=2), seed=1, example=EXAMPLE)[3].out_features == 14


@pytest.mark.filterwarnings("ignore")
def test_layers_with_the_old_hooks_and_quantised_ones_are_refused_with_what_to_do() -> None:
    old = _net(torch.nn.utils.weight_norm)
    assert_refused(old, gw.Widen(layer="0", num_units=2), r"made of 'weight_g'.*remove_weight_norm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = torch.ao.quantization.quantize_dynamic(_net(), {nn.Linear}, dtype=torch.qint8)
    before = [small[0].weight().int_repr().clone(), small[2].weight().int_repr().clone()]
    for operator in OPERATORS:
        with pytest.raises(gw.UnsupportedError, match=r"'0' is quantised.*before quantising"):
            gw.mutate(small, operator, seed=1, example=EXAMPLE, inplace=True)
    after = [small[0].weight().int_repr(), small[2].weight().int_repr()]
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_wrapped_models_are_refused_with_what_to_do(tmp_path: Any) -> None:
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(_net())
        for operator in OPERATORS:
            assert_refused(wrapped, operator, r"DistributedDataParallel.*wrapped\.module")
        inside = gw.mutate(wrapped.module, gw.Widen(layer="0", num_units=2), seed=1, example=EXAMPLE)
        again = nn.parallel.DistributedDataParallel(inside)
        torch.testing.assert_close(again(EXAMPLE), wrapped(EXAMPLE))
    finally:
        torch.distributed.destroy_process_group()
    assert_refused(nn.DataParallel(_net()), gw.Widen(num_units=2), r"DataParallel.*wrapped\.module")


@pytest.mark.parametrize(
    ("example", "words"),
    [
        (torch.ones(2, 7), "does not run on the example.*shapes cannot be multiplied"),
        ("text", "does not run on the example.*must be Tensor, not str"),
        ((), "does not run on the example"),
        ({"y": EXAMPLE}, "does not run on the example.*unexpected keyword argument 'y'"),
        (torch.ones(2, 6, dtype=torch.long), "does not run through this Sequential.*same dtype"),
    ],
)
def test_an_example_that_does_not_run_is_refused(example: Any, words: str) -> None:
    assert_refused(_net(), gw.Widen(layer="0", num_units=2), words, example)


def test_what_the_data_decide_is_seen_as_the_example_decides() -> None:
    net = _Forks().eval()
    wide = gw.mutate(net, gw.Widen(layer="up", num_units=2, init="silent"), seed=1, example=EXAMPLE)
    torch.testing.assert_close(wide(EXAMPLE), net(EXAMPLE))
    assert_refused(net, gw.Widen(layer="right", num_units=2), r"'right' does not run on this example, .*Give one")


def test_names_and_numbers_that_do_not_fit_are_refused() -> None:
    net = _net()
    assert_refused(net, gw.Widen(layer="1", num_units=2), "'1' writes no width of its own")
    assert_refused(net, gw.Widen(layer="O", num_units=2), "No layer is called 'O'", error=gw.UnknownNameError)
    assert_refused(net, gw.Widen(layer="2", num_units=2), "a length of the model's output")
    assert_refused(
        net, gw.Widen(layer="0", factor=1.01), r"adds none\. Write num_units=1, or a factor", error=gw.SettingError
    )
    assert_refused(net, gw.Narrow(layer="0", factor=0.99), r"removes none\. Write num_units=1", error=gw.SettingError)
    assert_refused(net, gw.Narrow(layer="0", factor=0.01), r"leaves none\. Remove at most 11", error=gw.SettingError)
    assert_refused(net, gw.Narrow(layer="0", num_units=12), r"leaves none\. Remove at most 11", error=gw.SettingError)
    assert_refused(net, gw.Narrow(layer="0", units=(12,)), "units 0 to 11; received 12", error=gw.SettingError)


def test_where_all_code_is_torchs_no_line_of_ours_is_blamed() -> None:
    reasons = [str(pin) for knob in gw.knobs(_net(parametrizations.weight_norm), EXAMPLE) for pin in knob.pins]
    assert any("no rule" in reason or "parametrized" in reason for reason in reasons)
    assert not any(".py" in reason for reason in reasons)


def test_models_next_to_those_that_are_refused_still_have_a_network() -> None:
    net = _net(parametrizations.weight_norm)
    assert "0.parametrizations.weight.original1" in backend_of(net).network(net).tensors
