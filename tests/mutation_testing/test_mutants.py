"""Mutants: a function of specification and seed, spread over the sites, and made larger without a change."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

import genewright as gw
from tests.mutation_testing.nets import mlp

SPEC = gw.Mutants((gw.Zero(count=1), gw.SwapUnits(count=1), gw.ReplaceActivation("Tanh")), outputs=False)
EXAMPLE = torch.zeros(1, 6)


def planned(spec: gw.Mutants = SPEC, seed: int = 1):
    return spec.planned(mlp(), seed=seed, example=EXAMPLE)


def test_a_mutant_is_a_function_of_specification_and_seed() -> None:
    first, again, other = planned(), planned(), planned(seed=2)
    assert [first.mutant(i) for i in range(12)] == [again.mutant(i) for i in reversed(range(12))][::-1]
    assert [str(first.mutant(i).site) for i in range(24)] != [str(other.mutant(i).site) for i in range(24)]


def test_operators_take_turns_and_every_site_comes_once_before_one_comes_again() -> None:
    mutants = [planned().mutant(i) for i in range(12)]
    assert [m.of for m in mutants] == [0, 1, 2] * 4
    for of in range(3):
        sites = [str(m.site) for m in mutants if m.of == of]
        assert len(set(sites[:2])) == 2, sites  # the output layer is none
        assert set(sites[:2]) == set(sites[2:]), sites


def test_exhaustive_names_every_unit_once() -> None:
    every = planned(gw.Mutants(gw.BlockUnits(count=1), sites="unit", exhaustive=True))
    sites = Counter(str(every.mutant(i).site) for i in range(len(every)))
    assert sites == Counter([f"0[{u}]" for u in range(16)] + [f"2[{u}]" for u in range(12)])
    with pytest.raises(gw.SettingError, match="28 of them"):
        every.mutant(28)


def test_a_site_bounds_what_changes() -> None:
    net = mlp()
    for kind, width in (("tensor", 1), ("layer", 2), ("all", 6)):
        mutant = gw.Mutants(gw.GaussianNoise(), sites=kind).planned(net, seed=1).mutant(0)  # type: ignore[arg-type]
        changed = {line.tensor for step in gw.plan(net, mutant.operator, seed=1).steps for line in step.lines}
        assert len(changed) == width, kind


def test_an_operator_without_a_site_is_named_and_left_out() -> None:
    spec = gw.Mutants((gw.Zero(count=1), gw.ReplaceActivation("Tanh")))
    found = spec.planned(torch.nn.Linear(6, 4), seed=1, example=EXAMPLE)
    assert list(found.left_out) == [1]
    assert "ReplaceActivation" in found.left_out[1]
    with pytest.raises(gw.SelectionError, match="no operator has a site"):
        gw.Mutants(gw.ReplaceActivation("Tanh")).planned(torch.nn.Linear(6, 4), seed=1, example=EXAMPLE)


def test_json_gives_the_same_specification_back() -> None:
    both = SPEC + gw.Mutants(gw.Shuffle(), sites="tensor", outputs=False)
    assert gw.Mutants.from_json(both.to_json()).kinds == ("layer", "layer", "layer", "tensor")
    assert gw.Mutants.from_json(both.to_json()) == gw.Mutants(both.operators, both.kinds, outputs=False)
    with pytest.raises(gw.RecipeError, match="object with operators"):
        gw.Mutants.from_json([])


def test_bad_words_are_refused() -> None:
    with pytest.raises(gw.SettingError, match="layer, tensor, unit, all"):
        gw.Mutants(gw.Zero(), sites="neuron")  # type: ignore[arg-type]
    with pytest.raises(gw.SettingError, match="one for each of the 1"):
        gw.Mutants(gw.Zero(), sites=("layer", "unit"))
