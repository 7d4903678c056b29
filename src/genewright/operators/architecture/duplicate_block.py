"""A block twice, the second time doing nothing yet."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from genewright import edits
from genewright.errors import UnsupportedError
from genewright.network import Network
from genewright.noise import Change
from genewright.operator import Operator
from genewright.operators.architecture.new_layer_init import shuffled
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.settings import check_choice
from genewright.spec import LayerSpec
from genewright.structure import Structure

_MEANS = ("auto", "zeros", "gate", "graft")


@dataclass(frozen=True, kw_only=True)
class DuplicateBlock(Operator):
    """Insert a copy of a block behind it, so that the function stays and the net is deeper.

    y' = copy(block(x)), with copy(y) = y at first.

    A residual block returns x + f(x). The copy has the block's weights, except that the fewest last tensors of its f
    are zero, so that it returns its input and learns from there (by="zeros"). They are found by trying on the
    recorded output of the block. Where no zeros do it, as in blocks that end in a norm, the copy gets a trainable
    gate g = 0: y + g * copy(y) (by="gate"). So does the copy of a block that is frozen in part, as under adapters,
    where frozen tensors would have to be zero: training could not move them again. A copy beside an entry of a list
    is an entry of its own, where the code that runs over the list allows that; else it is grafted on the block
    (by="graft"). Layer indices, per-layer lists and the config's count follow. A gate is nothing that the config of
    a transformers model can say: save such a mutant by `gw.save`, one by zeros also by `save_pretrained`.

    Args:
        block: A layer that returns the shape of its input; None lets the seed choose.
        by: How the copy starts without effect; "auto" takes zeros where they do it, else a gate, else a graft.
        zeros: The tensors of the copy that are zero, by names relative to the block; None finds them.

    Raises:
        SettingError: `by` is unknown.
        UnknownNameError: There is no such block.
        UnsupportedError: It is no block that can be copied; the reason is named, and nothing is changed.

    Example:
        >>> import torch, genewright as gw
        >>> layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        >>> net = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
        >>> x = torch.randn(1, 5, 8)
        >>> deeper = gw.mutate(net, gw.DuplicateBlock(block="layers.0"), seed=1, example=x)
        >>> len(deeper.layers), gw.recipe(deeper).steps[0].operator.zeros[-1]
        (3, 'linear2.bias')

    References:
        Gong et al., "Efficient Training of BERT by Progressively Stacking", ICML 2019; Shen et al., "Staged Training
        for Transformer Language Models", arXiv:2203.06211 (zero-initialised copies); Bachlechner et al., "ReZero",
        arXiv:2003.04887 (the gate).
    """

    keeps = frozenset({"function"})

    block: LayerSetting = field(default=NO_LAYER, kw_only=False)
    by: Literal["auto", "zeros", "gate", "graft"] = "auto"
    zeros: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_choice(self, "by", self.by, _MEANS)

    def resolve(self, networks: tuple[Network, ...], noise: Noise) -> Operator:
        network = networks[0]
        if self.block is not None and (self.by in ("gate", "graft") or self.zeros is not None):
            return self
        structure = network.structure
        if self.block is not None:
            found = _means(structure, self.block, self.by)
            if found is None:
                raise UnsupportedError(_refusal(structure, self.block, self.by))
            return dataclasses.replace(self, by=found[0], zeros=found[1])
        options = [block for group in structure.blocks() for block in shuffled(group, noise)]
        for wanted in ("zeros", "gate", "graft") if self.by == "auto" else (self.by,):
            for block in options:
                if self.by == "auto" and wanted == "graft" and not structure.in_layer_list(block):
                    continue  # its gate has been tried, and is grafted
                found = _means(structure, block, wanted)
                if found is not None and structure.accepts(_placed(structure, block, found[0]), found[1] or ()):
                    return dataclasses.replace(self, block=block, by=found[0], zeros=found[1])
        raise UnsupportedError(
            f"DuplicateBlock: none of this network's {len(options)} layers that return the shape of their input "
            "can be copied without changing the function. Nothing has been changed. In a plain net, insert a layer "
            "that starts as the identity: gw.InsertLayer(after=..., activation=...)."
        )

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[edits.Edit]:
        network = networks[0]
        block = self.block or ""
        insertion = _placed(network.structure, block, self.by) if network.runs else _insertion(block, self.by)
        yield insertion
        silent = self.zeros or ()
        own = f"{block}." if block else ""
        known = {tensor for _, tensor in _copied(network, own)}
        missing = [name for name in silent if name not in known]
        if missing:
            raise UnsupportedError(f"DuplicateBlock: {block!r} has no tensor {missing[0]!r} to be zero in the copy.")
        nothing = Change(combine="replace", distribution="constant", scale=0.0)
        for tensor, _ in network.blueprint(insertion):
            if any(tensor.name.endswith(f".{name}") or tensor.name == name for name in silent):
                yield edits.Perturb(tensor=tensor.name, change=nothing, stream=tensor.name)


def _insertion(block: str, by: str) -> edits.InsertLayer:
    copied = LayerSpec(kind="copy", copy=block, gate=0.0 if by == "gate" else None)
    if by == "graft":
        copied = LayerSpec(kind="gated", layers=(copied,))  # no copy itself, so no entry of a list
    return edits.InsertLayer(after=block, layer=copied)


def _placed(structure: Structure, block: str, by: str) -> edits.InsertLayer:
    return dataclasses.replace(_insertion(block, by), grafted=structure.counts_entries(block))


def _copied(network: Network, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield (name, name relative to the block) of the block's tensors, under all their names."""
    for tensor in network.tensors.values():
        for name in (tensor.name, *tensor.aliases):
            if name.startswith(prefix):
                yield name, name.removeprefix(prefix)


def _means(
    structure: Structure, block: str, by: str
) -> tuple[Literal["zeros", "gate", "graft"], tuple[str, ...] | None] | None:
    """Return how a copy of `block` can start without effect, or None."""
    zeros = None if by in ("gate", "graft") else structure.zero_init_tensors(block)
    if zeros is not None:
        return "zeros", zeros
    call = structure.call(block)
    # A copy that is not numbered among the others would write into the same place of a cache.
    held = call.has_cache and (by == "graft" or not structure.in_layer_list(block))
    if by == "zeros" or call.input_shape != call.output_shape or held:
        return None
    return ("graft" if by == "graft" else "gate"), None


def _refusal(structure: Structure, block: str, by: str) -> str:
    call = structure.call(block)
    if call.input_shape != call.output_shape:
        reason = f"it receives the shape {call.input_shape} and returns {call.output_shape}"
    elif by == "zeros":
        reason = "no zeros in what is trained of a copy make that the identity (by='gate' works on any block)"
    else:
        reason = "it writes into a cache, where a copy of it would overwrite what it has written"
    return f"DuplicateBlock: {block!r} cannot be copied behind itself: {reason}. Nothing has been changed."
