"""The page of a report of mutants: one HTML file that needs nothing else, no script and no network."""

from __future__ import annotations

import base64
import io
from collections import Counter
from importlib import resources
from typing import Any

import numpy as np

from genewright.extras import required
from genewright.mutation_testing.outcome import Outcome
from genewright.mutation_testing.report import MutationReport
from genewright.mutation_testing.row import Row

_ROWS = 50  # survivors that are told
_SAMPLES = 12
_DRAWN = 1500  # samples of the matrix


def page_of(report: MutationReport) -> str:
    """Return the page.

    Raises:
        MissingExtraError: matplotlib or Jinja is not installed.
    """
    jinja = required("jinja2", extra="report", what="A report's page")
    environment = jinja.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja.StrictUndefined
    )
    folder = resources.files("genewright.report")
    text = (folder / "mutation_testing" / "page.html.jinja").read_text(encoding="utf-8")
    survivors = report.survivors()
    return environment.from_string(text).render(
        style=(folder / "page.css").read_text(encoding="utf-8"),
        report=report,
        facts=_facts(report),
        outcomes=[outcome.value for outcome in Outcome],
        operators=_operators(report),
        layers=[(name, str(score)) for name, score in report.by("layer").items()],
        bits=[(name, str(score)) for name, score in report.by("bit").items()] if _on_bits(report) else [],
        survivors=survivors[:_ROWS],
        left_out=max(0, len(survivors) - _ROWS),
        cover_words=_cover(report),
        samples=_samples(report),
        matrix=_matrix(report),
    )


def _on_bits(report: MutationReport) -> bool:
    return any(row.flips for row in report.rows)


def _facts(report: MutationReport) -> list[tuple[str, str]]:
    original = report.originals[0]
    drop = report.smallest_drop()
    number = len(report.originals) if report.criterion.unit == "trainings" else original.samples
    found = [
        ("score", f"{report.score()} killed"),
        ("criterion", f"{report.criterion.name}, level {report.alpha:g}"),
        ("unit", f"{number:,} {report.criterion.unit}"),
        ("original", f"{original.fingerprint}; score {original.score:.4g} on {original.samples:,} samples"),
        ("seed", str(report.about.get("seed"))),
    ]
    if drop is not None:
        found.insert(3, ("smallest drop", f"{100 * drop:.2g} points, which this data needs to kill one mutant"))
    if report.trained:
        said = f"{len(report.likely_equivalent)} survivors survive on the training data too"
        found.insert(1, ("too close on both", said))
    return found


def _operators(report: MutationReport) -> list[tuple[str, dict[str, int], str]]:
    groups: dict[str, list[Row]] = {}
    for row in report.rows:
        groups.setdefault(row.label, []).append(row)
    found: list[tuple[str, dict[str, int], str]] = []
    for label, rows in groups.items():
        counted = Counter(row.outcome.value for row in rows)
        counts = {outcome.value: counted[outcome.value] for outcome in Outcome}
        found.append((label, counts, str(report.score(rows))))
    return found


def _cover(report: MutationReport) -> str:
    cover = report.smallest()
    if not cover.mutants:
        return "No sample kills any mutant."
    bound = "which is the fewest possible" if cover.smallest else f"and fewer than {cover.at_least} cannot"
    return f"{len(cover.samples)} samples kill all {cover.mutants} mutants that any sample kills, {bound}."


def _samples(report: MutationReport) -> list[tuple[int, int, float, float]]:
    rates, sure = report.label_change_rate(), report.confidence()
    return [(at, power, float(rates[at]), float(sure[at])) for at, power in report.samples_by_power()[:_SAMPLES]]


def _matrix(report: MutationReport) -> str | None:
    """Return the kill matrix as a picture in a data URL; None where nothing kills."""
    if not report.kills.any():
        return None
    image: Any = required("matplotlib.image", extra="report", what="A report's page")
    order = [at for at, power in report.samples_by_power()[:_DRAWN] if power]
    shown = np.where(report.kills[:, order], 40, 245).astype(np.uint8)
    scale = max(1, 400 // max(shown.shape))
    shown = shown.repeat(scale, axis=0).repeat(scale, axis=1)
    held = io.BytesIO()
    image.imsave(held, np.repeat(shown[..., None], 3, axis=2), format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode()
