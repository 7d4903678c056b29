"""`gw.check_operator` on the operators of architecture: on built-in networks, and crossed with those of the tests."""

from __future__ import annotations

import copy
import sys
from abc import ABC
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

import genewright as gw
from genewright.conformance.torch_cases import networks as built_in_modules
from genewright.edits import Edit, Perturb
from genewright.network import Network
from genewright.operator import registered
from genewright.seeding import Noise
from tests.operators.architecture import networks, wide_networks

DEFAULTS = {name: cls for name, cls in registered().items() if ".architecture." in cls.__module__}
VARIANTS: dict[str, Any] = {
    "duplicate_block_gate": gw.DuplicateBlock(by="gate"),
    "grow_kernel_by_4": gw.GrowKernel(by=4),
    "insert_layer_gate": gw.InsertLayer(init="gate"),
    "insert_layer_noise": gw.InsertLayer(init="noise"),
    "narrow_last": gw.Narrow(num_units=1, by="last"),
    "narrow_random_repaired": gw.Narrow(by="random", repair="least_squares"),
    "resize_positions_extend": gw.ResizePositions(how="extend"),
    "replace_activation_blend": gw.ReplaceActivation(to="SiLU", blend=0),
    "widen_noise_both": gw.Widen(init="noise", placement="both"),
    "widen_pair": gw.Widen(init="pair"),
    "widen_silent_both": gw.Widen(num_units=3, init="silent", placement="both"),
}
CASES = {f"small {name}": (networks, name) for name in networks.NETWORKS} | {
    f"wide {name}": (wide_networks, name) for name in wide_networks.NETWORKS
}


@pytest.fixture(autouse=True)
def without_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests of this process have imported makes no difference: Keras has tests of its own."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)


# The built-in networks that take longest are a slow sweep, but for the one that an operator needs.
NEEDED = {
    **dict.fromkeys(("add_heads", "remove_heads", "widen_stream"), "one block of attention"),
    **dict.fromkeys(("duplicate_block", "remove_layer", "swap_layers"), "residual blocks of attention"),
    "resize_vocabulary": "tied language model",
    "resize_positions": "learned positions",
    "grow_kernel": "convolutional, channels_last, a hook",
}
LONGEST = {
    *("learned positions", "tied language model", "transformer layer"),
    *("residual blocks of attention", "one block of attention"),
}


def shortened(tower: Any) -> Any:
    """Return a copy with one block of those that it has: half of the time."""
    short = copy.deepcopy(tower)
    short.blocks = short.blocks[:1]
    return short


