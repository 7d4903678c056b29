"""OneOf: a seeded, weighted choice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from scipy import stats

import genewright as gw
from genewright.backends import backend_of
from genewright.seeding import Noise
from tests.networks import make
from tests.operators.oracle import layer

NETWORK = backend_of(layer()).network(layer())
THREE = (gw.Zero(rate=0.1), gw.SignFlip(rate=0.1), gw.GaussianNoise(std=0.1))


def chosen(operator: gw.OneOf, seed: int) -> str:
    return next(iter(operator.choose(NETWORK, Noise(seed))))[1].name


@pytest.mark.parametrize(("weights", "shares"), [((), (1, 1, 1)), ((3, 1, 4), (3, 1, 4)), ((1, 0, 1), (1, 0, 1))])
def test_choices_follow_the_weights(weights: tuple[float, ...], shares: tuple[float, ...]) -> None:
    operator = gw.OneOf(operators=THREE, weights=weights)
    counts = Counter(chosen(operator, seed) for seed in range(4000))
    found = [counts[one.name] for one in THREE]
    wanted = [4000 * share / sum(shares) for share in shares]
    assert [f for f, w in zip(found, wanted, strict=True) if w == 0] == [0] * shares.count(0)
    positive = [(f, w) for f, w in zip(found, wanted, strict=True) if w]
    assert stats.chisquare(*zip(*positive, strict=True)).pvalue > 1e-3


def test_the_choice_is_the_seeds_and_not_the_networks() -> None:
    operator = gw.OneOf(operators=THREE)
    for seed in range(8):
        names = {
            gw.recipe(gw.mutate(model, operator, seed=seed)).steps[0].operator.name
            for model in (layer(), make("gru"), make("conv_batchnorm"))
        }
        assert len(names) == 1


def test_what_cannot_act_here_is_left_out() -> None:
    """No attention, no heads: another operator acts, by the odds of those that can."""
    operator = gw.OneOf(operators=(gw.AddHeads(), gw.Zero(rate=0.1), gw.SignFlip(rate=0.1)), weights=(8, 1, 3))
    counts = Counter(chosen(operator, seed) for seed in range(1000))
    assert set(counts) == {"zero", "sign_flip"}
    assert stats.chisquare([counts["zero"], counts["sign_flip"]], [250, 750]).pvalue > 1e-3
    strict = gw.OneOf(operators=operator.operators, weights=operator.weights, fitting=False)
    with pytest.raises(gw.GenewrightError, match=r"AddHeads|example"):
        [gw.mutate(layer(), strict, seed=seed) for seed in range(5)]


def test_where_none_can_act_the_first_refusal_is_raised() -> None:
    with pytest.raises(gw.ExampleError):
        gw.mutate(layer(), gw.OneOf(operators=(gw.AddHeads(), gw.Widen())), seed=1)


def test_choices_are_pinned() -> None:
    """The same in every process, version and machine: a change here breaks what people have written down."""
    assert [chosen(gw.OneOf(operators=THREE), seed) for seed in range(10)] == PINNED


PINNED = [
    "zero",
    "zero",
    "gaussian_noise",
    "sign_flip",
    "zero",
    "sign_flip",
    "zero",
    "sign_flip",
    "sign_flip",
    "sign_flip",
]


def test_the_recipe_holds_what_acted() -> None:
    recipe = gw.recipe(gw.mutate(layer(), gw.OneOf(operators=THREE, weights=(0, 1, 0)), seed=1))
    assert [(s.operator, s.path) for s in recipe.steps] == [(THREE[1], "/0/1")]


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ((1, 2), "3 operators need as many weights; received 2"),
        ((1, -1, 1), "weights must be a finite number of at least 0"),
        ((0, 0, 0), "finite sum above 0"),
        ((float("nan"), 1, 1), "weights must be"),
        (3, "weights are numbers"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: Any, says: str) -> None:
    with pytest.raises(gw.SettingError, match=says):
        gw.OneOf(operators=THREE, weights=weights)


def test_what_is_no_operator_is_refused() -> None:
    with pytest.raises(gw.SettingError, match="OneOf: expected an operator"):
        gw.OneOf(operators=(gw.Zero(), 3))  # type: ignore[arg-type]
