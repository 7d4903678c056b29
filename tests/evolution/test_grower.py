"""Genomes: weights come again to the bit, with few networks in memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import genewright as gw
from genewright.evolution.grower import Grower
from genewright.evolution.individual import Genome
from tests.evolution.problems import NOISE, network


def chain(length: int) -> dict[int, Genome]:
    return {0: Genome(parents=())} | {n: Genome(parents=(n - 1,), operator=NOISE, seed=n) for n in range(1, length)}


def by_hand(length: int) -> str:
    net = network()
    for seed in range(1, length):
        gw.mutate(net, NOISE, seed=seed, inplace=True)
    return gw.fingerprint(net)


@pytest.mark.parametrize("cache_bytes", [0, 1 << 12, 1 << 30])
def test_weights_come_again_to_the_bit_whatever_is_kept(cache_bytes: int) -> None:
    genomes = chain(40)
    grower = Grower(network(), genomes, cache_bytes=cache_bytes)
    for number in (39, 3, 20, 39, 0, 21):
        assert gw.fingerprint(grower.grown(genomes[number])) == by_hand(number + 1)


def test_what_is_kept_is_bounded_and_what_takes_most_steps_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crowd of children of the base, which one step makes again, does not drive out the end of a long line."""
    genomes = chain(30) | {n: Genome(parents=(0,), operator=NOISE, seed=n) for n in range(30, 80)}
    genomes |= {n + 100: Genome(parents=(n,), operator=NOISE, seed=n) for n in range(80)}
    net = network()
    size = sum(parameter.nbytes for parameter in net.parameters())
    grower = Grower(net, genomes, cache_bytes=4 * size)
    made: list[Genome] = []
    grown = grower._grown

    def counted(genome: Genome) -> Any:
        made.append(genome)
        return grown(genome)

    monkeypatch.setattr(grower, "_grown", counted)
    grower.grown(genomes[129])
    for number in range(130, 180):
        grower.grown(genomes[number])
    assert len(grower._kept) <= 8
    made.clear()
    grower.grown(genomes[129])
    assert len(made) <= 2


def test_a_second_parent_is_the_mate() -> None:
    both = gw.Sequence(operators=(gw.Crossover(rate=0.5), NOISE))
    genomes = chain(3) | {
        3: Genome(parents=(0,), operator=NOISE, seed=9),
        4: Genome(parents=(2, 3), operator=both, seed=5),
    }
    grower = Grower(network(), genomes)
    two, three = (gw.mutate(network(), NOISE, seed=seed) for seed in (1, 9))
    two = gw.mutate(two, NOISE, seed=2)
    expected = gw.mutate(two, both, seed=5, donors={"mate": three})
    assert gw.fingerprint(grower.grown(genomes[4])) == gw.fingerprint(expected)
    signed = grower.signed(4)
    assert gw.fingerprint(signed) == gw.fingerprint(expected)
    assert gw.fingerprint(gw.replay(gw.recipe(signed), network())) == gw.fingerprint(expected)


def test_strength_multiplies_the_operators_own() -> None:
    genomes = {0: Genome(parents=()), 1: Genome(parents=(0,), operator=NOISE, seed=1, strength=2.0)}
    made = Grower(network(), genomes).grown(genomes[1])
    assert gw.fingerprint(made) == gw.fingerprint(gw.mutate(network(), gw.GaussianNoise(std=0.2), seed=1))


def test_what_is_handed_out_is_nobody_elses() -> None:
    genomes = chain(3)
    grower = Grower(network(), genomes)
    first = grower.grown(genomes[2])
    with torch.no_grad():
        first[0].weight.zero_()
    assert gw.fingerprint(grower.grown(genomes[2])) == by_hand(3)


def test_an_operator_that_depends_on_more_than_the_seed_is_caught() -> None:
    """Its champion could not be made again: it is said when that is asked for."""
    from tests.evolution.wayward import Counting

    genomes = {0: Genome(parents=()), 1: Genome(parents=(0,), operator=Counting(), seed=1)}
    with pytest.raises(gw.EvolutionError, match=r"Individual 1 is not made again as it was evaluated: '0\.weight'"):
        Grower(network(), genomes).signed(1)
