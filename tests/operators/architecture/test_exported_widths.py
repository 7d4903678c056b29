"""torch.export as another witness: the graph that it makes of a widened mutant gives what the mutant gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import genewright as gw
from tests.crosses import crossed
from tests.operators.architecture.wide_networks import NETWORKS, make

EXPORTABLE = [name for name in NETWORKS if name != "looks_at_values"]  # export has no values to look at


@pytest.mark.filterwarnings("ignore:The tensor attributes self.cells._flat_weights")  # of any LSTM that is exported
@pytest.mark.parametrize(("name", "init"), list(crossed(EXPORTABLE, ("split", "silent", "pair", "noise"), one_in=3)))
def test_a_widened_mutant_exports_as_itself(name: str, init: Any) -> None:
    network, example = make(name)
    wide = gw.mutate(network, gw.Widen(num_units=2, init=init), seed=4, example=example).double()
    given = example.double() if example.is_floating_point() else example
    exported = torch.export.export(wide, (given,))
    assert not exported.range_constraints
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(given), wide(given), rtol=1e-12, atol=1e-12)
    shapes = {name: tuple(tensor.shape) for name, tensor in exported.state_dict.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in wide.state_dict().items()}
    assert {name: shapes[name] for name in shapes} == {name: expected[name] for name in shapes}
    assert shapes != {name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if name in shapes}


def test_a_mutant_exports_for_batches_of_any_size() -> None:
    network, example = make("gated")
    wide = gw.mutate(network, gw.Widen(layer="up", num_units=3), seed=4, example=example)
    exported = torch.export.export(wide, (example,), dynamic_shapes=({0: torch.export.Dim("batch", min=2)},)).module()
    for size in (2, 5, 17):
        batch = torch.randn(size, 6, generator=torch.Generator().manual_seed(size))
        with torch.no_grad():
            torch.testing.assert_close(exported(batch), wide(batch))
            torch.testing.assert_close(exported(batch), network(batch), rtol=1e-4, atol=1e-5)
