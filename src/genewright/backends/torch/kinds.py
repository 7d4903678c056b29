"""The kinds of layers that a recipe may make: a fixed list, so that reading a file calls no other constructor."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import nn

from genewright.backends.torch.wiring import Blend, Gated

_NAMES = """
    Identity Flatten Unflatten Sequential
    Linear Bilinear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d Fold Unfold
    Embedding EmbeddingBag
    RNN LSTM GRU RNNCell LSTMCell GRUCell
    MultiheadAttention Transformer TransformerEncoder TransformerDecoder
    TransformerEncoderLayer TransformerDecoderLayer
    BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d
    LayerNorm GroupNorm RMSNorm LocalResponseNorm CrossMapLRN2d
    ReLU ReLU6 RReLU LeakyReLU PReLU ELU CELU SELU GELU SiLU Mish GLU Sigmoid Tanh Tanhshrink Hardsigmoid Hardswish
    Hardtanh Hardshrink Softshrink Softplus Softsign Softmin Softmax Softmax2d LogSoftmax LogSigmoid Threshold
    Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout
    MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d LPPool1d LPPool2d LPPool3d
    AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d
    ZeroPad1d ZeroPad2d ZeroPad3d ConstantPad1d ConstantPad2d ConstantPad3d
    ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d
    CircularPad1d CircularPad2d CircularPad3d
    PixelShuffle PixelUnshuffle ChannelShuffle Upsample UpsamplingNearest2d UpsamplingBilinear2d CosineSimilarity
    PairwiseDistance
"""
KINDS: Mapping[str, type[nn.Module]] = MappingProxyType(
    {name.lower(): getattr(nn, name) for name in _NAMES.split() if hasattr(nn, name)} | {"gated": Gated, "blend": Blend}
)
"""By name in small letters; a torch that is too old for one has it not."""

HOLDERS = frozenset({"sequential", "gated", "blend", "transformerencoder", "transformerdecoder"})
"""Kinds that are made of other layers."""
