"""gw.cost: parameters, multiplications and memory, against torch's own counter and known numbers."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import genewright as gw
from tests.pretrained import torchvision_ready

CASES: dict[str, tuple[nn.Module, Any]] = {
    "linear": (nn.Linear(4, 3), torch.zeros(5, 4)),
    "convolutions": (
        nn.Sequential(
            nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
            nn.BatchNorm2d(6),
            nn.ConvTranspose2d(6, 4, 3, stride=2, groups=2),
            nn.Conv2d(4, 4, (1, 3), dilation=2),
        ),
        torch.zeros(2, 4, 9, 11),
    ),
    "attention": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), torch.zeros(2, 5, 8)),
    "sequences": (nn.Conv1d(3, 5, 4), torch.zeros(2, 3, 12)),
}


def counted(model: nn.Module, x: torch.Tensor) -> int:
    # of the fused attention on a CPU the counter knows nothing
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("name", CASES)
def test_multiplications_are_those_of_torch_s_own_counter(name: str) -> None:
    model, x = CASES[name]
    if name == "attention":
        torch.backends.mha.set_fastpath_enabled(False)
    try:
        assert gw.cost(model, x).macs == counted(model, x)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


@pytest.mark.parametrize(("cell", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers_multiply_at_every_step(cell: Any, gates: int) -> None:
    assert gw.cost(cell(3, 4, bidirectional=True), torch.zeros(5, 2, 3)).macs == 2 * 5 * 2 * gates * 4 * (3 + 4)


def test_bilinear_and_fused_attention() -> None:
    class Attend(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.scaled_dot_product_attention(x, x, x)

    assert gw.cost(Attend(), torch.zeros(2, 3, 5, 4)).macs == 2 * (2 * 3 * 5 * 5 * 4)


@pytest.mark.parametrize(
    ("name", "parameters", "gmacs"), [("resnet18", 11_689_512, 1.81), pytest.param("resnet50", 25_557_032, 4.09)]
)
def test_known_networks(name: str, parameters: int, gmacs: float) -> None:
    torchvision_ready()
    torchvision = pytest.importorskip("torchvision")
    model = getattr(torchvision.models, name)(weights=None).eval()
    found = gw.cost(model, torch.zeros(1, 3, 224, 224))
    assert found.parameters == parameters
    assert found.macs is not None
    assert round(found.macs / 1e9, 2) == gmacs
    assert found.bytes == sum(t.numel() * t.element_size() for t in model.state_dict().values())
    assert found.macs_by_layer["fc"] == 1000 * model.fc.in_features


def test_statistics_are_no_parameters_ties_count_once_and_the_batch_counts() -> None:
    net = nn.Sequential(nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4), nn.Linear(4, 4, bias=False))
    net[2].weight = net[0].weight
    found = gw.cost(net.eval(), torch.zeros(7, 4))
    assert (found.parameters, found.macs) == (16 + 8, 2 * 7 * 16)
    assert found.bytes == 4 * (16 + 16) + 8


def test_without_an_example_there_are_no_multiplications() -> None:
    found = gw.cost(nn.Linear(4, 3))
    assert (found.parameters, found.macs, found.bytes) == (15, None, 60)
    assert str(found) == "15 parameters, 60 bytes"


def test_plans_knobs_and_mutations_say_it(caplog: pytest.LogCaptureFixture) -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    x = torch.zeros(3, 4)
    said = "58 -> 30 parameters, 144 -> 72 MACs, 232 -> 120 bytes"
    plan = gw.plan(net, gw.Narrow("0", factor=0.5), seed=1, example=x)
    assert said in str(plan)
    assert plan.to_json()["steps"][0]["cost"][1] == {"parameters": 30, "macs": 72, "bytes": 120}
    assert str(gw.knobs(net, x)).startswith("58 parameters, 144 MACs, 232 bytes\n")
    with caplog.at_level(logging.INFO, "genewright"):
        gw.mutate(net, gw.Narrow("0", factor=0.5), seed=1, example=x)
    assert said in caplog.text


def test_pruning_takes_the_fewest_units_with_which_so_many_multiplications_are_gone() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 2))
    x = torch.randn(2, 3, 8, 8)
    whole = gw.cost(net, x).macs
    assert whole is not None
    for fraction in (0.2, 0.6):
        slim = gw.mutate(net, gw.PruneUnits(fraction=fraction, target="macs", scope="all"), seed=1, example=x)
        left = gw.cost(slim, x).macs
        assert left is not None
        assert left <= (1 - fraction) * whole < left + 2 * 36 * (27 + 9 * 6) + 2 * 16 * (9 * 8 + 2)
