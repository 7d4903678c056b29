"""Fingerprints: what changes them, and what does not."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

import genewright as gw
from genewright.backends.files.checkpoint import Checkpoint, Entry
from genewright.difference import difference
from tests.networks import TiedAutoencoder, make


def test_it_is_the_written_one() -> None:
    """The definition is part of every recipe: this value must never change."""
    base = nn.Linear(3, 2)
    with torch.no_grad():
        base.weight.copy_(torch.arange(6.0).reshape(2, 3))
        base.bias.zero_()
    assert gw.fingerprint(base) == WRITTEN


WRITTEN = "b3:e0fee72cf8af6b431590dfcec92a056e4a1f35aa"


def test_every_byte_counts(network: nn.Module) -> None:
    before = gw.fingerprint(network)
    for _, tensor in [*network.named_parameters(), *network.named_buffers()]:
        if tensor.numel():
            with torch.no_grad():
                old = tensor.detach().clone()
                flat = tensor.detach().view(-1).view(torch.uint8)
                flat[-1] ^= 1
            assert gw.fingerprint(network) != before
            with torch.no_grad():
                tensor.copy_(old)
    assert gw.fingerprint(network) == before


def test_names_shapes_and_dtypes_count() -> None:
    weights = torch.zeros(2, 3)
    prints = {
        gw.fingerprint(nn.ParameterDict({name: nn.Parameter(tensor)}))
        for name, tensor in [
            ("a", weights),
            ("b", weights),
            ("a", weights.reshape(3, 2)),
            ("a", weights.reshape(6)),
            ("a", weights.view(torch.float16)),
            ("a", torch.zeros(2, 3, dtype=torch.bfloat16)),
            ("a", torch.zeros(2, 3, dtype=torch.float16)),
        ]
    }
    assert len(prints) == 7


def test_order_layout_modes_and_gradients_do_not_count() -> None:
    base = make("conv_batchnorm")
    other = copy.deepcopy(base).to(memory_format=torch.channels_last).eval()
    other[0].requires_grad_(False)
    assert gw.fingerprint(base) == gw.fingerprint(other)
    one, two = nn.ModuleDict(), nn.ModuleDict()
    a, b = nn.Linear(2, 2), nn.Linear(2, 3)
    one.update({"a": a, "b": b})
    two["b"] = b
    two["a"] = a
    assert gw.fingerprint(one) == gw.fingerprint(two)


def _checkpoint(state: dict[str, torch.Tensor]) -> Checkpoint:
    entries = {
        name: Entry("float32", tuple(t.shape), t.numpy().view(np.uint8).reshape(-1)) for name, t in state.items()
    }
    return Checkpoint(entries)


def test_a_tied_tensor_counts_once() -> None:
    """So a file that holds it under one name, as others write it, has the fingerprint of its model."""
    tied = TiedAutoencoder()
    once = {name: tensor for name, tensor in tied.state_dict().items() if name != "encoder.weight"}
    assert gw.fingerprint(_checkpoint(once)) == gw.fingerprint(tied)
    untied = copy.deepcopy(tied)
    untied.decoder.weight = nn.Parameter(tied.decoder.weight.detach().clone())
    assert gw.fingerprint(tied) != gw.fingerprint(untied)


class Tied(nn.Module):
    """An embedding and a head that are one tensor, in either order."""

    def __init__(self, *, head_first: bool = False) -> None:
        super().__init__()
        if head_first:
            self.a_head = nn.Linear(4, 9, bias=False)
        self.wte = nn.Embedding(9, 4)
        self.norm = nn.LayerNorm(4)
        if not head_first:
            self.a_head = nn.Linear(4, 9, bias=False)
        self.a_head.weight = self.wte.weight


@pytest.mark.parametrize("head_first", [False, True])
def test_every_file_of_a_tied_model_has_its_fingerprint_and_replays_its_recipes(
    head_first: bool, tmp_path: Path
) -> None:
    model = Tied(head_first=head_first)
    recipe = gw.recipe(gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1))
    gw.save(model, tmp_path / "ours.safetensors")
    torch.save(model.state_dict(), tmp_path / "theirs.pt")
    save_model(model, str(tmp_path / "save_model.safetensors"))
    once = {name: t for name, t in model.state_dict().items() if name != "a_head.weight"}
    save_file(once, tmp_path / "once.safetensors")
    for file in tmp_path.iterdir():
        checkpoint = gw.read_checkpoint(file)
        assert gw.fingerprint(checkpoint) == gw.fingerprint(model), file.name
        assert gw.fingerprint(gw.replay(recipe, checkpoint)) == recipe.result, file.name
        again = gw.load(lambda: Tied(head_first=not head_first), file)
        assert gw.fingerprint(again) == gw.fingerprint(model), file.name
        assert again.a_head.weight is again.wte.weight
        assert difference(again, checkpoint).equal


def test_two_values_of_a_tied_tensor_are_refused(tmp_path: Path) -> None:
    model = Tied()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    save_file(state, tmp_path / "equal.safetensors")
    gw.load(Tied, tmp_path / "equal.safetensors")
    state["a_head.weight"] += 1
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(gw.FileError, match=r"'wte\.weight' and 'a_head\.weight' differ, and they are one"):
        gw.load(Tied, tmp_path / "other.safetensors")


def _untied(model: nn.Module) -> nn.Module:
    made = copy.deepcopy(model)
    made.a_head.weight = nn.Parameter(made.wte.weight.detach().clone())
    return made


def _renamed(model: nn.Module) -> Checkpoint:
    return _checkpoint({f"x{name}": tensor for name, tensor in model.state_dict().items()})


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (lambda model: nn.ModuleDict({"module": model}), "Only names differ: here all of them begin with 'module.'"),
        (lambda model: nn.ModuleDict({"mine": model}), "Only names differ: here all of them begin with 'mine.'"),
        (lambda model: nn.ModuleDict({"mine": copy.deepcopy(model).half()}), "Names differ, and shapes or values too"),
        (_untied, "Only names differ: there 'wte.weight' and 'a_head.weight' are one tensor"),
        (_renamed, "The names of the tensors differ: this network has x"),
        (lambda model: copy.deepcopy(model).half(), "a shape or a dtype differs: this network has wte.weight (float16"),
        (lambda model: gw.mutate(model, gw.SignFlip(rate=1.0), seed=1), "the values differ"),
    ],
)
def test_an_error_says_in_what_a_base_differs(other: Any, said: str) -> None:
    model = Tied()
    recipe = gw.recipe(gw.mutate(model, gw.GaussianNoise(), seed=1))
    with pytest.raises(gw.FingerprintError, match=re.escape(said)):
        gw.replay(gw.Recipe.from_json(recipe.to_json()), other(model))


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (lambda model: nn.ModuleDict({"module": model}), "there all of them begin with 'module.'"),
        (_untied, "here 'wte.weight' and 'a_head.weight' are one tensor (tied), there they are tensors of their own"),
        (
            lambda model: _checkpoint({k: v for k, v in model.state_dict().items() if k != "wte.weight"}),
            "the tied tensor 'wte.weight' goes by the name 'a_head.weight' there",
        ),
    ],
)
def test_it_says_what_the_recipe_was_made_from(base: Any, said: str) -> None:
    model = Tied()
    recipe = gw.recipe(gw.mutate(base(model), gw.GaussianNoise(), seed=1))
    with pytest.raises(gw.FingerprintError, match=re.escape(f"Only names differ: {said}")):
        gw.replay(recipe, model)


def test_a_donor_that_differs_is_told_too() -> None:
    teacher, student = Tied(), Tied()
    mutant = gw.mutate(student, gw.Transfer("norm", "norm", donor="teacher"), seed=1, donors={"teacher": teacher})
    with pytest.raises(gw.FingerprintError, match=r"is missing.*begin with 'module\.'.*donors="):
        gw.replay(gw.recipe(mutant), student, donors=[nn.ModuleDict({"module": teacher})])


def test_buffers_that_a_state_dict_leaves_out_do_not_count() -> None:
    base = nn.Linear(2, 2)
    before = gw.fingerprint(base)
    base.register_buffer("cache", torch.zeros(3), persistent=False)
    assert gw.fingerprint(base) == before
    base.register_buffer("kept", torch.zeros(3))
    assert gw.fingerprint(base) != before


@pytest.mark.parametrize("name", ["mlp_bfloat16", "mlp_float16", "mlp_float64", "tied_autoencoder", "lstm"])
def test_a_file_has_the_fingerprint_of_its_model(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    model, folder = make(name), tmp_path_factory.mktemp("files")
    gw.save(model, folder / "net.safetensors")
    torch.save(model.state_dict(), folder / "net.pt")
    for path in ("net.safetensors", "net.pt"):
        assert gw.fingerprint(gw.read_checkpoint(folder / path)) == gw.fingerprint(model)


def test_large_tensors_are_hashed_by_several_threads_to_the_same_digest() -> None:
    import blake3

    data = torch.arange(1 << 19, dtype=torch.float32).numpy().tobytes()
    one = blake3.blake3(data, max_threads=1).digest()
    assert blake3.blake3(data, max_threads=blake3.blake3.AUTO).digest() == one
