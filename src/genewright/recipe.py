"""Recipe: how a mutant is made from its base, in a few hundred bytes of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from genewright.edit import Structural, structural_from_json, structural_to_json
from genewright.errors import FileError, RecipeError, RecipeVersionError
from genewright.noise import SPEC
from genewright.operator import Operator, operator_from_json
from genewright.seeding import Seed, seed_from_json, seed_to_json
from genewright.storage import write_atomically

FORMAT = 1


@dataclass(frozen=True)
class Step:
    """One mutation: an operator with its settings, the seed, and the place that its noise belongs to.

    Attributes:
        operator: The operator, every choice made.
        seed: The seed.
        path: The operator's place in what was asked for.
        structure: What it did to layers and wiring: this alone rebuilds the shapes, without weights or an example.
    """

    operator: Operator
    seed: Seed
    path: str
    structure: tuple[Structural, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON holds it."""
        form = {**self.operator.to_json(), "seed": seed_to_json(self.seed), "path": self.path}
        if self.structure:
            form["structure"] = [structural_to_json(edit) for edit in self.structure]
        return form


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The steps from a base to a mutant, with the fingerprints of both.

    Attributes:
        base: Fingerprint of the network that the steps start from.
        steps: What was done, in order; combinators are resolved to what they chose.
        result: Fingerprint of the mutant.
        noise: Id of the noise specification.
        parent: How the base itself was made, where it was a mutant that was then changed by other means (training).
    """

    base: str
    steps: tuple[Step, ...]
    result: str
    noise: str = SPEC
    parent: Recipe | None = field(default=None)

    def all_steps(self) -> tuple[Step, ...]:
        """Return the steps of the parents, the oldest first, and then its own."""
        return (() if self.parent is None else self.parent.all_steps()) + self.steps

    def to_json(self) -> str:
        """Return the recipe as one line of JSON."""
        return json.dumps(self.to_form(), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Recipe:
        """Read a recipe.

        Raises:
            RecipeVersionError: A newer version wrote it.
            RecipeError: It is damaged; the message says where.
            UnknownNameError: It needs an operator that is not installed.
        """
        try:
            form = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RecipeError(f"The recipe is damaged: it is not JSON ({error}).") from None
        return cls._from_form(form)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the recipe to a file, atomically.

        Raises:
            FileError: The file exists and `overwrite` is false, or it cannot be written; an old file stays as it was.
        """
        write_atomically(Path(path), [self.to_json().encode() + b"\n"], overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read a recipe from a file that `save` wrote.

        Raises:
            FileError: The file cannot be read.
            RecipeError: Its content is not a recipe.
        """
        try:
            text = Path(path).read_bytes()
        except OSError as error:
            raise FileError(f"{path}: cannot be read ({error.strerror}).") from error
        return cls.from_json(text)

    def to_form(self) -> dict[str, Any]:
        """Return the recipe as `json.dumps` takes it, to be put into a larger document."""
        form: dict[str, Any] = {
            "genewright": FORMAT,
            "noise": self.noise,
            "base": self.base,
            "steps": [step.to_json() for step in self.steps],
            "result": self.result,
        }
        if self.parent is not None:
            form["parent"] = self.parent.to_form()
        return form

    @classmethod
    def _from_form(cls, form: object) -> Recipe:
        if not isinstance(form, Mapping) or "genewright" not in form:
            raise RecipeError("This is not a recipe: a recipe is a JSON object with the entry 'genewright'.")
        entries = cast(Mapping[str, Any], form)
        version = entries["genewright"]
        if isinstance(version, int) and version > FORMAT:
            raise RecipeVersionError(
                f"The recipe has format {version}; this version reads up to {FORMAT}. "
                "Upgrade: pip install -U genewright"
            )
        if isinstance(version, bool) or version != FORMAT:
            raise RecipeError(f"The recipe is damaged: its format is {version!r}.")
        for key in ("noise", "base", "result"):
            if not isinstance(entries.get(key), str):
                raise RecipeError(f"The recipe is damaged: {key!r} is {entries.get(key)!r}, not a str.")
        if entries["noise"] != SPEC:
            raise RecipeVersionError(
                f"The recipe's noise is {entries['noise']!r}; this version has {SPEC!r}. "
                "Upgrade: pip install -U genewright"
            )
        steps = entries.get("steps")
        if not isinstance(steps, list):
            raise RecipeError(f"The recipe is damaged: 'steps' is {steps!r}, not a list.")
        parent = entries.get("parent")
        return cls(
            base=entries["base"],
            steps=tuple(_step(step) for step in cast(list[Any], steps)),
            result=entries["result"],
            noise=entries["noise"],
            parent=None if parent is None else cls._from_form(parent),
        )


def _step(form: Any) -> Step:
    operator = operator_from_json(form)
    if not isinstance(operator, Operator):
        raise RecipeError(f"The recipe is damaged: {operator.name!r} is no step, for it proposes no edits.")
    if not isinstance(form.get("path"), str) or "seed" not in form:
        raise RecipeError(f"The recipe is damaged: a step lacks its seed or its path: {form!r}.")
    edits = form.get("structure", [])
    if not isinstance(edits, list):
        raise RecipeError(f"The recipe is damaged: a step's structure is {edits!r}, not a list.")
    structure = tuple(structural_from_json(edit) for edit in cast(list[Any], edits))
    return Step(operator, seed_from_json(form["seed"]), form["path"], structure)
