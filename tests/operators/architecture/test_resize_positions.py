"""Positions that grow and shrink: of text and image models of two libraries, and of modules written by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import genewright as gw
from genewright.backends import backend_of
from genewright.edits import Map
from genewright.edits.functions import Resample
from genewright.edits.map import Given
from tests.pretrained import transformers

_TEXT = {"input_ids": torch.arange(14).reshape(2, 7) + 3}
_IMAGE = torch.randn(1, 3, 16, 24, generator=torch.Generator().manual_seed(1))
_SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
_OPT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "ffn_dim": 32, "word_embed_proj_dim": 16}
_ENDS = {"bos_token_id": 1, "eos_token_id": 2}
# Class, config, its settings, the table of positions, the entry of the config, what stands before the 20 positions.
TEXT: dict[str, tuple[str, str, dict[str, Any], str, str, int]] = {
    "GPT-2": ("GPT2LMHeadModel", "GPT2Config", {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 20, **_ENDS},
              "transformer.wpe.weight", "n_positions", 0),
    "BERT": ("BertForMaskedLM", "BertConfig", {**_SMALL, "max_position_embeddings": 20},
             "bert.embeddings.position_embeddings.weight", "max_position_embeddings", 0),
    "RoBERTa": ("RobertaForMaskedLM", "RobertaConfig", {**_SMALL, "max_position_embeddings": 22, "pad_token_id": 1},
                "roberta.embeddings.position_embeddings.weight", "max_position_embeddings", 2),
    "OPT": ("OPTForCausalLM", "OPTConfig", {**_OPT, "max_position_embeddings": 20},
            "model.decoder.embed_positions.weight", "max_position_embeddings", 2),
}  # fmt: skip


def _text(name: str) -> Any:
    library = transformers()
    kind, config, settings, *_ = TEXT[name]
    torch.manual_seed(0)
    return getattr(library, kind)(getattr(library, config)(vocab_size=60, **settings)).eval()


def _linear(table: torch.Tensor, length: int) -> torch.Tensor:
    return functional.interpolate(table.T[None].double(), size=length, mode="linear", align_corners=False)[0].T


def _bicubic(grid: torch.Tensor, sides: tuple[int, int]) -> torch.Tensor:
    """Lay (rows, columns, width) out anew."""
    made = functional.interpolate(grid.permute(2, 0, 1)[None].double(), size=sides, mode="bicubic", align_corners=False)
    return made[0].permute(1, 2, 0)


def _words(length: int) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.arange(2 * length).reshape(2, length) % 50 + 3}


@pytest.mark.parametrize("name", TEXT)
def test_text_models_read_longer_texts_and_load_again(name: str, tmp_path: Path) -> None:
    model, (*_, table, entry, first) = _text(name), TEXT[name]
    longer = gw.mutate(model, gw.ResizePositions(30, how="extend"), seed=1, example=_TEXT)
    old, new = model.get_parameter(table), longer.get_parameter(table)
    assert new.shape[0] == first + 30
    assert torch.equal(new[: first + 20], old)
    assert torch.allclose(new[first + 20 :], old[first:].mean(0).expand(10, -1), atol=1e-6)
    with torch.no_grad():
        assert torch.equal(longer(**_TEXT).logits, model(**_TEXT).logits)
        scores = longer(**_words(30)).logits
        assert scores.shape[1] == 30
    before, after = (backend_of(m).exact_outputs(m, _words(20)).tensors[0] for m in (model, longer))
    assert np.allclose(before, after, rtol=0, atol=1e-9 * np.abs(before).max())
    assert getattr(longer.config, entry) == getattr(model.config, entry) + 10
    longer.save_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(type(model).from_pretrained(tmp_path)(**_words(30)).logits, scores)
    assert gw.fingerprint(gw.replay(gw.Recipe.from_json(gw.recipe(longer).to_json()), model)) == gw.fingerprint(longer)


@pytest.mark.parametrize(("name", "length"), [("GPT-2", 33), ("OPT", 9)])
def test_sequences_are_interpolated_as_torch_does_it(name: str, length: int) -> None:
    model, (*_, table, _, first) = _text(name).double(), TEXT[name]
    mutant = gw.mutate(model, gw.ResizePositions(length), seed=1, example=_TEXT)
    old, new = model.get_parameter(table).detach(), mutant.get_parameter(table).detach()
    assert torch.equal(new[:first], old[:first])
    assert torch.allclose(new[first:], _linear(old[first:], length), rtol=0, atol=1e-15)
    with torch.no_grad():
        assert mutant(**_words(length)).logits.shape[1] == length


def _vision_transformer() -> tuple[Any, Any, str, int]:
    from torchvision.models.vision_transformer import VisionTransformer

    return VisionTransformer(32, 8, 1, 2, 16, 32), torch.randn(1, 3, 32, 32), "encoder.pos_embedding", 1


def _of_transformers(kind: str, table: str, first: int) -> tuple[Any, Any, str, int]:
    library = transformers()
    config = getattr(library, f"{kind}Config")(**_SMALL, image_size=32, patch_size=8)
    model = getattr(library, f"{kind}{'Model' if 'Vision' in kind else 'ForImageClassification'}")(config)
    return model, {"pixel_values": torch.randn(1, 3, 32, 32)}, table, first


IMAGES: dict[str, Any] = {
    "torchvision": _vision_transformer,
    "ViT": lambda: _of_transformers("ViT", "vit.embeddings.position_embeddings", 1),
    "DeiT, two tokens before": lambda: _of_transformers("DeiT", "deit.embeddings.position_embeddings", 2),
    "CLIP, looked up": lambda: _of_transformers("CLIPVision", "embeddings.position_embedding.weight", 1),
}


@pytest.mark.parametrize(("name", "side"), [*((name, 6) for name in IMAGES), ("torchvision", 3)])
def test_image_models_take_images_of_another_size(name: str, side: int) -> None:
    torch.manual_seed(0)
    model, example, table, first = IMAGES[name]()
    model = model.double().eval()
    nn.init.normal_(model.get_parameter(table))
    mutant = gw.mutate(model, gw.ResizePositions((side, side)), seed=1, example=example)
    old, new = (m.get_parameter(table).detach().reshape(-1, 16) for m in (model, mutant))
    assert torch.equal(new[:first], old[:first])
    expected = _bicubic(old[first:].reshape(4, 4, 16), (side, side)).reshape(-1, 16)
    assert torch.allclose(new[first:], expected, rtol=0, atol=1e-13)
    image = torch.randn(2, 3, 8 * side, 8 * side, dtype=torch.float64)
    with torch.no_grad():
        mutant(image) if isinstance(example, torch.Tensor) else mutant(pixel_values=image)
        with pytest.raises((AssertionError, ValueError, RuntimeError), match=r"size|[Ww]rong"):
            mutant(example) if isinstance(example, torch.Tensor) else mutant(**example)
    if hasattr(model, "config"):
        assert mutant.config.image_size == 8 * side
        assert "cannot say so" not in str(gw.plan(model, gw.ResizePositions((side, side)), seed=1, example=example))


class _Patches(nn.Module):
    """A grid whose sides differ, with axes of its own or along one."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.cut, self.head = nn.Conv2d(3, 4, 4, 4), nn.Linear(4, 2)
        self.places = nn.Parameter(torch.randn(shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.cut(x)
        if self.places.dim() == 3:  # (1, rows * columns, 4)
            return self.head(x.flatten(2).transpose(1, 2) + self.places).mean(1)
        return self.head((x + self.places).mean((2, 3)))


@pytest.mark.parametrize("shape", [(1, 24, 4), (1, 4, 4, 6)])
@pytest.mark.parametrize("sides", [(6, 5), (3, 8), (2, 12)])
def test_grids_of_any_sides_along_one_axis_or_two(shape: tuple[int, ...], sides: tuple[int, int]) -> None:
    net = _Patches(shape).double()
    mutant = gw.mutate(net, gw.ResizePositions(sides), seed=1, example=_IMAGE)
    old, new = net.places.detach()[0], mutant.places.detach()[0]
    if len(shape) == 3:
        old, new = old.reshape(4, 6, 4), new.reshape(*sides, 4)
    else:
        old, new = old.permute(1, 2, 0), new.permute(1, 2, 0)
    assert torch.allclose(new, _bicubic(old, sides), rtol=0, atol=1e-13)
    assert mutant(torch.randn(2, 3, 4 * sides[0], 4 * sides[1], dtype=torch.float64)).shape == (2, 2)
    shown = gw.plan(net, gw.ResizePositions(sides), seed=1, example=_IMAGE)
    assert f"4 x 6 positions become {sides[0]} x {sides[1]}, bicubic" in str(shown)


class _Causal(nn.Module):
    """As small language models are written by hand: a sliced parameter, a mask of all positions, and its length."""

    def __init__(self) -> None:
        super().__init__()
        self.block_size = 8
        self.words, self.head = nn.Embedding(9, 4), nn.Linear(4, 9)
        self.places = nn.Parameter(torch.randn(1, 8, 4))
        self.register_buffer("mask", torch.tril(torch.ones(8, 8)).view(1, 8, 8))
        self.register_buffer("numbers", torch.arange(8), persistent=False)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        n = words.shape[1]
        assert n <= self.block_size, "too long"
        x = self.words(words) + self.places[:, :n] + self.numbers[:n, None]
        scores = (x @ x.transpose(1, 2)).masked_fill(self.mask[:, :n, :n] == 0, -math.inf)
        return self.head(scores.softmax(-1) @ x)


@pytest.mark.parametrize("init", ["mean", "zero", "noise"])
def test_masks_numbers_and_lengths_follow(init: Any) -> None:
    torch.manual_seed(0)
    net, x = _Causal(), torch.arange(5).reshape(1, 5)
    mutant = gw.mutate(net, gw.ResizePositions(12, how="extend", init=init), seed=1, example=x)
    assert mutant.block_size == 12
    assert torch.equal(mutant.mask, torch.tril(torch.ones(12, 12)).view(1, 12, 12))
    assert torch.equal(mutant.numbers, torch.arange(12))
    assert "numbers" not in mutant.state_dict()
    assert torch.equal(mutant(x), net(x))
    assert mutant(torch.zeros(1, 12, dtype=torch.long)).isfinite().all()
    assert torch.equal(net.numbers, torch.arange(8))
    rows = mutant.places[0, 8:]
    assert {"mean": torch.allclose(rows, net.places[0].mean(0).expand(4, 4)), "zero": not rows.any(),
            "noise": 0.2 < rows.std() < 3}[init]  # fmt: skip
    shorter = gw.mutate(net, gw.ResizePositions(6, how="extend"), seed=1, example=x)
    assert torch.equal(shorter(x), net(x))
    assert shorter.mask.shape == (1, 6, 6)


def test_an_undo_and_a_file_bring_buffers_back(tmp_path: Path) -> None:
    net, x = _Causal(), torch.arange(5).reshape(1, 5)
    mask, numbers = net.mask, net.numbers
    with gw.mutated(net, gw.ResizePositions(12), seed=1, example=x):
        assert net.mask.shape == (1, 12, 12)
    assert net.mask is mask
    assert net.numbers is numbers
    assert net.block_size == 8
    mutant = gw.mutate(net, gw.ResizePositions(12), seed=1, example=x)
    gw.save(mutant, tmp_path / "longer.safetensors")
    loaded = gw.load(_Causal, tmp_path / "longer.safetensors")
    long = torch.zeros(1, 12, dtype=torch.long)
    assert torch.equal(loaded(long), mutant(long))


class _Whole(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(9, 4), nn.Parameter(torch.randn(6, 4))

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.words(words) + self.places


def test_a_sequence_of_one_length_takes_another_one() -> None:
    net, x = _Whole().double(), torch.arange(6).reshape(1, 6)
    mutant = gw.mutate(net, gw.ResizePositions(10), seed=1, example=x)
    assert torch.allclose(mutant.places, _linear(net.places.detach(), 10), rtol=0, atol=1e-15)
    assert mutant(torch.zeros(2, 10, dtype=torch.long)).shape == (2, 10, 4)
    with pytest.raises(gw.UnsupportedError, match=r"gw\.ResizePositions\(10\) interpolates"):
        gw.mutate(net, gw.ResizePositions(10, how="extend"), seed=1, example=x)


def test_moments_of_an_optimizer_start_again_where_positions_are_new() -> None:
    net, x = _Causal(), torch.arange(5).reshape(1, 5)
    optimizer = torch.optim.Adam(net.parameters())
    net(x).square().mean().backward()
    optimizer.step()
    gw.mutate(net, gw.ResizePositions(12), seed=1, example=x, optimizer=optimizer, inplace=True)
    moments = optimizer.state[net.places]
    assert moments["exp_avg"].shape == (1, 12, 4)
    assert not moments["exp_avg"].any()
    net(torch.zeros(1, 12, dtype=torch.long)).square().mean().backward()
    optimizer.step()
    assert net.places.isfinite().all()


def test_the_same_length_is_the_identity_and_bits_stay() -> None:
    values = np.random.default_rng(0).normal(size=(3, 7))
    same = Resample(axes=(1,), old=(2, 3), new=(2, 3), first=1)
    assert np.array_equal(same(values.copy(), Given("float64", (), None)), values)
    with pytest.raises(gw.SettingError, match="there are 8 positions already"):
        gw.mutate(_Causal(), gw.ResizePositions(8), seed=1, example=torch.arange(5).reshape(1, 5))


class _Relative(nn.Module):
    """Distances in a table, a sine that is computed, tokens that are told their places."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.kinds, self.near = nn.Embedding(9, 4), nn.Embedding(3, 4), nn.Embedding(5, 1)
        self.register_buffer("sines", torch.sin(torch.arange(20.0))[None, :, None])

    def forward(self, words: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        place = torch.arange(words.shape[1])
        bias = self.near((place[None] - place[:, None]).clamp(-2, 2) + 2)[..., 0]
        x = self.words(words) + self.kinds(kinds) + self.sines[:, : words.shape[1]]
        return (x @ x.transpose(1, 2) + bias).softmax(-1) @ x


def test_what_has_no_length_is_named_with_the_reason() -> None:
    net, words = _Relative(), torch.arange(6).reshape(1, 6)
    example = (words, torch.zeros_like(words))
    with pytest.raises(gw.UnsupportedError, match=r"near.weight': it is looked up by d.*'sines': it is a buffer"):
        gw.mutate(net, gw.ResizePositions(30), seed=1, example=example)
    with pytest.raises(gw.UnsupportedError, match=r"'near.weight' needs no other length"):
        gw.mutate(net, gw.ResizePositions(30, layer="near"), seed=1, example=example)
    told = gw.mutate(net, gw.ResizePositions(4, how="extend", layer="kinds"), seed=1, example=example)
    assert told.kinds.num_embeddings == 4  # looked up by what the model is given: whoever names it knows
    with pytest.raises(gw.UnknownNameError, match=r"No table of positions is in 'nothing'"):
        gw.mutate(net, gw.ResizePositions(30, layer="nothing"), seed=1, example=example)
    only = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 2))
    with pytest.raises(gw.UnsupportedError, match=r"told the positions for is named, layer=\.\.\.: '0'"):
        gw.mutate(only, gw.ResizePositions(30), seed=1, example=words)


def test_a_call_that_does_not_fit_is_answered_with_the_one_to_write() -> None:
    net = _Patches((1, 24, 4))
    with pytest.raises(gw.SettingError, match=r"a grid of 4 x 6.*gw\.ResizePositions\(\(6, 6\)\)"):
        gw.mutate(net, gw.ResizePositions(36), seed=1, example=_IMAGE)
    with pytest.raises(gw.SettingError, match=r"a sequence of 8.*gw\.ResizePositions\(6\)"):
        gw.mutate(_Causal(), gw.ResizePositions((6, 6)), seed=1, example=torch.arange(5).reshape(1, 5))
    with pytest.raises(gw.SettingError, match=r"a number or \(rows, columns\)"):
        gw.ResizePositions((6, 6, 6))  # type: ignore[arg-type]
    with pytest.raises(gw.UnsupportedError, match="nothing at the old size could stay"):
        gw.mutate(net, gw.ResizePositions((6, 6), how="extend"), seed=1, example=_IMAGE)
    with pytest.raises(gw.UnsupportedError, match="would not run any more"):  # the example is longer than that
        gw.mutate(_Causal(), gw.ResizePositions(4, how="extend"), seed=1, example=torch.arange(5).reshape(1, 5))


def test_tables_of_several_lengths_are_listed() -> None:
    library = transformers()
    config = library.BartConfig(
        vocab_size=60, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=20,
    )  # fmt: skip
    model = library.BartForConditionalGeneration(config).eval()
    both = gw.mutate(model, gw.ResizePositions(30, how="extend"), seed=1, example=_TEXT)
    assert both.config.max_position_embeddings == 30
    assert {both.model.encoder.embed_positions.num_embeddings, both.model.decoder.embed_positions.num_embeddings} == {
        32
    }
    one = gw.mutate(model, gw.ResizePositions(30, layer="model.encoder.*"), seed=1, example=_TEXT)
    with pytest.raises(gw.UnknownNameError, match=r"'model.encoder.embed_positions' \(30\), 'model.decoder"):
        gw.mutate(one, gw.ResizePositions(40), seed=1, example=_TEXT)


def test_a_damaged_recipe_asks_for_no_memory() -> None:
    net, x = _Causal(), torch.arange(5).reshape(1, 5)
    text = gw.recipe(gw.mutate(net, gw.ResizePositions(12), seed=1, example=x)).to_json()
    hostile = text.replace('"new": 12', '"new": 1200000').replace('"new":12', '"new":1200000')
    assert hostile != text
    with pytest.raises(gw.GenewrightError):
        gw.replay(gw.Recipe.from_json(hostile), net)


def test_a_grid_may_lie_in_a_part_of_a_table_of_half_numbers() -> None:
    table = torch.randn(7, 2).half()
    net = nn.Embedding.from_pretrained(table.clone(), freeze=False)
    edit = Map(tensor="weight", function=Resample(axes=(0,), old=(2, 3), new=(3, 2), first=1))
    backend = backend_of(net)
    edit.check((backend.network(net),))
    from genewright.edits import Site
    from genewright.seeding import Noise

    edit.apply(Site(backend.store(net), Noise(0)))
    expected = _bicubic(table[1:].double().reshape(2, 3, 2), (3, 2)).reshape(6, 2)
    assert torch.allclose(net.weight.double()[1:], expected, atol=2e-3)
    assert torch.equal(net.weight[0], table[0])
