"""The table of learned positions: on how many models they got another length; what was refused, and why."""

from __future__ import annotations

import collections
import re
from typing import Any


def positions_table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table and what was refused, as lines of Markdown."""
    built = [row for row in rows if row["said"]]
    out = ["| models | with learned positions | kept | refused | wrong |", "|---|---|---|---|---|"]
    refused: dict[str, list[str]] = collections.defaultdict(list)
    for library in dict.fromkeys(row["library"] for row in built):
        mine = [row for row in built if row["library"] == library]
        having = [row for row in mine if row["said"] != "none"]
        kept = sum(row["said"].startswith("kept") for row in having)
        wrong = sum("WRONG" in row["said"] for row in having)
        counts = (len(having), kept, len(having) - kept - wrong, wrong)
        out.append(f"| {library}: {len(mine)} | {' | '.join(map(str, counts))} |")
        for row in having:
            if not row["said"].startswith("kept"):
                reason = re.sub(r"'[^']*'", "`...`", row["said"].removeprefix("refused: "))
                refused[re.sub(r"\d+", "N", reason).split(". ")[0].rstrip(".")[:200]].append(row["name"])
    out += ["", "What was not kept, and why:", ""] if refused else []
    for reason, names in sorted(refused.items()):
        out.append(f"- {reason} ({', '.join(names)})")
    return out
