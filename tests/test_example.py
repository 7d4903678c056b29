"""Several examples: widths are followed through all of their runs, and the outputs of all are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

import genewright as gw
from genewright.edits import Edit, Map
from genewright.edits.functions import Scale
from genewright.example import as_given, examples_of
from genewright.network import Network
from genewright.seeding import Noise

X = torch.randn(2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class _TwoHeads(nn.Module):
    """One of its heads runs where it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor, other: bool = False) -> torch.Tensor:
        h = self.up(x).relu()
        return self.second(h.square()) if other else self.first(h)


def _net() -> _TwoHeads:
    torch.manual_seed(0)
    return _TwoHeads().double()


BOTH: list[Any] = [(X,), (X, True)]


@pytest.mark.parametrize("both", [BOTH, [{"x": X}, {"x": X, "other": True}], [{"x": X}, (X, True)]])
@pytest.mark.parametrize("operator", [gw.Widen("up", num_units=2, init="silent"), gw.GrowInputs("up")])
def test_a_width_is_followed_where_a_second_example_leads(both: list[Any], operator: gw.Operator) -> None:
    net = _net()
    mutant = gw.mutate(net, operator, seed=1, example=both)
    x = X if isinstance(operator, gw.Widen) else torch.cat([X, X[:, :1]], 1)
    for other in (False, True):
        assert torch.allclose(mutant(x, other), net(X, other), rtol=0, atol=1e-12)
    replayed = gw.replay(gw.Recipe.from_json(gw.recipe(mutant).to_json()), net)
    assert gw.fingerprint(replayed) == gw.fingerprint(mutant)
    assert {place.layer for place in gw.knobs(net, both)["up"].places} == {"up", "first", "second"}


def test_the_outputs_of_every_example_are_compared() -> None:
    @dataclass(frozen=True, kw_only=True)
    class LouderSecond(gw.Operator):
        """Claims to keep the function, and changes the head that only the second example reaches."""

        keeps: ClassVar[frozenset[str]] = frozenset({"function"})

        def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
            yield Map(tensor="second.weight", function=Scale(by=2.0))

    net = _net()
    assert gw.mutate(net, LouderSecond(), seed=1, example=X).second.in_features == 8
    with pytest.raises(gw.FunctionError, match="would change the outputs"):
        gw.mutate(net, LouderSecond(), seed=1, example=BOTH)


def test_a_plan_names_weights_that_the_example_does_not_reach() -> None:
    net = _net()
    shown = str(gw.plan(net, gw.Widen("up", num_units=2), seed=1, example=X))
    assert "does not reach these, which may hold the width as well: second.weight" in shown
    assert "second.weight" in str(gw.plan(net, gw.Narrow("up"), seed=1, example=X))
    assert "does not reach" not in str(gw.plan(net, gw.Widen("up", num_units=2), seed=1, example=BOTH))


class _Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(4, 8), nn.Linear(8, 2)

    def forward(self, pair: Any) -> torch.Tensor:
        return self.down(self.up(pair[0] + pair[1]).relu())


def test_a_list_of_tensors_is_one_example_and_one_argument_is_written_in_a_tuple() -> None:
    assert examples_of([X, X]) == ([X, X],)
    assert examples_of([(X, X)]) == ([(X, X)],)
    assert as_given(examples_of(BOTH)) == BOTH
    assert as_given((X,)) is X
    net = _Sum().double()
    mutant = gw.mutate(net, gw.Widen("up", num_units=2), seed=1, example=([X, X],))
    assert torch.allclose(mutant([X, X]), net([X, X]))
    with pytest.raises(gw.UnsupportedError, match=r"one argument is written \(\[a, b\],\)"):
        gw.mutate(net, gw.Widen("up", num_units=2), seed=1, example=[X, X])


def test_examples_of_another_form_do_not_follow_other_inputs() -> None:
    class Odd(_TwoHeads):
        def forward(self, x: torch.Tensor, other: Any = None) -> torch.Tensor:
            return super().forward(x[None] if x.dim() == 1 else x, other is not None)

    torch.manual_seed(0)
    net = Odd().double()
    with pytest.raises(gw.ExampleError, match="not all of the examples have inputs of the same form"):
        gw.mutate(net, gw.GrowInputs("up"), seed=1, example=[(X,), (X[0], True)])
