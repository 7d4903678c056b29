"""One transaction, many modes: plan refuses what mutate refuses, and foresees what mutate records."""

from __future__ import annotations

import sys
from abc import ABC
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.conformance.cases import Case, as_case, built_in
from genewright.edits import Assign, Edit, Perturb, Write
from genewright.network import Network
from genewright.noise import Change
from genewright.operator import donors_of
from genewright.seeding import Noise
from genewright.where import Where
from tests.crosses import crossed
from tests.networks import NETWORKS, make
from tests.operators.architecture import test_conformance as architecture
from tests.outcomes import Accepted, Refused, agree
from tests.test_conformance import DEFAULTS, OPERATORS


@pytest.fixture(autouse=True, scope="module")
def without_keras() -> Iterator[None]:
    """What other tests of this process have imported makes no difference: Keras has tests of its own."""
    keras = sys.modules.pop("keras", None)
    yield
    if keras is not None:
        sys.modules["keras"] = keras


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """The networks of the conformance suite, and those of its tests; each is only copied."""
    return [*built_in(), *(as_case(name, make(name)) for name in NETWORKS)]


def alone(name: str) -> bool:
    """Whether an operator needs no second network."""
    return not donors_of(OPERATORS[name])


@pytest.mark.parametrize("name", list(filter(alone, DEFAULTS)))
def test_all_ways_agree_on_every_network(name: str, cases: list[Case]) -> None:
    made = [agree(case, DEFAULTS[name]) for case in cases]
    assert any(isinstance(one, Accepted) for one in made)
    assert any(isinstance(one, Refused) for one in made)  # a module without tensors, at least


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(filter(alone, OPERATORS.keys() - DEFAULTS.keys())))
def test_all_ways_agree_on_every_network_for_variants_too(name: str, cases: list[Case]) -> None:
    assert any(isinstance(agree(case, OPERATORS[name]), Accepted) for case in cases)


# Architecture: with an example, without one, and on a network that cannot be run.

STRUCTURAL: dict[str, Any] = {
    **{name: cls() for name, cls in architecture.DEFAULTS.items()},
    **architecture.VARIANTS,
}
FEW = ("small plain", "small stack", "wide attention")


@pytest.fixture(scope="module")
def structural() -> dict[str, Case]:
    return {name: as_case(name, room.make(network)) for name, (room, network) in architecture.CASES.items()}


@pytest.mark.parametrize(("name", "network"), list(crossed(architecture.DEFAULTS, FEW, one_in=3)))
def test_all_ways_agree_on_architecture(name: str, network: str, structural: dict[str, Case]) -> None:
    refuses = network in architecture.REFUSED.get(name, ())
    assert isinstance(agree(structural[network], STRUCTURAL[name]), Refused) == refuses


@pytest.mark.slow
@pytest.mark.parametrize("name", STRUCTURAL)
def test_all_ways_agree_on_architecture_everywhere(name: str, structural: dict[str, Case], cases: list[Case]) -> None:
    for network, case in structural.items():
        refuses = network in architecture.REFUSED.get(name, ())
        assert isinstance(agree(case, STRUCTURAL[name]), Refused) == refuses, network
    for case in cases:
        agree(case, STRUCTURAL[name])


@pytest.mark.parametrize("name", architecture.DEFAULTS)
def test_all_ways_agree_without_an_example(name: str) -> None:
    model, _ = architecture.networks.make("plain")
    outcome = agree(as_case("plain", model), STRUCTURAL[name])
    assert isinstance(outcome, Accepted) == (name in ("grow_kernel", "replace_activation"))


@pytest.mark.parametrize("name", architecture.DEFAULTS)
def test_all_ways_refuse_alike_on_a_checkpoint(name: str, tmp_path: Path) -> None:
    gw.save(make("mlp"), tmp_path / "mlp.safetensors")
    case = as_case("file", gw.read_checkpoint(tmp_path / "mlp.safetensors"))
    assert isinstance(agree(case, STRUCTURAL[name]), Refused)


@pytest.mark.parametrize("example", [torch.zeros(2, 7), "text", (), {"nothing": 1}])
def test_all_ways_refuse_alike_on_an_example_that_does_not_fit(example: Any) -> None:
    model = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3))
    assert isinstance(agree(as_case("mlp", (model, example)), gw.Widen()), Refused)


# Several operators: a later one is refused after an earlier one has acted.

