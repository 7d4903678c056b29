"""plan = mutate = replay = load, and undo in between: on random sequences of operators on random networks."""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from tests import drawn_networks
from tests.laws import NAMES, SHORT, Laws, operators

LARGE = settings(SHORT, max_examples=60, stateful_step_count=10, derandomize=False)


class TorchLaws(Laws):
    """Random torch networks."""

    @initialize(drawn=drawn_networks.networks(), seed=st.integers(0, 99), larger=st.booleans())
    def start(self, drawn: drawn_networks.Drawn, seed: int, larger: bool) -> None:
        make, example = drawn
        build = functools.partial(drawn_networks.seeded, make)
        # The teacher has the same names; larger or smaller layers come from what is mutated on the way.
        self.begin(functools.partial(build, seed + 1), build(seed), example, build(seed + 2 + larger))

    @rule(operator=operators(), seed=st.integers(0, 2**32))
    def mutate(self, operator: Any, seed: int) -> None:
        self.step(operator, seed)


def run(settings: settings) -> Counter[str]:
    machine = type("Machine", (TorchLaws,), {"seen": Counter()})
    state = torch.random.get_rng_state()
    run_state_machine_as_test(machine, settings=settings)
    assert torch.equal(torch.random.get_rng_state(), state), "no generator of the process is used"
    seen: Counter[str] = machine.seen  # type: ignore[attr-defined]
    return seen


def test_the_laws_hold_on_random_sequences() -> None:
    seen = run(SHORT)
    accepted = sum(count for key, count in seen.items() if key.startswith("accepted"))
    assert accepted >= 20


@pytest.mark.slow
def test_the_laws_hold_on_many_long_sequences() -> None:
    seen = run(LARGE)
    # AddHeads and others need what few networks have; so each is looked for, and what is never met is said.
    missing = NAMES - {key.removeprefix("accepted ") for key in seen if key.startswith("accepted")}
    assert not missing, f"no network accepted {sorted(missing)}: {seen}"
