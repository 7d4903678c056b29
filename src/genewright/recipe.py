"""Recipe: how a mutant is made from its base, in a few hundred bytes of JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from genewright.errors import RecipeError, RecipeVersionError, SettingError
from genewright.noise import SPEC
from genewright.references import said
from genewright.showing import LINES, Shown, fragment, more_line, table
from genewright.step import PREVIOUS, Step
from genewright.storage import Overwrite, read_file, write_atomically

FORMAT = 2

History = tuple[str, ...]
"""The steps that led to a mutant, each as JSON text, the last one last: what hangs on the mutant itself."""


@dataclass(frozen=True, repr=False)
class Recipe(Shown):
    """The steps that led to a mutant: its whole lineage, donors' included.

    Attributes:
        nodes: All steps; what a step starts from comes before it.
    """

    made_by = "gw.recipe(mutant)"
    looked_for: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("apply", "replay", "run", "mutate"), "Write gw.replay(recipe, base)."),
        **dict.fromkeys(("seed", "operator", "settings"), "Each step has its own: .steps[0].seed, .steps[0].operator."),
        "to_dict": "Write .to_form(), or .to_json() for a text.",
    }
    nodes: tuple[Step, ...]

    def __post_init__(self) -> None:
        if isinstance(self.nodes, str | os.PathLike | Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(
                "gw.Recipe takes steps. Of a file write gw.Recipe.load(path), of a text gw.Recipe.from_json(text)."
            )
        if not self.nodes:
            raise RecipeError("The recipe is damaged: it has no step.")
        first, last = self.nodes[0], self.nodes[-1]
        if last.result is None:
            raise RecipeError("The recipe is damaged: its last step has no result.")
        if first.parents[0] == PREVIOUS:
            raise RecipeError("The recipe is damaged: its first step has no parent.")

    if not TYPE_CHECKING:  # a type checker says so itself

        def __getitem__(self, at: Any) -> Any:
            """Refuse: a recipe holds the nodes of its donors, too."""
            raise SettingError("A recipe is not indexed. Write recipe.steps[0]; for step in recipe.steps: ...")

        def __iter__(self) -> Any:
            """Refuse, likewise."""
            return self[0]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps from the base to the mutant, in order; what came before the base was trained is in `nodes`."""
        return self._chain(through_training=False)

    @property
    def base(self) -> str:
        """Fingerprint of the network that the steps start from."""
        return self.steps[0].parents[0]

    @property
    def result(self) -> str:
        """Fingerprint of the mutant."""
        return cast(str, self.nodes[-1].result)

    @property
    def donors(self) -> tuple[str, ...]:
        """Fingerprints of the other networks that the steps read, each once."""
        return tuple(dict.fromkeys(donor for step in self.steps for donor in step.parents[1:]))

    @property
    def noise(self) -> str:
        """Id of the noise specification."""
        return SPEC

    def all_steps(self) -> tuple[Step, ...]:
        """Return the steps from the first base, also those before it was trained, the oldest first."""
        return self._chain(through_training=True)

    def squash(self) -> Recipe:
        """Return the recipe of `steps` alone, without the results in between."""
        steps = list(self.steps)
        for at in range(len(steps) - 1):
            steps[at] = steps[at].with_(result=None)
            steps[at + 1] = steps[at + 1].with_(parents=(PREVIOUS, *steps[at + 1].parents[1:]))
        steps[0] = steps[0].with_(trained_from=None)
        return Recipe(tuple(steps))

    def details(self) -> str:
        """Return the recipe in words: a line a step."""
        rows = [("", "operator", "seed", "edits"), *self._rows()]
        widths = [max(len(row[at]) for row in rows) for at in range(4)]
        lines = ["  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([self._title(), *lines, f"base    {self.base}", f"result  {self.result}"])

    def _repr_html_(self) -> str:
        rows = self._rows()
        more = f"... and {len(rows) - LINES:,} more: .details()" if len(rows) > LINES else ""
        return fragment(
            self._title(),
            table(("", "operator", "seed", "edits"), rows[:LINES], numbers=("", "edits")),
            more_line(more),
            more_line(f"base {self.base}"),
            more_line(f"result {self.result}"),
        )

    def _title(self) -> str:
        steps = len(self.steps)
        donors = f", {len(self.donors)} donor{'s' * (len(self.donors) != 1)}" if self.donors else ""
        return f"Recipe of {steps:,} step{'s' * (steps != 1)}{donors}: {len(self.to_json()):,} bytes as JSON"

    def _rows(self) -> list[tuple[str, str, str, str]]:
        """Return number, operator, seed and edits of each step, without asking whether the operator is installed."""
        found: list[tuple[str, str, str, str]] = []
        for number, step in enumerate(self.steps, 1):
            settings = {key: value for key, value in step.named["settings"].items() if value not in (None, [])}
            said = ", ".join(f"{key}={_cut(json.dumps(value))}" for key, value in settings.items())
            found.append((str(number), f"{step.name}({said})", _cut(repr(step.seed)), str(len(step.edits) or "-")))
        return found

    def to_json(self) -> str:
        """Return the recipe as one line of JSON."""
        return _compact(self.to_form())

    @classmethod
    def from_json(cls, text: str | bytes) -> Recipe:
        """Read a recipe.

        Raises:
            RecipeVersionError: A newer version wrote it.
            RecipeError: It is damaged; the message says where.
            UnknownNameError: It needs an operator that is not installed.
        """
        if not isinstance(text, str | bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise no_text("gw.Recipe.from_json(text)", text)
        return cls(tuple(Step.from_json(node) for node in _nodes(text)))

    @classmethod
    def of(cls, history: Iterable[str]) -> Recipe:
        """Return the recipe that hangs on a mutant as texts of its steps."""
        return cls(tuple(Step.from_json(_parsed(text)) for text in history))

    def save(self, path: str | Path, *, overwrite: Overwrite = False) -> None:
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
        if not isinstance(path, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise no_path("gw.Recipe.load(path)", path, "A mutant carries its recipe: gw.recipe(mutant).")
        return cls.from_json(read_file(Path(path)))

    def to_form(self) -> dict[str, Any]:
        """Return the recipe as `json.dumps` takes it, to be put into a larger document."""
        return {"genewright": FORMAT, "noise": SPEC, "nodes": [step.to_json() for step in self.nodes]}

    def _chain(self, *, through_training: bool) -> tuple[Step, ...]:
        chain: list[Step] = []
        at: int | None = len(self.nodes) - 1
        while at is not None:
            step = self.nodes[at]
            chain.append(step)
            parent = step.parents[0]
            before = at - 1 if parent == PREVIOUS and at else self._with_result(parent, at)
            if before is None and through_training and step.trained_from is not None:
                before = self._with_result(step.trained_from, at)
            at = before
        return tuple(reversed(chain))

    def _with_result(self, fingerprint: str, below: int) -> int | None:
        """Return the last node before a place whose result has this fingerprint."""
        return next((at for at in range(below - 1, -1, -1) if self.nodes[at].result == fingerprint), None)


def history_of(text: str) -> History:
    """Return the steps of a recipe's JSON as the texts that hang on a mutant.

    Raises:
        RecipeError: It is no recipe.
    """
    return tuple(_compact(node) for node in _nodes(text))


def history_to_json(history: History) -> str:
    """Return the JSON of the recipe that these texts of steps make."""
    return f'{{"genewright":{FORMAT},"noise":"{SPEC}","nodes":[{",".join(history)}]}}'


def step_text(step: Step) -> str:
    """Return a step as it hangs on a mutant."""
    return _compact(step.to_json())


def last_result(history: History) -> str | None:
    """Return the fingerprint that a history ends at, without reading the rest of it."""
    if not history:
        return None
    form = _parsed(history[-1])
    return cast("Mapping[str, Any]", form).get("result") if isinstance(form, Mapping) else None


def stretches(history: History) -> list[History]:
    """Return the steps of a history in stretches that end at a result; within one, a step follows the one before it.

    Example:
        >>> stretches(('{"seed":1}', '{"seed":2,"result":"b3:1"}', '{"seed":3,"result":"b3:2"}'))
        [('{"seed":1}', '{"seed":2,"result":"b3:1"}'), ('{"seed":3,"result":"b3:2"}',)]
    """
    found: list[History] = []
    start = 0
    for at, text in enumerate(history):
        if last_result((text,)) is not None or at == len(history) - 1:
            found.append(history[start : at + 1])
            start = at + 1
    return found


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


_COMPACT = json.JSONEncoder(separators=(",", ":"))


def _compact(form: Any) -> str:
    return _COMPACT.encode(form)


def _parsed(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"The recipe is damaged: it is not JSON ({error}).") from None


def _nodes(text: str | bytes) -> list[Any]:
    form = _parsed(text)
    if not isinstance(form, Mapping) or "genewright" not in form:
        raise RecipeError("This is not a recipe: a recipe is a JSON object with the entry 'genewright'.")
    entries = cast("Mapping[str, Any]", form)
    version = entries["genewright"]
    if isinstance(version, int) and version > FORMAT:
        raise RecipeVersionError(
            f"The recipe has format {version}; this version reads format {FORMAT}. Upgrade: pip install -U genewright"
        )
    if isinstance(version, bool) or version != FORMAT:
        raise RecipeError(f"The recipe is damaged: its format is {version!r}.")
    if not isinstance(entries.get("noise"), str):
        raise RecipeError(f"The recipe is damaged: 'noise' is {entries.get('noise')!r}, not a str.")
    if entries["noise"] != SPEC:
        raise RecipeVersionError(
            f"The recipe's noise is {entries['noise']!r}; this version has {SPEC!r}. Upgrade: pip install -U genewright"
        )
    nodes = entries.get("nodes")
    if not isinstance(nodes, list):
        raise RecipeError(f"The recipe is damaged: 'nodes' is {str(nodes)[:80]!r}, not a list.")
    return cast("list[Any]", nodes)


def no_text(call: str, given: object) -> SettingError:
    """Return the error for what is no text where one is read."""
    hint = "A mutant carries its recipe: gw.recipe(mutant)."
    if isinstance(given, Recipe):
        hint = "That is a recipe already: use it as it is."
    elif isinstance(given, Mapping):
        hint = "Of a dict, write gw.Recipe.from_json(json.dumps(recipe))."
    return SettingError(f"{call}: expected a text of JSON; received {said(cast(object, given))}. {hint}")


def no_path(call: str, given: object, hint: str) -> SettingError:
    """Return the error for what is no path where a file is read."""
    if isinstance(given, Recipe):
        hint = "That is a recipe already: use it as it is."
    elif isinstance(given, Mapping):
        hint = "Of a dict, write gw.Recipe.from_json(json.dumps(recipe))."
    return SettingError(f"{call}: expected the path of a file; received {said(cast(object, given))}. {hint}")
