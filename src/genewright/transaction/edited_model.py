"""EditedModel: a model to which edits are applied, and which is as it was on leaving unless it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from genewright.backends import Backend
from genewright.companion import Companion
from genewright.declaration import Declaration
from genewright.edits import Edit, Line, Site, Store
from genewright.edits.store import keep_bytes
from genewright.errors import UnsupportedError
from genewright.interrupts import Interrupts, checkpoint, shielded
from genewright.journal import Journal
from genewright.network import Network
from genewright.seeding import Noise
from genewright.showing import Meter
from genewright.tensor import is_plain
from genewright.transaction.examples import Examples


class EditedModel:
    """A model with all that has to move, to be noted or to wait while edits are applied to it.

    Args:
        backend: The model's framework.
        model: The model itself where `inplace`, else a copy that will be the mutant.
        examples: What the model can run on.
        companion: What moves along, such as an optimizer's state; None where nobody said so.
        inplace: The model is the user's own, and has to be as it was after a refusal.
        keep: Note old bytes from the first edit on, though a refusal would not need them.
        dry: Say every edit in words, on a scratch copy where an edit has to be tried.
        signs: The mutant will carry its recipe.
        network: A view of the model as it is now, where there is one already.
        meter: What is told how far it is.

    Attributes:
        model: The model as it is now.
        journal: What takes back all that has been done; None where nothing will be taken back.
        limit: The most bytes that edits may ask for; None for any.
    """

    def __init__(
        self,
        backend: Backend,
        model: Any,
        examples: Examples,
        companion: Companion | None,
        *,
        inplace: bool,
        keep: bool,
        dry: bool,
        signs: bool,
        network: Network | None,
        meter: Meter | None,
    ) -> None:
        self.model = model
        self.meter = meter or Meter("", False)
        self.journal = Journal() if keep else None
        self.limit: int | None = None
        self._backend = backend
        self._examples = examples
        self._companion = companion or backend.companion(model)
        self._trained = companion is not None
        self._inplace = inplace
        self._dry = dry
        self._scratch = not dry  # a plan makes a scratch copy when it needs one
        self._signs = signs
        self._network = network
        self._kept = False
        self._interrupts = Interrupts()

    @shielded
    def __enter__(self) -> Self:
        self._interrupts.enter()
        return self

    @shielded
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.journal is not None and not self._kept:
                self.journal.restore()
        finally:
            self._interrupts.leave()
        self._interrupts.deliver(error)

    def open_to_caller(self) -> None:
        """From now on the caller's own code runs inside: what it catches is its own."""
        self._interrupts.remembers = False

    @property
    def network(self) -> Network:
        """The view of the model as it is now."""
        if self._network is None:
            self._network = self._backend.network(self.model, self._examples.as_given())
        return self._network

    @shielded
    def remember_buffers(self) -> None:
        """Note the bytes of running statistics and other buffers, which a forward pass may change by itself."""
        assert self.journal is not None
        every = self.network.tensors.values()
        if moving := [t.name for t in every if t.role in ("statistic", "buffer") and is_plain(t.dtype)]:
            store = self._backend.store(self.model, None, self.network)
            for name in moving:
                keep_bytes(store.memory(name), self.journal)

    def apply(
        self,
        edits: Sequence[Edit],
        late: frozenset[int],
        noise: Noise,
        donors: Sequence[Store],
        *,
        more: bool,
        reformed: bool,
    ) -> tuple[Line, ...]:
        """Apply the edits of one step, to everything that has the model's tensors.

        Args:
            edits: The edits, checked but for those that are `late`.
            late: The places of edits that can be checked only when their turn comes.
            noise: The noise of the step.
            donors: Where weights may come from.
            more: It may be refused although all edits can be applied, or other steps may be.
            reformed: Layers or shapes change.

        Returns:
            What a plan says of them, where that was asked for.

        Raises:
            GenewrightError: An edit does not fit; on leaving, everything is taken back.
        """
        if not self._scratch:
            self.model, self._network, self._scratch = self._backend.copy(self.model), None, True
        if self._inplace and self.journal is None:
            risky = more or reformed or self._trained or any(edit.can_fail_late() for edit in edits[1:])
            self.journal = Journal() if risky else None
        self._interrupts.hold = self._inplace and self.journal is None
        self._examples.forget_outputs()
        self._examples.adapt(self.model, edits)
        if reformed and self._watches:
            self._companion.changing(self.model)
        store = self._backend.store(self.model, self._companion, self.network)
        store.limit = self.limit
        before = self.model
        self.model, lines = self._applied(edits, self._site(store, noise, donors), late)
        for twin in self._companion.twins if reformed else ():
            self._applied(edits, self._site(self._backend.store(twin), noise, donors))
        if reformed or self.model is not before:
            self._network = None
        else:
            self.network.forget_structure()
        return lines

    def declare(self) -> tuple[Declaration, tuple[Line, ...]]:
        """Let the model's own config say what it has become; return the edits of that, and what a plan says of them."""
        said = self._companion.declared(self.model, self._examples.first)
        lines: tuple[Line, ...] = ()
        for place, described in enumerate((self.model, *self._companion.twins) if said.edits else ()):
            made, told = self._applied(said.edits, self._site(self._backend.store(described), Noise(0)))
            lines = lines or told
            self.model = made if place == 0 else self.model
        self._network = None
        return said, lines

    def settle(self) -> None:
        """After the last edit: optimizers take in new tensors and let go of those that are gone."""
        if self.journal is not None or self._watches:
            self._companion.finish(self.journal or Journal())

    @property
    def _watches(self) -> bool:
        """Whether the model stays changed, and an optimizer that was not handed over might go on training it."""
        return self._inplace and self._signs and not self._trained

    def _applied(
        self, edits: Sequence[Edit], site: Site, late: frozenset[int] = frozenset()
    ) -> tuple[Any, tuple[Line, ...]]:
        """Apply edits; return the model as it is then, and what a plan says of them."""
        lines: list[Line] = []
        limit = site.store.limit
        sizes = self._sizes(edits) if self.meter.shows else []
        for at, edit in enumerate(edits):
            if at in late:
                edit.check((site.store, *site.donors))
            if limit is not None and edit.nbytes(site.store) > limit:
                raise UnsupportedError(
                    f"The recipe asks for tensors of {edit.nbytes(site.store):,} bytes, and {limit:,} are "
                    "allowed for this base. Nothing has been changed."
                )
            if self._dry:
                lines.extend(edit.lines(site.store))
            edit.apply(site)
            if sizes:
                self.meter.at(sum(sizes[: at + 1]), sum(sizes))
            checkpoint()
        return site.store.finish(), tuple(lines)

    def _sizes(self, edits: Sequence[Edit]) -> list[int]:
        """Return about how much work each edit is: the elements that it may change."""
        if self._network is None:
            return [1] * len(edits)
        known = self._network.tensors
        return [1 + sum(known[name].size for name in edit.tensors() if name in known) for edit in edits]

    def _site(self, store: Store, noise: Noise, donors: Sequence[Store] = ()) -> Site:
        store.journal = self.journal
        return Site(store, noise, self.journal, donors)
