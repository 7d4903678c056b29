"""What architecture operators ask of a network's widths; a backend answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection

from genewright.errors import UnknownNameError, UnsupportedError
from genewright.names import did_you_mean
from genewright.widths.knob import Attribute, Knob, Knobs


class Widths(ABC):
    """The widths of a network, seen while it ran once on an example.

    Attributes:
        layers: Names of all layers.
        reached: Names of those that ran.
    """

    layers: Collection[str]
    reached: Collection[str]

    @abstractmethod
    def knobs(self) -> Knobs:
        """Return every width that a parameter writes or reads."""

    @abstractmethod
    def verified(self) -> Knobs:
        """Return the same knobs; those that turn out not to run with one unit more are pinned, with the line."""

    @abstractmethod
    def settle(self, knob: Knob, size: int) -> tuple[Attribute, ...]:
        """Return the attributes that have to change for `knob` to have `size` units.

        Raises:
            UnsupportedError: It cannot have that many; the reason is named, with the user's line where there is one.
        """

    @abstractmethod
    def epsilon(self, layer: str) -> tuple[str, float] | None:
        """Return the attribute with which a norm keeps from dividing by zero, and its value; None without one."""

    @abstractmethod
    def centres(self, layer: str) -> bool:
        """Whether a norm takes the mean away before it divides."""

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
        raise UnsupportedError(f"{layer!r} writes no width of its own.{hint} gw.knobs(model, example) lists all.")
