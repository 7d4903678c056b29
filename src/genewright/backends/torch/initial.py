"""How torch's own layers draw their parameters at first: the formulas of their `reset_parameters`.

Facts read in torch 2.13's `reset_parameters` methods. `initial_of` is a single-dispatch function: a rule for a layer
of your own is ``@initial_of.register``.
"""

from __future__ import annotations

import functools
import math

from torch import nn
from torch.nn.modules.batchnorm import _NormBase  # pyright: ignore[reportPrivateUsage]  # no public base class
from torch.nn.modules.conv import _ConvNd  # pyright: ignore[reportPrivateUsage]  # no public base class

from genewright.tensor import Initial, fans


@functools.singledispatch
def initial_of(layer: object, attribute: str, shape: tuple[int, ...]) -> Initial | None:
    """Return how `layer` initialises its tensor `attribute`, or None where no rule is known."""
    return None


@initial_of.register
def _linear(layer: nn.Linear, attribute: str, shape: tuple[int, ...]) -> Initial | None:
    return _by_fan_in(attribute, layer.in_features)


@initial_of.register(_ConvNd)
def _conv(layer: _ConvNd, attribute: str, shape: tuple[int, ...]) -> Initial | None:
    return _by_fan_in(attribute, fans(tuple(layer.weight.shape))[0] or 0)


@initial_of.register
def _bilinear(layer: nn.Bilinear, attribute: str, shape: tuple[int, ...]) -> Initial | None:
    return _by_fan_in(attribute, layer.in1_features)


@initial_of.register(nn.RNNBase)
@initial_of.register(nn.RNNCellBase)
def _recurrent(layer: nn.RNNBase | nn.RNNCellBase, attribute: str, shape: tuple[int, ...]) -> Initial | None:
    return Initial(distribution="uniform", scale=1 / math.sqrt(layer.hidden_size) if layer.hidden_size else 0.0)


@initial_of.register(nn.Embedding)
@initial_of.register(nn.EmbeddingBag)
def _embedding(layer: nn.Embedding | nn.EmbeddingBag, attribute: str, shape: tuple[int, ...]) -> Initial | None:
    rows = () if layer.padding_idx is None else (int(layer.padding_idx),)
    return Initial(distribution="normal", scale=1.0, zero_rows=rows)


@initial_of.register(_NormBase)
@initial_of.register(nn.LayerNorm)
@initial_of.register(nn.GroupNorm)
@initial_of.register(nn.RMSNorm)
def _norm(layer: nn.Module, attribute: str, shape: tuple[int, ...]) -> Initial | None:
    ones = attribute in ("weight", "running_var")
    return Initial(distribution="constant", scale=1.0 if ones else 0.0)


@initial_of.register
def _prelu(layer: nn.PReLU, attribute: str, shape: tuple[int, ...]) -> Initial | None:
    return Initial(distribution="constant", scale=float(layer.init))


@initial_of.register
def _attention(layer: nn.MultiheadAttention, attribute: str, shape: tuple[int, ...]) -> Initial | None:
    if attribute == "in_proj_bias":
        return Initial(distribution="constant", scale=0.0)
    fan_in, fan_out = fans(shape)
    if attribute in ("bias_k", "bias_v"):
        # xavier_normal_ on (1, 1, embed_dim), with torch's reading of the fans
        return Initial(distribution="normal", scale=math.sqrt(2 / ((fan_in or 0) + (fan_out or 0))))
    return Initial(distribution="uniform", scale=math.sqrt(6 / ((fan_in or 0) + (fan_out or 0))))


@initial_of.register(nn.modules.linear.NonDynamicallyQuantizableLinear)
def _attention_out(layer: nn.Linear, attribute: str, shape: tuple[int, ...]) -> Initial | None:
    if attribute == "bias":  # nn.MultiheadAttention sets its out_proj.bias to zero
        return Initial(distribution="constant", scale=0.0)
    return _by_fan_in(attribute, layer.in_features)


def _by_fan_in(attribute: str, fan_in: int) -> Initial | None:
    """Uniform on +-1/sqrt(fan_in): kaiming_uniform with a = sqrt(5) for the kernel, the same bound for the bias."""
    if attribute not in ("weight", "bias"):
        return None
    return Initial(distribution="uniform", scale=1 / math.sqrt(fan_in) if fan_in else 0.0)
