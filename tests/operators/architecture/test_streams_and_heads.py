"""Widening the residual stream, and whole attention heads."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from tests.operators.architecture.wide_networks import make


class RmsNorm(nn.Module):
    """A norm written out, as transformers' models have it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(width) + 0.5)
        self.variance_epsilon = 1e-6

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)


def _rms(tied: bool) -> tuple[nn.Module, torch.Tensor]:
    class Language(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(9, 8)
            self.norm = RmsNorm(8)
            self.fc = nn.Linear(8, 8)
            self.last = RmsNorm(8)
            self.head = nn.Linear(8, 9, bias=False)
            if tied:
                self.head.weight = self.embed.weight

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            x = self.embed(tokens)
            return self.head(self.last(x + torch.tanh(self.fc(self.norm(x)))))

    torch.manual_seed(0)
    return Language(), torch.randint(0, 9, (2, 4))


def _change(network: nn.Module, mutant: nn.Module, example: Any) -> float:
    with torch.no_grad():
        before, after = (copy.deepcopy(m).double().eval()(example) for m in (network, mutant))
    return float((before - after).abs().max() / before.abs().max())


@pytest.mark.parametrize("settings", [{"num_units": 5}, {"init": "replicate"}, {"init": "replicate", "factor": 3}])
def test_a_layer_normed_stream_grows_and_the_outputs_stay(settings: dict[str, Any]) -> None:
    network, example = make("attention")
    network = network.double()
    wide = gw.mutate(network, gw.WidenStream(**settings), seed=1, example=example)
    size = 16 + settings["num_units"] if "num_units" in settings else 16 * settings.get("factor", 2)
    assert wide.embed.embedding_dim == size
    assert wide.norm2.normalized_shape == (size,)
    assert wide.position.shape == (1, 5, size)
    assert _change(network, wide, example) < 1e-9


@pytest.mark.parametrize("settings", [{"num_units": 5}, {"num_units": 16}, {"init": "replicate", "factor": 3}])
def test_float32_weights_keep_the_outputs_to_their_rounding(settings: dict[str, Any]) -> None:
    network, example = make("attention")
    wide = gw.mutate(network, gw.WidenStream(**settings), seed=1, example=example)
    assert 1e-12 < _change(network, wide, example) < 1e-6


@pytest.mark.parametrize("settings", [{"factor": 2}, {"factor": 4}])
@pytest.mark.parametrize("tied", [False, True])
def test_units_repeated_two_or_four_times_are_exact_in_float32(settings: dict[str, Any], tied: bool) -> None:
    for network, example in (make("attention"), _rms(tied)):
        wide = gw.mutate(network, gw.WidenStream(init="replicate", **settings), seed=1, example=example)
        assert _change(network, wide, example) < 1e-14


def test_half_weights_cannot_hold_a_scaled_gain() -> None:
    network, example = _rms(tied=False)
    network = network.bfloat16()
    with pytest.raises(gw.FunctionError, match="WidenStream"):
        gw.mutate(network, gw.WidenStream(num_units=5), seed=1, example=example)
    doubled = gw.mutate(network, gw.WidenStream(init="replicate"), seed=1, example=example)
    assert _change(network, doubled, example) < 1e-14


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("settings", [{"num_units": 3}, {"init": "replicate"}])
def test_a_stream_through_written_out_norms_grows(settings: dict[str, Any], tied: bool) -> None:
    network, example = _rms(tied)
    network = network.double()
    wide = gw.mutate(network, gw.WidenStream(**settings), seed=1, example=example)
    assert _change(network, wide, example) < 1e-9
    assert (wide.head.weight is wide.embed.weight) == tied
    assert wide.norm.variance_epsilon == (1e-6 * 8 / 11 if "num_units" in settings else 1e-6)


def test_a_width_without_norms_is_refused() -> None:
    network, example = make("gated")
    with pytest.raises(gw.UnsupportedError, match="norm"):
        gw.mutate(network, gw.WidenStream(), seed=1, example=example)
    with pytest.raises(gw.UnsupportedError, match=r"gw\.Widen widens it"):
        gw.mutate(network, gw.WidenStream(layer="up"), seed=1, example=example)


def test_a_curve_before_a_norm_is_refused_where_new_units_are_means() -> None:
    """The mean of the units does not pass through a ReLU, copies do; a curve behind the norm does no harm."""
    before = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 2)).double()
    behind = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2)).double()
    example = torch.randn(3, 4, dtype=torch.float64)
    with pytest.raises(gw.UnsupportedError, match=r"aten\.relu comes before the norm.*replicate"):
        gw.mutate(before, gw.WidenStream("0", num_units=3), seed=1, example=example)
    repeated = gw.mutate(before, gw.WidenStream("0", init="replicate"), seed=1, example=example)
    assert _change(before, repeated, example) < 1e-9
    assert _change(behind, gw.mutate(behind, gw.WidenStream("0", num_units=3), seed=1, example=example), example) < 1e-9


