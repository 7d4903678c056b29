"""Which layers are activation functions, by their class names."""

from __future__ import annotations

ACTIVATIONS = (
    "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid",
    "Mish", "PReLU", "ReLU", "ReLU6", "RReLU", "SELU", "Sigmoid", "SiLU", "Softplus", "Softshrink", "Softsign", "Swish",
    "Tanh", "Tanhshrink", "HardSwish", "HardSigmoid", "HardMish", "QuickGELU", "GELUTanh", "PytorchGELUTanh", "GluAct",
)  # fmt: skip


def is_activation(kind: str) -> bool:
    """Whether a class name is that of an activation layer."""
    return kind in ACTIVATIONS or kind.endswith("Activation")
