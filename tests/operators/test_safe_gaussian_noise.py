"""SafeGaussianNoise: noise divided by each weight's output sensitivity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.backends import backend_of
from genewright.operators.weights import sensitivity
from genewright.operators.weights.sensitivity import sensitivities

X = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
NAMES = ("0.weight", "0.bias", "2.weight", "2.bias")


def network(outputs: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, outputs)).double()


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.GRU(4, 6, batch_first=True)
        self.head = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cells(x)[0])


def jacobian(net: nn.Module) -> dict[str, torch.Tensor]:
    """Return d output[i, k] / d weight by torch.func, with axes (samples, outputs, weight)."""
    found = torch.func.jacrev(lambda p: torch.func.functional_call(net, p, (X,)))(dict(net.named_parameters()))
    return {name: slopes.detach() for name, slopes in found.items()}


def measured(net: nn.Module, method: str, probes: int = 32, floor: float = 1e-9) -> dict[str, np.ndarray]:
    return sensitivities(backend_of(net).network(net, X), NAMES, method, probes, floor)


@pytest.mark.parametrize("method", ["sum", "abs"])
def test_sensitivities_are_those_of_the_paper(method: str) -> None:
    net = network()
    found = measured(net, method)
    for name, slopes in jacobian(net).items():
        mean = slopes.mean(0) if method == "sum" else slopes.abs().mean(0)
        np.testing.assert_allclose(found[name], mean.square().sum(0).sqrt().numpy(), rtol=2**-12)


def test_the_second_order_is_the_hessian_along_a_direction() -> None:
    net = network()
    signs = {n: torch.from_numpy(sensitivity._signs(f"direction of {n}", p.shape)) for n, p in net.named_parameters()}
    every = jacobian(net)
    moved = sum(torch.tensordot(every[n], signs[n], signs[n].dim()) for n in NAMES)
    found = measured(net, "second_order")
    for name in NAMES:
        expected = torch.tensordot(2 * moved / len(X), every[name], 2).abs().sqrt()
        np.testing.assert_allclose(found[name], expected.numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("method", "outputs"), [("sum", 400), ("abs", 150)])
def test_random_sums_of_many_outputs_stand_for_all(method: str, outputs: int) -> None:
    net = network(outputs=outputs)
    exact, estimated = measured(net, method, probes=outputs), measured(net, method, probes=100)
    for name in ("0.weight", "0.bias"):
        ratio = estimated[name] / exact[name]
        assert 0.6 < float(ratio.min()) <= float(ratio.max()) < 1.5
        assert float(ratio.mean()) == pytest.approx(1, abs=0.1)


def test_noise_is_divided_by_the_sensitivity_and_sensitivities_are_measured_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = network()
    found = measured(net, "sum", floor=0.01)
    asked: list[int] = []
    exact = sensitivity._summed
    monkeypatch.setattr(sensitivity, "_summed", lambda *args: asked.append(1) or exact(*args))
    operator = gw.SafeGaussianNoise(std=0.1)
    moves = {name: [] for name in NAMES}
    for seed in range(200):
        with gw.mutated(net, operator, seed=seed, example=X) as mutant:
            for name in NAMES:
                moves[name].append(mutant.get_parameter(name).detach().clone())
    assert asked == []  # the measurement above is kept
    for name in NAMES:
        spread = torch.stack(moves[name]).std(0).numpy()
        np.testing.assert_allclose(spread * found[name], 0.1, rtol=0.35)
    with torch.no_grad():
        net[0].weight += 1
    gw.mutate(net, operator, seed=1, example=X)
    assert asked == [1]  # another network has other sensitivities


def test_a_replay_needs_the_same_example() -> None:
    net = network()
    mutant = gw.mutate(net, gw.SafeGaussianNoise(rate=0.5), seed=1, example=X)
    recipe = gw.Recipe.from_json(gw.recipe(mutant).to_json())
    assert len(str(recipe.to_json())) < 1000  # no sensitivities are in it
    assert gw.fingerprint(gw.replay(recipe, net, example=X)) == gw.fingerprint(mutant)
    with pytest.raises(gw.ExampleError):
        gw.replay(recipe, net, example=X + 1)
    with pytest.raises(gw.ExampleError):
        gw.replay(recipe, net)


def test_chosen_units_and_a_share_of_elements() -> None:
    net = network()
    operator = gw.SafeGaussianNoise(std=1.0, rate=0.4, where=gw.where("0.*", units=[1, 5]))
    mutant = gw.mutate(net, operator, seed=3, example=X)
    changed = (mutant[0].weight != net[0].weight).sum(1)
    assert int(changed.sum()) == int(changed[[1, 5]].sum()) > 0
    whole = gw.mutate(net, gw.SafeGaussianNoise(std=1.0, rate=0.4, where="0.*"), seed=3, example=X)
    assert torch.equal(mutant[2].weight, net[2].weight)
    torch.testing.assert_close(mutant[0].weight[5] != net[0].weight[5], whole[0].weight[5] != net[0].weight[5])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_recurrent_net_in_its_own_dtype_and_dead_weights(dtype: torch.dtype) -> None:
    net = Recurrent().to(dtype)
    with torch.no_grad():
        net.head.weight[:, 3] = 0
    x = torch.randn(5, 7, 4).to(dtype)
    before = gw.fingerprint(net)
    for method in ("sum", "abs", "second_order"):
        mutant = gw.mutate(net, gw.SafeGaussianNoise(std=0.5, method=method), seed=1, example=x)  # type: ignore[arg-type]
        assert all(bool(p.isfinite().all()) and p.dtype == dtype for p in mutant.parameters())
        assert bool((mutant.cells.weight_hh_l0 != net.cells.weight_hh_l0).any())
    assert gw.fingerprint(net) == before
    assert not any(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"std": -1}, "std"), ({"method": "mean"}, "method"), ({"floor": 0}, "floor"), ({"probes": 0}, "probes")],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(gw.SettingError, match=words):
        gw.SafeGaussianNoise(**settings)


def test_what_has_no_gradients_is_refused() -> None:
    with pytest.raises(gw.ExampleError, match="example=x"):
        gw.mutate(network(), gw.SafeGaussianNoise(), seed=1)

    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x).argmax(1)

    with pytest.raises(gw.UnsupportedError, match="no tensor of numbers"):
        gw.mutate(Counts(), gw.SafeGaussianNoise(), seed=1, example=X)
