"""Fingerprints: what changes them, and what does not."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import genewright as gw
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


def test_a_tie_does_not_count_for_a_file_cannot_express_it() -> None:
    tied = TiedAutoencoder()
    untied = copy.deepcopy(tied)
    untied.decoder.weight = nn.Parameter(tied.decoder.weight.detach().clone())
    assert gw.fingerprint(tied) == gw.fingerprint(untied)


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
