"""The guide's tables name every criterion and every outcome that there is, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import genewright as gw
from genewright.mutation_testing.criteria.criterion import criteria

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "mutation-testing.md"


def test_the_guide_names_every_criterion_and_every_outcome() -> None:
    named = re.findall(r'^\| `("?)(\w+)\1` \|', GUIDE.read_text(), re.MULTILINE)
    shipped = {name for name, kind in criteria().items() if kind.__module__.startswith("genewright.")}
    assert sorted(name for quote, name in named if quote) == sorted(shipped)
    assert sorted(name for quote, name in named if not quote) == sorted(outcome.value for outcome in gw.Outcome)
