"""Transaction: each step is resolved, proposed, checked, applied, verified and recorded.

`plan`, `mutate`, `mutated`, `replay` and `load` are its modes: they differ in what they work on and in what they do at
the end. On leaving, what was not committed is taken back.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from genewright.backends import Backend
from genewright.companion import Companion
from genewright.donors import Donor, Donors
from genewright.edits import Edit
from genewright.edits.proposal import check_proposal
from genewright.errors import UnsupportedError
from genewright.fingerprint import fingerprint_of, form_of
from genewright.interrupts import checkpoint, shielded
from genewright.network import Network
from genewright.operator import Operator
from genewright.recipe import History
from genewright.seeding import Noise
from genewright.showing import Meter
from genewright.step import PREVIOUS, Step
from genewright.transaction.edited_model import EditedModel
from genewright.transaction.examples import Examples
from genewright.transaction.model_ends import input_bytes
from genewright.transaction.steps import Done, lineage, proposed, recorded
from genewright.transaction.verification import Verification

_LOG = logging.getLogger("genewright")
_MOST_TIMES = 64  # a recipe of a few bytes may ask for very large tensors: so much larger than the base's it may
_SMALL = 1 << 20


class Transaction(EditedModel):
    """A model while it is changed, step by step.

    Args:
        backend: The model's framework.
        model: As of an `EditedModel`, like all else that is not told here.
        example: A sample input, a list of several, or None.
        donors: Networks that weights may come from.

    Attributes:
        done: The steps so far.
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
        super().__init__(
            backend,
            model,
            Examples(backend, example),
            companion,
            inplace=inplace,
            keep=keep,
            dry=dry,
            signs=signs,
            network=network,
            meter=meter,
        )
        self.done: list[Done] = []
        self._donors = donors or Donors()
        self._base: str | None = None
        self._form: str | None = None
        self._reformed: int | None = None  # the last step that proposed other layers or shapes

    @property
    def base(self) -> str:
        """Fingerprint of the model before the first step."""
        if self._base is None:
            self._base, self._form = fingerprint_of(self.network), form_of(self.network)
        return self._base

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
        if self.limit is None:
            self.limit = _MOST_TIMES * sum(tensor.nbytes for tensor in self.network.tensors.values()) + _SMALL
        if input_bytes(step.edits) > self.limit:
            raise UnsupportedError(f"{step.name} at {step.path}: it asks for inputs larger than the base accounts for.")
        if step.whole:
            made = step.with_(parents=(PREVIOUS, *step.parents[1:]), result=None, trained_from=None)
            reformed = any(edit.changes_structure() for edit in step.edits)
            return self._carry_out(made, None, step.edits, step.noise(), donors, reformed=reformed, more=True)
        self._examples.check_fitted(step)
        return self._act(step.operator, step.noise(), donors, more=True)

    @shielded
    def finish(self) -> None:
        """After the last step: the model's config says what it has become, and optimizers take in new tensors."""
        if self._reformed is not None:
            said, lines = self.declare()
            done = self.done[self._reformed]
            step = done.step.with_(edits=(*done.step.edits, *said.edits))
            note = " ".join(filter(None, (done.note, said.note)))
            self.done[self._reformed] = replace(done, step=step, lines=(*done.lines, *lines), note=note)
            if said.note and not self._dry:
                _LOG.warning("%s: %s", step.name, said.note)
        self.settle()

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
        if history is None and self._signs:
            before = self._backend.history(self.model)
            result = self.result()
            history = lineage(before, self.done, self._donors, base=self.base, form=self._form, result=result)
        if history is not None:
            self.model = self._backend.sign(self.model, history, self.journal)
        self._kept = True
        return self.model

    def _act(self, operator: Operator, noise: Noise, donors: Sequence[Donor], *, more: bool) -> Done:
        """Let an operator propose, and carry that out."""
        networks = (self.network, *(donor.network for donor in donors))
        operator = operator.resolve(networks, noise)
        edits = proposed(operator, networks, noise)
        checkpoint()
        reformed = any(edit.changes_structure() for edit in edits)
        traced = self.network.traced
        step = recorded(operator, edits, noise, donors, self._examples, traced=traced, reformed=reformed)
        note = operator.note(networks)
        return self._carry_out(step, operator, edits, noise, donors, reformed=reformed, note=note, more=more)

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
        """Check, apply and verify the edits of a step; a recorded one has been verified when it was recorded."""
        network, examples = self.network, self._examples
        late, touched = check_proposal(edits, (network, *(donor.network for donor in donors)))
        held, cost = None, None
        if operator is not None and examples.first is not None and (reformed or "function" in operator.claims()):
            cost = network.cost() if reformed and (self._dry or _LOG.isEnabledFor(logging.INFO)) else None
            held = Verification(operator, edits, examples, self.model, network, reformed=reformed)
        if self._signs:
            _ = self.base  # before the first byte changes
        change = None
        if self._scratch or more or held is not None or any(edit.can_fail_late() for edit in edits):
            stores = [donor.store for donor in donors]
            lines = self.apply(edits, late, noise, stores, more=more or held is not None, reformed=reformed)
        else:  # a plan of values alone: all that could refuse it has been asked
            lines = tuple(line for edit in edits for line in edit.lines(network))
        if held is not None:
            change, narrower = held.after(self.model)
            note = " ".join(filter(None, (note, narrower)))
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
