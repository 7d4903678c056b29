"""The table of a model's ends: how many classes, channels and vocabularies grew; what was refused, and why."""

from __future__ import annotations

import collections
import re
from typing import Any

_TITLES = {
    "torchvision": "torchvision classification, the smallest of each family",
    "timm": "timm, one model of each module",
    "transformers": "transformers, tiny models, every configuration type that one recipe builds",
    "keras": "keras.applications, random weights, smallest images",
}
_ENDS = {
    "classes": "`GrowOutputs`: classes",
    "labels": "the same, models with a head for labels",
    "channels": "`GrowInputs`: image channels",
    "vocabulary": "`ResizeVocabulary`: words",
}


def ends_table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table, what shrank back, and what was refused, as lines of Markdown."""
    built = [row for row in rows if row["ends"]]
    libraries = [library for library in _TITLES if any(row["library"] == library for row in built)]
    out = [f"| kept, of those that have it | {' | '.join(_ENDS.values())} | wrong |", "|---|" + "---|" * 5]
    for library in libraries:
        mine = [row for row in built if row["library"] == library]
        cells = [_cell(mine, end) for end in _ENDS]
        out.append(f"| {_TITLES[library]}: {len(mine)} | {' | '.join(cells)} | {_wrong(mine)} |")
    out.append(
        f"| all: {len(built)} | {' | '.join(_cell(built, end, share=True) for end in _ENDS)} | {_wrong(built)} |"
    )
    kept = [said for row in built for said in row["ends"].values() if said.startswith("kept") and "WRONG" not in said]
    back = sum(";" not in said for said in kept)
    wordless = sum(row["ends"].get("vocabulary") == "none" for row in built)
    out += [
        "",
        f"Shrinking again gave the first fingerprint back in {back} of the {len(kept)} that were kept. All {wordless} "
        "models without words were refused by `ResizeVocabulary`, as they must be (it would count as wrong).",
    ]
    return [*out, *_refusals(built)]


def _cell(rows: list[dict[str, Any]], end: str, *, share: bool = False) -> str:
    said = [row["ends"][end] for row in rows if row["ends"].get(end, "none") != "none"]
    if not said:
        return "-"
    kept = [verdict for verdict in said if verdict.startswith("kept") and "WRONG" not in verdict]
    single = sum("(float32)" in verdict for verdict in kept)
    notes = [f"{single} float32 inside"] if single else []
    notes += [f"{100 * len(kept) / len(said):.1f} %"] if share else []
    return f"{len(kept)} of {len(said)}" + (f" ({', '.join(notes)})" if notes else "")


def _wrong(rows: list[dict[str, Any]]) -> int:
    return sum("WRONG" in said for row in rows for said in row["ends"].values())


def _refusals(rows: list[dict[str, Any]]) -> list[str]:
    found: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
    for row in rows:
        for end, said in row["ends"].items():
            if not said.startswith(("kept", "none")) or ";" in said:
                reason = re.sub(r"'[^']*'", "`...`", said.partition("; ")[2] if said.startswith("kept") else said)
                found[end, re.sub(r"\d+", "N", reason).split(". ")[0].rstrip(".")[:180]].append(row["name"])
    out = ["", "What was not kept, or did not shrink back, and why:", ""] if found else []
    for (end, reason), names in sorted(found.items()):
        which = ", ".join(names) if len(names) <= 8 else f"{len(names)} models"
        out.append(f"- {end}: {reason} ({which})")
    return out