SEQUENCES: dict[str, Any] = {
    "noise, then what does not fit": [gw.GaussianNoise(), gw.Shuffle(where="*bias")],
    "noise, then an unknown layer": [gw.GaussianNoise(), gw.Zero(where="nowhere")],
    "wider, then an unknown layer": [gw.Widen(), gw.Narrow("nowhere")],
    "wider, then wider, then narrow": [gw.Widen(), gw.Widen(init="pair"), gw.Narrow(by="last")],
    "a new layer, which is then changed": [gw.InsertLayer(after="0"), gw.Widen("1"), gw.SignFlip()],
    "layers go": [gw.RemoveLayer(layer="1"), gw.RemoveLayer(layer="1"), gw.Widen()],
    "in a combinator": gw.Sequence(operators=(gw.Widen(), gw.Sequence(operators=(gw.Zero(), gw.Zero(where="gone"))))),
    "one of several": gw.OneOf(operators=(gw.Widen(), gw.InsertLayer(), gw.SignFlip())),
    "no operator fits": gw.OneOf(operators=(gw.Zero(where="gone"), gw.AddHeads())),
    "the same twice": [gw.ReplaceActivation(to="GELU"), gw.ReplaceActivation(to="GELU")],
    "grown where nothing can": [gw.SignFlip(), gw.GrowKernel()],
    "a donor that is missing": [gw.SignFlip(), gw.Transfer(donor="teacher")],
}
FIT = {
    *("wider, then wider, then narrow", "a new layer, which is then changed", "layers go", "one of several"),
    "the same twice",
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_all_ways_agree_on_several_operators(name: str) -> None:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3)).eval()
    case = as_case("mlp", (model, torch.randn(4, 5)))
    for seed in range(2):
        assert isinstance(agree(case, SEQUENCES[name], seed=seed), Accepted) == (name in FIT)


def test_all_ways_agree_on_donors() -> None:
    torch.manual_seed(2)
    case = as_case("mlp", make("mlp"))
    small, other = nn.Sequential(nn.Linear(3, 2)), nn.Sequential(nn.Conv1d(3, 2, 1))
    assert isinstance(agree(case, gw.Transfer(donor="d"), donors={"d": small}), Accepted)
    assert isinstance(agree(case, gw.Transfer("0.weight", "0.weight", donor="d"), donors={"d": other}), Refused)
    assert isinstance(agree(case, gw.Transfer(donor="d"), donors={"d": 3}), Refused)
    assert isinstance(agree(case, gw.Transfer(donor="d"), donors={"e": small}), Refused)


# Operators of others.


class _Claiming(gw.Operator, ABC):
    keeps: ClassVar[frozenset[str]] = frozenset({"shape", "function"})


@dataclass(frozen=True, kw_only=True)
class LyingNoise(_Claiming):
    """Adds noise, and claims to keep the function."""

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        for selected in Where().select(networks[0]):
            yield Perturb(tensor=selected.tensor.name, change=Change(combine="add"), stream=selected.tensor.name)


@dataclass(frozen=True, kw_only=True)
class HonestNothing(_Claiming):
    """Writes what is there already."""

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        for selected in Where().select(networks[0]):
            yield Assign(tensor=selected.tensor.name, values=networks[0].read(selected.tensor.name))


@dataclass(frozen=True, kw_only=True)
class FailingLate(gw.Operator):
    """Its second edit fails when its turn has come."""

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        names = [selected.tensor.name for selected in Where().select(networks[0])]
        yield Perturb(tensor=names[0], change=Change(combine="add"), stream="a")
        yield Write(tensor=names[1], values=lambda old: old[:0])


@dataclass(frozen=True, kw_only=True)
class NotAnEdit(gw.Operator):
    """Proposes something else."""

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Any]:
        yield "an edit"


@dataclass(frozen=True, kw_only=True)
class PastTheEnd(gw.Operator):
    """Names what does not exist.

    Args:
        what: What that is, "tensor" or "part".
    """

    what: str = "tensor"

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        names = [selected.tensor.name for selected in Where().select(networks[0])]
        yield Assign(tensor=names[0] if self.what == "part" else "no.such", values=np.ones(1))


@pytest.mark.parametrize(
    ("operator", "kind"),
    [
        (LyingNoise(), gw.FunctionError),
        (FailingLate(), gw.EditError),
        (NotAnEdit(), gw.EditError),
        (PastTheEnd(), gw.UnknownNameError),
        (PastTheEnd(what="part"), gw.EditError),
    ],
)
@pytest.mark.parametrize("first", [(), (gw.SignFlip(),), (gw.Widen(),)])
def test_what_others_do_wrong_is_refused_by_all_ways(
    operator: gw.Operator, kind: type[gw.GenewrightError], first: tuple[Any, ...]
) -> None:
    model, example = architecture.networks.make("mlp")
    refused = agree(as_case("mlp", (model, example)), [*first, operator])
    assert isinstance(refused, Refused)
    assert refused.kind is kind


def test_what_others_do_right_is_accepted_by_all_ways() -> None:
    case = as_case("mlp", architecture.networks.make("mlp"))
    made = agree(case, HonestNothing())
    assert isinstance(made, Accepted)
    assert made.content == case.content(case.model)


def test_without_an_example_a_claim_is_not_checked_by_any_way() -> None:
    assert isinstance(agree(as_case("mlp", make("mlp")), LyingNoise()), Accepted)
