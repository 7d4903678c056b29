"""The page: one HTML file that needs nothing else, no script and no network; for a screen, a phone and paper."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from genewright.backends import backend_of
from genewright.errors import FingerprintError
from genewright.evolution.grower import Grower
from genewright.evolution.individual import Individual
from genewright.evolution.stores.store import Store
from genewright.evolution.trained_weights import TrainedWeights
from genewright.extras import required
from genewright.fingerprint import fingerprint_of
from genewright.report.evolution import charts
from genewright.report.evolution.generations import QUANTILES, Course, course_of, payoffs_of
from genewright.report.evolution.layers import LayerChange, compare_layers
from genewright.report.evolution.story import Objectives, Story, ancestry, read_story
from genewright.storage import Overwrite, refuse_existing, write_atomically

_STEPS = 60  # of a line of descent that are told one by one
_PICTURES = 24  # layers whose histograms are drawn
_ROWS = 50  # of the front
_GENERATIONS = 12  # that are told as numbers
_TEXT = 160  # letters of an operator


def write_report(
    path: Path | str,
    store: Store,
    *,
    base: Any = None,
    example: Any = None,
    champion: Any = None,
    trained: TrainedWeights | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Write what became of a run as one page of HTML.

    Args:
        path: The file.
        store: Where the run is kept; it may be going on.
        base: The network that the run started from. Without it, the page has nothing on layers and weights.
        example: The run's example, where it had one.
        champion: The champion, where the caller has it; else it is made of the base.
        trained: Where trained weights are kept, in a run that trained its individuals.
        overwrite: Whether an old file may be replaced.

    Raises:
        MissingExtraError: matplotlib or Jinja is not installed.
        EvolutionError: No individual has a fitness yet.
        FingerprintError: The run started from another network.
        FileError: The file exists, or cannot be written.

    Example:
        >>> import tempfile, torch, genewright as gw
        >>> run = gw.evolve(torch.nn.Linear(2, 1), lambda m: -float(m.weight.norm()), mutation=gw.Zero(rate=0.5),
        ...     strategy=gw.GeneticAlgorithm(population=8, parents=2), generations=2, seed=1)
        >>> run.report(f"{tempfile.mkdtemp()}/run.html")
    """
    path = Path(path)
    refuse_existing(path, overwrite=overwrite)
    jinja = required("jinja2", extra="report", what="A report")
    required("matplotlib", extra="report", what="A report")
    story = read_story(store)
    if base is not None:
        found = fingerprint_of(backend_of(base).network(base))
        if found != story.about["base"]:
            raise FingerprintError(
                f"The run started from the network {story.about['base']}, and the one given is {found}. Give the model "
                "that gw.evolve was given, or none."
            )
        if champion is None:
            genomes = ancestry(store, story.champion.number)
            champion = Grower(base, genomes, example=example, trained=trained).signed(story.champion.number)
    write_atomically(path, [_page(story, base, champion, jinja).encode()], overwrite=overwrite)


def _page(story: Story, base: Any, champion: Any, jinja: Any) -> str:
    course, payoffs = course_of(story), payoffs_of(story)
    environment = jinja.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja.StrictUndefined
    )
    environment.filters.update(number=_number, whole=_whole, gain=_gain)
    text = (resources.files("genewright.report.evolution") / "page.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(text).render(
        style=(resources.files("genewright.report") / "page.css").read_text(encoding="utf-8"),
        story=story,
        champion=story.champion,
        facts=_facts(story),
        course=course,
        table=_table(course),
        course_picture=charts.draw_course(course),
        diversity_picture=charts.draw_diversity(course) if len(course.generation) > 1 else None,
        descent_picture=charts.draw_descent(story.descent),
        steps=_steps(story),
        left_out=max(0, len(story.descent) - 1 - _STEPS),
        payoffs=payoffs,
        payoffs_picture=charts.draw_payoffs(payoffs) if payoffs else None,
        front=_front(story.objectives),
        networks=None if base is None else _networks(base, champion),
        base_words=story.about["base"],
        written=dt.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
    )


