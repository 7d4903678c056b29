"""A copy shares no tensor with its original, reaches no module of it, and can be trained; or it is refused."""

from __future__ import annotations

import copy
import functools
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # torch's, of TorchScript itself
NOISE = gw.GaussianNoise(std=0.5)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


class Itself(nn.Linear):
    """A layer that Python's copy hands back as it is."""

    def __deepcopy__(self, memo: Any) -> Itself:
        return self


def _patched(model: nn.Sequential) -> nn.Module:
    old = model.forward
    model.forward = lambda x: 2 * old(x)  # type: ignore[method-assign]
    return model


def _patched_layer(model: nn.Sequential) -> nn.Module:
    _patched(model[2])  # type: ignore[arg-type]
    return model


def _wrapped(model: nn.Sequential) -> nn.Module:
    old = model.forward

    @functools.wraps(old)
    def forward(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return old(x)

    model.forward = types.MethodType(forward, model)  # type: ignore[method-assign]
    return model


def _compiled(model: nn.Sequential) -> nn.Module:
    model.forward = torch.compile(model.forward, backend="eager")  # type: ignore[method-assign]
    return model


def _hooked(model: nn.Sequential) -> nn.Module:
    model[2].register_forward_hook(lambda module, given, output: output + model[0].bias.sum())
    return model


def _default(model: nn.Sequential) -> nn.Module:
    def hook(module: nn.Module, given: Any, output: Any, bias: torch.Tensor = model[2].bias) -> Any:
        return output + bias

    model[2].register_forward_hook(hook)
    return model


def _weak(model: nn.Sequential) -> nn.Module:
    model.around = weakref.ref(model[0])  # type: ignore[assignment]
    return model


def _itself(model: nn.Sequential) -> nn.Module:
    return model.append(Itself(2, 2))


_GLOBAL: dict[str, Any] = {}


def _global_forward(x: torch.Tensor) -> torch.Tensor:
    return _GLOBAL["forward"](x)


def _through_a_global(model: nn.Sequential) -> nn.Module:
    _GLOBAL["forward"] = model.forward
    model.forward = _global_forward  # type: ignore[method-assign]
    return model


SHARING = [_patched, _patched_layer, _wrapped, _compiled, _hooked, _default, _weak, _itself, _through_a_global]


@pytest.mark.parametrize("change", SHARING, ids=lambda change: change.__name__.strip("_"))
def test_what_a_copy_would_share_is_refused_by_name_and_mutated_in_place(change: Callable[..., nn.Module]) -> None:
    model = change(net())
    before = gw.fingerprint(model)
    with pytest.raises(gw.UnsupportedError, match=r"cannot be copied.*inplace=True"):
        gw.mutate(model, NOISE, seed=1)
    assert gw.fingerprint(model) == before
    assert gw.mutate(model, NOISE, seed=1, inplace=True) is model
    assert gw.fingerprint(model) != before


def test_the_refusal_names_the_attribute_and_what_it_leads_to() -> None:
    with pytest.raises(gw.UnsupportedError, match=r"'_forward_hooks' of its layer '2' leads to the tensor '2.bias'"):
        gw.mutate(_default(net()), NOISE, seed=1)
    with pytest.raises(gw.UnsupportedError, match=r"its layer '3' stays the same object"):
        gw.mutate(_itself(net()), NOISE, seed=1)
    with pytest.raises(gw.UnsupportedError, match=r"cannot be traced: 'forward' of the model.*del model.forward"):
        gw.mutate(_patched(net()), gw.Widen("0", factor=2), seed=1, example=torch.randn(2, 3), inplace=True)


def _partial(model: nn.Sequential) -> nn.Module:
    model.forward = functools.partial(nn.Sequential.forward, model)  # type: ignore[method-assign]
    return model


def _method(model: nn.Sequential) -> nn.Module:
    model.forward = types.MethodType(lambda self, x: 2 * nn.Sequential.forward(self, x), model)  # type: ignore[method-assign]
    return model


def _hook_of_a_constant(model: nn.Sequential) -> nn.Module:
    mask = torch.tensor([1.0, 0.0])
    model[2].register_forward_hook(lambda module, given, output: output * mask)
    return model


def _scripted(model: nn.Sequential) -> nn.Module:
    return torch.jit.script(model)


def _traced(model: nn.Sequential) -> nn.Module:
    return torch.jit.trace(model, torch.randn(2, 3))


def _scripted_layer(model: nn.Sequential) -> nn.Module:
    model[0] = torch.jit.script(model[0])
    return model


APART = [_partial, _method, _hook_of_a_constant, _scripted, _traced, _scripted_layer]


@pytest.mark.parametrize("change", APART, ids=lambda change: change.__name__.strip("_"))
def test_a_mutant_computes_with_its_own_weights_and_trains(change: Callable[..., nn.Module]) -> None:
    model = change(net())
    x = torch.randn(4, 3)
    before = model(x)
    mutant = gw.mutate(model, NOISE, seed=1)
    inplace = gw.mutate(change(net()), NOISE, seed=1, inplace=True)
    assert not torch.equal(mutant(x), before)
    assert torch.equal(mutant(x), inplace(x))
    assert torch.equal(model(x), before)
    assert gw.recipe(mutant).result == gw.fingerprint(mutant)
    optimizer = torch.optim.SGD(mutant.parameters(), lr=0.1)
    mutant(x).square().sum().backward()
    assert all(p.is_leaf and p.grad is not None for p in mutant.parameters())
    optimizer.step()
    assert torch.equal(model(x), before)


def test_frozen_parameters_of_a_scripted_module_stay_frozen() -> None:
    model = net()
    model[0].weight.requires_grad_(False)
    mutant = gw.mutate(torch.jit.script(model), NOISE, seed=1)
    assert [p.requires_grad for p in mutant.parameters()] == [False, True, True, True]


@pytest.mark.parametrize("change", [_scripted, _traced, _scripted_layer])
def test_the_layers_of_a_scripted_module_are_refused(change: Callable[..., nn.Module]) -> None:
    x = torch.randn(2, 3)
    around = [] if change is _scripted_layer else [gw.AddBranch("0"), gw.AddSkip("1"), gw.ReplaceLayer("1", nn.GELU())]
    for operator in (gw.Widen("2" if change is _scripted_layer else "0", factor=2), gw.RemoveLayer("1"), *around):
        for inplace in (False, True):
            with pytest.raises(gw.UnsupportedError, match="TorchScript module"):
                gw.mutate(change(net()), operator, seed=1, example=x, inplace=inplace)
    with pytest.raises(gw.UnsupportedError, match="TorchScript module"):
        gw.neurons.measure(change(net()), x)


def test_a_copy_of_a_recurrent_net_is_no_false_alarm() -> None:
    model = nn.LSTM(3, 4)
    mutant = gw.mutate(copy.deepcopy(model), NOISE, seed=1)
    assert not torch.equal(mutant.weight_hh_l0, model.weight_hh_l0)
