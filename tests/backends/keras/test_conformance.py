"""`gw.check_operator` on Keras models: every operator keeps every invariant, and broken operators are caught."""

from __future__ import annotations

import subprocess
import sys
from abc import ABC
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.edits import Edit, Perturb
from genewright.network import Network
from genewright.noise import Change
from genewright.operator import registered
from genewright.seeding import Noise
from genewright.where import Where
from tests import test_conformance as everywhere
from tests.crosses import thinned

_OF_A_KIND = ("fold_constant_units", "merge_units", "recycle_units")  # act on units that test_unit_operators.py makes
_OF_TWO = ("align_to", "crossover", "rewind")  # need a second network, and have tests of their own
OPERATORS: dict[str, Any] = {
    name: cls
    for name, cls in registered().items()
    if cls.__module__.startswith("genewright.") and name not in (*_OF_A_KIND, *_OF_TWO)
}
OPERATORS["resize_positions"] = gw.ResizePositions(13, layer="embedding")  # looked up by what the model is given
CASES = (  # their names begin with "Keras: "
    *("dense", "convolutional, compiled", "recurrent", "attention", "a shared layer"),
    *("a model inside, a frozen layer", "subclassed", "bfloat16", "float64"),
)
# An operator may refuse a network that has nothing for it. These do, and no others.
_NO_ROOM = {"recurrent", "a model inside, a frozen layer", "subclassed", "bfloat16", "float64"}
_NOTHING_ALIKE = {"recurrent", "a shared layer", "a model inside, a frozen layer", "bfloat16", "float64"}
REFUSED: dict[str, set[str]] = {
    **{key: {"subclassed"} for key in ("add_branch", "insert_layer")},  # its wiring is Python code
    **dict.fromkeys(("add_skip", "duplicate_block", "remove_layer"), _NO_ROOM),
    "replace_layer": _NO_ROOM,
    **{key: set(CASES) - {"attention"} for key in ("add_heads", "remove_heads")},
    "grow_kernel": set(CASES) - {"convolutional, compiled"},
    **{
        key: {"a shared layer"} for key in ("narrow", "widen", "block_units", "split_units", "prune_units")
    },  # inside and outside of a model inside
    "replace_activation": {"recurrent"},
    "reset": {"recurrent"},  # the first values of a recurrent kernel are orthogonal
    **dict.fromkeys(("tie", "transfer"), _NOTHING_ALIKE),
    "widen_stream": set(CASES) - {"dense"},
    "copy_layer": _NO_ROOM,
    "grow_inputs": {"recurrent", "attention", "subclassed"},  # read by an embedding, under a norm, by Python code
    "shrink_inputs": {"recurrent", "subclassed"},
    **dict.fromkeys(("resize_positions", "resize_vocabulary"), set(CASES) - {"recurrent"}),
    "swap_layers": set(CASES) - {"attention"},  # queries, keys and values
}
# One operator for each place that is Keras's own: reading and writing weights, wiring, widths, ends, heads. On torch
# every operator is checked each time (tests/test_conformance.py and others); here the rest of the cross is slow.
QUICK = {
    *(("add_heads", "attention"), ("swap_layers", "attention"), ("resize_vocabulary", "recurrent")),
    *(("grow_kernel", "convolutional, compiled"), ("gaussian_noise", "subclassed"), ("widen", "subclassed")),
    *(("insert_layer", "dense"), ("remove_layer", "dense"), ("replace_activation", "dense"), ("narrow", "dense")),
    *(("grow_outputs", "dense"), ("shrink_inputs", "dense"), ("widen_stream", "dense"), ("tie", "dense")),
    *(("block_units", "dense"), ("split_units", "dense"), ("safe_gaussian_noise", "dense"), ("quantize", "bfloat16")),
    *(("bit_flip", "float64"), ("reset", "a shared layer"), ("zero", "a model inside, a frozen layer")),
}


@pytest.fixture(scope="module")
def cases() -> dict[str, Any]:
    from genewright.conformance.keras_cases import networks

    made = {name.removeprefix("Keras: "): pair for name, pair in networks().items()}
    assert set(made) == set(CASES)
    return made


def _pairs() -> Iterator[Any]:
    for operator in OPERATORS:
        for case in CASES:
            marks = [] if (operator, case) in QUICK else [pytest.mark.slow]
            yield pytest.param(operator, case, marks=marks)


@pytest.mark.parametrize(("operator", "case"), list(_pairs()))
def test_every_operator_keeps_every_invariant_or_refuses(operator: str, case: str, cases: dict[str, Any]) -> None:
    def check() -> None:
        gw.check_operator(OPERATORS[operator], {case: cases[case]})

    if case in REFUSED.get(operator, ()):
        with pytest.raises(gw.ConformanceError, match="refused all of them"):
            check()
    else:
        check()


def test_every_operator_fits_a_network_and_every_network_is_met_each_time() -> None:
    assert {operator for operator, _ in QUICK} <= OPERATORS.keys()
    assert {case for _, case in QUICK} == set(CASES)
    assert not [(operator, case) for operator, case in QUICK if case in REFUSED.get(operator, ())]
    assert not {name for name, cases in REFUSED.items() if cases == set(CASES)}
    assert REFUSED.keys() <= OPERATORS.keys()


