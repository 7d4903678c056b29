"""A long work shows its share and the time that is left, where that is wanted; else nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.batches import number_of_batches
from genewright.showing import Meter
from genewright.showing.meter import in_words

torch = pytest.importorskip("torch")

X = torch.linspace(-1, 1, 240).reshape(60, 4)
Y = torch.arange(60) % 3
WORKS: dict[str, tuple[str, Any]] = {
    "mutate": ("gw.mutate", lambda net, more: gw.mutate(net, gw.GaussianNoise(0.1), seed=1, **more)),
    "replay": ("gw.replay", lambda net, more: gw.replay(gw.recipe(_mutant(net)), net, **more)),
    "compare": ("gw.compare", lambda net, more: gw.compare(net, _mutant(net), (X, Y), **more)),
    "calibrate": (
        "gw.calibrate",
        lambda net, more: gw.calibrate(net, gw.GaussianNoise(), X, seed=1, target=0.2, num_seeds=2, **more),
    ),
    "measure": ("gw.neurons.measure", lambda net, more: gw.neurons.measure(net, X, **more)),
    "evaluate": (
        "gw.evaluate",
        lambda net, more: gw.evaluate(net, gw.GaussianNoise(0.1), range(40), gw.fitness.Supervised(X, Y), **more),
    ),
}


def _net() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))


def _mutant(net: Any) -> Any:
    return gw.mutate(net, gw.GaussianNoise(0.1), seed=1)


@pytest.mark.parametrize("name", WORKS)
def test_a_bar_is_shown_where_it_is_wanted_and_changes_no_result(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    what, work = WORKS[name]
    silent = work(_net(), {})
    assert capsys.readouterr() == ("", "")
    shown = work(_net(), {"progress": True})
    out, err = capsys.readouterr()
    assert out == ""
    assert what in err
    assert "100 %" in err
    assert "in all" in err
    if name in ("mutate", "replay"):
        assert gw.fingerprint(shown) == gw.fingerprint(silent)
    elif name == "measure":
        assert str(shown) == str(silent)
    else:
        assert shown == silent


def test_a_share_has_a_bar_and_the_time_left() -> None:
    assert in_words("work", 0.5, 10.0) == f"work  {'█' * 12}{'░' * 12}  50 %  0:10 left"
    assert in_words("work", None, 75.0, count=1200) == "work  1,200 done  1:15"


def test_a_work_that_fails_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), Meter("work", True):
        _ = 1 / 0
    assert "work  ended by an error" in capsys.readouterr().err


def test_in_a_notebook_the_line_is_an_output_of_the_cell() -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    book = nbformat.v4.new_notebook()
    code = "from genewright.showing import Meter\nwith Meter('work', True) as meter:\n    list(meter.each(range(3), 3))"
    book.cells = [nbformat.v4.new_code_cell(code)]
    nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
    (output,) = book.cells[0].outputs
    assert "100 %" in output["data"]["text/html"]
    assert "100 %" in output["data"]["text/plain"]


def test_how_many_batches_are_to_come() -> None:
    x, y = np.zeros((10, 3)), np.zeros(10)
    assert number_of_batches((x, y), batch_size=4) == 3
    assert number_of_batches([x, y], batch_size=4) == 3
    assert number_of_batches({"a": x}, batch_size=10) == 1
    assert number_of_batches([(x, y), (x, y)]) == 2
    assert number_of_batches(((x, x), y), batch_size=5) == 2
    assert number_of_batches(iter([(x, y)])) is None
