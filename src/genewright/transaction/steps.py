"""Steps: from what an operator proposes to what the recipe holds of it and the history that a mutant is left with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from genewright.cost import Cost
from genewright.donors import Donor, Donors
from genewright.edits import Edit, Line
from genewright.errors import EditError, OperatorError
from genewright.network import Network
from genewright.operator import Operator, line_of
from genewright.recipe import History, last_result, step_text, stretches
from genewright.seeding import Noise
from genewright.step import PREVIOUS, Step
from genewright.transaction.examples import Examples


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


def proposed(operator: Operator, networks: tuple[Network, ...], noise: Noise) -> tuple[Edit, ...]:
    """Return what an operator proposes, which may be somebody else's.

    Raises:
        OperatorError: It returned nothing that edits come from.
        EditError: Something else is among them.
    """
    found = cast("object", operator.propose(networks, noise))
    who = type(operator).__name__
    if not isinstance(found, Iterable):
        raise OperatorError(
            f"{who}.propose yields edits; it returned {found!r} ({line_of(type(operator).propose)}). "
            "Write: yield Map(...), or return [Map(...)]."
        )
    edits = tuple(cast("Iterable[Any]", found))
    if not all(issubclass(kind, Edit) for kind in set(map(type, edits))):
        odd = next(edit for edit in edits if not isinstance(edit, Edit))
        raise EditError(f"{who}: an operator proposes edits; it proposed {odd!r}.")
    return edits


def recorded(
    operator: Operator,
    edits: Sequence[Edit],
    noise: Noise,
    donors: Sequence[Donor],
    examples: Examples,
    *,
    traced: bool,
    reformed: bool,
) -> Step:
    """Return the step of a proposal.

    It holds edits where tensors alone do not decide what the operator does, and names the example where values were
    fitted on it.

    Args:
        operator: The operator, every choice made.
        edits: What it proposes.
        noise: Its noise.
        donors: The networks that it reads besides.
        examples: What the model can run on.
        traced: It has asked how the model computes.
        reformed: Layers or shapes change.
    """
    kept: dict[str, Any] = {}
    if traced or reformed:
        alone = not operator.fits() and all(edit.data for edit in edits)
        fitted = not alone and traced and examples.first is not None
        kept["edits"] = tuple(edit for edit in edits if edit.data and (alone or edit.shapes))
        kept["rerun"] = not alone
        kept["example"] = examples.fingerprint() if fitted else None
    parents = (PREVIOUS, *[donor.fingerprint for donor in donors])
    step = Step(named=operator.to_json(), seed=noise.seed, path=noise.path, parents=parents, **kept)
    step.__dict__["operator"] = operator  # as `cached_property` would keep it
    return step


def lineage(
    before: History, done: Sequence[Done], donors: Donors, *, base: str, form: str | None, result: str
) -> History:
    """Return all steps that led to a mutant, as texts.

    Args:
        before: What the model carried.
        done: What was done to it.
        donors: The networks that weights may have come from.
        base: The fingerprint that the model had.
        form: The digests of its names and shapes.
        result: The fingerprint that it has now.
    """
    known = last_result(before)
    steps = [each.step for each in done]
    steps[0] = steps[0].with_(
        parents=(base, *steps[0].parents[1:]),
        trained_from=known if known != base else None,
        form=None if known == base else form,
    )
    steps[-1] = steps[-1].with_(result=result)
    return (*before, *_donated(steps, before, donors), *map(step_text, steps))


def _donated(steps: Sequence[Step], before: History, donors: Donors) -> History:
    """Return the steps that led to donors, but for those that the model knows already."""
    wanted = dict.fromkeys(donor for step in steps for donor in step.parents[1:])
    if not wanted:
        return ()
    known = set(stretches(before))
    theirs = (run for donor in wanted for run in stretches(donors.with_fingerprint(donor).history))
    return tuple(text for run in dict.fromkeys(theirs) if run not in known for text in run)
