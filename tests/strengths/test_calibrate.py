"""calibrate: the strength at which mutants change the function by the target."""

from __future__ import annotations

import copy
import functools
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw


def data() -> tuple[torch.Tensor, torch.Tensor]:
    """Return 300 points around five centres, and which of these."""
    generator = torch.Generator().manual_seed(4)
    y = torch.randint(0, 5, (300,), generator=generator)
    centres = 2 * torch.randn(5, 8, generator=generator)
    return centres[y] + torch.randn(300, 8, generator=generator), y


@functools.cache
def _trained() -> nn.Module:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))
    x, y = data()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    return net


def network() -> nn.Module:
    return copy.deepcopy(_trained())


def mean_disagreement(operator: Any, seeds: range) -> float:
    net, (x, _) = network(), data()
    return float(np.mean([1 - (gw.compare(net, gw.mutate(net, operator, seed=s), x).agreement or 0) for s in seeds]))


@pytest.mark.parametrize(
    "operator",
    [
        gw.GaussianNoise(),
        gw.GaussianNoise(std=50.0, relative_to="tensor"),
        gw.Zero(rate=0.5),
        gw.UniformNoise(bound=1e-6),
        gw.Sequence(operators=(gw.GaussianNoise(), gw.Zero(rate=0.001))),
    ],
)
def test_mutants_of_other_seeds_change_as_much_as_was_asked(operator: Any) -> None:
    made = gw.calibrate(network(), operator, data()[0], target=0.15, seed=1, num_seeds=40)
    assert 0.1 < mean_disagreement(made, range(40)) < 0.21
    assert type(made) is type(operator)


def test_only_the_strength_changes_and_the_model_is_as_it_was() -> None:
    net = network()
    before = gw.fingerprint(net)
    start = gw.GaussianNoise(std=0.3, rate=0.5, where="*.weight")
    made = gw.calibrate(net, start, data()[0], seed=1)
    settings = made.settings()
    assert settings.pop("std") != 0.3
    assert settings == {name: value for name, value in start.settings().items() if name != "std"}
    assert gw.fingerprint(net) == before
    assert made == gw.calibrate(net, start, data()[0], seed=1)
    assert made != gw.calibrate(net, start, data()[0], seed=2)


def test_output_change_is_the_relative_distance_of_the_outputs() -> None:
    net, x = network(), data()[0]
    found = gw.calibration(net, gw.GaussianNoise(), x, target=0.3, measure="output_change", seed=5, num_seeds=1)
    mutant = gw.mutate(net, found.operator, seed=gw_seed(5))
    with torch.no_grad():
        change = float((mutant(x) - net(x)).norm() / net(x).norm())
    assert change == pytest.approx(found.effect, rel=1e-5)
    assert change == pytest.approx(0.3, rel=0.03)


def gw_seed(seed: int) -> int:
    """Return the first seed that a calibration derives."""
    from genewright.seeding import Noise

    return Noise(seed, salt="calibrate").child(0).stream("seed").key >> 1


def test_a_metric_moves_by_the_target() -> None:
    net, (x, y) = network(), data()
    found = gw.calibration(net, gw.GaussianNoise(), (x, y), target=0.2, measure="accuracy", seed=1)
    assert found.effect == pytest.approx(0.2, abs=0.01)
    assert found.measure == "accuracy"


def test_every_layer_has_an_equal_share() -> None:
    net, x = network(), data()[0]
    made = gw.calibrate(net, gw.GaussianNoise(), x, target=0.15, seed=1, per_layer=True)
    assert isinstance(made, gw.Sequence)
    assert [part.where.patterns for part in made.operators] == [  # type: ignore[union-attr]
        (f"{n}.weight", f"{n}.bias") for n in (0, 2, 4)
    ]
    assert 0.08 < mean_disagreement(made, range(20)) < 0.25
    shares = []
    for part in made.operators:
        changed = []
        for seed in range(20):
            with gw.mutated(net, part, seed=seed) as mutant, torch.no_grad():
                after = mutant(x)
            with torch.no_grad():
                changed.append(float((after - net(x)).norm() / net(x).norm()))
        shares.append(np.mean(changed))
    assert max(shares) < 2 * min(shares)


def test_a_target_that_no_strength_reaches_shows_the_curve() -> None:
    net, x = network(), data()[0]
    with pytest.raises(gw.SettingError, match=r"(?s)no strength of Zero gives disagreement 1\.5.*rate 1 .*#"):
        gw.calibrate(net, gw.Zero(), x, target=1.5, seed=1)
    with pytest.raises(gw.SettingError, match=r"(?s)jumps over.*The curve"):  # one bit of one sample's sign, or nothing
        gw.calibrate(nn.Linear(1, 2), gw.SignFlip(rate=0.5), torch.ones(1, 1), target=0.01, seed=1, num_seeds=1)


def test_bad_input_is_refused() -> None:
    net, x = network(), data()[0]
    noise = gw.GaussianNoise()
    for target in (0, -1, float("nan"), True):
        with pytest.raises(gw.SettingError, match="target"):
            gw.calibrate(net, noise, x, target=target, seed=1)
    with pytest.raises(gw.SeedError, match="seed"):
        gw.calibrate(net, noise, x)  # type: ignore[call-arg]
    with pytest.raises(gw.SettingError, match="std=0,"):
        gw.calibrate(net, gw.GaussianNoise(std=0), x, seed=1)
    with pytest.raises(gw.SettingError, match="output_change"):
        gw.calibrate(net, noise, x, measure="nonsense", seed=1)
    with pytest.raises(gw.DataError, match="needs targets"):
        gw.calibrate(net, noise, x, measure="accuracy", seed=1)
    with pytest.raises(gw.DataError, match="no class axis"):
        gw.calibrate(nn.Linear(8, 1), noise, x, seed=1)
    with pytest.raises(gw.SettingError, match="no strength and no rate"):
        gw.calibrate(net, gw.Quantize(), x, seed=1)
    with pytest.raises(gw.DataError, match="cannot take"):
        gw.calibrate(net, noise, torch.zeros(3, 7), seed=1)


def test_the_curve_is_drawn(tmp_path: Path) -> None:
    found = gw.calibration(network(), gw.Zero(), data()[0], target=0.2, seed=1)
    strengths, effects = zip(*found.points, strict=True)
    assert list(strengths) == sorted(strengths)
    assert np.corrcoef(np.log(strengths), effects)[0, 1] > 0.8
    found.draw(tmp_path / "curve.svg")
    root = ET.fromstring((tmp_path / "curve.svg").read_text())
    circles = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == len(found.points) + 1
    assert f"at rate={found.strength:.4g}" in str(found)


def test_operators_that_see_the_model_run_take_the_first_batch() -> None:
    net, (x, _) = network(), data()
    found = gw.calibrate(net, gw.SafeGaussianNoise(0.1), x, target=0.05, seed=1, num_seeds=2, batch_size=100)
    assert found == gw.calibrate(
        net, gw.SafeGaussianNoise(0.1), x, target=0.05, seed=1, num_seeds=2, batch_size=100, example=x[:100]
    )
    assert found.std != 0.1
