"""Every operator keeps every invariant on every network, as a module and as a file; and broken operators are caught."""

from __future__ import annotations

import sys
from abc import ABC
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genewright as gw
from genewright.conformance.cases import built_in
from genewright.edits import Assign, Edit, Gather, Perturb, Place, Write
from genewright.index import Index
from genewright.network import Network
from genewright.noise import Change
from genewright.operator import operator_class, registered
from genewright.part import along
from genewright.seeding import Noise
from genewright.where import Where, as_where
from tests.crosses import crossed
from tests.networks import NETWORKS, make

# Operators of architecture and on units need an example: tests/operators/architecture and units hold their invariants.
DEFAULTS = {
    name: cls()
    for name, cls in registered().items()
    if cls.__module__.startswith("genewright.") and not {"architecture", "units"} & set(cls.__module__.split("."))
    if cls is not gw.AlignTo  # it needs an example: the built-in networks have some, below
    if cls is not gw.SafeGaussianNoise  # likewise: tests/operators/test_safe_gaussian_noise.py
}
VARIANTS = {
    "align_to": gw.AlignTo(),
    "bit_flip_sign": gw.BitFlip(bits="sign", rate=0.3),
    "bit_flip_low": gw.BitFlip(bits=(0, 3), rate=0.5),
    "crossover_aligned": gw.Crossover(align="weights"),
    "crossover_blend": gw.Crossover(kind="blend"),
    "crossover_layer": gw.Crossover(kind="layer"),
    "crossover_slerp": gw.Crossover(kind="slerp"),
    "crossover_uniform": gw.Crossover(kind="uniform"),
    "crossover_in_a_sequence": gw.Sequence(operators=(gw.Crossover(), gw.Zero(rate=0.3))),
    "cauchy_noise_rate": gw.CauchyNoise(scale=0.1, rate=0.2),
    "evolution_noise_mirrored": gw.EvolutionNoise(std=0.1, mirrored=True),
    "evolution_update_adam": gw.EvolutionUpdate(
        seeds=(1, 2**64 - 1, 3), weights=(0.5, -0.25, 0.0), sizes=(1, 2), optimizer="adam", learning_rate=0.1
    ),
    "factor_noise_stochastic": gw.FactorNoise(std=0.3, rate=0.5, rounding="stochastic"),
    "gaussian_noise_tensor": gw.GaussianNoise(std=0.1, relative_to="tensor"),
    "gaussian_noise_weight": gw.GaussianNoise(std=0.1, rate=0.4, relative_to="weight", rounding="stochastic"),
    "laplace_noise_rate": gw.LaplaceNoise(scale=0.1, rate=0.2),
    "one_of_weights": gw.OneOf(operators=(gw.Zero(rate=0.3), gw.SignFlip(rate=0.3)), weights=(1, 2)),
    "quantize_unit": gw.Quantize(bits=3, per="unit"),
    "reset_normal": gw.Reset(init="normal", rate=0.5),
    "reset_zeros": gw.Reset(init="zeros"),
    "sequence_nested": gw.Sequence(operators=(gw.GaussianNoise(), gw.Sequence(operators=(gw.Zero(rate=0.3),)))),
    "shuffle_all": gw.Shuffle(rate=1.0),
    "sign_flip_all": gw.SignFlip(rate=1.0),
    "swap_units_half": gw.SwapUnits(rate=0.5),
    "transfer_of_a_donor": gw.Transfer(donor="donor"),
    "uniform_noise_named": gw.UniformNoise(bound=1.0, where="*weight*"),
    "zero_half": gw.Zero(rate=0.5),
}
OPERATORS = DEFAULTS | VARIANTS
WITH_EXAMPLES = {"align_to", "crossover_aligned"}  # they act on networks that can be run
WITH_DONORS = {"crossover", "rewind"}
QUICK = [name for name in DEFAULTS if name not in WITH_EXAMPLES | WITH_DONORS]
THOROUGH = [name for name in OPERATORS if name not in WITH_EXAMPLES and name not in QUICK]

