"""Units in files are those of the model that was saved: of Conv1D, transposed convolutions, Keras's attention."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations

import genewright as gw
from genewright.backends import backend_of


class Conv1D(nn.Module):
    """The linear layer of GPT-2, as transformers has it."""

    def __init__(self, out: int, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, out))
        self.bias = nn.Parameter(torch.randn(out))


Conv1D.__module__ = "transformers.pytorch_utils"  # by which the library knows it


def gpt2() -> nn.Module:
    block = {"c_attn": Conv1D(24, 8), "c_proj": Conv1D(8, 8), "q_attn": Conv1D(8, 8), "c_fc": Conv1D(32, 8)}
    return nn.ModuleDict({"wte": nn.Embedding(11, 8), "h": nn.ModuleDict(block), "score": nn.Linear(8, 2, bias=False)})


def unet() -> nn.Module:
    return nn.ModuleDict(
        {
            "conv": nn.Conv2d(3, 6, 3),
            "up": nn.ConvTranspose2d(6, 4, 2, 2),
            "square": nn.ConvTranspose2d(4, 4, 3, 2),
            "free": nn.ConvTranspose2d(4, 5, 3, 2, bias=False),
            "grouped": nn.ConvTranspose2d(4, 6, 3, groups=2),
            "depthwise": nn.ConvTranspose2d(4, 4, 3, groups=4),
            "normed": parametrizations.weight_norm(nn.ConvTranspose1d(3, 4, 3)),
            "time_embedding": nn.Linear(3, 4),
        }
    )


def generator() -> nn.Module:
    return nn.Sequential(nn.ConvTranspose2d(10, 6, 4, bias=False), nn.BatchNorm2d(6), nn.ConvTranspose2d(6, 6, 4))


def plain() -> nn.Module:
    first = nn.Conv2d(3, 8, 3, bias=False)
    return nn.Sequential(first, nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3, groups=2), nn.Linear(8, 8))


def chosen(model: Any, layer: str) -> dict[str, tuple[Any, ...]] | str:
    """Return where unit 1 of a layer stands in each of its tensors, or that it has no place."""
    choice = gw.where(f"{layer}.*", units=[1])
    try:
        return {s.tensor.name: (s.axis, s.units) for s in choice.select(backend_of(model).network(model))}
    except gw.SelectionError as error:
        return str(error)


def layers_of(state: Mapping[str, Any]) -> list[str]:
    return sorted({name.split(".parametrizations")[0].rsplit(".", 1)[0] for name in state})


def differing(model: nn.Module, file: Any) -> list[str]:
    """Return the layers whose units are others in the file."""
    found: list[str] = []
    for layer in layers_of(model.state_dict()):
        ours, theirs = chosen(model, layer), chosen(file, layer)
        if not isinstance(theirs, str) and ours != theirs:
            found.append(layer)
    return found


def refused(model: nn.Module, file: Any) -> list[str]:
    """Return the layers whose units only the file refuses."""
    names = layers_of(model.state_dict())
    return [n for n in names if isinstance(chosen(file, n), str) and not isinstance(chosen(model, n), str)]


@pytest.mark.parametrize("ending", [".safetensors", ".pt"])
@pytest.mark.parametrize("make", [gpt2, unet, generator, plain])
def test_a_saved_model_has_its_units_in_the_file(make: Any, ending: str, tmp_path: Path) -> None:
    model = make()
    gw.save(model, tmp_path / f"net{ending}")
    file = gw.read_checkpoint(tmp_path / f"net{ending}")
    assert differing(model, file) == []
    assert refused(model, file) == []
    gw.save(gw.mutate(file, gw.SignFlip(), seed=1), tmp_path / f"again{ending}")
    assert differing(model, gw.read_checkpoint(tmp_path / f"again{ending}")) == []


@pytest.mark.parametrize(
    ("make", "left"),
    [(gpt2, []), (plain, []), (generator, ["2"]), (unet, ["free", "normed", "square"])],
)
def test_a_file_of_torch_has_the_units_of_its_model_or_says_that_it_does_not_know(
    make: Any, left: list[str], tmp_path: Path
) -> None:
    model = make()
    save_file(model.state_dict(), tmp_path / "net.safetensors")
    file = gw.read_checkpoint(tmp_path / "net.safetensors")
    assert differing(model, file) == []
    assert refused(model, file) == left


def test_what_the_file_does_not_say_can_be_told(tmp_path: Path) -> None:
    path, model = tmp_path / "net.safetensors", unet()
    save_file(model.state_dict(), path)
    with pytest.raises(gw.SelectionError, match=r"'square' may be .* unit_axes=\{'square.weight': axis\}"):
        gw.mutate(gw.read_checkpoint(path), gw.Zero(rate=1.0, where=gw.where("square", units=[1])), seed=1)
    with pytest.raises(gw.SelectionError, match=r"Shuffle: 'free' may be"):
        gw.mutate(gw.read_checkpoint(path), gw.Shuffle(where="free"), seed=1)
    with pytest.raises(gw.SelectionError, match=r"Quantize: 'free' may be"):
        gw.mutate(gw.read_checkpoint(path), gw.Quantize(per="unit", where="free"), seed=1)
    told = gw.read_checkpoint(path, unit_axes={"square*": 1, "free.weight": 1})
    mutant = gw.mutate(told, gw.Zero(rate=1.0, where=gw.where("square", units=[1])), seed=1)
    expected = gw.mutate(model, gw.Zero(rate=1.0, where=gw.where("square", units=[1])), seed=1)
    assert gw.fingerprint(mutant) == gw.fingerprint(expected) != gw.fingerprint(model)
    assert json.loads(mutant.metadata["genewright.unit_axes"]) == {"square.weight": 1, "free.weight": 1}


@pytest.mark.parametrize(("told", "says"), [({"sqare.weight": 1}, "square.weight"), ({"square.weight": 4}, "0 to 3")])
def test_what_is_told_has_to_fit(told: dict[str, int | None], says: str, tmp_path: Path) -> None:
    save_file(unet().state_dict(), tmp_path / "net.safetensors")
    with pytest.raises(gw.SettingError, match=says):
        gw.read_checkpoint(tmp_path / "net.safetensors", unit_axes=told)


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    save_file({"a.weight": torch.ones(2, 2)}, tmp_path / "a.safetensors", {"genewright.unit_axes": '{"a.weight": 7}'})
    with pytest.raises(gw.FileError, match="list of axes"):
        gw.read_checkpoint(tmp_path / "a.safetensors")


def test_a_square_projection_alone_is_in_doubt(tmp_path: Path) -> None:
    save_file({"c_proj.weight": torch.ones(4, 4), "c_proj.bias": torch.ones(4)}, tmp_path / "a.safetensors")
    assert "Conv1D" in str(chosen(gw.read_checkpoint(tmp_path / "a.safetensors"), "c_proj"))
    save_file({"c_proj.weight": torch.ones(4, 4)}, tmp_path / "b.safetensors")  # no Conv1D is without a bias
    assert chosen(gw.read_checkpoint(tmp_path / "b.safetensors"), "c_proj") == {"c_proj.weight": (0, (1,))}


def test_kernels_of_flax_lie_as_their_bias_says(tmp_path: Path) -> None:
    save_file({"d.kernel": torch.ones(3, 5), "d.bias": torch.ones(5)}, tmp_path / "a.safetensors")
    found = chosen(gw.read_checkpoint(tmp_path / "a.safetensors"), "d")
    assert found == {"d.kernel": (1, (1,)), "d.bias": (0, (1,))}


def test_incoming_weights_are_counted_as_in_the_model(tmp_path: Path) -> None:
    model = gpt2()
    save_file(model.state_dict(), tmp_path / "net.safetensors")
    networks = [backend_of(m).network(m) for m in (model, gw.read_checkpoint(tmp_path / "net.safetensors"))]
    for name in ("h.c_fc.weight", "h.c_proj.weight", "score.weight", "wte.weight"):
        ours, theirs = (network.tensor(name) for network in networks)
        assert (ours.role, ours.unit_axis, ours.input_axis) == (theirs.role, theirs.unit_axis, theirs.input_axis)
        assert (ours.fan_in, ours.fan_out) == (theirs.fan_in, theirs.fan_out)
