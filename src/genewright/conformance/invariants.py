"""The invariants of one operator on one network, one method each."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import Any, cast

import numpy as np

from genewright.backends import Backend, backend_of
from genewright.conformance.advice import FITS, advice
from genewright.conformance.cases import Case
from genewright.conformance.generators import reseeded, states
from genewright.edits import EDITS, Edit, Map, Perturb, Write
from genewright.errors import (
    ConformanceError,
    FunctionError,
    GenewrightError,
    OperatorError,
    SelectionError,
    UnsupportedError,
)
from genewright.mutate import act, fingerprint, mutate, mutated, plan, recipe, replay
from genewright.network import Network
from genewright.operator import Combinator, Operator, donors_of, operator_class
from genewright.part import grid
from genewright.recipe import Recipe, Step
from genewright.seeding import Noise
from genewright.transaction import Transaction
from genewright.units import units_of
from genewright.where import Where, where

_SEED = 1
_OTHER_SEEDS = range(2, 10)
_TOLERANCE = 1e-9


class _Stop(Exception):  # noqa: N818  # nobody's error: it ends a `with` block
    """Raised inside `gw.mutated`, to see that the undo comes all the same."""


@dataclasses.dataclass(frozen=True)
class _ListeningNoise(Noise):
    """Noise that remembers whether it was asked for."""

    asked: list[str] = dataclasses.field(default_factory=list[str])

    def stream(self, name: str = "") -> Any:
        self.asked.append(name)
        return super().stream(name)


class CaseCheck:
    """One operator on one case; a broken invariant raises `ConformanceError`."""

    def __init__(self, operator: Operator | Combinator, case: Case) -> None:
        self.operator = operator
        self.case = case
        self.refusal = ""
        self.held: dict[str, int] = {}
        self._base = case.fresh()
        self._backend: Backend = backend_of(self._base)
        self._content = case.content(self._base)
        self._traits = case.traits(self._base)
        self._result = ""
        self._donors = {name: self._relative(case.fresh()) for name in donors_of(operator)}

    def accepted(self) -> bool:
        """Mutate in place; return whether the operator fits, having checked that a refusal is clean."""
        model = self.case.fresh()
        places = self.case.places(model)
        try:
            returned = self._mutant(model, seed=_SEED, inplace=True)
        except OperatorError as error:
            raise self._broken(FITS, str(error), error) from error
        except FunctionError as error:
            raise self._broken("it keeps the function", str(error)) from error
        except GenewrightError as error:
            self.refusal = f"{type(error).__name__}: {error}"
            self._require(bool(str(error)), "a refusal says why", "the message is empty")
            self._same(model, "a refusal leaves the network as it was")
            self._require(
                not self._backend.history(model), "a refusal leaves the network as it was", "it left a recipe"
            )
            return False
        except Exception as error:
            raise self._broken(FITS, f"{type(error).__name__}: {error}", error) from error
        self._require(returned is model, "in place is in place", "another object came back")
        self._require(
            self.case.places(model) == places or not self._keeps("shape"),
            "in place keeps the tensors' objects and memory",
            "they moved",
        )
        self._result = fingerprint(model)
        return True

    def check(self) -> None:
        """Check every invariant on a network that the operator fits."""
        mutant = self._mutate_untouched()
        self._proposes(mutant)
        self._repeats(mutant)
        self._order_does_not_matter()
        self._replays(mutant)
        self._keeps_traits(mutant)
        self._leaves_alone(mutant, self.operator)
        self._where_limits()
        self._undoes()
        if self.claims_function():
            self._keeps_function()
        if isinstance(self.operator, Operator) and self.operator.inverse:
            twice = self._mutant(mutant)
            self._require(self.case.content(twice) == self._content, "it is its own inverse", "twice gave other bytes")

    def claims_function(self) -> bool:
        """Whether it claims to keep the function, and the network can be run."""
        return self.case.example is not None and self._keeps("function")

    def draws(self) -> bool:
        """Whether the bytes that it made depend on noise that it asked for."""
        if self.case.content(self._mutant(self._base)) == self._content:
            return False
        for step in self._steps():
            noise = _ListeningNoise(step.seed, step.path, step.operator.name)
            edits = tuple(step.operator.propose(self._networks(), noise))
            for edit in edits:
                self._run(edit)  # a function of the values draws when it runs
            if any(_draws(edit, asked=bool(noise.asked)) for edit in edits):
                return True
        return False

    def _run(self, edit: Edit) -> None:
        if isinstance(edit, Write) and not edit.stored:
            network = self._backend.network(self._base)
            tensor = network.tensor(edit.tensor)
            old = network.read(tensor.name)[grid(edit.part, tensor.shape)]
            edit.values(old)

    def differs_by_seed(self) -> bool:
        """Whether one of several other seeds gives other bytes."""
        for seed in _OTHER_SEEDS:
            try:
                if fingerprint(self._mutant(self._base, seed=seed)) != self._result:
                    return True
            except GenewrightError:
                continue
        return False

    def _relative(self, model: Any) -> Any:
        """Return a donor of weights: a model with other values, where it has any to change, and without a recipe."""
        other_values = cast(Operator, operator_class("gaussian_noise")())
        nothing_to_change = suppress(SelectionError, UnsupportedError)
        with nothing_to_change, Transaction(self._backend, model, inplace=True, signs=False) as change:
            act(change, (other_values,), Noise(_SEED))
            return change.commit()
        return model

    def _mutant(self, model: Any, *, operator: Any = None, seed: int = _SEED, inplace: bool = False) -> Any:
        return mutate(
            model, operator or self.operator, seed=seed, example=self.case.example, donors=self._donors, inplace=inplace
        )

    def _networks(self) -> tuple[Network, ...]:
        """Return what an operator that reads all donors is asked with."""
        everyone = (self._base, *self._donors.values())
        return tuple(self._backend.network(model, self.case.example) for model in everyone)

    def _mutate_untouched(self) -> Any:
        """Mutate a copy: the input and the global generators stay."""
        before = states()
        places = self.case.places(self._base)
        mutant = self._mutant(self._base)
        moved = [name for name, state in states().items() if state != before.get(name, state)]
        self._require(not moved, "global random generators stay as they were", f"that of {', '.join(moved)} moved")
        self._same(self._base, "the input is untouched")
        self._require(not self._backend.history(self._base), "the input is untouched", "it has a recipe now")
        shared = set(self.case.places(mutant).values()) & set(places.values())
        self._require(not {s for s in shared if s}, "a mutant has memory of its own", "it shares the input's")
        return mutant

    def _proposes(self, mutant: Any) -> None:
        for step in recipe(mutant).steps:
            edits = self._proposed(step)
            self._require(bool(edits), "it proposes an edit or refuses", "it proposed none; raise a SelectionError")
            strange = [edit for edit in edits if type(edit) not in EDITS]
            self._require(not strange, "it proposes edits", f"it proposed {strange[:1]}")
        self._same(self._base, "propose writes nothing")
        plan(self._base, self.operator, seed=_SEED, example=self.case.example, donors=self._donors)
        self._same(self._base, "a plan changes nothing")

    def _proposed(self, step: Step) -> tuple[Edit, ...]:
        return tuple(step.operator.propose(self._networks(), step.noise()))

    def _repeats(self, mutant: Any) -> None:
        invariant = "same base and same seed, same bytes"
        self._require(fingerprint(mutant) == self._result, invariant, "a copy and the model in place differ")
        for state in (11, 12):
            with reseeded(state):
                again = fingerprint(self._mutant(self._base))
            self._require(again == self._result, invariant, "the bytes depend on a global generator or on hidden state")

    def _order_does_not_matter(self) -> None:
        """Compare like with like: what an example adds may change what is chosen, so both ways are checked apart."""
        invariant, detail = "the order of the tensors does not matter", "listed in reverse they differ"
        other = self.case.reordered(self.case.fresh(), runs=True)
        self._mutant(other, inplace=True)  # a copy may sort
        self._require(fingerprint(other) == self._result, invariant, detail)
        if not self._keeps("function") and self._works_without_example():
            other = self.case.reordered(self.case.fresh(), runs=False)
            expected = fingerprint(mutate(self._base, self.operator, seed=_SEED, donors=self._donors))
            mutate(other, self.operator, seed=_SEED, donors=self._donors, inplace=True)
            self._require(fingerprint(other) == expected, invariant, detail)

    def _works_without_example(self) -> bool:
        try:
            mutate(self._base, self.operator, seed=_SEED, donors=self._donors)
        except GenewrightError:
            return False
        return True

    def _replays(self, mutant: Any) -> None:
        invariant = "a recipe replays from JSON"
        text = recipe(mutant).to_json()
        read = Recipe.from_json(text)
        self._require(read.to_json() == text, invariant, "its JSON changes when it is read and written")
        try:
            again = replay(read, self._base, example=self.case.example, donors=self._donors)
        except GenewrightError as error:
            raise self._broken(invariant, str(error), error) from error
        self._require(fingerprint(again) == self._result, invariant, "the replay has other bytes")
        kept = {name: fingerprint(donor) for name, donor in self._donors.items()}
        self._require(
            all(fingerprint(self._relative(self.case.fresh())) == found for found in kept.values()),
            "a donor is only read",
            f"one of {', '.join(kept)} changed",
        )

    def _keeps_traits(self, mutant: Any) -> None:
        made = self.case.traits(mutant)
        changed = [name for name, trait in self._traits.items() if name in made and made[name] != trait]
        if self._keeps("shape"):
            changed += sorted(self._traits.keys() ^ made.keys())
            details = f"{changed[0]}: {self._traits.get(changed[0])} became {made.get(changed[0])}" if changed else ""
            self._require(not changed, "dtypes, layouts, ties, modes and hooks are kept", details)

    def _leaves_alone(self, mutant: Any, operator: Any) -> None:
        """Frozen parameters, buffers and what `where` leaves out have their old bytes."""
        network, made = self._backend.network(self._base), self._backend.network(mutant)
        choice = None if getattr(operator, "follows_units", False) else getattr(operator, "where", None)
        chosen = _chosen(choice, network) if isinstance(choice, Where) else None
        for name, tensor in network.tensors.items():
            allowed = tensor.trainable if chosen is None else name in chosen
            allowed |= tensor.role == "statistic" and getattr(operator, "statistics", False)
            if allowed or name not in made.tensors:
                continue
            if not self._keeps("shape") and made.tensors[name].shape != tensor.shape:
                continue  # what is frozen moves along with the units that it belongs to
            self._require(
                network.raw(name) == made.raw(name),
                "frozen parameters, buffers and what `where` leaves out stay",
                f"{name!r} changed",
            )

    def _where_limits(self) -> None:
        """With `where` naming one tensor, or one unit of each layer, only those change."""
        follows = getattr(self.operator, "follows_units", False)
        if follows or not isinstance(getattr(self.operator, "where", None), Where):
            return
        network = self._backend.network(self._base)
        trainable = [tensor for tensor in network.tensors.values() if tensor.trainable and tensor.size]
        for tensor in trainable[:1]:
            limited, mutant = self._limited(where(tensor.name))
            if mutant is not None:
                self._leaves_alone(mutant, limited)
        _, mutant = self._limited(where(units=[0]))
        if mutant is None:
            return
        made = self._backend.network(mutant)
        for tensor in network.tensors.values():
            old, new = network.read(tensor.name), made.read(tensor.name)
            if tensor.trainable and (held := units_of(tensor, network)) is not None:
                first = held.positions([0])
                old, new = np.delete(old, first, held.axis), np.delete(new, first, held.axis)
            self._require(
                _same_numbers(old, new), "`where` limits the units", f"another unit of {tensor.name!r} changed"
            )

    def _limited(self, choice: Where) -> tuple[Any, Any]:
        """Return the operator with another `where`, and its mutant; (None, None) where it refuses that."""
        try:
            limited = dataclasses.replace(cast(Any, self.operator), where=choice)
            return limited, self._mutant(self._base, operator=limited)
        except OperatorError as error:
            raise self._broken(FITS, str(error), error) from error
        except GenewrightError:
            return None, None
        except Exception as error:
            raise self._broken(FITS, f"{type(error).__name__}: {error}", error) from error

    def _undoes(self) -> None:
        for leave_by in ("the end of the block", "an exception"):
            model = self.case.fresh()
            try:
                with mutated(
                    model, self.operator, seed=_SEED, example=self.case.example, donors=self._donors
                ) as mutant:
                    self._require(
                        fingerprint(mutant) == self._result, "gw.mutated makes the same mutant", "its bytes differ"
                    )
                    if leave_by == "an exception":
                        raise _Stop
            except _Stop:
                pass
            self._same(model, f"undo restores every byte after {leave_by}")

    def _keeps_function(self) -> None:
        with self.case.exactly():
            model = self.case.doubled()
            if model is None:
                return
            donors = {name: self._relative(self.case.doubled()) for name in self._donors}
            mutant = mutate(model, self.operator, seed=_SEED, example=self.case.example, donors=donors)
            before, after = (self._backend.predict(each, self.case.example) for each in (model, mutant))
        for old, new in zip(before, after, strict=True):
            scale = float(np.max(np.abs(old), initial=0.0)) or 1.0
            error = float(np.max(np.abs(old - new), initial=0.0)) / scale
            self._require(error < _TOLERANCE, "it keeps the function", f"the outputs' relative error is {error:.3g}")

    def _steps(self) -> tuple[Step, ...]:
        planned = plan(self._base, self.operator, seed=_SEED, example=self.case.example, donors=self._donors)
        return tuple(each.step for each in planned.steps)

    def _keeps(self, claim: str) -> bool:
        return all(claim in step.operator.claims() for step in self._steps())

    def _same(self, model: Any, invariant: str) -> None:
        content, traits = self.case.content(model), self.case.traits(model)
        changed = [name for name, data in self._content.items() if content.get(name) != data]
        changed += [name for name, trait in self._traits.items() if traits.get(name) != trait]
        changed += sorted(traits.keys() - self._traits.keys())
        self._require(not changed, invariant, f"{', '.join(map(repr, changed[:3]))} changed")

    def _require(self, kept: bool, invariant: str, detail: str) -> None:
        if not kept:
            raise self._broken(invariant, detail)
        self.held[invariant] = self.held.get(invariant, 0) + 1

    def _broken(self, invariant: str, detail: str, error: Exception | None = None) -> ConformanceError:
        who = type(self.operator).__name__
        told = f"{who} breaks the invariant '{invariant}' on the network {self.case.name!r}: {detail.rstrip('.')}."
        hint = advice(self.operator, invariant, error)
        return ConformanceError(f"{told} {hint}".rstrip())


def _draws(edit: Edit, *, asked: bool) -> bool:
    """Whether the bytes that an edit makes depend on noise."""
    if isinstance(edit, Map):
        return asked or edit.stream is not None
    if not isinstance(edit, Perturb):
        return asked
    change = edit.change
    if 0 < change.rate < 1:
        return True
    if change.combine == "xor":
        return len(change.bits) > 1
    return change.rate > 0 and change.combine != "negate" and change.distribution != "constant" and change.scale > 0


def _chosen(choice: Where, network: Network) -> set[str]:
    """Return the names of the tensors that a choice allows to change; none where it names layers without tensors."""
    try:
        return {selected.tensor.name for selected in choice.select(network)}
    except SelectionError:
        return set()


def _same_numbers(old: Any, new: Any) -> bool:
    return old.shape == new.shape and old.tobytes() == new.tobytes()
