"""Widths: the widths of a network and the attributes that follow them, as a backend's analysis finds them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence

from genewright.errors import UnknownNameError, UnsupportedError
from genewright.index import Index
from genewright.names import did_you_mean, is_pattern, matches
from genewright.widths.axes import Axis
from genewright.widths.counts import Counts, End
from genewright.widths.knob import Attribute, Knob
from genewright.widths.knobs import Knobs
from genewright.widths.positions import PositionCounts, PositionTable, PositionTables
from genewright.widths.reasons import Reason


class Widths(ABC):
    """The widths of a network, seen while it ran once on an example.

    `score_scale` is an experiment on a copy, as `verified_knobs` is: only a run tells whether the factor of attention
    scores derives from the head size or is a number of its own.

    Attributes:
        layers: Names of all layers.
        reached: Names of those that ran.
    """

    layers: Collection[str]
    reached: Collection[str]

    @property
    def inputs(self) -> Sequence[Sequence[Axis]]:
        """The axes of every tensor of the model's input, in order; () where that is not known."""
        return ()

    @property
    def outputs(self) -> Sequence[Sequence[Axis]]:
        """The axes of every tensor of the model's output, in order; () where that is not known."""
        return ()

    def counts_beside(self, layers: Sequence[str], index: Index, size: int, *, end: End) -> Counts:
        """Return what the model says of the number of its inputs, outputs or words beside what the run reads.

        Args:
            layers: The layers that write or read the width.
            index: For each new unit the old one that it is; -1 for a new one.
            size: How many units there were.
            end: Which of the model's lengths it is.
        """
        return Counts()

    def tables(self) -> Sequence[Knob]:
        """Return the widths whose units are rows of tables, looked up by number: words, positions, kinds of tokens."""
        return ()

    def positions(self) -> PositionTables:
        """Return the tables of positions; reading them may take a run of the model."""
        return PositionTables()

    def position_counts(self, changes: Sequence[tuple[PositionTable, tuple[int, ...]]]) -> PositionCounts:
        """Return what beside the tables says how many positions there are.

        Args:
            changes: Tables, each with its new shape.

        Raises:
            UnsupportedError: A number cannot say so; it is named.
        """
        return PositionCounts()

    @abstractmethod
    def knobs(self) -> Knobs:
        """Return every width that a parameter writes or reads."""

    @abstractmethod
    def verified_knobs(self) -> Knobs:
        """Return the same knobs; those with which the model does not run one unit larger are pinned, with the line."""

    @abstractmethod
    def resolve_attributes(self, knob: Knob, size: int) -> tuple[Attribute, ...]:
        """Return the attributes that have to change for `knob` to have `size` units.

        Raises:
            UnsupportedError: It cannot have that many; the reason is named, with the user's line where there is one.
        """

    def resolve_attributes_jointly(self, knobs: Sequence[Knob], size: int) -> tuple[Attribute, ...]:
        """Return the attributes that have to change for several knobs to have `size` units at once.

        Raises:
            UnsupportedError: They cannot, as in `resolve_attributes`.
        """
        if len(knobs) == 1:
            return self.resolve_attributes(knobs[0], size)
        names = " and ".join(repr(knob.name) for knob in knobs)
        raise UnsupportedError(f"{names} cannot change together in this kind of model.")

    def numbers_left(self, knob: Knob) -> tuple[str, ...]:
        """Return the attributes that keep the size that a width had, once it is known what follows that."""
        return ()

    def unreached(self, knob: Knob) -> tuple[str, ...]:
        """Return the weights that have an axis as long as a width, and did not run: they may hold it."""
        return ()

    def score_scale(
        self, knobs: Sequence[Knob], size: int, attributes: Sequence[Attribute], queries: Mapping[str, Sequence[int]]
    ) -> float:
        """Return the factor on the queries with which zero-padded, larger heads keep the attention scores.

        Args:
            knobs: The head size, and what changes with it.
            size: The new size.
            attributes: What follows it.
            queries: For each tensor that makes queries, the new positions of these.

        Returns:
            1 where the scale of scores is a number of its own, sqrt(size / old size) where it derives from the size.

        Raises:
            UnsupportedError: Neither keeps the outputs.
        """
        raise UnsupportedError("The size of heads cannot change in this kind of model.")

    @abstractmethod
    def subtracts_mean(self, layer: str) -> bool:
        """Whether a norm subtracts the mean before it divides (layer norm), or not (RMS norm)."""

    def nonlinearity_before(self, layer: str) -> Reason | None:
        """Return the first nonlinearity between the last weights before a norm and the norm; None if there is none."""
        return None

    def obstacle(self, layer: str) -> Reason | None:
        """Return why none of the widths in a layer's weights can change; None where one can, or nothing is known."""
        return None

    def find(self, layer: str) -> Knob:
        """Return the knob that `layer` writes, or the knob of that name.

        Raises:
            UnknownNameError: No layer and no knob is called so; or it writes several, which are listed.
            UnsupportedError: The layer writes no width, or the example never reaches it.
        """
        knobs = self.knobs()
        allowed = knobs.called(layer)
        if len(allowed) == 1:
            return allowed[0]
        if allowed:
            names = ", ".join(f"{knob.name!r} ({knob.size} {knob.kind})" for knob in allowed)
            if not any(knob.free for knob in allowed):
                why = "; ".join(dict.fromkeys(str(knob.pins[0]) for knob in allowed))
                raise UnsupportedError(
                    f"{layer!r} cannot change: it writes {len(allowed)} widths ({names}), and {why}."
                )
            raise UnknownNameError(f"{layer!r} writes {len(allowed)} widths. Name one: {names}.")
        if layer not in self.layers:
            names = dict.fromkeys([*(knob.name for knob in knobs), *(n for knob in knobs for n in knob.layers)])
            raise UnknownNameError(f"No layer is called {layer!r}. {did_you_mean(layer, names)}")
        if layer not in self.reached:
            raise UnsupportedError(
                f"{layer!r} does not run on this example, so nothing is known of its width. Give one that uses it."
            )
        inside = [knob.name for knob in knobs if knob.free and knob.name.startswith(f"{layer}.")]
        hint = f" Widths inside it: {', '.join(inside[:8])}." if inside else ""
        why = None if inside else self.obstacle(layer)
        if why is not None:
            raise UnsupportedError(f"{layer!r} cannot change: {why}. Nothing has been changed.")
        raise UnsupportedError(f"{layer!r} writes no width of its own.{hint} gw.knobs(model, example) lists all.")

    def find_all(self, layer: str) -> tuple[Knob, ...]:
        """Return the knobs of every layer that a pattern such as "layers.*.fc1" stands for; of a plain name, that one.

        Raises:
            UnknownNameError: No layer that writes a width is called so.
            UnsupportedError: As in `find`; or two of the knobs stand in one axis, so that they cannot change at once.
        """
        if not is_pattern(layer):
            return (self.find(layer),)
        found = self.matching(layer)
        refuse_overlaps(found)
        return found

    def matching(self, layer: str) -> tuple[Knob, ...]:
        """Return the knobs that a pattern stands for, each once, whether or not they can change together.

        Raises:
            UnknownNameError: No layer that writes a width is called so.
        """
        known = dict.fromkeys(name for knob in self.knobs() for name in (knob.name, *knob.layers))
        found = tuple(dict.fromkeys(self.find(name) for name in known if matches(layer, name)))
        if not found:
            raise UnknownNameError(f"No layer that writes a width is called {layer!r}. {did_you_mean(layer, known)}")
        return found


def refuse_overlaps(knobs: Sequence[Knob]) -> None:
    """Refuse widths that stand in one axis of a tensor: where the one has grown, the other's units lie elsewhere.

    Raises:
        UnsupportedError: Two do; both are named.
    """
    taken: dict[tuple[str, int], Knob] = {}
    for knob in knobs:
        for place in knob.places:
            other = taken.setdefault((place.tensor, place.axis), knob)
            if other is not knob:
                raise UnsupportedError(
                    f"{other.name!r} and {knob.name!r} both stand in axis {place.axis} of {place.tensor!r}, so they "
                    "cannot change at once. Give a list of operators, one for each."
                )
