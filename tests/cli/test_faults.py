"""genewright faults: the library's numbers, tables and file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Run

import genewright as gw

NET = ("faults", "users_models:Net", "held_out.npz", "--weights", "net.pt", "--margin", "0.1", "--confidence", "0.9")


def test_the_rate_is_the_librarys_and_all_faults_are_written(genewright: Run, folder: Path) -> None:
    said = genewright(*NET, "--seed", "1", "--by", "field,layer", "--out", "rate.json", "--json").json()
    from users_models import Net

    held = np.load("held_out.npz")
    net = gw.load(Net, "net.pt")
    rate = gw.fault_rate(net, (held["X"], held["y"]), gw.BitFlip(count=1), margin=0.1, confidence=0.9, seed=1)
    assert said["rate"]["failed"] == rate.rate.failed
    assert said["injected"] == len(rate.faults)
    assert said["population"] == rate.population
    assert set(said["by"]) == {"field", "layer"}
    assert said["by"]["field"]["sign"]["of"] == rate.by("field")["sign"].of
    assert gw.FaultRate.load(folder / "rate.json").to_json() == rate.to_json()


def test_tables_and_bars_are_printed(genewright: Run, folder: Path) -> None:
    shown = genewright(
        *NET, "--seed", "1", "--fault", "stuck-at-1", "--bits", "sign", "--bits", "30", "--where", "*weight"
    )
    assert shown.code == 0, shown.err
    assert "fault rate" in shown.out
    assert "StuckAt" in shown.out
    assert "30  " in shown.out
    zero = genewright(*NET, "--seed", "1", "--fault", "zero", "--by", "layer,tensor")
    assert zero.code == 0, zero.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (NET, 2, "needs --seed"),
        ((*NET, "--seed", "1", "--fault", "bitflip"), 2, "--fault is one of bit-flip"),
        ((*NET, "--seed", "1", "--fault", "zero", "--bits", "3"), 2, "--bits goes with"),
        ((*NET, "--seed", "1", "--fault", "zero", "--by", "bit"), 2, "does not act on single bits"),
        ((*NET, "--seed", "1", "--by", "bits"), 2, "--by has groups of bit"),
        ((*NET, "--seed", "1", "--out", "rate.txt"), 2, ".json"),
        ((*NET, "--seed", "1", "--bits", "expo"), 1, "no field is called 'expo'"),
        ((*NET[:5], "--margin", "2", "--seed", "1"), 1, "margin: expected"),
    ],
)
def test_what_is_asked_wrongly_is_said(genewright: Run, words: tuple[str, ...], code: int, said: str) -> None:
    result = genewright(*words)
    assert result.code == code
    assert said in result.err
