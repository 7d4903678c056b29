"""Step: one mutation, as a node between the network that it starts from and the one that it makes."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from genewright.edits import Edit, edit_from_json
from genewright.errors import RecipeError
from genewright.operator import Operator, operator_from_json
from genewright.seeding import Noise, Seed, seed_from_json, seed_to_json

PREVIOUS = ""  # a parent that is the result of the step before, whose fingerprint was not taken

_FORM = re.compile("[0-9a-f]{8}:[0-9a-f]{8}")
_TEXTS = ("trained_from", "example", "result", "form")
_KEYS = ("operator", "settings", "seed", "path", "parents", "edits", "rerun", *_TEXTS)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One mutation: an operator with its settings, the seed, the place that its noise belongs to, and what came of it.

    Attributes:
        named: The operator as ``{"operator": "name@version", "settings": {...}}``, every choice made.
        seed: The seed.
        path: The operator's place in what was asked for.
        parents: Fingerprints of the network that was changed and of the donors; "" is the result of the step before.
        trained_from: Fingerprint of the last mutant before the network was changed by other means, such as training.
        edits: What the operator proposed, where it had to see how the model computes, or layers or shapes changed.
        rerun: The edits tell the form alone; for the values the operator has to run again.
        example: Fingerprint of the example that the values depend on.
        result: Fingerprint of what came out; None in the middle of several steps.
        form: What `fingerprint.form_of` says of the network that was changed, where no step before led to it.
    """

    named: Mapping[str, Any]
    seed: Seed
    path: str
    parents: tuple[str, ...] = (PREVIOUS,)
    trained_from: str | None = None
    edits: tuple[Edit, ...] = ()
    rerun: bool = False
    example: str | None = None
    result: str | None = None
    form: str | None = None

    @functools.cached_property
    def operator(self) -> Operator:
        """The operator.

        Raises:
            UnknownNameError: It is not installed.
            RecipeVersionError: It is installed in another version.
        """
        operator = operator_from_json(self.named)
        if not isinstance(operator, Operator):
            raise RecipeError(f"The recipe is damaged: {operator.name!r} is no step, for it proposes no edits.")
        return operator

    @property
    def name(self) -> str:
        """The operator's registered name."""
        return str(self.named["operator"]).partition("@")[0]

    @property
    def whole(self) -> bool:
        """Whether the edits alone make the mutant again, without the operator and without an example."""
        return bool(self.edits) and not self.rerun

    def noise(self) -> Noise:
        """Return the noise that the operator was handed."""
        return Noise(self.seed, self.path, self.name)

    def with_(self, **changes: Any) -> Step:
        """Return the step with some attributes changed."""
        assert changes.keys() <= self.__dataclass_fields__.keys(), changes
        made = object.__new__(type(self))  # `replace` takes four times as long, and every mutation asks twice
        vars(made).update(vars(self), **changes)
        if "named" in changes:
            vars(made).pop("operator", None)
        return made

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON holds it."""
        form: dict[str, Any] = {**self.named, "seed": seed_to_json(self.seed), "path": self.path}
        if self.parents != (PREVIOUS,):
            form["parents"] = list(self.parents)
        if self.trained_from is not None:
            form["trained_from"] = self.trained_from
        if self.edits:
            form["edits"] = [edit.to_json() for edit in self.edits]
        if self.rerun:
            form["rerun"] = True
        if self.example is not None:
            form["example"] = self.example
        if self.result is not None:
            form["result"] = self.result
        if self.form is not None:
            form["form"] = self.form
        return form

    @classmethod
    def from_json(cls, form: Any) -> Step:
        """Read what `to_json` wrote.

        Raises:
            RecipeError: It is damaged.
            UnknownNameError: The operator has to run again, and is not installed.
            RecipeVersionError: It has to run again, and is installed in another version.
        """
        if not isinstance(form, Mapping):
            raise RecipeError("The recipe is damaged: a step is no object.")
        entries = dict(cast("Mapping[str, Any]", form))
        unknown = [key for key in entries if key not in _KEYS]
        if unknown:
            raise RecipeError(f"The recipe is damaged: a step has an unknown entry {unknown[0]!r}.")
        if not isinstance(entries.get("path"), str) or "seed" not in entries:
            raise RecipeError("The recipe is damaged: a step lacks its seed or its path.")
        named = {"operator": entries.get("operator"), "settings": entries.get("settings", {})}
        if not isinstance(named["operator"], str) or not isinstance(named["settings"], Mapping):
            raise RecipeError('The recipe is damaged: a step\'s operator is "name@version" with an object of settings.')
        parents, edits, rerun = (
            entries.get("parents", [PREVIOUS]),
            entries.get("edits", []),
            entries.get("rerun", False),
        )
        if not isinstance(parents, list) or not parents or not all(isinstance(p, str) for p in cast(Any, parents)):
            raise RecipeError("The recipe is damaged: a step's parents are a list of fingerprints.")
        if not isinstance(edits, list) or not isinstance(rerun, bool):
            raise RecipeError("The recipe is damaged: a step's edits are no list.")
        texts = {key: entries.get(key) for key in _TEXTS}
        for key, text in texts.items():
            if text is not None and not isinstance(text, str):
                raise RecipeError(f"The recipe is damaged: a step's {key} is no fingerprint.")
        if texts["form"] is not None and not _FORM.fullmatch(cast(str, texts["form"])):
            raise RecipeError("The recipe is damaged: a step's form is not two digests.")
        step = cls(
            named=named,
            seed=seed_from_json(entries["seed"]),
            path=entries["path"],
            parents=tuple(cast("list[str]", parents)),
            edits=tuple(edit_from_json(edit) for edit in cast("list[Any]", edits)),
            rerun=rerun,
            **texts,
        )
        if not step.whole:
            _ = step.operator
        return step
