"""The laws that hold after any sequence of mutations, as a state machine: hypothesis draws network and operators."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

import genewright as gw
from genewright.conformance.cases import as_case
from tests.outcomes import Accepted, Refused, agree

SHORT = settings(
    max_examples=16,
    stateful_step_count=6,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # a sequence is short enough to be read; to shrink one takes minutes
)

RATES = st.sampled_from([0.2, 1.0])

WEIGHTS: tuple[st.SearchStrategy[Any], ...] = (
    st.builds(gw.GaussianNoise, std=st.sampled_from([0.01, 0.5]), rate=RATES),
    st.builds(gw.FactorNoise, std=st.just(0.1), rounding=st.sampled_from(["nearest", "stochastic"])),
    st.builds(gw.BitFlip, bits=st.sampled_from(["sign", "mantissa"]), rate=RATES),
    st.builds(gw.Quantize, bits=st.integers(3, 8), per=st.sampled_from(["tensor", "unit"])),
    st.builds(gw.Reset, rate=RATES),
    st.builds(gw.Shuffle, rate=RATES),
    st.builds(gw.SignFlip, rate=RATES),
    st.builds(gw.SwapUnits, rate=RATES),
    st.builds(gw.Zero, rate=st.just(0.2)),
    st.just(gw.Tie()),
    st.builds(gw.Transfer, fraction=st.sampled_from([0.3, 1.0]), axis=st.sampled_from(["out", "in"])),
    st.builds(gw.Transfer, donor=st.just("teacher"), statistics=st.booleans()),
)
COUNTS = st.integers(1, 3)
BY = st.sampled_from(["magnitude", "l2", "random", "last"])
ARCHITECTURE: tuple[st.SearchStrategy[Any], ...] = (
    st.builds(
        gw.Widen,
        num_units=COUNTS,
        init=st.sampled_from(["split", "silent", "pair", "noise"]),
        placement=st.sampled_from(["end", "both"]),
    ),
    st.builds(gw.Narrow, num_units=st.integers(1, 2), by=BY, repair=st.sampled_from(["none", "none", "least_squares"])),
    st.builds(gw.WidenStream, num_units=COUNTS),
    st.just(gw.WidenStream(factor=2, init="replicate")),
    st.builds(gw.AddHeads, num_heads=st.integers(1, 2)),
    st.builds(gw.RemoveHeads, num_heads=st.just(1), by=BY),
    st.builds(gw.InsertLayer, init=st.sampled_from(["identity", "gate", "noise"])),
    st.builds(gw.RemoveLayer),
    st.builds(gw.ReplaceActivation, to=st.sampled_from(["GELU", "SiLU"]), blend=st.sampled_from([None, 0.0, 0.5])),
    st.builds(gw.ReplaceLayer),
    st.builds(gw.DuplicateBlock, by=st.sampled_from(["auto", "gate"])),
    st.builds(gw.AddSkip),
    st.builds(gw.AddBranch),
    st.builds(gw.GrowKernel, by=st.sampled_from([2, 4])),
)


NAMES = frozenset(
    {
        *("GaussianNoise", "FactorNoise", "BitFlip", "Quantize", "Reset", "Shuffle", "SignFlip", "SwapUnits", "Zero"),
        *("Tie", "Transfer", "Widen", "Narrow", "WidenStream", "AddHeads", "RemoveHeads", "InsertLayer", "RemoveLayer"),
        *("ReplaceActivation", "ReplaceLayer", "DuplicateBlock", "AddSkip", "AddBranch", "GrowKernel"),
    }
)
"""The operators of both, whose steps a long run has to meet."""


def operators(architecture: tuple[st.SearchStrategy[Any], ...] = ARCHITECTURE) -> st.SearchStrategy[Any]:
    """Return single operators, architecture twice as often as weights, and combinators of them."""
    leaf = st.one_of(*architecture) | st.one_of(*architecture) | st.one_of(*WEIGHTS)
    two = st.tuples(leaf, leaf)
    return (
        leaf
        | leaf
        | st.builds(gw.Sequence, operators=two)
        | st.builds(gw.OneOf, operators=two, weights=st.just((1, 2)))
        | two.map(list)
        | st.builds(gw.DrawSettings, operator=st.just(gw.Zero()), ranges=st.just({"rate": (0.1, 0.4)}))
    )


class Laws(RuleBasedStateMachine):
    """A network, and what every way of mutating, repeating and keeping it has to agree on."""

    factory: Callable[[], Any]
    seen: Counter[str]

    def begin(self, factory: Callable[[], Any], base: Any, example: Any, teacher: Any) -> None:
        """Start from a base; `factory` makes the same layers with other weights."""
        self.factory, self.base, self.model, self.example, self.teacher = factory, base, base, example, teacher
        self.print = gw.fingerprint(base)
        self.room = tempfile.TemporaryDirectory()

    def teardown(self) -> None:
        if hasattr(self, "room"):
            self.room.cleanup()

    def step(self, operator: Any, seed: int) -> None:
        """Mutate once more, by all ways; then repeat and reload all that has been done."""
        case = as_case("drawn", (self.model, self.example))
        made = agree(case, operator, seed=seed, donors={"teacher": self.teacher})
        if isinstance(made, Refused):
            self.seen["refused"] += 1
            return
        self.seen.update(f"accepted {type(step.operator).__name__}" for step in made.steps)
        self.model = gw.mutate(self.model, operator, seed=seed, example=self.example, donors={"teacher": self.teacher})
        assert gw.fingerprint(self.base) == self.print, "the base is as it was"
        self.repeats(made)

    def repeats(self, made: Accepted) -> None:
        result = gw.fingerprint(self.model)
        recipe = gw.recipe(self.model)
        text = recipe.to_json()
        read = gw.Recipe.from_json(text)
        assert read == recipe
        assert read.to_json() == text
        assert (read.base, read.result) == (self.print, result)
        assert len(read.steps) >= len(made.steps)
        # Only values that were fitted on the example need it, and such a step says so.
        example = self.example if any(step.example for step in read.steps) else None
        squashed = gw.Recipe.from_json(recipe.squash().to_json())
        for each in (read, squashed):
            again = gw.replay(each, self.base, donors=[self.teacher], example=example)
            assert gw.fingerprint(again) == result
            assert gw.recipe(again).result == result
        file = Path(self.room.name, "mutant.safetensors")
        gw.save(self.model, file, overwrite=True)
        loaded = gw.load(self.factory, file)
        assert gw.fingerprint(loaded) == result
        assert gw.recipe(loaded) == recipe
        case = as_case("drawn", (self.model, self.example))
        assert as_case("loaded", loaded).traits(loaded) == case.traits(self.model)
