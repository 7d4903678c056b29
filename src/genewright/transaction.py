"""Transaction: the one way in which a model changes.

Each step is resolved, proposed, checked, applied, verified and recorded. `plan`, `mutate`, `mutated`, `replay` and
`load` are its modes: they differ in what they work on and in what they do at the end. On leaving, what was not
committed is taken back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, cast

from genewright.backends import Backend
from genewright.behaviour import Behaviour
from genewright.companion import Companion
from genewright.cost import Cost
from genewright.donors import Donor, Donors
from genewright.edits import Edit, Line, Site, Store
from genewright.edits.proposal import check_proposal
from genewright.edits.site import keep_bytes
from genewright.errors import EditError, ExampleError, OperatorError, UnsupportedError
from genewright.example import as_given, example_fingerprint, examples_of
from genewright.fingerprint import fingerprint_of, form_of
from genewright.interrupts import Interrupts, checkpoint, shielded
from genewright.journal import Journal
from genewright.model_ends import comparable, input_bytes, input_moves
from genewright.network import Network
from genewright.operator import Operator, line_of
from genewright.recipe import History, last_result, step_text, stretches
from genewright.seeding import Noise
from genewright.showing import Meter
from genewright.step import PREVIOUS, Step
from genewright.tensor import is_plain
from genewright.verify import verify

_LOG = logging.getLogger("genewright")
_MOST_TIMES = 64  # a recipe of a few bytes may ask for very large tensors: so much larger than the base's it may
_SMALL = 1 << 20


def _proposed(operator: Operator, edits: object) -> tuple[Edit, ...]:
    """Return what an operator proposes.

    Raises:
        OperatorError: It returned nothing that edits come from.
    """
    if not isinstance(edits, Iterable):
        who = type(operator).__name__
        raise OperatorError(
            f"{who}.propose yields edits; it returned {edits!r} ({line_of(type(operator).propose)}). "
            "Write: yield Map(...), or return [Map(...)]."
        )
    return tuple(cast("Iterable[Edit]", edits))


@dataclass(frozen=True)
class Done:
    """A step that was carried out, or planned.

    Attributes:
        step: What the recipe holds.
        lines: What a plan says of its edits, where that was asked for.
        change: Largest change of an output on the example, relative to the largest output, where layers or shapes
            changed; None where they stay or there is no example.
        note: What the user should know of the result beyond the edits.
        cost: What the network takes before and after, where layers or shapes changed and somebody will read it.
        tensors: The tensors that it changed; None where layers or shapes changed.
    """

    step: Step
    lines: tuple[Line, ...] = ()
    change: float | None = None
    note: str = ""
    cost: tuple[Cost, Cost] | None = None
    tensors: tuple[str, ...] | None = None


class Transaction:
    """A model while it is changed.

    Args:
        backend: The model's framework.
        model: The model itself where `inplace`, else a copy that will be the mutant.
        example: A sample input, a list of several, or None.
        donors: Networks that weights may come from.
        companion: What moves along, such as an optimizer's state.
        inplace: The model is the user's own, and has to be as it was after a refusal.
        keep: Note old bytes from the first edit on, though a refusal would not need them.
        dry: Say every edit in words, on a scratch copy where an edit has to be tried.
        signs: The mutant will carry its recipe.
        network: A view of the model as it is now, where there is one already.
        meter: What is told how far it is.
    """

    def __init__(
        self,
        backend: Backend,
        model: Any,
        *,
        example: Any = None,
        donors: Donors | None = None,
        companion: Companion | None = None,
        inplace: bool = False,
        keep: bool = False,
        dry: bool = False,
        signs: bool = True,
        network: Network | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.model = model
        self.meter = meter or Meter("", False)
        self.done: list[Done] = []
        self.journal = Journal() if keep else None
        self._backend = backend
        self._example, *others = examples_of(example)
        self._others = [(Behaviour(backend), other) for other in others]
        self._donors = donors or Donors()
        self._companion = companion or backend.companion(model)
        self._trained = companion is not None
        self._inplace = inplace
        self._scratch = not dry  # a plan makes a scratch copy when it needs one
        self._dry = dry
        self._network = network
        self._base: str | None = None
        self._form: str | None = None
        self._signs = signs
        self._behaviour = Behaviour(backend)
        self._reformed: int | None = None  # the last step that proposed other layers or shapes
        self._limit: int | None = None  # bytes that recorded edits may ask for
        self._committed = False
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
            if self.journal is not None and not self._committed:
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
            self._network = self._backend.network(
                self.model, as_given([self._example, *(given for _, given in self._others)])
            )
        return self._network

    @property
    def base(self) -> str:
        """Fingerprint of the model before the first step."""
        if self._base is None:
            self._base, self._form = fingerprint_of(self.network), form_of(self.network)
        return self._base

    @shielded
    def remember_buffers(self) -> None:
        """Note the bytes of running statistics and other buffers, which a forward pass may change by itself."""
        assert self.journal is not None
        every = self.network.tensors.values()
        if moving := [t.name for t in every if t.role in ("statistic", "buffer") and is_plain(t.dtype)]:
            store = self._backend.store(self.model, None, self.network)
            for name in moving:
                keep_bytes(store.memory(name), self.journal)

    @shielded
    def step(self, operator: Operator, noise: Noise, *, more: bool = False) -> Done:
        """Let an operator act.

        Args:
            operator: The operator.
            noise: Its noise, salted with its name.
            more: Other steps may follow.

        Raises:
            GenewrightError: It is refused; on leaving, everything is taken back.
        """
        return self._act(operator, noise, [self._donors.named(name) for name in operator.donors()], more=more)

    @shielded
    def repeat(self, step: Step) -> Done:
        """Do a recorded step again: by its edits where they are all that is needed, else by its operator.

        Raises:
            ExampleError: Its values were fitted on an example, and that is not the one given.
            FingerprintError: A donor is missing.
            GenewrightError: It does not fit.
        """
        donors = [self._donors.with_fingerprint(fingerprint) for fingerprint in step.parents[1:]]
        if self._limit is None:
            self._limit = _MOST_TIMES * sum(tensor.nbytes for tensor in self.network.tensors.values()) + _SMALL
        if input_bytes(step.edits) > self._limit:
            raise UnsupportedError(f"{step.name} at {step.path}: it asks for inputs larger than the base accounts for.")
        if step.whole:
            made = step.with_(parents=(PREVIOUS, *step.parents[1:]), result=None, trained_from=None)
            reformed = any(edit.changes_structure() for edit in step.edits)
            return self._carry_out(made, None, step.edits, step.noise(), donors, reformed=reformed, more=True)
        self._check_example(step)
        return self._act(step.operator, step.noise(), donors, more=True)

    @shielded
    def finish(self) -> None:
        """After the last step: the model's config says what it has become, and optimizers take in new tensors."""
        if self._reformed is not None:
            said = self._companion.declared(self.model, self._example)
            done = self.done[self._reformed]
            lines: tuple[Line, ...] = ()
            for place, described in enumerate((self.model, *self._companion.twins) if said.edits else ()):
                made, told = self._apply(said.edits, self._site(self._backend.store(described), Noise(0)))
                lines = lines or told
                self.model = made if place == 0 else self.model
            step = done.step.with_(edits=(*done.step.edits, *said.edits))
            note = " ".join(filter(None, (done.note, said.note)))
            self.done[self._reformed] = replace(done, step=step, lines=(*done.lines, *lines), note=note)
            self._network = None
            if said.note and not self._dry:
                _LOG.warning("%s: %s", step.name, said.note)
        if self.journal is not None or self._watches:
            self._companion.finish(self.journal or Journal())

    def result(self) -> str:
        """Return the fingerprint of the model as it is now."""
        return fingerprint_of(self.network)

    @shielded
    def commit(self, history: History | None = None) -> Any:
        """Leave the steps on the model, keep it changed, and return it: another one where such models cannot change.

        Args:
            history: All steps that led to it, where they are known already; else those of this transaction follow what
                the model carries.
        """
        checkpoint()
        if history is not None:
            self._sign(history)
        elif self._signs:
            history = self._backend.history(self.model)
            before = last_result(history)
            steps = [done.step for done in self.done]
            trained = before if before != self.base else None
            steps[0] = steps[0].with_(
                parents=(self.base, *steps[0].parents[1:]),
                trained_from=trained,
                form=None if before == self.base else self._form,
            )
            steps[-1] = steps[-1].with_(result=self.result())
            self._sign((*history, *self._donated(steps, history), *map(step_text, steps)))
        self._committed = True
        return self.model

    def _sign(self, history: History) -> None:
        self.model = self._backend.sign(self.model, history, self.journal)

    @property
    def _watches(self) -> bool:
        """Whether the model stays changed, and an optimizer that was not handed over might go on training it."""
        return self._inplace and self._signs and not self._trained

    def _act(self, operator: Operator, noise: Noise, donors: list[Donor], *, more: bool) -> Done:
        networks = (self.network, *(donor.network for donor in donors))
        operator = operator.resolve(networks, noise)
        edits = _proposed(operator, operator.propose(networks, noise))
        checkpoint()
        if not all(issubclass(kind, Edit) for kind in set(map(type, edits))):  # pyright: ignore[reportUnnecessaryIsInstance]  # somebody else's operator
            odd = next(edit for edit in edits if not isinstance(edit, Edit))  # pyright: ignore[reportUnnecessaryIsInstance]
            raise EditError(f"{type(operator).__name__}: an operator proposes edits; it proposed {odd!r}.")
        reformed = any(edit.changes_structure() for edit in edits)
        step = Step(
            named=operator.to_json(),
            seed=noise.seed,
            path=noise.path,
            parents=(PREVIOUS, *(donor.fingerprint for donor in donors)),
            **self._recorded(operator, edits, reformed=reformed),
        )
        step.__dict__["operator"] = operator  # as `cached_property` would keep it
        return self._carry_out(
            step, operator, edits, noise, donors, reformed=reformed, note=operator.note(networks), more=more
        )

    def _recorded(self, operator: Operator, edits: Sequence[Edit], *, reformed: bool) -> dict[str, Any]:
        """Return what of a proposal the recipe holds: nothing where the tensors alone decide what the operator does."""
        traced = self.network.traced
        if not traced and not reformed:
            return {}
        alone = not operator.fits() and all(edit.data for edit in edits)
        kept = tuple(edit for edit in edits if edit.data and (alone or edit.shapes))
        fitted = not alone and traced and self._example is not None
        return {"edits": kept, "rerun": not alone, "example": self._example_fingerprint() if fitted else None}

    def _carry_out(
        self,
        step: Step,
        operator: Operator | None,
        edits: Sequence[Edit],
        noise: Noise,
        donors: Sequence[Donor],
        *,
        reformed: bool,
        note: str = "",
        more: bool,
    ) -> Done:
        network = self.network
        late, touched = check_proposal(edits, (network, *(donor.network for donor in donors)))
        watched = operator is not None and self._example is not None and (reformed or "function" in operator.claims())
        rounds = watched and any(edit.rounds(network) for edit in edits)
        told = watched and reformed and (self._dry or _LOG.isEnabledFor(logging.INFO))
        cost = network.cost() if told else None
        seen, example = self._behaviour, self._example
        before = seen.outputs(self.model, example) if watched else None
        others = seen.other_runs(self.model, example) if watched and reformed else ()
        elsewhere = [(one, one.outputs(self.model, given)) for one, given in self._others if watched]
        if self._signs:
            _ = self.base  # before the first byte changes
        if self._scratch or more or watched or any(edit.can_fail_late() for edit in edits):
            kept = self.journal is not None  # whatever the risk
            risky = not kept and (more or watched or reformed or any(edit.can_fail_late() for edit in edits[1:]))
            lines = self._perform(edits, late, noise, donors, risky=risky, reformed=reformed)
        else:  # a plan of values alone: all that could refuse it has been asked
            lines = tuple(line for edit in edits for line in edit.lines(network))
        change = None
        if before is not None and operator is not None:
            after = seen.outputs_after(operator, self.model, self._example)
            change = verify(operator, *comparable(before, after, edits), rounds=rounds)
            for (one, first), (_, given) in zip(elsewhere, self._others, strict=True):
                verify(
                    operator, *comparable(first, one.outputs_after(operator, self.model, given), edits), rounds=rounds
                )
            checkpoint()
            if self._example is example:
                alike = [o.shape for o in before.tensors] == [o.shape for o in after.tensors]
                narrower = seen.refuse_narrower(operator, edits, self.model, others, alike=alike)
                note = " ".join(filter(None, (note, narrower)))
            else:
                seen.forget_other_runs()  # they have inputs that the model does not take any more
        costs = None if cost is None else (cost, self.network.cost())
        if costs is not None:
            self.network.forget_structure()  # the next step records no edits for our having asked
        done = Done(step, lines, change if reformed else None, note, costs, None if reformed else touched)
        self.done.append(done)
        if costs is not None and not self._dry:
            _LOG.info("%s: %s", step.name, costs[0].to(costs[1]))
        if reformed and operator is not None:
            self._reformed = len(self.done) - 1
        return done

    def _perform(
        self,
        edits: Sequence[Edit],
        late: frozenset[int],
        noise: Noise,
        donors: Sequence[Donor],
        *,
        risky: bool,
        reformed: bool,
    ) -> tuple[Line, ...]:
        if not self._scratch:
            self.model, self._network, self._scratch = self._backend.copy(self.model), None, True
        if self._inplace and self.journal is None and (risky or self._trained):
            self.journal = Journal()
        self._interrupts.hold = self._inplace and self.journal is None
        for seen in (self._behaviour, *(one for one, _ in self._others)):
            seen.forget_outputs()
        self._adapt_example(edits)
        stores = [donor.store for donor in donors]
        if reformed and self._watches:
            self._companion.changing(self.model)
        store = self._backend.store(self.model, self._companion, self.network)
        store.limit = self._limit
        before = self.model
        self.model, lines = self._apply(edits, self._site(store, noise, stores), late)
        for twin in self._companion.twins if reformed else ():
            self._apply(edits, self._site(self._backend.store(twin), noise, stores))
        if reformed or self.model is not before:
            self._network = None
        else:
            self.network.forget_structure()
        return lines

    def _apply(
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

    def _adapt_example(self, edits: Sequence[Edit]) -> None:
        """Let the example have the inputs that the model takes after the edits."""
        moves = {} if self._example is None else input_moves(edits)
        if moves:
            self._example = self._backend.gather_inputs(self.model, self._example, moves)
            try:
                others = [self._backend.gather_inputs(self.model, given, moves) for _, given in self._others]
            except (LookupError, ValueError, RuntimeError) as error:
                raise ExampleError(
                    "The lengths of the model's inputs change, and not all of the examples have inputs of the same "
                    f"form: {error}. Give one example. Nothing has been changed."
                ) from error
            self._others = [(one, given) for (one, _), given in zip(self._others, others, strict=True)]

    def _donated(self, steps: Sequence[Step], history: tuple[str, ...]) -> tuple[str, ...]:
        """Return the steps that led to donors, but for those that the model knows already."""
        wanted = dict.fromkeys(donor for step in steps for donor in step.parents[1:])
        if not wanted:
            return ()
        known = set(stretches(history))
        theirs = (run for donor in wanted for run in stretches(self._donors.with_fingerprint(donor).history))
        return tuple(text for run in dict.fromkeys(theirs) if run not in known for text in run)

    def _example_fingerprint(self) -> str:
        return example_fingerprint(self._example, self._backend.numeric)

    def _check_example(self, step: Step) -> None:
        if step.example is None:
            return
        found = None if self._example is None else self._example_fingerprint()
        if found != step.example:
            has = "none was given" if found is None else f"the one given is {found}"
            raise ExampleError(
                f"{step.name} at {step.path}: its values were fitted on the example {step.example}, and {has}. Give "
                "the batch that the mutant was made with: example=."
            )
