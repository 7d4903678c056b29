"""The table of widths: for every library how many models and widenings were kept, refused, or wrong."""

from __future__ import annotations

import collections
import re
from typing import Any

_TITLES = {
    "torchvision": "torchvision classification, the smallest of each family",
    "timm": "timm, one model of each module",
    "transformers": "transformers, tiny models, every configuration type that one recipe builds",
}


def width_table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table, the largest change, and what was refused, as lines of Markdown."""
    out = [
        "| torch | models | with a width kept | with every tried width kept | widenings kept | float32 inside | "
        "refused | wrong |",
        "|---|---|---|---|---|---|---|---|",
    ]
    largest: list[str] = []
    for library, title in _TITLES.items():
        mine = [row for row in rows if row["library"] == library and "results" in row]
        if not mine:
            continue
        tried = [result for row in mine for result in row["results"]]
        kept = [result for result in tried if result.get("wrong") is False]
        some = sum(any(r.get("wrong") is False for r in row["results"]) for row in mine)
        whole = sum(bool(row["results"]) and all(r.get("wrong") is False for r in row["results"]) for row in mine)
        counts = (
            f"{len(mine)} | {some} | {whole} | {len(kept)} of {len(tried)} | {sum(r['single'] for r in kept)}",
            f"{sum('refused' in r for r in tried)} | {sum(bool(r.get('wrong')) for r in tried)}",
        )
        out.append(f"| {title} | {' | '.join(counts)} |")
        exact = [r["change"] for r in kept if not r["single"]]
        if exact:
            largest.append(f"{max(exact):.1e} ({library})")
    out += ["", f"The largest change among those kept in float64: {', '.join(largest)}.", *_refusals(rows)]
    return out


def _refusals(rows: list[dict[str, Any]]) -> list[str]:
    reasons: dict[str, list[str]] = collections.defaultdict(list)
    for row in rows:
        for result in row.get("results", []):
            if "refused" in result:
                where = re.search(r"(\w+\.py):\d+: (.*)", result["refused"])
                words = re.sub(r"'[^']*'", "...", where[2] if where else result["refused"])
                words = re.sub(r"[\[(].*", "", re.sub(r"\d+", "N", words.split(",")[0]))
                reasons[words.strip(" .")].append(row["name"])
    lines = [
        f"- {reason} ({', '.join(dict.fromkeys(names))})"
        for reason, names in sorted(reasons.items(), key=lambda item: -len(item[1]))
    ]
    none = [row["name"] for row in rows if "results" in row and not row["results"]]
    unread = [row["name"] for row in rows if row.get("recorded")]
    out = (
        ["", "What was refused, and why (the reason of the run that did not go as foreseen):", "", *lines]
        if lines
        else []
    )
    if none:
        out += ["", f"No plain hidden width was found in: {', '.join(none)}."]
    if unread:
        out += ["", f"Not recorded: {', '.join(unread)}."]
    return out
