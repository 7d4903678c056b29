"""Layer: what is known of one layer of a network, in words that hold for every framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "linear",
    "convolution",
    "depthwise_convolution",  # one group a channel
    "separable_convolution",  # a depthwise convolution and a linear layer
    "transposed_convolution",
    "norm",
    "activation",
    "embedding",
    "recurrent",
    "attention",
    "other",
]
KINDS: tuple[str, ...] = Kind.__args__
CONVOLUTIONS = ("convolution", "depthwise_convolution", "separable_convolution", "transposed_convolution")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What is known of one layer.

    Attributes:
        name: Its dotted name; "" is the model itself.
        class_name: The name of its class ("" where only tensors are known, as in a file).
        kind: One of `KINDS`.
        plain: It is of the framework's own class, or computes as that does: what its kind computes and nothing else.
        composite: It has layers of its own.
        kernel: The name of the tensor that it multiplies by, or None.
        bias: The name of the tensor that it adds at the end, or None.
        window: The window of a convolution, one length for each axis; () without one, or where the kernel has none.
        window_axis: The first of the kernel's axes along which the window lies.
        stride: The step of the window along each axis.
        dilation: How far apart the window's positions lie along each axis.
        padding: What lies around the image: numbers, the same on both sides, or "valid", "same" or "causal".
        padding_mode: With what is padded: "zeros", "reflect", "replicate" or "circular".
        groups: Into how many groups a convolution divides its channels.
        heads: Into how many heads an attention layer of the framework's own divides its features; 0 where unknown.
        channels: Where its inputs have their channels: "first" (behind the batch) or "last"; None where unknown.
        epsilon: What keeps a norm from dividing by zero, or None.
        activation: The activation function that it is, or that it applies to its output, by the framework's name; None
            without one, or where it cannot be exchanged by itself.
        aliases: Its other names, where it sits in several places.
        settings: The attributes by which facts can be set, by the fact's name: ``{"window": "kernel_size"}``.
    """

    name: str
    class_name: str = ""
    kind: Kind = "other"
    plain: bool = False
    composite: bool = False
    kernel: str | None = None
    bias: str | None = None
    window: tuple[int, ...] = ()
    window_axis: int = 0
    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    padding: tuple[int, ...] | str = ()
    padding_mode: str = "zeros"
    groups: int = 1
    heads: int = 0
    channels: Literal["first", "last"] | None = None
    epsilon: float | None = None
    activation: str | None = None
    aliases: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    @property
    def parent(self) -> str:
        """The name of the layer that holds it; "" is the model."""
        return self.name.rpartition(".")[0]

    @property
    def is_padded(self) -> bool:
        """Whether something lies around the image."""
        return self.padding != "valid" and (isinstance(self.padding, str) or any(self.padding))


ACTIVATIONS = (
    "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid",
    "Mish", "PReLU", "ReLU", "ReLU6", "RReLU", "SELU", "Sigmoid", "SiLU", "Softplus", "Softshrink", "Softsign", "Swish",
    "Tanh", "Tanhshrink", "HardSwish", "HardSigmoid", "HardMish", "QuickGELU", "GELUTanh", "PytorchGELUTanh", "GluAct",
)  # fmt: skip


def is_activation(class_name: str) -> bool:
    """Whether a class name is that of an activation layer: frameworks have no base class for them.

    >>> is_activation("GELUActivation"), is_activation("Linear")
    (True, False)
    """
    return class_name in ACTIVATIONS or class_name.endswith("Activation")


_FUNCTIONS = (
    "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "swish", "mish", "glu", "tanh", "tanh_shrink",
    "sigmoid", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "hard_shrink", "soft_shrink", "softplus",
    "softsign", "softmax", "log_softmax", "log_sigmoid", "linear", "exponential", "squareplus", "sparsemax",
)  # fmt: skip
_BY_LETTERS = {name.replace("_", ""): name for name in _FUNCTIONS} | {"identity": "linear"}  # torch's word, Keras's


def activation_name(name: str) -> str:
    """Return the neutral name of an activation function, or a name that is not known as it is.

    >>> activation_name("LeakyReLU"), activation_name("Identity"), activation_name("Strange")
    ('leaky_relu', 'linear', 'Strange')
    """
    return _BY_LETTERS.get(name.replace("_", "").lower(), name)
