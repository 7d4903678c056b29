"""The pictures of the demo: no label lies on another, and what is shown is what was found."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

import genewright as gw

pytest.importorskip("matplotlib")

from matplotlib.backends.backend_agg import FigureCanvasAgg

from genewright.report.accuracy_map import _points, draw_accuracy_map
from genewright.report.growth import Way, growth_figure
from genewright.report.mutation_testing.faults_by_bit import faults_figure
from genewright.report.weights_before_after import draw_weights_before_after


@pytest.mark.parametrize("end", [0.0113, 0.0134, 0.01349, 0.02])
@pytest.mark.parametrize("plain", [0.0136, 0.0203, 0.9])
def test_no_label_of_the_growth_lies_on_another(end: float, plain: float) -> None:
    base = 0.0135
    figure = growth_figure(
        [
            Way("not mutated", (base, base, 0.01348), "unchanged"),
            Way("wider", (base, base, None), "kept"),
            Way("narrow again", (base, base, None), "kept"),
            Way("wider and deeper", (base, base, end), "kept"),
            Way("wider, the plain way", (base, plain, None), "changed"),
        ]
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = figure.axes[0].texts
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in texts]
    labelled = zip(texts, boxes, strict=True)
    overlaps = [(a.get_text(), b.get_text()) for (a, x), (b, y) in combinations(labelled, 2) if x.overlaps(y)]
    assert overlaps == []
    assert len(texts) == 4
    for line in figure.axes[0].lines:
        xs, ys = (np.interp(np.linspace(0, 1, 500), np.linspace(0, 1, len(v)), v) for v in line.get_data())
        drawn = figure.axes[0].transData.transform(np.column_stack([xs, ys]))
        assert not any(box.contains(x, y) for box in boxes for x, y in drawn), "a line runs through a label"
    assert all(box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes)


def test_losses_are_said_in_points() -> None:
    said = [_points(lost) for lost in (0.0, 0.278, -0.278, 4.44, 62.5)]
    assert said == ["0", "\N{MINUS SIGN}0.3", "+0.3", "\N{MINUS SIGN}4.4", "\N{MINUS SIGN}62"]


def test_a_bar_is_the_share_of_its_bit() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3))
    rate = gw.fault_rate(net, torch.randn(20, 4), gw.BitFlip(count=1), margin=0.1, confidence=0.9, seed=1)
    axes = faults_figure(rate).axes[0]
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == [one.share or 0.0 for one in rate.by("bit").values()]
    assert max(heights) > 0.5
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["mantissa", "exponent", "sign"]


def test_pictures_are_written_at_the_width_of_a_page(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    net = torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.BatchNorm1d(20), torch.nn.Linear(20, 2))
    mutant = gw.mutate(net, gw.GaussianNoise(0.05, relative_to="tensor"), seed=1)
    draw_weights_before_after(tmp_path / "weights.png", net, mutant, title="std 0.05", strength=0.05)
    accuracy = np.linspace(1.0, 0.1, 6).reshape(2, 3).tolist()
    grid = {"original": 0.99, "best": (0.1, 0.3), "samples": 360}
    draw_accuracy_map(tmp_path / "grid.png", (0.1, 1.0), (0.1, 0.3, 1.0), accuracy, **grid)
    for name in ("weights", "grid"):
        with image.open(tmp_path / f"{name}.png") as picture:
            assert picture.width == 1092