def _quick(needed: str = "mlp", *, at: int = 0) -> dict[str, Any]:
    """Return the network that is needed and a sixth of the others, from the network `at` on."""
    modules = built_in_modules()
    tower, example = modules["residual blocks of attention"]
    modules["one block of attention"] = shortened(tower), example
    sixth = [name for name in modules if name not in LONGEST][at % 6 :: 6]
    return {name: modules[name] for name in dict.fromkeys((needed, *sixth))}


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_operator_keeps_every_invariant(name: str) -> None:
    gw.check_operator(DEFAULTS[name], _quick(NEEDED.get(name, "mlp"), at=list(DEFAULTS).index(name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", DEFAULTS)
def test_every_operator_keeps_every_invariant_on_the_built_in_networks(name: str) -> None:
    gw.check_operator(DEFAULTS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_keeps_every_invariant_on_the_built_in_networks(name: str) -> None:
    gw.check_operator(VARIANTS[name])


# An operator may refuse a network that has nothing for it. These do, and no others.
_UNLISTED = {f"wide {name}" for name in wide_networks.NETWORKS}  # no layers in a chain or list, no activation layers
_PLAIN = {"small mlp", "small plain"}
_NO_ROOM = {"wide gated", "wide tied", "wide looks_at_values", "wide recurrent"}
_NO_WINDOW = {*_NO_ROOM, "small mlp", "small stack", "small transformer", "wide attention", "wide listed"}
_STREAMS = {"small stack", "small transformer"}  # what comes in goes out, by skips: one width is both ends
REFUSED: dict[str, set[str]] = {
    **dict.fromkeys(("grow_outputs", "shrink_outputs"), _STREAMS),
    **dict.fromkeys(("grow_inputs", "shrink_inputs"), _STREAMS | {"wide attention"}),
    **dict.fromkeys(("resize_positions", "resize_vocabulary"), set(CASES) - {"wide attention"}),
    "add_skip": _NO_ROOM,
    "replace_layer": _NO_ROOM | {"small transformer"},  # torch's layer reads its norms' eps, which an identity lacks
    **dict.fromkeys(("grow_kernel", "grow_kernel_by_4"), _NO_WINDOW),
    **dict.fromkeys(("duplicate_block", "duplicate_block_gate"), _UNLISTED | _PLAIN),
    "remove_layer": {f"wide {name}" for name in ("gated", "tied", "looks_at_values", "scales", "recurrent")},
    "swap_layers": _PLAIN | _UNLISTED - {f"wide {name}" for name in ("attention", "tied", "scales")},
    **{name: _UNLISTED | {"small transformer"} for name in ("replace_activation", "replace_activation_blend")},
    **{name: set(CASES) - {"wide attention"} for name in ("add_heads", "remove_heads", "widen_stream")},
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", [*DEFAULTS, *VARIANTS])
def test_every_operator_keeps_every_invariant_or_refuses(name: str, case: str) -> None:
    room, network = CASES[case]
    if case in REFUSED.get(name, ()):
        with pytest.raises(gw.ConformanceError, match="refused all of them"):
            gw.check_operator({**DEFAULTS, **VARIANTS}[name], {case: room.make(network)})
    else:
        gw.check_operator({**DEFAULTS, **VARIANTS}[name], {case: room.make(network)})


def test_every_operator_fits_a_network() -> None:
    operators = {**DEFAULTS, **VARIANTS}
    assert REFUSED.keys() <= operators.keys()
    assert all(cases < set(CASES) for cases in REFUSED.values())


# What is broken must be caught, where layers and shapes change too.


@dataclass(frozen=True, kw_only=True)
class _Deeper(gw.Operator, ABC):
    """Inserts a layer that changes the function, behind the first one that the example reaches."""

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        yield from gw.InsertLayer(init="noise").resolve(networks, noise).propose(networks, noise)


def assert_caught(operator: Any, invariant: str) -> None:
    with pytest.raises(gw.ConformanceError, match=invariant):
        gw.check_operator(operator, _quick())


def test_a_structural_operator_of_others_passes() -> None:
    @dataclass(frozen=True, kw_only=True)
    class DeeperPasses(_Deeper):
        pass

    gw.check_operator(DeeperPasses, _quick())


def test_a_structural_operator_with_a_false_claim_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class DeeperBoasts(_Deeper):
        keeps = frozenset({"function"})

    assert_caught(DeeperBoasts, "it keeps the function")


def test_a_new_layer_that_is_drawn_from_no_seed_is_caught() -> None:
    calls: list[int] = []

    @dataclass(frozen=True, kw_only=True)
    class DeeperForgets(_Deeper):
        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            calls.append(1)
            operator = gw.InsertLayer(init="noise").resolve(networks, noise)
            for edit in operator.propose(networks, noise):
                forgetful = isinstance(edit, Perturb)
                yield replace(edit, stream=f"{edit.stream}{len(calls)}") if forgetful else edit

    assert_caught(DeeperForgets, "same base and same seed, same bytes")


def test_a_claim_to_keep_shapes_that_grow_is_caught() -> None:
    @dataclass(frozen=True, kw_only=True)
    class DeeperHides(_Deeper):
        keeps = frozenset({"shape"})

    assert_caught(DeeperHides, "dtypes, layouts, ties, modes and hooks are kept|in place keeps")
