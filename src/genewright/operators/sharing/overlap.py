"""Which tensors of a donor belong to which of a network, and how far their shapes overlap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from genewright.edits import Copy
from genewright.errors import SelectionError, UnsupportedError
from genewright.index import Index
from genewright.names import did_you_mean, is_pattern
from genewright.network import Network
from genewright.part import Part
from genewright.tensor import FLOATS, Tensor


@dataclass(frozen=True)
class Overlap:
    """What a transfer from a donor does.

    Attributes:
        copied: Names of the tensors that are copied whole.
        cut: Names of those of which a part is copied, with the donor's shape and the own one.
        skipped: Names of those that stay, with the reason.
    """

    copied: tuple[str, ...]
    cut: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    skipped: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        parts = [f"{len(self.copied)} tensors copied whole, {len(self.cut)} in part, {len(self.skipped)} skipped"]
        parts += [f"{name} {has} -> {own}" for name, has, own in self.cut]
        parts += [f"{name}: {reason}" for name, reason in self.skipped]
        return "; ".join(parts)


def overlap_of(
    source: str, target: str, network: Network, donor: Network, *, statistics: bool
) -> tuple[Overlap, list[Copy]]:
    """Return what can be copied from a donor, and the edits that do it.

    Args:
        source: Pattern of the donor's names; what its stars stand for is what the target's stand for.
        target: Pattern of the network's names, with as many stars.
        network: The network that is written.
        donor: The network that is read.
        statistics: Running statistics are copied too.

    Raises:
        SelectionError: Nothing fits.
        UnsupportedError: Two kernels have their units and inputs along other axes.
    """
    copied: list[str] = []
    cut: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []
    skipped: list[tuple[str, str]] = []
    edits: list[Copy] = []
    for name, tensor, wanted in _pairs(source, target, network):
        if not (tensor.trainable or (statistics and tensor.role == "statistic") or name == target):
            continue
        theirs = _called(wanted, donor)
        reason = _mismatch(tensor, theirs, wanted)
        if reason or theirs is None:
            skipped.append((name, reason))
            continue
        _check_axes(tensor, theirs)
        sizes = tuple(min(a, b) for a, b in zip(tensor.shape, theirs.shape, strict=True))
        edits.append(
            Copy(
                tensor=tensor.name,
                source=theirs.name,
                part=_first(sizes, tensor.shape),
                source_part=_first(sizes, theirs.shape),
                of=1,
            )
        )
        if sizes == tensor.shape == theirs.shape:
            copied.append(name)
        else:
            cut.append((name, theirs.shape, tensor.shape))
    if not edits:
        raise SelectionError(_nothing(source, target, network, donor, skipped))
    return Overlap(tuple(copied), tuple(cut), tuple(skipped)), edits


def _pairs(source: str, target: str, network: Network) -> Iterator[tuple[str, Tensor, str]]:
    """Yield (name, tensor, the name that it has in the donor) for every tensor that `target` stands for."""
    for tensor in network.tensors.values():
        for name in (tensor.name, *tensor.aliases):
            found = _captured(target, name)
            if found is not None:
                yield name, tensor, _filled(source, found)
                break


def _captured(pattern: str, name: str) -> tuple[list[str], str] | None:
    """Return what the stars of a pattern stand for in a name, and what follows a layer's name; None without match."""
    plain = re.escape(pattern).replace(r"\*", "(.*)").replace(r"\?", "(.)")
    match = re.fullmatch(f"{plain}()" if is_pattern(pattern) else f"{plain}((?:\\..*)?)", name, re.DOTALL)
    if match is None:
        return None
    *stars, rest = match.groups()
    return stars, rest


def _filled(pattern: str, found: tuple[list[str], str]) -> str:
    stars, rest = list(found[0]), found[1]
    return re.sub(r"[*?]", lambda _: stars.pop(0) if stars else "", pattern) + rest


def _called(name: str, donor: Network) -> Tensor | None:
    try:
        return donor.tensor(name)
    except LookupError:
        return None


def _mismatch(tensor: Tensor, theirs: Tensor | None, wanted: str) -> str:
    if theirs is None:
        return f"the donor has no {wanted!r}"
    if len(theirs.shape) != len(tensor.shape):
        return f"the donor's has {len(theirs.shape)} axes, this one {len(tensor.shape)}"
    if tensor.dtype != theirs.dtype and not {tensor.dtype, theirs.dtype} <= set(FLOATS):
        return f"the donor's has dtype {theirs.dtype}, this one {tensor.dtype}"
    return ""


def _check_axes(tensor: Tensor, theirs: Tensor) -> None:
    """Refuse kernels of which the same positions mean something else: torch's are (out, in), Keras's (in, out).

    Where a file does not say how a tensor lies, its name does: what Keras and JAX lay out is called a kernel.
    """
    if len(tensor.shape) < 2:
        return
    axes = [(each.unit_axis, each.input_axis) for each in (theirs, tensor)]
    if all(each.layer_type for each in (theirs, tensor)) and None not in (*axes[0], *axes[1]):
        differ = axes[0] != axes[1]
        how = (
            f"there units lie along axis {axes[0][0]} and inputs along axis {axes[0][1]}, here along {axes[1][0]} and "
        )
        how += f"{axes[1][1]}"
    else:
        differ = _is_called_kernel(theirs) != _is_called_kernel(tensor)
        how = (
            "a file does not say along which axis its units lie, but what is called a kernel has them last, as in Keras"
        )
    if differ:
        raise UnsupportedError(
            f"Transfer: the donor's {theirs.name!r} and {tensor.name!r} are laid out differently: {how}. Their "
            "positions do not stand for the same weights. Take a donor of the same framework and kind of layer, or "
            "name other layers: source=, target=."
        )


def _is_called_kernel(tensor: Tensor) -> bool:
    return "kernel" in tensor.name.rpartition(".")[2]


def _first(sizes: tuple[int, ...], shape: tuple[int, ...]) -> Part:
    """Return the part that holds the first positions of every axis."""
    part = [None if size == whole else Index.of(range(size)) for size, whole in zip(sizes, shape, strict=True)]
    while part and part[-1] is None:
        part.pop()
    return tuple(part)


def _nothing(source: str, target: str, network: Network, donor: Network, skipped: list[tuple[str, str]]) -> str:
    if skipped:
        name, reason = skipped[0]
        near = did_you_mean(name, donor.tensors)
        return f"Transfer: none of {len(skipped)} tensors can be copied; the first is {name!r}: {reason}. {near}"
    near = did_you_mean(target.strip("*."), network.tensors)
    return f"Transfer: no trainable tensor of this network is called {target!r}. {near}"
