"""Noise on complex parameters: real and imaginary part are two numbers, as in an axis of length 2 behind all others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw

OPERATORS: list[Any] = [
    gw.GaussianNoise(std=0.3),
    gw.GaussianNoise(std=0.3, rate=0.2),
    gw.GaussianNoise(std=0.3, relative_to="tensor"),
    gw.GaussianNoise(std=0.3, relative_to="weight"),
    gw.UniformNoise(bound=0.5),
    gw.LaplaceNoise(scale=0.2),
    gw.FactorNoise(),
    gw.SignFlip(rate=0.5),
    gw.Zero(rate=0.5),
    gw.GaussianNoise(std=0.3, where=gw.where(units=[0, 3])),
]


def _pair(dtype: torch.dtype) -> tuple[nn.Module, nn.Module]:
    values = torch.randn(5, 3, dtype=dtype, generator=torch.Generator().manual_seed(1))
    return (
        nn.ParameterDict({"w": nn.Parameter(values)}),
        nn.ParameterDict({"w": nn.Parameter(torch.view_as_real(values).clone())}),
    )


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize("operator", OPERATORS, ids=repr)
def test_the_parts_get_the_noise_of_real_numbers(operator: Any, dtype: torch.dtype, tmp_path: Path) -> None:
    base, parts = _pair(dtype)
    mutant, expected = gw.mutate(base, operator, seed=1), gw.mutate(parts, operator, seed=1)
    assert mutant["w"].dtype == dtype
    assert torch.equal(torch.view_as_real(mutant["w"].detach()), expected["w"].detach())
    assert not torch.equal(mutant["w"], base["w"])
    with gw.mutated(base, operator, seed=1) as same:
        assert gw.fingerprint(same) == gw.fingerprint(mutant)
    assert gw.fingerprint(base) == gw.fingerprint(_pair(dtype)[0])
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), base)) == gw.fingerprint(mutant)
    torch.save(base.state_dict(), tmp_path / "a.pt")
    from_file = gw.mutate(gw.read_checkpoint(tmp_path / "a.pt"), operator, seed=1)
    if not operator.where.units:
        assert gw.fingerprint(from_file) == gw.fingerprint(mutant)


def test_a_plan_says_how() -> None:
    (line,) = gw.plan(_pair(torch.complex64)[0], gw.GaussianNoise(std=0.3), seed=1).steps[0].lines
    assert line.what == "w + 0.3 * normal, real and imaginary parts each"


def test_views_of_complex_memory_that_are_not_contiguous() -> None:
    base, _ = _pair(torch.complex64)
    turned = nn.ParameterDict({"w": nn.Parameter(base["w"].detach().clone().T.contiguous().T)})
    conjugate = nn.ParameterDict({"w": nn.Parameter(base["w"].detach().conj().clone().conj())})
    expected = gw.mutate(base, gw.GaussianNoise(std=0.3), seed=1)
    for other in (turned, conjugate):
        with gw.mutated(other, gw.GaussianNoise(std=0.3), seed=1):
            assert torch.equal(other["w"].resolve_conj(), expected["w"])
        assert torch.equal(other["w"].resolve_conj(), base["w"])


class Spectral(nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 6, dtype=dtype), nn.Linear(6, 2, dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.a(x.to(self.a.weight.dtype))).abs()


@pytest.mark.parametrize("init", ["split", "silent", "pair"])
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
def test_widths_of_complex_layers_keep_the_function(dtype: torch.dtype, init: Any) -> None:
    net, x = Spectral(dtype), torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    x = x.double() if dtype == torch.complex128 else x
    wide = gw.mutate(net, gw.Widen("a", factor=2, init=init), seed=1, example=x)
    assert wide.a.weight.shape == (12, 4)
    torch.testing.assert_close(wide(x), net(x))
    assert gw.fingerprint(gw.replay(gw.recipe(wide), net)) == gw.fingerprint(wide)


def test_new_units_are_drawn_at_the_spread_of_both_parts() -> None:
    net = Spectral(torch.complex128)
    with torch.no_grad():
        net.a.weight.real.zero_()  # all of the spread is in the imaginary part
    x = torch.ones(1, 4, dtype=torch.float64)
    wide = gw.mutate(net, gw.Widen("a", factor=2, init="noise"), seed=1, example=x)
    assert wide.a.weight[6:].real.abs().max() > 0
