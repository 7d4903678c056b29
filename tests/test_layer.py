"""What is known of layers: the same words whatever a torch class or a file calls it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.backends import backend_of
from genewright.conformance import files_cases
from genewright.layer import Layer


def facts(module: nn.Module) -> Layer:
    return backend_of(module).network(nn.Sequential(module)).layer("0")


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (nn.Linear(2, 3), "linear"),
        (nn.Conv2d(2, 4, 3), "convolution"),
        (nn.Conv2d(2, 4, 3, groups=2), "depthwise_convolution"),
        (nn.Conv2d(4, 4, 3, groups=2), "convolution"),
        (nn.Conv1d(1, 4, 3), "convolution"),
        (nn.ConvTranspose2d(2, 4, 3), "transposed_convolution"),
        (nn.GroupNorm(1, 2), "norm"),
        (nn.Embedding(3, 2), "embedding"),
        (nn.GRU(2, 3), "recurrent"),
        (nn.MultiheadAttention(2, 1), "attention"),
        (nn.GELU(), "activation"),
        (nn.PReLU(), "activation"),
        (nn.Dropout(), "other"),
        (nn.Bilinear(2, 2, 2), "other"),
    ],
)
def test_kinds_of_torch(module: nn.Module, kind: str) -> None:
    assert facts(module).kind == kind
    assert facts(module).plain


def test_a_convolution_of_torch() -> None:
    layer = facts(nn.Conv2d(2, 4, (3, 5), stride=2, padding=(1, 2), dilation=(1, 2), padding_mode="circular"))
    assert (layer.window, layer.stride, layer.padding, layer.dilation) == ((3, 5), (2, 2), (1, 2), (1, 2))
    assert (layer.kernel, layer.bias, layer.window_axis, layer.channels) == ("0.weight", "0.bias", 2, "first")
    assert (layer.padding_mode, layer.groups, layer.is_padded) == ("circular", 1, True)
    assert layer.settings == {"window": "kernel_size", "padding": "padding"}
    assert facts(nn.Conv2d(2, 4, 3, padding="same")).settings == {"window": "kernel_size"}
    assert not facts(nn.Conv2d(2, 4, 3, padding="valid")).is_padded


def test_a_norm_and_an_activation_of_torch() -> None:
    norm = facts(nn.LayerNorm(4, eps=1e-3))
    assert (norm.epsilon, norm.settings["epsilon"], norm.bias) == (1e-3, "eps", "0.bias")
    assert facts(nn.ReLU()).activation == "ReLU"
    assert facts(nn.Linear(2, 2, bias=False)).bias is None


class Scaled(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


class Renamed(nn.Linear):
    pass


def test_only_what_computes_as_torchs_own_is_plain() -> None:
    assert facts(Renamed(2, 2)).plain
    assert not facts(Scaled(2, 2)).plain
    assert facts(Scaled(2, 2)).kind == "linear"
    assert not facts(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))).plain
    assert facts(nn.utils.parametrizations.weight_norm(nn.Conv1d(2, 2, 3))).window == ()


def test_a_layer_knows_its_parent_and_whether_it_has_layers() -> None:
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 2)), nn.ReLU())
    network = backend_of(net).network(net)
    assert list(network.layers) == ["", "0", "0.0", "1"]
    assert network.layer("0.0").parent == "0"
    assert [layer.composite for layer in network.layers.values()] == [True, True, False, False]
    with pytest.raises(gw.UnknownNameError, match=r"Did you mean '0\.0'"):
        network.layer("0.00")


def test_a_layer_in_several_places_goes_by_each_of_its_names() -> None:
    shared = nn.Linear(2, 2)
    net = nn.Sequential()
    net.add_module("late", shared)
    net.add_module("early", shared)
    network = backend_of(net).network(net)
    assert list(network.layers) == ["", "late"]
    assert network.tensors["early.weight"].layer == "early"
    assert network.layer("early") is network.layer("late")
    assert network.layer("late").aliases == ("early",)


def test_of_a_checkpoint_only_tensors_are_known() -> None:
    checkpoint = files_cases.networks()["checkpoint"]
    layers = backend_of(checkpoint).network(checkpoint).layers
    assert (layers["body"].kernel, layers["body"].bias) == ("body.weight", "body.bias")
    assert layers["norm"].kind == "norm"
    assert {layer.class_name for layer in layers.values()} == {""}


@pytest.mark.parametrize("padding", ["valid", "same", 0, 2])
@pytest.mark.parametrize("with_example", [True, False])
def test_a_window_of_torch_grows_whatever_the_padding(padding: Any, with_example: bool) -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3, padding=padding, dilation=2)).double()
    x = torch.randn(1, 2, 9, 9, dtype=torch.float64)
    mutant = gw.mutate(net, gw.GrowKernel(layer="0", by=2), seed=1, example=x if with_example else None)
    assert mutant[0].kernel_size == (5, 5)
    assert (mutant(x) - net(x)).abs().max() < 1e-12
    assert (gw.replay(gw.recipe(mutant), net)(x) - net(x)).abs().max() < 1e-12
