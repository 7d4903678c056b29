"""Sequence: several operators in order."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import genewright as gw
from tests.operators.oracle import SEED, layer


def test_each_acts_on_what_the_ones_before_made() -> None:
    both = gw.Sequence(operators=(gw.Reset(init="ones"), gw.Zero(rate=1.0, where="bias")))
    mutant = gw.mutate(layer(), both, seed=1)
    assert bool((mutant.weight == 1).all())
    assert not mutant.bias.any()


def test_the_same_operator_twice_draws_twice() -> None:
    base, noise = layer(), gw.GaussianNoise(std=1.0)
    twice = gw.mutate(base, gw.Sequence(operators=(noise, noise)), seed=SEED)
    first = gw.mutate(base, gw.Sequence(operators=(noise,)), seed=SEED)
    assert not torch.allclose(twice.weight - base.weight, 2 * (first.weight - base.weight))


def test_the_recipe_holds_the_leaves_with_their_places() -> None:
    nested = gw.Sequence(operators=(gw.Zero(), gw.Sequence(operators=(gw.SignFlip(), gw.Quantize()))))
    recipe = gw.recipe(gw.mutate(layer(), nested, seed=SEED))
    assert [(s.operator.name, s.path) for s in recipe.steps] == [
        ("zero", "/0/0"),
        ("sign_flip", "/0/1/0"),
        ("quantize", "/0/1/1"),
    ]
    assert gw.replay(recipe, layer()) is not None


def test_a_list_and_a_sequence_do_the_same_kind_of_thing_at_other_places() -> None:
    operators = [gw.Zero(rate=0.3), gw.SignFlip(rate=0.3)]
    listed = gw.recipe(gw.mutate(layer(), operators, seed=SEED))
    assert [s.path for s in listed.steps] == ["/0", "/1"]


def test_a_refusal_of_a_later_one_leaves_every_byte() -> None:
    base = layer()
    before = gw.fingerprint(base)
    for operator in (
        gw.Sequence(operators=(gw.GaussianNoise(), gw.Zero(where="nowhere"))),
        gw.Sequence(operators=(gw.Shuffle(rate=1.0), gw.SwapUnits(rate=1.0), gw.Zero(where="nowhere"))),
    ):
        with pytest.raises(gw.SelectionError, match="nowhere"):
            gw.mutate(base, operator, seed=1, inplace=True)
        assert gw.fingerprint(base) == before


@pytest.mark.parametrize(
    ("operators", "says"),
    [
        ((), "at least one"),
        ("zer", "Did you mean 'zero'"),
        ((gw.Zero,), "Make one of the class"),
        ((3,), "expected an operator"),
        (None, "expected an operator"),
    ],
)
def test_what_is_no_operator_is_refused(operators: Any, says: str) -> None:
    with pytest.raises((gw.SettingError, gw.UnknownNameError), match=says):
        gw.Sequence(operators=operators)


def test_one_operator_may_be_given_alone_and_a_list_becomes_a_tuple() -> None:
    assert gw.Sequence(operators=gw.Zero()).operators == (gw.Zero(),)  # type: ignore[arg-type]
    assert gw.Sequence(operators=[gw.Zero()]).operators == (gw.Zero(),)  # type: ignore[arg-type]
