"""A mutant of a real ResNet and of a real transformer is compiled, exported, copied, pickled and saved as before."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from tests.pretrained import make, transformers

pytestmark = pytest.mark.filterwarnings("ignore")

OPERATORS: dict[str, dict[str, Any]] = {
    "resnet": {
        "Widen": gw.Widen("layer1.0.conv1", factor=1.3),
        "Narrow": gw.Narrow("layer2.0.conv1", factor=0.8),
        "DuplicateBlock": gw.DuplicateBlock(block="layer1.0"),
        "InsertLayer": gw.InsertLayer(after="layer2.0"),
        "AddSkip": gw.AddSkip(start="layer1.0", end="layer2.0"),
        "AddBranch": gw.AddBranch(layer="layer2.0.conv2"),
        "GrowKernel": gw.GrowKernel(layer="layer1.0.conv2"),
        "ReplaceActivation": gw.ReplaceActivation(where="layer1.0.relu", to="SiLU", blend=0.0),
    },
    "bert": {
        "Widen": gw.Widen("bert.encoder.layer.0.intermediate.dense", num_units=8),
        "Narrow": gw.Narrow("bert.encoder.layer.1.intermediate.dense", factor=0.5),
        "WidenStream": gw.WidenStream(init="replicate"),
        "AddHeads": gw.AddHeads("bert.encoder.layer.1.attention", num_heads=2),
        "DuplicateBlock": gw.DuplicateBlock(block="bert.encoder.layer.0"),
        "InsertLayer": gw.InsertLayer(after="bert.encoder.layer.0.output"),
        "AddSkip": gw.AddSkip(start="bert.encoder.layer.0.output.dense", end="bert.encoder.layer.1.output"),
        "AddBranch": gw.AddBranch(layer="bert.encoder.layer.0.output.dense"),
        "ReplaceActivation": gw.ReplaceActivation(
            where="bert.encoder.layer.0.intermediate.intermediate_act_fn", to="ReLU", blend=0.0
        ),
    },
}
KEPT = {name for held in OPERATORS.values() for name in held} - {"Narrow"}
QUICK = {("resnet", "Widen"), ("bert", "AddHeads"), ("bert", "DuplicateBlock")}
PAIRS = [
    (kind, name) if (kind, name) in QUICK else pytest.param(kind, name, marks=pytest.mark.slow)
    for kind, held in OPERATORS.items()
    for name in held
]


def _model(kind: str) -> tuple[Any, dict[str, torch.Tensor]]:
    """Return (model, example by name); one tensor is frozen, and a hook counts the calls of the model."""
    if kind == "bert":
        model, example = make("bert")
        model.bert.embeddings.position_embeddings.weight.requires_grad_(False)
    else:
        transformers()  # declares what torchvision needs
        resnet = pytest.importorskip("torchvision").models.resnet
        torch.manual_seed(0)
        model = resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], num_classes=10).eval()
        with torch.no_grad():
            for name, tensor in model.named_parameters():
                if "bn" in name:
                    tensor.add_(0.3 * torch.randn_like(tensor))
        example = {"x": torch.randn(2, 3, 32, 32)}
        model.conv1.weight.requires_grad_(False)
    return model, example


def _outputs(model: Any, example: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        out = model(**example)
    return out if isinstance(out, torch.Tensor) else out[0]


def _frozen(model: nn.Module) -> list[str]:
    return [name for name, parameter in model.named_parameters() if not parameter.requires_grad]


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_a_mutant_compiles_exports_and_is_copied_as_before(kind: str, name: str, tmp_path: Path) -> None:
    model, example = _model(kind)
    mutant = gw.mutate(model, OPERATORS[kind][name], seed=1, example=example)
    assert type(mutant) is type(model)
    assert _frozen(mutant) == _frozen(model)
    assert not mutant.training
    expected = _outputs(mutant, example)
    if name in KEPT:
        torch.testing.assert_close(expected, _outputs(model, example), rtol=0, atol=1e-5)
    torch._dynamo.reset()
    compiled = torch.compile(mutant, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(_outputs(compiled, example), expected, rtol=0, atol=1e-5)
    exported = torch.export.export(mutant, (), example, strict=False).module()
    torch.testing.assert_close(_outputs(exported, example), expected, rtol=0, atol=1e-5)
    for twin in (copy.deepcopy(mutant), pickle.loads(pickle.dumps(mutant))):
        assert torch.equal(_outputs(twin, example), expected)
        assert gw.fingerprint(twin) == gw.fingerprint(mutant)
    again = copy.deepcopy(mutant)
    with torch.no_grad():
        for parameter in again.parameters():
            parameter.zero_()
    again.load_state_dict(mutant.state_dict())
    assert torch.equal(_outputs(again, example), expected)
    gw.save(mutant, tmp_path / "mutant.safetensors")
    loaded = gw.load(lambda: _model(kind)[0], tmp_path / "mutant.safetensors")
    assert torch.equal(_outputs(loaded, example), expected)


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_a_mutant_trains_with_its_hooks_and_ties(kind: str, name: str) -> None:
    model, example = _model(kind)
    calls: list[str] = []
    model.register_forward_hook(lambda *_: calls.append("model"))
    model.train()
    mutant = gw.mutate(model, OPERATORS[kind][name], seed=1, example=example)
    assert mutant.training
    assert all(module.training for module in mutant.modules())
    calls.clear()
    optimizer = torch.optim.SGD([p for p in mutant.parameters() if p.requires_grad], lr=0.01)
    out = mutant(**example)
    (out if isinstance(out, torch.Tensor) else out[0]).square().sum().backward()
    assert calls == ["model"]
    before = {key: parameter.detach().clone() for key, parameter in mutant.named_parameters()}
    optimizer.step()
    moved = {key for key, parameter in mutant.named_parameters() if not torch.equal(parameter, before[key])}
    assert len(moved) > len(before) / 2
    assert not moved & set(_frozen(mutant))
    if kind == "bert":
        assert mutant.cls.predictions.decoder.weight is mutant.bert.embeddings.word_embeddings.weight


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [("resnet", "Widen"), ("resnet", "InsertLayer"), ("bert", "DuplicateBlock")])
def test_a_mutant_is_compiled_to_machine_code(kind: str, name: str) -> None:
    model, example = _model(kind)
    mutant = gw.mutate(model, OPERATORS[kind][name], seed=1, example=example)
    torch._dynamo.reset()
    try:
        out = _outputs(torch.compile(mutant), example)
    except torch._dynamo.exc.BackendCompilerFailed as error:  # no C++ compiler on this machine
        pytest.skip(str(error).splitlines()[0])
    torch.testing.assert_close(out, _outputs(mutant, example), rtol=0, atol=1e-4)