def test_heads_are_added_and_the_attribute_that_counts_them_follows() -> None:
    network, example = make("attention")
    more = gw.mutate(network, gw.AddHeads(num_heads=2), seed=1, example=example)
    assert more.num_heads == 6
    assert more.qkv.out_features == 72
    assert _change(network, more, example) < 1e-9
    back = gw.mutate(more, gw.RemoveHeads(layer="qkv", heads=(4, 5)), seed=1, example=example)
    assert gw.fingerprint(back) == gw.fingerprint(network)
    assert back.num_heads == 4


def test_heads_that_are_not_there_are_refused_by_name() -> None:
    network, example = make("attention")
    with pytest.raises(gw.UnsupportedError, match="qkv"):
        gw.mutate(network, gw.AddHeads(layer="fc1"), seed=1, example=example)
    with pytest.raises(gw.SettingError, match="leaves none"):
        gw.mutate(network, gw.RemoveHeads(num_heads=4), seed=1, example=example)
    gated, x = make("gated")
    with pytest.raises(gw.UnsupportedError, match="heads"):
        gw.mutate(gated, gw.AddHeads(), seed=1, example=x)


class _Heads(nn.Module):
    """Heads that are averaged afterwards, or that share one key and one value."""

    def __init__(self, *, shared: bool) -> None:
        super().__init__()
        self.shared, inner = shared, 4 if shared else 16
        self.q, self.k, self.v = nn.Linear(8, 16), nn.Linear(8, inner), nn.Linear(8, inner)
        self.out = nn.Linear(16 if shared else 4, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (layer(x).unflatten(-1, (-1, 4)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        y = (q @ k.transpose(-1, -2) / 2).softmax(-1) @ v
        return self.out(y.transpose(1, 2).flatten(2) if self.shared else y.mean(1))


@pytest.mark.parametrize("layer", [None, "0", "0.q"])
@pytest.mark.parametrize("operator", [gw.AddHeads, gw.RemoveHeads])
def test_averaged_heads_are_refused_with_what_averages_them(operator: Any, layer: str | None) -> None:
    net, x = nn.Sequential(_Heads(shared=False)), torch.randn(2, 5, 8)
    with pytest.raises(gw.UnsupportedError, match=r"'0.q\[0\]' would count 4 heads, but aten.mean averages over it"):
        gw.mutate(net, operator(layer), seed=1, example=x)


def test_a_head_that_all_share_is_named_and_the_others_change() -> None:
    net, x = nn.Sequential(_Heads(shared=True)), torch.randn(2, 5, 8)
    with pytest.raises(
        gw.UnsupportedError, match=r"'0.k' holds none that count heads: what it writes is one head of 4"
    ):
        gw.mutate(net, gw.AddHeads("0.k"), seed=1, example=x)
    assert torch.allclose(gw.mutate(net, gw.AddHeads("0.q"), seed=1, example=x)(x), net(x), atol=1e-6)


@pytest.mark.parametrize("operator", [gw.RemoveHeads, gw.AddHeads])
@pytest.mark.parametrize("layer", ["0", "0.self_attn", None])
def test_the_heads_of_torchs_own_attention_are_refused_with_what_to_write(operator: Any, layer: str | None) -> None:
    net, x = nn.Sequential(nn.TransformerEncoderLayer(16, 4, 8, batch_first=True)).eval(), torch.randn(2, 5, 16)
    with pytest.raises(gw.UnsupportedError, match=r"embed_dim.* gw\.Zero\(rate=1\.0, where=") as refused:
        gw.mutate(net, operator(layer), seed=1, example=x)
    assert "'0.self_attn' is a torch.nn.MultiheadAttention of 4 heads" in str(refused.value)
    silent = gw.mutate(net, gw.Zero(rate=1.0, where=gw.where(units={"0.self_attn": [0]})), seed=1)
    without = copy.deepcopy(net)
    with torch.no_grad():
        without[0].self_attn.out_proj.weight[:, :4] = 0
        assert torch.equal(silent(x), without(x))