# An operator may refuse a network that has nothing for it. These do, and no others.
_NO_KERNEL = {"parameter_lists"}
_NO_DEFAULT = {"parameter_lists", "scalars_and_empty", "weight_norm", "spectral_norm"}
_NOTHING_ALIKE = {  # no two layers of one kind and shape
    *("mlp", "mlp_bfloat16", "mlp_float16", "mlp_float64", "conv_batchnorm", "conv_grouped", "conv_transpose"),
    *("tied_autoencoder", "shared_module", "lstm", "gru", "attention", "attention_kdim", "embedding_padding"),
    *("weight_norm", "spectral_norm", "nested_class", "parameter_lists", "scalars_and_empty"),
}
REFUSED_MODULES = {
    **dict.fromkeys(("tie", "transfer"), _NOTHING_ALIKE),
    "mask_smallest": _NO_KERNEL,
    **dict.fromkeys(("shuffle", "shuffle_all", "swap_units", "swap_units_half"), _NO_KERNEL),
    "reset": _NO_DEFAULT,
    "uniform_noise_named": {"parameter_lists"},
}
REFUSED_FILES = {
    **REFUSED_MODULES,
    "reset": set(NETWORKS),
    **dict.fromkeys(
        ("tie", "transfer"), _NOTHING_ALIKE - {"conv_transpose"}
    ),  # a file does not say that one is transposed
}


@pytest.fixture(autouse=True)
def without_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests of this process have imported makes no difference: Keras has tests of its own."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)


def assert_kept_or_refused(operator: Any, name: str, model: Any, *, refuses: bool) -> None:
    if refuses:
        with pytest.raises(gw.ConformanceError, match="refused all of them"):
            gw.check_operator(operator, {name: model})
    else:
        gw.check_operator(operator, {name: model})


@pytest.mark.parametrize(
    ("operator", "name"),
    [
        *crossed(QUICK, NETWORKS, one_in=3),
        *crossed(THOROUGH, NETWORKS, one_in=10),
    ],
)
def test_operator_keeps_its_invariants_on_modules(operator: str, name: str) -> None:
    assert_kept_or_refused(OPERATORS[operator], name, make(name), refuses=name in REFUSED_MODULES.get(operator, ()))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("checkpoints")
    for name in NETWORKS:
        gw.save(make(name), folder / f"{name}.safetensors")
    return {name: gw.read_checkpoint(folder / f"{name}.safetensors") for name in NETWORKS}


@pytest.mark.parametrize("operator", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in THOROUGH)])
def test_operator_keeps_its_invariants_on_files(operator: str, checkpoints: dict[str, Any]) -> None:
    refusing = REFUSED_FILES.get(operator, set())
    for name, checkpoint in checkpoints.items():
        assert_kept_or_refused(OPERATORS[operator], name, checkpoint, refuses=name in refusing)


@pytest.mark.parametrize(("at", "name"), list(enumerate(DEFAULTS)))
def test_operator_class_keeps_its_invariants_on_half_of_the_built_in_networks(at: int, name: str) -> None:
    """Those that need two layers alike, or a second network, need all of the networks to find one that fits."""
    cases = built_in()
    half = None if name in {*WITH_DONORS, "tie", "transfer"} else cases[at % 2 :: 2]
    gw.check_operator(operator_class(name), half and {case.name: (case.model, case.example) for case in half})


@pytest.mark.slow
@pytest.mark.parametrize("name", DEFAULTS)
def test_operator_class_keeps_its_invariants_on_the_built_in_networks(name: str) -> None:
    gw.check_operator(operator_class(name))


@pytest.mark.parametrize(
    "name",
    [n if n == "align_to" else pytest.param(n, marks=pytest.mark.slow) for n in VARIANTS],
)
def test_variant_keeps_its_invariants_on_the_built_in_networks(name: str) -> None:
    gw.check_operator(VARIANTS[name])


def test_built_in_networks_hold_checkpoints_and_modules() -> None:
    kinds = {type(case).__name__ for case in built_in()}
    assert kinds == {"CheckpointCase", "TorchCase"}


def test_a_mutant_of_a_module_and_of_its_file_have_the_same_bytes(checkpoints: dict[str, Any]) -> None:
    for name, checkpoint in checkpoints.items():
        on_module = gw.mutate(make(name), gw.GaussianNoise(std=0.5, rate=0.7), seed=3)
        on_file = gw.mutate(checkpoint, gw.GaussianNoise(std=0.5, rate=0.7), seed=3)
        assert gw.fingerprint(on_module) == gw.fingerprint(on_file), name


# What is broken must be caught: one operator for every invariant.


class _Broken(gw.Operator, ABC):
    """Does nothing wrong; each test below breaks one thing."""

    keeps = frozenset({"shape"})

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network = networks[0]
        for selected in Where().select(network):
            yield Perturb(
                tensor=selected.tensor.name,
                change=Change(combine="add", rate=0.5),
                stream=selected.tensor.name,
            )


