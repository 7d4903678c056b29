"""Write the tables of docs/coverage.md from what the benchmarks have measured.

    python benchmarks/architecture/table.py [--check]

Each table stands between `<!-- NAME: made by benchmarks/architecture/table.py -->` and `<!-- /NAME -->`, and is made of
the lines of results/NAME-*.jsonl. With --check nothing is written; the exit code is 1 where the page is out of date.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from depth_table import depth_table
from ends_table import ends_table
from positions_table import positions_table
from width_table import width_table

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"
TABLES: dict[str, Callable[[list[dict[str, Any]]], list[str]]] = {
    "width": width_table,
    "depth": depth_table,
    "ends": ends_table,
    "positions": positions_table,
}


def unit_rows(name: str, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Return the lines of one benchmark, library by library."""
    files = sorted(folder.glob(f"{name}-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def rendered(text: str, folder: Path = RESULTS) -> str:
    """Return the page with every table that has results made anew."""
    for name, table in TABLES.items():
        rows = unit_rows(name, folder)
        if not rows:
            continue
        start, end = f"<!-- {name}: made by benchmarks/architecture/table.py -->", f"<!-- /{name} -->"
        made = "\n".join([start, "", *table(rows), "", end])
        text, found = re.subn(
            f"{re.escape(start)}.*?{re.escape(end)}", lambda _, made=made: made, text, flags=re.DOTALL
        )
        if not found:
            raise SystemExit(f"{PAGE.name} has no place for {name!r}: {start} ... {end}")
    return text


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the page is up to date")
    asked = parser.parse_args()
    old = PAGE.read_text()
    new = rendered(old)
    if asked.check:
        sys.exit(old != new)
    PAGE.write_text(new)


if __name__ == "__main__":
    main()
