"""The tables of depth: how many models with residual blocks got a verified insertion; what each operator kept."""

from __future__ import annotations

import collections
import re
from typing import Any

_TITLES = {
    "torchvision": "torchvision classification, the smallest of each family",
    "timm": "timm, one model of each module",
    "transformers": "transformers, tiny models, every configuration type that one recipe builds",
}
_INSERTIONS = ("DuplicateBlock(by=zeros)", "DuplicateBlock", "InsertLayer", "InsertLayer(init=gate)")


def depth_table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the tables, and what was refused, as lines of Markdown."""
    built = [row for row in rows if "verdicts" in row]
    libraries = [library for library in _TITLES if any(row["library"] == library for row in built)]
    out = [
        "| torch | models | with residual blocks | of them a copied block kept | any insertion kept | wrong |",
        "|---|---|---|---|---|---|",
    ]
    for library in libraries:
        mine = [row for row in built if row["library"] == library]
        blocks = [row for row in mine if row["residual"]]
        copied = sum(_kept(row, ("DuplicateBlock",)) for row in blocks)
        inserted = sum(_kept(row, _INSERTIONS) for row in blocks)
        wrong = sum(said.startswith(("WRONG", "CRASH")) for row in mine for said in row["verdicts"].values())
        out.append(f"| {_TITLES[library]} | {len(mine)} | {len(blocks)} | {copied} | {inserted} | {wrong} |")
    out += ["", f"| kept on | {' | '.join(libraries)} |", "|---|" + "---|" * len(libraries)]
    for operator in built[0]["verdicts"]:
        cells = [_cell([row for row in built if row["library"] == library], operator) for library in libraries]
        out.append(f"| `{operator}` | {' | '.join(cells)} |")
    return [*out, *_refusals(built)]


def _kept(row: dict[str, Any], operators: tuple[str, ...]) -> bool:
    return any(row["verdicts"][operator].startswith("kept") for operator in operators)


def _cell(rows: list[dict[str, Any]], operator: str) -> str:
    said = [row["verdicts"][operator] for row in rows]
    kept = [verdict for verdict in said if verdict.startswith("kept")]
    notes = [
        f"{count} {note}"
        for note, words in (("by a gate", "gate"), ("float32 inside", "float32"))
        if (count := sum(words in verdict for verdict in kept))
    ]
    return f"{len(kept)} of {len(said)}" + (f" ({', '.join(notes)})" if notes else "")


def _refusals(rows: list[dict[str, Any]]) -> list[str]:
    found: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
    for row in rows:
        for operator, said in row["verdicts"].items():
            if not said.startswith("kept"):
                reason = re.sub(
                    r"'[^']*'", "...", said.partition(": ")[2].removeprefix(f"{operator.partition('(')[0]}: ")
                )
                reason = re.sub(r"\d+", "N", reason).split(". ")[0].rstrip(".")
                found[operator, reason[:140]].append(row["name"])
    out = ["", "What was refused, and why:", ""]
    for (operator, reason), names in sorted(found.items()):
        which = ", ".join(names) if len(names) <= 8 else f"{len(names)} models"
        out.append(f"- `{operator}`: {reason} ({which})")
    return out
