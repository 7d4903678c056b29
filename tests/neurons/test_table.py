"""NeuronTable: rows, conditions, masks that `where` takes, pictures."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from tests.neurons.nets import convolutions, tokens


@pytest.fixture(scope="module")
def table() -> gw.neurons.NeuronTable:
    net, data = convolutions()
    return gw.neurons.measure(net, data, measures=["active_fraction", "mean", "dormancy", "outgoing_norm"])


def test_conditions_are_what_pandas_queries_are(table: gw.neurons.NeuronTable) -> None:
    pandas = pytest.importorskip("pandas")
    frame = table.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == ["layer", "unit", *table.measures]
    for condition in (
        "active_fraction < 0.5",
        "active_fraction < 0.5 & layer.str.startswith('s')",
        "(mean > 0.1) | ~(dormancy <= 1)",
        "0.2 < active_fraction <= 0.6 and layer in ['first', 'head']",
        "unit == 3 | mean < -dormancy / 10",
        "outgoing_norm < 100",
        "layer.str.contains('r') & not unit > 2",
    ):
        expected = frame.query(condition, engine="python")
        assert table.filter(condition).to_frame().equals(expected.reset_index(drop=True)), condition


def test_rows_are_chosen_by_functions_and_arrays_too(table: gw.neurons.NeuronTable) -> None:
    few = table.filter(lambda t: t["mean"] > 0.1)
    assert len(few) == int((table["mean"] > 0.1).sum())
    assert len(table.filter(np.zeros(len(table), bool))) == 0


@pytest.mark.parametrize(
    ("condition", "error", "words"),
    [
        ("active < 1", gw.UnknownNameError, "active_fraction"),
        ("mean <", gw.SettingError, "cannot read"),
        ("__import__('os').system('true')", gw.SettingError, "cannot read"),
        ("mean.__class__", gw.SettingError, "cannot read"),
        ("[x for x in mean]", gw.SettingError, "cannot read"),
        ("mean", gw.SettingError, "cannot read"),
        ("layer < 3", gw.SettingError, "cannot read"),
        ("(" * 500 + "mean" + ")" * 500 + " < 1", gw.SettingError, "cannot read"),
        (np.zeros(3, bool), gw.SettingError, "bools, one a row"),
        (np.zeros(28), gw.SettingError, "bools, one a row"),
    ],
)
def test_what_is_no_condition_is_refused(
    condition: Any, error: type[Exception], words: str, table: gw.neurons.NeuronTable
) -> None:
    with pytest.raises(error, match=words):
        table.filter(condition)


def test_top_rows_are_sorted_and_what_is_not_known_comes_last(table: gw.neurons.NeuronTable) -> None:
    top = table.top(len(table), by="outgoing_norm")
    values = top["outgoing_norm"]
    known = values[~np.isnan(values)]
    assert 0 < len(known) < len(values)
    assert (np.diff(known) <= 0).all()
    assert np.isnan(values[len(known) :]).all()
    assert table.top(2, by="mean", largest=False)["mean"].tolist() == sorted(table["mean"])[:2]
    with pytest.raises(gw.UnknownNameError, match="dormancy"):
        table.top(1, by="dormant")


def test_masks_choose_exactly_the_units_that_are_left(table: gw.neurons.NeuronTable) -> None:
    net, _ = convolutions()
    low = table.filter("layer == 'second'").top(2, by="dormancy", largest=False)
    units = low.unit
    mutant = gw.mutate(net, gw.Zero(where=gw.where(units=low.mask()), rate=1.0), seed=1)
    before, after = dict(net.named_parameters()), dict(mutant.named_parameters())
    for name, old in before.items():
        if name.startswith("second."):
            zero = (after[name] == 0).flatten(1).all(1) if after[name].dim() > 1 else after[name] == 0
            assert sorted(torch.nonzero(zero).flatten().tolist()) == sorted(units.tolist())
        else:
            assert torch.equal(old, after[name])


def test_a_mask_of_a_recurrent_layer_has_its_units_in_every_gate() -> None:
    net, (x, _) = tokens()
    table = gw.neurons.measure(net, x, layers="recurrent", measures="dormancy")
    one = table.filter("unit == 2")
    mutant = gw.mutate(net, gw.Zero(where=gw.where(units=one.mask("recurrent")), rate=1.0), seed=1)
    rows = torch.nonzero((mutant.recurrent.weight_hh_l0 == 0).all(1)).flatten().tolist()
    assert rows == [2, 7, 12, 17]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_mask_of_a_stack_has_the_cells_of_its_last_layer_and_of_one_direction(kind: Any) -> None:
    torch.manual_seed(0)
    net = kind(3, 4, num_layers=2, bidirectional=True, batch_first=True).double()
    x = torch.randn(6, 5, 3, dtype=torch.float64)
    mask = gw.neurons.measure(net, x, measures="mean").filter("unit in [1, 6]").mask()
    assert {name: found.tolist() for name, found in mask.items()} == {
        "l1": [False, True, False, False],
        "l1_reverse": [False, False, True, False],
    }
    silent = gw.mutate(net, gw.Zero(where=gw.where(units=mask), rate=1.0), seed=1)
    means = gw.neurons.measure(silent, x, measures="mean")["mean"]
    assert (means == 0).tolist() == [at in (1, 6) for at in range(8)]
    assert torch.equal(silent.weight_hh_l0, net.weight_hh_l0)


def test_a_mask_of_heads_has_the_rows_of_their_projections() -> None:
    net, (x, _) = tokens()
    table = gw.neurons.measure(net, x, measures="mean")
    heads = next(layer for layer in table.layers if layer.kind == "heads")
    mask = table.filter(lambda t: (t.layer == heads.name) & (t.unit == 1)).mask()
    assert list(mask) == ["qkv"]
    assert np.flatnonzero(mask["qkv"]).tolist() == [*range(4, 8), *range(20, 24), *range(36, 40)]


def test_masks_of_nothing_unknown_or_placeless_units_are_refused(table: gw.neurons.NeuronTable) -> None:
    with pytest.raises(gw.UnknownNameError, match="Did you mean 'second'"):
        table.mask("sekond")
    projected = nn.Sequential(nn.LSTM(3, 4, proj_size=2))
    rows = gw.neurons.measure(projected, torch.ones(4, 2, 3), measures="mean")
    with pytest.raises(gw.UnsupportedError, match="no rows of tensors"):
        rows.mask()
    assert not table.filter("mean > 1e9").mask("head")["head"].any()
    wide = gw.where(units=table.mask("second"))
    with pytest.raises(gw.SelectionError, match="6 entries"):
        gw.mutate(nn.ModuleDict({"second": nn.Linear(2, 3)}), gw.Zero(where=wide), seed=1)


def test_columns_are_copies_and_the_table_never_changes(table: gw.neurons.NeuronTable) -> None:
    column = table["mean"]
    column[:] = 7.0
    assert not (table["mean"] == 7.0).any()
    with pytest.raises(gw.UnknownNameError, match="Did you mean 'mean'"):
        table["meen"]


def test_the_table_prints_and_draws_itself(table: gw.neurons.NeuronTable) -> None:
    text = str(table)
    assert "28 units of 5 layers, 21 samples" in text
    assert "and 8 more" in text
    picture = ET.fromstring(table.heat_map("mean"))
    cells = [element for element in picture if element.tag.endswith("rect")]
    assert len(cells) == len(table)
    assert len({cell.get("fill") for cell in cells}) > 10
    html = table._repr_html_()
    assert html.count("<tr>") == 21
    assert "<svg" in html
    wide = gw.neurons.measure(nn.Linear(3, 1000), torch.randn(4, 3), measures="mean")
    assert len(ET.fromstring(wide.heat_map())) == 2 + 128
