"""More or fewer words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from genewright.edits import Edit, Following, Gather, Place
from genewright.errors import SettingError, UnknownNameError, UnsupportedError
from genewright.index import Index
from genewright.names import did_you_mean, matches
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.gather_units import draw, gather
from genewright.operators.architecture.model_ends import appended, places_of
from genewright.operators.architecture.new_end_init import fill
from genewright.references import NO_LAYER, LayerSetting
from genewright.seeding import Noise
from genewright.settings import check_choice, check_integer
from genewright.widths.knob import Knob
from genewright.widths.reasons import Cause, Reason
from genewright.widths.widths import Widths

INITS = ("mean", "zero", "noise")
_COUNTED = "the model itself makes the numbers that look it up"


@dataclass(frozen=True, kw_only=True)
class ResizeVocabulary(Operator):
    """Give a language model more or fewer words: embeddings, heads, biases and config together.

    E' = [E, V] where words are added, with V as `init` says; E' = E[:n] where they go.

    Old words keep their rows and their scores, bit for bit; new ones come behind them, and where the model shrinks the
    last words go. Buffers that are looked up by the same numbers (which experts a word is sent to) follow: new words
    have the entries of the first ones. The plan shows every tensor.

    | init | rows of new words |
    |---|---|
    | "mean" | the mean of the old ones, in every table and head of its own |
    | "zero" | 0 |
    | "noise" | drawn at the tensor's own spread; biases 0 |

    Args:
        num_tokens: How many words there are then; None for one more.
        init: How new rows are filled.
        pad_to_multiple_of: Round up to a multiple of this, as tensor cores like it.
        layer: The embedding, or a pattern for several; None where only one table can be that of the words, among
            those that the model's input looks up: it is tied to the scores, as long as they are, or the only one.

    Raises:
        SettingError: A setting is out of its range, or nothing would change.
        UnknownNameError: Several tables could be that of the words; they are listed.
        UnsupportedError: Something else keeps the number of words, which is named; or an example has words that go.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Embedding(10, 4), torch.nn.Linear(4, 10))
        >>> words = torch.arange(6).reshape(1, 6)
        >>> more = gw.mutate(net, gw.ResizeVocabulary(num_tokens=12), seed=1, example=words)
        >>> same = torch.allclose(more(words)[..., :10], net(words), atol=1e-6)  # a longer product may round otherwise
        >>> more[0].num_embeddings, more(words).shape[-1], same
        (12, 12, True)

    References:
        Hewitt, "Initializing New Word Embeddings for Pretrained Language Models", 2021 (why the mean: new words then
        take at most a share of the probability that an average word has).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"ends"})

    num_tokens: int | None = field(default=None, kw_only=False)
    init: Literal["mean", "zero", "noise"] = "mean"
    pad_to_multiple_of: int | None = None
    layer: LayerSetting = NO_LAYER

    def __post_init__(self) -> None:
        if self.num_tokens is not None:
            check_integer(self, "num_tokens", self.num_tokens, low=1)
        if self.pad_to_multiple_of is not None:
            check_integer(self, "pad_to_multiple_of", self.pad_to_multiple_of, low=1)
        check_choice(self, "init", self.init, INITS)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        """Yield the edits of every table, head and bias, and of the numbers that follow."""
        network = networks[0]
        widths: Widths = network.structure.widths
        knobs = [replace(knob, pins=()) for knob in _words(widths, self.layer)]
        old, size = knobs[0].size, self._size(knobs[0].size)
        index = Index.of([unit if unit < old else -1 for unit in range(size)])
        new = Index.of(range(old, max(old, size)))
        attributes = widths.resolve_attributes_jointly(knobs, size)
        taken = {(one.layer, one.path) for one in attributes}
        layers = list(dict.fromkeys(place.layer for knob in knobs for place in knob.places))
        counts = widths.counts_beside(layers, index, old, end="vocabulary").follow
        follow = [Following(one.layer, one.path, one.new) for one in counts if (one.layer, one.path) not in taken]
        for turn, knob in enumerate(knobs):
            moved = gather(knob, index, new=new, blank=lambda place: True, attributes=() if turn else attributes)
            moved = replace(
                moved,
                attributes=(*moved.attributes, *(() if turn else follow)),
                outputs=places_of(knob.leaf, widths.outputs, blank=True),
                softmax=any(reason.cause is Cause.SOFTMAX for reason in knob.mixes),
            )
            yield moved
            if not new.size or self.init == "zero":
                continue
            if self.init == "mean":
                for role in ("table", "writer"):
                    yield from fill("mean", moved, _without(knob, role), network, role=role)
                continue
            for place, edited in zip(knob.places, moved.places, strict=True):
                if place.roles & {"table", "writer"}:
                    yield draw(moved, edited, network)
        kept = index if not new.size else appended(old, new.size, None)[0]
        for name, length in widths.positions().beside:
            if length == old and not any(place.tensor == name for knob in knobs for place in knob.places):
                yield Gather(width=name, size=old, index=kept, new=new, places=(Place(name),))

    def _size(self, old: int) -> int:
        wanted = old + 1 if self.num_tokens is None else self.num_tokens
        step = self.pad_to_multiple_of or 1
        size = -(-wanted // step) * step
        if size == old:
            raise SettingError(f"ResizeVocabulary: there are {old} words already. Say another num_tokens.")
        return size


def _words(widths: Widths, layer: str | None) -> list[Knob]:
    """Return the widths that count the words: of tables, and of heads that are not tied to one."""
    tables = [knob for knob in _told(widths) if not _other_pins(knob)]
    heads = [
        knob
        for knob in widths.knobs()
        if knob.pins and not _other_pins(knob) and any("writer" in place.roles for place in knob.places)
    ]
    if layer is not None:
        chosen = [knob for knob in widths.tables() if any(matches(layer, name) for name in _layers(knob))]
        if not chosen:
            known = [name for knob in widths.tables() for name in _layers(knob)]
            raise UnknownNameError(f"No table is called {layer!r}. {did_you_mean(layer, known)}")
        pinned = next((knob for knob in chosen if _other_pins(knob)), None)
        if pinned is not None:
            raise UnsupportedError(f"{_layers(pinned)[0]!r} cannot change: {_other_pins(pinned)[0]}.")
    else:
        tied = [knob for knob in tables if any(reason.cause is Cause.OUTPUT for reason in knob.pins)]
        scored = [knob for knob in tables if any(head.size == knob.size for head in heads)]
        chosen = tied or scored or tables
    if not chosen:
        reasons = ((_layers(k)[0], next(iter(_other_pins(k)), _COUNTED)) for k in widths.tables())
        why = next((f": {name!r}: {reason}" for name, reason in reasons), "")
        raise UnsupportedError(f"ResizeVocabulary: no table of words can change here{why}.")
    if len({knob.size for knob in chosen}) > 1 or (layer is None and len(chosen) > 1):
        listed = ", ".join(f"{_layers(knob)[0]!r} ({knob.size})" for knob in chosen[:8])
        raise UnknownNameError(f"Several tables could be that of the words. Name one, layer=...: {listed}.")
    same = {id(knob.leaf) for knob in chosen}
    return [*chosen, *(head for head in heads if head.size == chosen[0].size and id(head.leaf) not in same)]


def _told(widths: Widths) -> list[Knob]:
    """Return the tables that are looked up by what the model is given; where none is, those of which nothing is known.

    The positions of an image model are looked up by counts: such a table is none of words, even if it is the only one.
    """
    found = widths.positions()
    told = {table.tensor for table in found.named}
    counted = {*found.counted, *(table.tensor for table in found.learned), *(name for name, _ in found.others)}
    tables = list(widths.tables())
    given = [knob for knob in tables if any(place.tensor in told for place in knob.places)]
    return given or [knob for knob in tables if not any(place.tensor in counted for place in knob.places)]


def _layers(knob: Knob) -> list[str]:
    return list(dict.fromkeys(place.layer for place in knob.places if "table" in place.roles))


def _other_pins(knob: Knob) -> Sequence[Reason]:
    """Return what keeps a width beside being looked up and returned."""
    counted = "the words of a vocabulary"
    return [
        reason
        for reason in knob.pins
        if reason.cause not in (Cause.LOOKED_UP, Cause.OUTPUT)
        and not (reason.cause is Cause.COUNT and reason.detail == counted)
    ]


def _without(knob: Knob, role: str) -> Knob:
    """Return the knob with every place in one of the two roles: what is a table and a head is filled once."""
    if role == "table":
        return knob
    places = tuple(replace(p, roles=p.roles - {"writer"}) if "table" in p.roles else p for p in knob.places)
    return replace(knob, places=places)
