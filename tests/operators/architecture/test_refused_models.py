"""Models that cannot be deepened as they are: wrapped, parametrized, not run by the example."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import genewright as gw
from tests.operators.architecture.networks import make


def test_a_wrapped_model_is_refused_with_what_to_do() -> None:
    model, example = make("mlp")
    wrapped = nn.DataParallel(model)
    for operator in (
        gw.InsertLayer(),
        gw.RemoveLayer(layer="module.1"),
        gw.InsertLayer(after="module.1", layer="ReLU"),
    ):
        with pytest.raises(gw.UnsupportedError, match=r"DataParallel.*wrapped\.module"):
            gw.mutate(wrapped, operator, seed=1, example=example)


def test_a_parametrized_kernel_does_not_grow() -> None:
    model = nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 4, 3, padding=1)))
    before = gw.fingerprint(model)
    with pytest.raises(gw.UnsupportedError, match="not a convolution"):
        gw.mutate(model, gw.GrowKernel(layer="0"), seed=1, inplace=True)
    assert gw.fingerprint(model) == before


def test_a_checkpoint_has_no_layers(tmp_path: Path) -> None:
    gw.save(make("mlp")[0], tmp_path / "mlp.safetensors")
    checkpoint = gw.read_checkpoint(tmp_path / "mlp.safetensors")
    before = gw.fingerprint(checkpoint)
    for operator in (gw.RemoveLayer(layer="1"), gw.InsertLayer(after="1", layer="ReLU"), gw.GrowKernel(layer="0")):
        with pytest.raises(gw.GenewrightError, match="checkpoint has"):
            gw.mutate(checkpoint, operator, seed=1, inplace=True)
        assert gw.fingerprint(checkpoint) == before


def test_a_compiled_model_is_changed_inside() -> None:
    torch._dynamo.reset()
    model, example = make("mlp")
    compiled = torch.compile(model, backend="eager")
    mutant = gw.mutate(compiled, gw.InsertLayer(after="1", activation="ReLU"), seed=1, example=example)
    torch.testing.assert_close(mutant(example), model(example))
    assert gw.fingerprint(mutant) == gw.fingerprint(
        gw.mutate(model, gw.InsertLayer(after="1", activation="ReLU"), seed=1, example=example)
    )


def test_data_dependent_control_flow_runs_as_it_is() -> None:
    class Fickle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.left(x) if x.sum() > 0 else self.right(x)

    model = Fickle()
    mutant = gw.mutate(model, gw.InsertLayer(after="left"), seed=1, example=torch.ones(2, 4))
    for x in (torch.ones(2, 4), -torch.ones(2, 4)):
        torch.testing.assert_close(mutant(x), model(x))
    with pytest.raises(gw.UnsupportedError, match="'right' is never called"):
        gw.mutate(model, gw.InsertLayer(after="right"), seed=1, example=torch.ones(2, 4))
