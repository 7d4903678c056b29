"""What a tensor of a torch layer is for, and along which axis the layer's units lie."""

from __future__ import annotations

from torch import nn
from torch.nn.utils import parametrize

from genewright.backends.torch.tensors import Member
from genewright.tensor import Role, role_of_name

_EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def owning_layer(member: Member) -> tuple[str, str]:
    """Return (layer name, attribute); a parametrized tensor belongs to the layer that it parametrizes."""
    if not isinstance(member.owner, parametrize.ParametrizationList):
        return member.layer, member.attribute
    parts = member.layer.split(".")
    if "parametrizations" in parts:
        layer = ".".join(parts[: parts.index("parametrizations")])
        whole = member.attribute == "original"
        return layer, parts[-1] if whole else f"{parts[-1]}.{member.attribute}"
    return member.layer, member.attribute


def role_of(kind: type[nn.Module], attribute: str, shape: tuple[int, ...], *, is_parameter: bool) -> Role:
    """Return the role of the tensor that a layer of this class holds as `attribute`."""
    if not is_parameter:
        return "statistic" if role_of_name(attribute, shape) == "statistic" else "buffer"
    if issubclass(kind, _EMBEDDINGS):
        return "embedding"
    if is_norm(kind):
        if attribute == "weight":
            return "norm_weight"
        if attribute == "bias":
            return "norm_bias"
    if "." in attribute:
        return "parameter"  # a factor of a parametrized tensor, such as weight_norm's magnitude
    role = role_of_name(attribute, shape)
    return "parameter" if role in ("norm_weight", "statistic", "buffer") else role


def is_norm(kind: type[nn.Module]) -> bool:
    """Whether a layer of this class normalises, by its name: every library writes RMS norms of its own."""
    return kind.__name__.lower().endswith(("norm", "norm1d", "norm2d", "norm3d"))


def is_transposed_linear(kind: type[nn.Module]) -> bool:
    """Whether it is the linear layer, with its kernel transposed, that transformers calls Conv1D."""
    return kind.__name__ == "Conv1D" and kind.__module__.startswith("transformers.")


def groups_of(owner: nn.Module) -> int:
    """Return into how many groups a transposed convolution cuts its channels; 1 for any other layer."""
    return owner.groups if isinstance(owner, _TRANSPOSED) else 1


def unit_axis_of(kind: type[nn.Module], role: Role, shape: tuple[int, ...], *, groups: int) -> int | None:
    """Return the axis of the units (output features), or None where there is none."""
    if not shape or role == "buffer":
        return None
    if issubclass(kind, _TRANSPOSED) and role == "kernel":
        return 1 if groups == 1 else 0 if shape[:2] == (groups, 1) else None
    if is_transposed_linear(kind) and role == "kernel":
        return 1
    if role == "embedding":
        return 1
    return 0


def input_axis_of(role: Role, unit_axis: int | None, shape: tuple[int, ...]) -> int | None:
    """Return the axis of a kernel's inputs: the other one of the first two."""
    if role not in ("kernel", "recurrent_kernel") or unit_axis is None or len(shape) < 2:
        return None
    return 1 - unit_axis
