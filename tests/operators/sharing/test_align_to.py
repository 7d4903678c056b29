"""AlignTo and Crossover(align=): another network's units, permuted without a change of its function."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from tests.pretrained import torchvision_ready
from torch import nn

import genewright as gw
from genewright.operators.sharing.matching import best_assignment


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(5, 12, batch_first=True)
        self.head = nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cells(x)[0][:, -1])


def mlp(*sizes: int) -> nn.Module:
    first, second, third, fourth = sizes or (6, 32, 24, 4)
    return nn.Sequential(
        nn.Linear(first, second), nn.ReLU(), nn.Linear(second, third), nn.Tanh(), nn.Linear(third, fourth)
    )


def convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8), nn.ReLU(), nn.Conv2d(8, 6, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4),
    )  # fmt: skip


def resnet() -> nn.Module:
    torchvision_ready()
    return pytest.importorskip("torchvision").models.resnet18()


def vit() -> nn.Module:
    torchvision_ready()
    models = pytest.importorskip("torchvision").models
    return models.VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=5)


def gpt2() -> nn.Module:
    torchvision_ready()
    library = pytest.importorskip("transformers")
    tokens = {"vocab_size": 50, "bos_token_id": 1, "eos_token_id": 1}
    return library.GPT2LMHeadModel(library.GPT2Config(n_layer=2, n_head=4, n_embd=32, n_positions=16, **tokens))


CASES: dict[str, tuple[Any, Any]] = {
    "mlp": (mlp, torch.randn(16, 6)),
    "convolutions": (convolutions, torch.randn(8, 3, 9, 9)),
    "lstm": (Recurrent, torch.randn(8, 7, 5)),
    "vit": (vit, torch.randn(2, 3, 32, 32)),
    "gpt2": (gpt2, torch.randint(0, 50, (2, 9))),
    "resnet18": (resnet, torch.randn(2, 3, 32, 32)),
}
BOTH_WAYS = [
    pytest.param(name, by, marks=[pytest.mark.slow] if (name, by) == ("resnet18", "weights") else [])
    for name in CASES
    for by in ("weights", "activations")
]


def two_of(name: str) -> tuple[nn.Module, nn.Module, Any]:
    """Return two networks of one form in float64, with nothing at its first value, and an example."""
    factory, example = CASES[name]
    made: list[nn.Module] = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = factory().double().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
            for key, buffer in model.named_buffers():
                if "running" in key:
                    buffer.add_(torch.rand_like(buffer))
        made.append(model)
    return made[0], made[1], example.double() if example.is_floating_point() else example


def outputs(model: nn.Module, x: Any) -> torch.Tensor:
    with torch.no_grad():
        made = model(x)
    return getattr(made, "logits", made)


def distance(a: nn.Module, b: nn.Module) -> float:
    return float(sum((p - q).detach().square().sum() for p, q in zip(a.parameters(), b.parameters(), strict=True)))


def shuffled(model: nn.Module, example: Any) -> nn.Module:
    """Return the same function with every unit in another place: aligned to noise, as units that match nothing are."""
    noise = gw.mutate(model, gw.Reset(init="normal"), seed=5)
    return gw.mutate(model, gw.AlignTo("noise"), seed=6, example=example, donors={"noise": noise})


@pytest.mark.parametrize(("name", "by"), BOTH_WAYS)
def test_the_function_stays(name: str, by: Any) -> None:
    net, other, example = two_of(name)
    aligned = gw.mutate(other, gw.AlignTo("net", by=by), seed=1, example=example, donors={"net": net})
    before, after = outputs(other, example), outputs(aligned, example)
    assert float((before - after).abs().max()) <= 1e-9 * float(before.abs().max())
    assert gw.fingerprint(aligned) != gw.fingerprint(other)
    if by == "weights":
        assert distance(net, aligned) < distance(net, other)
    again = gw.replay(gw.recipe(aligned), other, donors=[net])  # needs no example: the recipe holds the permutations
    assert gw.fingerprint(again) == gw.fingerprint(aligned)
    assert gw.recipe(aligned).donors == (gw.fingerprint(net),)


@pytest.mark.parametrize("by", ["weights", "activations"])
@pytest.mark.parametrize("name", ["mlp", "convolutions", "lstm"])
def test_shuffled_units_come_back_to_their_places(name: str, by: Any) -> None:
    net, _, example = two_of(name)
    moved = shuffled(net, example)
    assert gw.fingerprint(moved) != gw.fingerprint(net)
    back = gw.mutate(moved, gw.AlignTo("net", by=by), seed=2, example=example, donors={"net": net})
    assert gw.fingerprint(back) == gw.fingerprint(net)


@pytest.mark.parametrize("align", ["weights", "activations"])
@pytest.mark.parametrize("kind", ["unit", "uniform", "layer", "blend", "slerp"])
def test_crossed_with_its_own_shuffled_self_a_network_stays(kind: Any, align: Any) -> None:
    net, _, example = two_of("convolutions")
    moved = shuffled(net, example)
    child = gw.mutate(net, gw.Crossover("it", kind=kind, align=align), seed=3, example=example, donors={"it": moved})
    for key, value in net.state_dict().items():
        torch.testing.assert_close(child.state_dict()[key], value, rtol=1e-12, atol=1e-12)
    plain = gw.mutate(net, gw.Crossover("it", kind=kind), seed=3, example=example, donors={"it": moved})
    assert gw.fingerprint(plain) != gw.fingerprint(net)
    again = gw.replay(gw.recipe(child), net, donors=[moved])
    assert gw.fingerprint(again) == gw.fingerprint(child)


@pytest.mark.parametrize("kind", ["unit", "layer", "blend"])
def test_an_aligned_child_is_the_child_of_the_aligned_parent(kind: Any) -> None:
    net, other, example = two_of("lstm")
    crossed = gw.Crossover("other", kind=kind, align="activations")
    child = gw.mutate(net, crossed, seed=4, example=example, donors={"other": other})
    by_hand = gw.mutate(other, gw.AlignTo("net", by="activations"), seed=9, example=example, donors={"net": net})
    expected = gw.mutate(net, gw.Crossover("aligned", kind=kind), seed=4, donors={"aligned": by_hand})
    assert gw.fingerprint(child) == gw.fingerprint(expected)


def test_running_statistics_go_with_their_units() -> None:
    net, other, _ = two_of("convolutions")
    child = gw.mutate(net, gw.Crossover("other", kind="layer", rate=1.0), seed=1, donors={"other": other})
    assert torch.equal(child[1].running_var, other[1].running_var)
    stay = gw.Crossover("other", kind="layer", rate=1.0, statistics=False)
    child = gw.mutate(net, stay, seed=1, donors={"other": other})
    assert torch.equal(child[1].running_var, net[1].running_var)


def test_slerp_keeps_the_length_where_the_mean_shrinks_it() -> None:
    net, other = (nn.Linear(50, 40, dtype=torch.float64) for _ in range(2))
    with torch.no_grad():
        other.weight *= net.weight.norm() / other.weight.norm()
    arc = gw.mutate(net, gw.Crossover("other", kind="slerp", t=0.5), seed=1, donors={"other": other})
    mean = gw.mutate(net, gw.Crossover("other", kind="blend", t=0.5), seed=1, donors={"other": other})
    assert float((arc.weight.norm() / net.weight.norm()).detach()) == pytest.approx(1, abs=1e-9)
    assert float((mean.weight.norm() / net.weight.norm()).detach()) < 0.8


def test_the_overlap_of_other_sizes() -> None:
    net, wide = mlp(6, 10, 8, 4), mlp(6, 14, 5, 4)
    crossed = gw.Crossover("wide", kind="blend", t=1.0, other_sizes="overlap")
    child = gw.mutate(net, crossed, seed=1, donors={"wide": wide})
    assert torch.equal(child[2].weight[:5, :10], wide[2].weight[:, :10])
    assert torch.equal(child[2].weight[5:], net[2].weight[5:])


def test_what_does_not_fit_is_refused() -> None:
    net, example = mlp(6, 10, 8, 4), torch.zeros(1, 6)
    wide, deep = mlp(6, 14, 8, 4), nn.Sequential(nn.Linear(6, 10))
    align = gw.AlignTo("other")
    for donor, words in ((wide, r"'0.weight' has shape \(10, 6\) here and \(14, 6\)"), (deep, "no tensor '2.weight'")):
        with pytest.raises(gw.UnsupportedError, match=words):
            gw.mutate(net, align, seed=1, example=example, donors={"other": donor})
        with pytest.raises(gw.UnsupportedError, match=words):
            gw.mutate(net, gw.Crossover("other"), seed=1, donors={"other": donor})
    with pytest.raises(gw.ExampleError):
        gw.mutate(net, align, seed=1, donors={"other": copy.deepcopy(net)})
    with pytest.raises(gw.SelectionError, match="no width"):
        gw.mutate(nn.Linear(3, 2), align, seed=1, example=torch.zeros(1, 3), donors={"other": nn.Linear(3, 2)})
    for settings in ({"kind": "blend", "rate": 0.5}, {"t": 0.5}, {"align": "weights", "other_sizes": "skip"}):
        with pytest.raises(gw.SettingError):
            gw.Crossover(**settings)  # type: ignore[arg-type]


def test_a_file_can_be_matched_by_weights_alone(tmp_path: Any) -> None:
    net, other, example = two_of("mlp")
    gw.save(other, tmp_path / "other.safetensors")
    file = gw.read_checkpoint(tmp_path / "other.safetensors")
    by = {"seed": 1, "example": example}
    child = gw.mutate(net, gw.Crossover("other", kind="blend", align="weights"), donors={"other": file}, **by)
    same = gw.mutate(net, gw.Crossover("other", kind="blend", align="weights"), donors={"other": other}, **by)
    assert gw.fingerprint(child) == gw.fingerprint(same)
    with pytest.raises(gw.UnsupportedError, match="one of the two is a file"):
        gw.mutate(net, gw.Crossover("other", align="activations"), donors={"other": file}, **by)


@pytest.mark.parametrize("digits", [4, 9])
def test_equal_units_go_to_the_same_places_on_every_machine(digits: int) -> None:
    """Machines round differently: what differs by rounding alone must not decide."""
    rows = np.random.default_rng(0)
    similarity = rows.normal(size=(6, 6))[:, [0, 1, 1, 2, 2, 2]][[0, 0, 1, 2, 3, 3]]  # several units are equal
    orders = {
        tuple(best_assignment(similarity + 0.1**digits / 1e3 * rows.normal(size=(6, 6)), digits)) for _ in range(50)
    }
    assert orders == {tuple(best_assignment(similarity, digits))}