def test_the_function_is_compared_in_float64(keras: Any, cases: dict[str, Any]) -> None:
    from genewright.conformance.keras_cases import KerasCase

    for name, pair in cases.items():
        case = KerasCase(name, *pair)
        with case.exactly():
            outputs = case.doubled()(pair[1])
            assert keras.backend.standardize_dtype(outputs.dtype) == "float64", name
        assert np.isfinite(np.asarray(keras.ops.convert_to_numpy(outputs))).all()


def test_a_fresh_model_has_the_bytes_and_traits_and_no_variable_of_the_first(cases: dict[str, Any]) -> None:
    from genewright.conformance.keras_cases import KerasCase

    for name, pair in cases.items():
        case = KerasCase(name, *pair)
        fresh = case.fresh()
        assert case.content(fresh) == case.content(pair[0]), name
        assert case.traits(fresh) == case.traits(pair[0]), name
        assert not set(case.places(fresh).values()) & set(case.places(pair[0]).values()), name


def test_keras_networks_join_where_keras_is_in_use(keras: Any) -> None:
    from genewright.conformance.cases import built_in

    kinds = {type(case).__name__ for case in built_in()}
    assert kinds == {"CheckpointCase", "TorchCase", "KerasCase"}


def test_keras_is_not_imported_for_a_check() -> None:
    code = "import sys, genewright as gw; gw.check_operator(gw.SignFlip()); print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# What is broken must be caught on Keras too: the operators of tests/test_conformance.py, on Keras networks alone.

PLANTED: dict[str, Callable[[], None]] = {
    test.__name__: test
    for test in (
        everywhere.test_a_faultless_operator_passes,
        everywhere.test_a_true_claim_to_keep_the_function_passes,
        everywhere.test_hidden_randomness_is_caught,
        everywhere.test_reading_a_global_generator_is_caught,
        everywhere.test_an_operator_that_asks_for_noise_and_ignores_it_is_caught,
        everywhere.test_noise_that_depends_on_the_order_of_tensors_is_caught,
        everywhere.test_an_empty_proposal_is_caught,
        everywhere.test_an_error_of_another_kind_is_caught,
        everywhere.test_refusing_everything_is_caught,
        everywhere.test_changing_frozen_tensors_is_caught,
        everywhere.test_a_where_that_is_ignored_is_caught,
        everywhere.test_units_that_are_ignored_are_caught,
        everywhere.test_a_false_claim_to_be_its_own_inverse_is_caught,
        everywhere.test_a_false_claim_to_keep_the_function_is_caught,
        everywhere.test_state_that_an_operator_keeps_between_calls_is_caught,
    )
}
FEW = ("convolutional, compiled", "a model inside, a frozen layer")


@pytest.fixture
def on_keras_alone(cases: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from genewright.conformance.keras_cases import KerasCase

    few = [KerasCase(name, *cases[name]) for name in FEW]
    monkeypatch.setattr("genewright.conformance.built_in", lambda: few)


@pytest.mark.parametrize("planted", thinned(PLANTED, one_in=3))
def test_a_planted_fault_is_caught(planted: str, on_keras_alone: None) -> None:
    assert_it_holds_here = PLANTED[planted]  # it asserts, on the networks that it finds built in
    assert_it_holds_here()


@dataclass(frozen=True, kw_only=True)
class _Base(gw.Operator, ABC):
    keeps = frozenset({"shape"})

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        for selected in Where().select(networks[0]):
            name = selected.tensor.name
            yield Perturb(tensor=name, change=Change(combine="add"), stream=name)


def test_moving_the_generator_of_keras_is_caught(keras: Any, on_keras_alone: None) -> None:
    @dataclass(frozen=True, kw_only=True)
    class KerasMover(_Base):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            keras.random.normal((1,))
            yield from super().propose(networks, noise)

    with pytest.raises(gw.ConformanceError, match=r"generators stay as they were.*Keras"):
        gw.check_operator(KerasMover)


@pytest.mark.parametrize("refuses", [True, False])
def test_writing_a_variable_while_proposing_is_caught(refuses: bool, on_keras_alone: None) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Scribbling(_Base):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            for member in networks[0].members.values():  # type: ignore[attr-defined]
                member.variable.assign(member.variable + 1)
            if refuses:
                raise gw.UnsupportedError("too late")
            yield from super().propose(networks, noise)

    text = "a refusal leaves the network as it was" if refuses else "propose writes nothing|same base and same seed"
    with pytest.raises(gw.ConformanceError, match=text):
        gw.check_operator(Scribbling)


@pytest.mark.parametrize("trait", ["trainable", "dropout", "optimizer", "random state"])
def test_a_lost_trait_is_seen(trait: str, cases: dict[str, Any]) -> None:
    """What no edit can break is held to a model that somebody changed."""
    from genewright.conformance.keras_cases import KerasCase

    case = KerasCase("convolutional", *cases["convolutional, compiled"])
    model = case.fresh()
    traits, content = case.traits(model), case.content(model)
    if trait == "trainable":
        model.get_layer("norm").trainable = False
    elif trait == "dropout":
        model.get_layer("drop").rate = 0.25
    elif trait == "optimizer":
        model.compile("adam", "mse")
    else:
        state = model.get_layer("drop").seed_generator.state
        state.assign(state + 1)
    assert (case.traits(model), case.content(model)) != (traits, content)
