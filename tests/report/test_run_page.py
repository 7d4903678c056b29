"""The page of a run: in a real browser, with a store alone, of long runs, and what a notebook shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import torch

import genewright as gw
from genewright.evolution.individual import Genome, Individual
from genewright.evolution.stores.memory import MemoryStore
from genewright.report.evolution.generations import course_of, payoffs_of
from genewright.report.evolution.page import write_report
from genewright.report.evolution.story import read_story
from tests.evolution.problems import X, evolved, loss, network, weights
from tests.report import browser

pytest.importorskip("matplotlib")
SEVERAL = {
    "noise": gw.GaussianNoise(std=0.1),
    "wider": gw.Widen(layer="0", num_units=2),
    "<b>zero</b>": gw.Zero(rate=0.05),
}


def by_size(model: torch.nn.Module) -> tuple[float, float]:
    return loss(model), -float(sum(parameter.numel() for parameter in model.parameters()))


def grown_by_every_step(model: torch.nn.Module) -> float:
    """A fitness that wants the layer wider, so that the champion has another architecture."""
    return float(model[0].weight.shape[0]) + loss(model)


@pytest.mark.skipif(browser.PATH is None, reason=f"no browser is installed: one of {', '.join(browser.NAMES)}")
def test_a_browser_shows_every_part_without_errors(tmp_path: Path) -> None:
    run = evolved(fitness=by_size, mutation=SEVERAL, example=X[:2], strategy=gw.NSGA2(population=8), generations=3)
    page = tmp_path / "run.html"
    run.report(page)
    seen, console = browser.look_at(page)
    assert console == []
    assert seen["sections"] == [
        "fitness", "descent", "mutations", "diversity", "front", "architecture", "weights",
    ]  # fmt: skip
    assert len(seen["pictures"]) >= 7
    assert all(shown and 200 < width <= 390 for _, shown, width in seen["pictures"]), seen["pictures"]
    assert seen["rows"]["mutations"] == len(SEVERAL)
    assert seen["rows"]["descent"] == len(run.lineage(run.best)) - 1
    assert seen["rows"]["front"] == len(run.front)
    assert seen["rows"]["weights"] == 2
    assert "<b>zero</b>" in seen["text"]  # as text, not as markup
    assert gw.fingerprint(run.best_model) in seen["text"]
    assert seen["width"] <= 390, "the page is wider than a phone"
    assert browser.printed(page).startswith(b"%PDF")


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    evolved().report(tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text()
    assert "<script" not in text
    assert {found[:5] for found in re.findall(r'(?:src|href)="([^"]*)', text)} == {"data:"}
    assert "url(" not in text


def test_a_layer_that_has_grown_is_marked(tmp_path: Path) -> None:
    run = evolved(fitness=grown_by_every_step, mutation=SEVERAL["wider"], example=X[:2], generations=2)
    run.report(tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text()
    width = run.best_model[0].weight.shape[0]
    assert width > 6
    assert f'<td class="changed">weight {width} x 3, bias {width}</td>' in text
    assert "another shape" in text


def test_a_store_alone_has_all_but_the_model(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    from genewright.evolution.stores.opening import store_to_read

    run = evolved(store=tmp_path / "run.db", mutation=SEVERAL, example=X[:2])
    with store_to_read(tmp_path / "run.db") as kept:  # while another has it
        write_report(tmp_path / "alone.html", kept)
        write_report(tmp_path / "with.html", kept, base=network(), example=X[:2])
        with pytest.raises(gw.FingerprintError, match="started from the network"):
            write_report(tmp_path / "other.html", kept, base=torch.nn.Linear(3, 2))
        with pytest.raises(gw.FileError, match="exists already"):
            write_report(tmp_path / "with.html", kept)
    run.report(tmp_path / "run.html")
    without_date = [re.sub(r"Written [-\d: ]+", "", (tmp_path / f"{n}.html").read_text()) for n in ("run", "with")]
    assert without_date[0] == without_date[1]
    assert "written without the model" in (tmp_path / "alone.html").read_text()
    assert not (tmp_path / "other.html").exists()
    run.close()


def test_the_champion_is_that_of_the_run_also_where_elites_are_judged_again(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)

    def noisy(model: torch.nn.Module) -> float:
        return weights(model) + float(draws.normal())

    strategy = gw.GeneticAlgorithm(population=8, parents=3, elites=2, reevaluate=True)
    for seed in range(3):
        run = evolved(fitness=noisy, strategy=strategy, generations=6, seed=seed)
        assert read_story(run._store).champion == run.best


def test_what_the_mutations_led_to_is_what_the_run_counted() -> None:
    run = evolved(mutation=SEVERAL, example=X[:2], generations=5)
    counted = {name: (tally.tried, tally.succeeded) for name, tally in run.mutations.items()}
    found = {one.name: (one.tried, one.succeeded) for one in payoffs_of(read_story(run._store))}
    assert found == counted


def long_run(generations: int, size: int) -> MemoryStore:
    """A run of many individuals that nobody has evaluated: each is the child of the best of the generation before."""
    store, rng = MemoryStore(), np.random.default_rng(0)
    run = evolved(generations=1)
    store.begin(run._store.about())
    operator = gw.GaussianNoise(std=0.1)
    base = Individual(number=0, generation=0, genome=Genome(parents=()), fitness=0.0)
    found, best = [base], base
    for generation in range(1, generations + 1):
        parents, number = (best.number,), len(found)
        children = [
            Individual(
                number=number + at,
                generation=generation,
                genome=Genome(parents=parents, operator=operator, seed=number + at),
                fitness=best.objective + value,
            )
            for at, value in enumerate(rng.normal(size=size).tolist())
        ]
        found += children
        best = max(children, key=lambda one: one.objective)
    store.write(found)
    return store


def test_of_long_runs_a_page_tells_samples(tmp_path: Path) -> None:
    store = long_run(1000, 10)
    course = course_of(read_story(store))
    assert len(course.generation) <= 300
    assert course.generation[-1] == 1000
    assert np.all(np.diff(course.best) >= 0)
    write_report(tmp_path / "long.html", store)
    text = (tmp_path / "long.html").read_text()
    assert "940 steps of smaller gains are left out" in text
    assert len(text) < 400_000


def test_a_run_shows_itself_in_a_notebook() -> None:
    run: Any = evolved(fitness=weights)
    root = ET.fromstring(run._repr_html_())
    assert repr(run) in "".join(root.itertext())
    assert [row[0].text for row in root.findall(".//tbody/tr")] == ["0", "1", "2", "3", "4"]
    lines = root.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert [len(line.get("points", "").split()) for line in lines] == [5, 5]


def test_a_run_without_a_fitness_has_no_page(tmp_path: Path) -> None:
    store = MemoryStore()
    store.begin(evolved(generations=1)._store.about())
    with pytest.raises(gw.EvolutionError, match="nothing to report"):
        write_report(tmp_path / "run.html", store)
    assert not (tmp_path / "run.html").exists()