def test_a_faultless_operator_passes() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Faultless(_Broken):
        pass

    gw.check_operator(Faultless)


def assert_caught(operator: Any, invariant: str, networks: dict[str, Any] | None = None) -> None:
    with pytest.raises(gw.ConformanceError, match=invariant):
        gw.check_operator(operator, networks)


def test_settings_that_can_change_are_caught() -> None:
    @dataclass(kw_only=True)
    class Melting(_Broken):
        rate: float = 0.1

    assert_caught(Melting, "settings are frozen")


def test_defaults_that_do_not_work_are_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Demanding(_Broken):
        strength: float

    assert_caught(Demanding, "its defaults are valid")


def test_settings_that_json_changes_are_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Listing(_Broken):
        sizes: Any = field(default_factory=lambda: [1, 2])

    assert_caught(Listing, "JSON holds its settings exactly")


def test_settings_that_json_cannot_hold_are_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Opaque(_Broken):
        thing: Any = field(default_factory=object)

    assert_caught(Opaque, "JSON holds its settings exactly")


def test_an_unknown_claim_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Boastful(_Broken):
        keeps = frozenset({"everything"})

    assert_caught(Boastful, "claims to keep everything")


def test_hidden_randomness_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Unseeded(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            network = networks[0]
            generator = np.random.default_rng()
            for selected in Where().select(network):
                yield Write(tensor=selected.tensor.name, values=lambda old: old + generator.normal(size=old.shape))

    assert_caught(Unseeded, "same base and same seed, same bytes")


def test_reading_a_global_generator_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class GlobalReader(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            network = networks[0]
            shift = float(torch.random.get_rng_state().float().mean())
            for selected in Where().select(network):
                yield Write(tensor=selected.tensor.name, values=lambda old: old + shift)

    assert_caught(GlobalReader, "same base and same seed, same bytes")


@pytest.mark.parametrize("which", ["Python", "NumPy", "torch"])
def test_moving_a_global_generator_is_caught(which: str) -> None:
    import random

    move = {"Python": random.random, "NumPy": np.random.rand, "torch": lambda: torch.rand(1)}[which]  # the fault

    @dataclass(frozen=True, kw_only=True)
    class GlobalMover(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            move()
            yield from super().propose(networks, noise)

    assert_caught(GlobalMover, f"generators stay as they were.*{which}")


def test_an_operator_that_asks_for_noise_and_ignores_it_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Ignoring(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            network = networks[0]
            for selected in Where().select(network):
                noise.stream(selected.tensor.name)
                yield Write(tensor=selected.tensor.name, values=lambda old: old * np.asarray(2, old.dtype))

    assert_caught(Ignoring, "another seed, other bytes")


def test_noise_that_depends_on_the_order_of_tensors_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Counting(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            network = networks[0]
            for place, selected in enumerate(Where().select(network)):
                yield Perturb(tensor=selected.tensor.name, change=Change(combine="add"), stream=str(place))

    assert_caught(Counting, "the order of the tensors does not matter")


def test_an_empty_proposal_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Idle(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            yield from ()

    assert_caught(Idle, "it proposes an edit or refuses")


def test_an_error_of_another_kind_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Clumsy(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            raise KeyError("weight")
            yield

    assert_caught(Clumsy, "refused with a GenewrightError")


def test_refusing_everything_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Shy(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            raise gw.UnsupportedError("not this one")
            yield

    assert_caught(Shy, "it fits a network")


def test_a_refusal_after_a_change_is_caught() -> None:
    base = make("mlp")

    @dataclass(frozen=True, kw_only=True)
    class Hasty(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            network = networks[0]
            network.members["0.weight"].tensor.data.zero_()  # type: ignore[attr-defined]
            raise gw.UnsupportedError("too late")
            yield

    assert_caught(Hasty, "a refusal leaves the network as it was", {"mlp": base})


def test_writing_the_network_in_propose_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Scribbling(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            network = networks[0]
            network.members["0.bias"].tensor.data.add_(1)  # type: ignore[attr-defined]
            yield from super().propose(networks, noise)

    assert_caught(Scribbling, "propose writes nothing|same base and same seed", {"mlp": make("mlp")})


def test_changing_frozen_tensors_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Thawing(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            network = networks[0]
            for selected in Where(frozen=True).select(network):
                if selected.tensor.dtype == "float32":
                    yield Perturb(
                        tensor=selected.tensor.name,
                        change=Change(combine="add"),
                        stream=selected.tensor.name,
                    )

    assert_caught(Thawing, "frozen parameters, buffers and what `where` leaves out stay")


def test_a_where_that_is_ignored_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Deaf(_Broken):
        where: Where = field(default_factory=Where)

        def __post_init__(self) -> None:
            object.__setattr__(self, "where", as_where(self.where))

    assert_caught(Deaf, "what `where` leaves out stay")


def test_units_that_are_ignored_are_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class HalfDeaf(_Broken):
        where: Where = field(default_factory=Where)

        def __post_init__(self) -> None:
            object.__setattr__(self, "where", as_where(self.where))

        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            network = networks[0]
            for selected in self.where.select(network):
                yield Perturb(
                    tensor=selected.tensor.name,
                    change=Change(combine="add"),
                    stream=selected.tensor.name,
                )

    assert_caught(HalfDeaf, "`where` limits the units")


def test_a_false_claim_to_be_its_own_inverse_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class FalseInverse(_Broken):
        inverse = True

    assert_caught(FalseInverse, "it is its own inverse")


def test_a_false_claim_to_keep_the_function_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class FalseKeeper(_Broken):
        keeps = frozenset({"shape", "function"})

    assert_caught(FalseKeeper, "it keeps the function")


def test_a_true_claim_to_keep_the_function_passes() -> None:
    @dataclass(frozen=True, kw_only=True)
    class SelfAdd(_Broken):
        """Writes what is there already."""

        keeps = frozenset({"shape", "function"})

        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            network = networks[0]
            for selected in Where().select(network):
                yield Write(tensor=selected.tensor.name, values=lambda old: old, stored=True)

    gw.check_operator(SelfAdd)


def test_state_that_an_operator_keeps_between_calls_is_caught() -> None:
    calls: list[int] = []

    @dataclass(frozen=True, kw_only=True)
    class Remembering(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            network = networks[0]
            calls.append(1)
            for selected in Where().select(network):
                yield Perturb(
                    tensor=selected.tensor.name,
                    change=Change(combine="add"),
                    stream=f"{selected.tensor.name}{len(calls)}",
                )

    assert_caught(Remembering, "same base and same seed, same bytes")


@pytest.mark.parametrize("part", [along(0, (9,)), along(2, (0,)), along(0, (0, 0))])
def test_an_edit_outside_its_tensor_is_refused_before_anything_changes(part: Any) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Outside(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            yield from super().propose(networks, noise)
            yield Write(tensor="2.weight", values=lambda old: old, part=part)

    base = make("mlp")
    before = gw.fingerprint(base)
    with pytest.raises(gw.EditError, match=r"2\.weight"):
        gw.mutate(base, Outside(), seed=1, inplace=True)
    assert gw.fingerprint(base) == before


def _gather(index: Any, *, axis: int = 0, size: int = 8, layout: Any = "u") -> Gather:
    places = (Place("0.weight", axis, layout),)
    return Gather(width="the width of 0.weight", size=size, index=Index.of(index), places=places)


@pytest.mark.parametrize(
    "edit",
    [
        Assign(tensor="0.weight", values=np.zeros((3, 3))),
        _gather(()),
        _gather((0,), axis=5),
        _gather(range(1, 9)),
        _gather((0, -2)),
        _gather(range(8), size=7),
        _gather(range(8), layout=("*", 2, "u")),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(edit: Edit) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Misfit(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            yield edit

    with pytest.raises(gw.EditError, match=r"0\.weight"):
        gw.mutate(make("mlp"), Misfit(), seed=1)


def test_a_function_that_fails_half_way_leaves_every_byte_in_place() -> None:
    def fail(old: Any) -> Any:
        raise RuntimeError("in the middle")

    @dataclass(frozen=True, kw_only=True)
    class Stumbling(_Broken):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            yield from super().propose(networks, noise)
            yield Write(tensor="2.weight", values=fail)

    base = make("mlp")
    before = gw.fingerprint(base)
    with pytest.raises(RuntimeError, match="in the middle"):
        gw.mutate(base, Stumbling(), seed=1, inplace=True)
    assert gw.fingerprint(base) == before


@pytest.mark.parametrize("thing", [3, "gaussian_noise", torch.nn.Linear(2, 2), int])
def test_what_is_no_operator_is_refused(thing: Any) -> None:
    with pytest.raises(gw.SettingError, match="expected an operator"):
        gw.check_operator(thing)
