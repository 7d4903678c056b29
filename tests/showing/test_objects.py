"""What objects show: few lines at a prompt, all by details(), and HTML that holds their numbers and no scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.difference import difference
from genewright.showing import LINES

EVIL = "<script>alert(1)</script>"
_VOID = {"meta", "br"}


class Read(HTMLParser):
    """The texts and elements of a fragment; each element has to be closed where it was opened."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[str] = []
        self._open: list[str] = []
        self.feed(fragment)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("href", "src")]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).eval()


def deep() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*[nn.Linear(4, 4) for _ in range(30)]).eval()


X, Y = torch.arange(32.0).reshape(8, 4) / 32, torch.arange(8) % 3


def plan(net: Any) -> Any:
    return gw.plan(net, gw.GaussianNoise(0.1), seed=1)


def knobs(net: Any) -> Any:
    return gw.knobs(net, X)


def comparison(net: Any) -> Any:
    return gw.compare(net, gw.mutate(net, gw.GaussianNoise(0.1), seed=1), (X, Y), metrics=("accuracy", "cross_entropy"))


def recipe(net: Any) -> Any:
    operator = gw.Sequence(operators=(gw.GaussianNoise(0.1),) * len(net))
    return gw.recipe(gw.mutate(net, operator, seed=1))


def found(net: Any) -> Any:
    return difference(net, gw.mutate(net, gw.GaussianNoise(0.1), seed=1))


def neurons(net: Any) -> Any:
    return gw.neurons.measure(net, X)


def run(net: Any) -> Any:
    def fitness(model: Any) -> float:
        return -float(model[0].weight.detach().norm())

    strategy = gw.GeneticAlgorithm(population=2, parents=1)
    return gw.evolve(net, fitness, mutation=gw.GaussianNoise(0.1), strategy=strategy, generations=3, seed=1)


def report(net: Any) -> Any:
    return gw.mutation_score(net, (X, Y), seed=1, count=8)


MAKERS: tuple[Callable[[Any], Any], ...] = (plan, knobs, comparison, recipe, found, neurons, run, report)


@pytest.mark.parametrize("make", MAKERS)
def test_a_prompt_has_at_most_30_lines_of_a_deep_network_and_details_has_all(make: Callable[[Any], Any]) -> None:
    shown = make(deep())
    assert repr(shown) == str(shown)
    assert str(shown).count("\n") < LINES
    assert shown.details().count("\n") >= str(shown).count("\n")
    fragment = Read(shown._repr_html_())
    assert fragment.elements.count("tr") + fragment.elements.count("text") <= 8 * LINES


@pytest.mark.parametrize("make", MAKERS)
def test_a_notebook_gets_sound_html_with_pictures_and_without_scripts_and_links(make: Callable[[Any], Any]) -> None:
    shown = Read(make(small())._repr_html_())
    assert "script" not in shown.elements
    assert "svg" in shown.elements or make is recipe
    assert any(text.strip() for text in shown.texts)


def test_a_plan_in_html_has_tensors_shares_and_the_cost_before_and_after() -> None:
    planned = gw.plan(small(), gw.Widen("0", 1.5), seed=1, example=X)
    texts = Read(planned._repr_html_()).texts
    assert {"0.weight", "6x4", "axis 0 gathered, 6 -> 9"} <= set(texts)
    assert {"51", "75 (+47.1%)", "204", "300 (+47.1%)", "336", "504 (+50.0%)"} <= set(texts)  # parameters, bytes, MACs
    assert "336 -> 504 MACs" in repr(planned)


def test_a_long_plan_keeps_its_sums_and_says_how_much_it_leaves_out() -> None:
    planned = plan(deep())
    assert "... and 33 more: .details()" in str(planned)
    assert str(planned).endswith("60 tensors, about 600 of 600 trainable values")
    assert planned.details().count("w + 0.1 * normal") == 60


def test_many_knobs_have_a_line_each_and_few_all_places() -> None:
    assert "0.weight  axis 0  writer" in repr(knobs(small()))
    many = repr(knobs(deep())).splitlines()
    assert many[1] == "31 knobs, 29 of them free; all places: .details(), or [name]"
    assert many[-1] == "... and 4 more"


def test_a_comparison_draws_metrics_before_and_after_and_how_far_outputs_moved() -> None:
    compared = comparison(small())
    texts = Read(compared._repr_html_()).texts
    pair = compared.metrics["cross_entropy"]
    assert {f"{pair.before:.4g}", f"{pair.after:.4g}", "outputs by how far they moved"} <= set(texts)
    assert sum(compared.changes.values()) == 8 * 3
    assert max(compared.changes) == int(torch.tensor(compared.largest_change).log10().floor())


def test_a_recipe_shows_its_steps_without_asking_whether_the_operator_is_installed() -> None:
    text = gw.recipe(gw.mutate(small(), gw.GaussianNoise(0.25), seed="a <b>")).to_json()
    unknown = gw.recipe(gw.mutate(small(), gw.Widen("0", 1.5), seed="a <b>", example=X)).to_json()
    unknown = unknown.replace("widen@1", "of_somebody@3")
    assert "gaussian_noise(std=0.25" in repr(gw.Recipe.from_json(text))
    shown = gw.Recipe.from_json(unknown)
    assert "of_somebody(layer=" in repr(shown)
    assert "'a <b>'" in Read(shown._repr_html_()).texts


def test_a_difference_has_both_shapes_and_both_costs() -> None:
    net = small()
    both = difference(net, gw.mutate(net, gw.Widen("0", 1.5), seed=1, example=X))
    assert "0.weight  float32 6x4 -> 9x4  other shape" in repr(both)
    assert repr(both).endswith("51 -> 75 parameters, 204 -> 300 bytes")
    assert "75 (+47.1%)" in Read(both._repr_html_()).texts
    assert "other_shape" in str(both.to_json()["tensors"][0])
    assert repr(difference(net, net)).startswith("Every byte of 4 tensors agrees")


def test_a_table_of_neurons_draws_a_histogram_a_measure() -> None:
    measured = neurons(small())
    texts = Read(measured._repr_html_()).texts
    assert "units by active_fraction" in texts
    assert len(measured.details().splitlines()) == len(measured) + 2 + len(measured.notes)


def test_a_report_has_each_outcome_and_each_operators_score() -> None:
    made = report(small())
    texts = " ".join(Read(made._repr_html_()).texts)
    assert all(f"{outcome} {count:,}" in texts for outcome, count in made.outcomes().items())
    assert str(made.score()) in texts


def test_names_that_are_html_are_shown_as_text() -> None:
    net = nn.ModuleDict({EVIL.replace(".", ""): nn.Linear(3, 2)})
    planned = gw.plan(net, gw.GaussianNoise(0.1), seed=EVIL)
    moved = difference(net, gw.mutate(net, gw.GaussianNoise(0.1), seed=1))
    for shown in (planned, moved, gw.recipe(gw.mutate(net, gw.GaussianNoise(0.1), seed=EVIL))):
        assert "script" not in Read(shown._repr_html_()).elements
        assert "&lt;script&gt;" in shown._repr_html_()


def test_a_metric_that_is_not_a_number_is_drawn_without_a_bar() -> None:
    compared = gw.compare(small(), small(), (X, Y), metrics={"odd": lambda outputs, targets: float("nan")})
    fragment = compared._repr_html_()
    assert "nan" in Read(fragment).texts
    assert not re.search(r'(width|x|height)="nan', fragment)
