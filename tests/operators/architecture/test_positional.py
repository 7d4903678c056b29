"""The layer that an operator acts on is said first, without a name, as in the documentation."""

from __future__ import annotations

import pytest

import genewright as gw


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (gw.Widen("a", 1.3), gw.Widen(layer="a", factor=1.3)),
        (gw.Narrow("a", num_units=2), gw.Narrow(layer="a", num_units=2)),
        (gw.WidenStream("a", factor=2.0), gw.WidenStream(layer="a", factor=2.0)),
        (gw.AddHeads("a", 2), gw.AddHeads(layer="a", num_heads=2)),
        (gw.RemoveHeads("a", num_heads=1), gw.RemoveHeads(layer="a", num_heads=1)),
        (gw.InsertLayer("a", "identity"), gw.InsertLayer(after="a", layer="identity")),
        (gw.DuplicateBlock("a"), gw.DuplicateBlock(block="a")),
        (gw.RemoveLayer("a"), gw.RemoveLayer(layer="a")),
        (gw.ReplaceLayer("a", "identity"), gw.ReplaceLayer(layer="a", new="identity")),
        (gw.ReplaceActivation("a", "GELU"), gw.ReplaceActivation(where="a", to="GELU")),
        (gw.GrowKernel("a", 2), gw.GrowKernel(layer="a", by=2)),
        (gw.AddSkip("a", "b"), gw.AddSkip(start="a", end="b")),
        (gw.AddBranch("a"), gw.AddBranch(layer="a")),
    ],
)
def test_the_layer_is_said_first(said: gw.Operator, meant: gw.Operator) -> None:
    assert said == meant