def _table(course: Course) -> list[tuple[Any, ...]]:
    """Return a few generations as numbers."""
    at = sorted(set(np.linspace(0, len(course.generation) - 1, _GENERATIONS).astype(int).tolist()))
    shown = course.quantiles[:, [-1, QUANTILES.index(0.5)]]
    return [(int(course.generation[n]), course.best[n], *shown[n]) for n in at]


def _facts(story: Story) -> list[tuple[str, str]]:
    """Return what stands at the top: what the run was, and what came of it."""
    base, best = story.fitness[0], story.champion.objective
    count, failed = len(story.fitness), sum(one != "evaluated" for one in story.status)
    strategy: dict[str, Any] = story.about["strategy"]
    settings = ", ".join(f"{key}={value}" for key, value in strategy.items() if key != "is" and value is not None)
    return [
        ("best fitness", f"{_number(best)} (the original: {_number(base)})"),
        ("champion", f"individual {story.champion.number:,}, {len(story.descent) - 1:,} steps from the original"),
        (
            "individuals",
            f"{count:,} in {int(story.generation[-1]):,} generations; {failed:,} without a fitness",
        ),
        ("evaluation", f"{story.seconds:,.1f} s together, {1000 * story.seconds / count:,.1f} ms each"),
        ("strategy", _cut(f"{strategy.get('is', '')} ({settings})")),
        ("judged by", _cut(str(story.about["fitness"]))),
        ("seed", _cut(str(story.about["seed"]))),
    ]


def _steps(story: Story) -> list[dict[str, Any]]:
    """Return the steps of the line of descent that are told: the largest gains, where there are many."""
    steps = story.descent[1:]
    if len(steps) > _STEPS:
        order = sorted(range(len(steps)), key=lambda at: -math.inf if steps[at].gain is None else steps[at].gain or 0.0)
        steps = tuple(steps[at] for at in sorted(order[-_STEPS:]))
    return [
        {
            "number": line.individual.number,
            "generation": line.individual.generation,
            "mutation": line.individual.mutation,
            "operator": _operator(line.individual),
            "fitness": line.individual.objective,
            "gain": line.gain,
        }
        for line in steps
    ]


def _operator(individual: Individual) -> str:
    """Return an operator as it would be written, without the settings that are as always."""
    operator: Any = individual.genome.operator
    if operator is None:
        return "evaluated once more"
    said: list[str] = []
    for field in dataclasses.fields(operator):
        value = getattr(operator, field.name)
        made: Any = field.default_factory
        usual = field.default if made is dataclasses.MISSING else made()
        if value != usual:
            said.append(f"{field.name}={_cut(repr(value))}")
    strength = individual.genome.strength
    scaled = "" if strength == 1.0 else f" at {strength:.3g} times its strength"
    return _cut(f"{type(operator).__name__}({', '.join(said)})") + scaled


def _front(found: Objectives | None) -> dict[str, Any] | None:
    if found is None:
        return None
    step = max(1, -(-len(found.front) // _ROWS))
    return {
        "names": found.names,
        "picture": charts.draw_front(found),
        "rows": [(one.number, *charts.values_of(one)) for one in found.front[::step]],
        "size": len(found.front),
        "whole": found.whole,
        "of": len(found.values),
    }


def _networks(base: Any, champion: Any) -> dict[str, Any]:
    """Return the layers before and after, and pictures of those that have moved the most."""
    layers = compare_layers(base, champion)
    drawn = sorted((one for one in layers if charts.has_values(one)), key=_unmoved)[:_PICTURES]
    return {
        "layers": layers,
        "before": sum(one.parameters[0] for one in layers),
        "after": sum(one.parameters[1] for one in layers),
        "pictures": [(one, charts.draw_weights(one)) for one in layers if one in drawn],
        "left_out": sum(map(charts.has_values, layers)) - len(drawn),
        "result": fingerprint_of(backend_of(champion).network(champion)),
    }


def _unmoved(change: LayerChange) -> float:
    """Order layers: new shapes first, then by how far the weights have moved."""
    return -math.inf if change.reshaped else -(change.moved or 0.0)


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.6g}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _gain(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:+.4g}"


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"
