"""Vocabularies that grow and shrink: old rows as transformers' own resize leaves them, loaded with from_pretrained."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from tests.pretrained import transformers

_WORDS = {"input_ids": torch.arange(14).reshape(2, 7)}
_BOTH = {**_WORDS, "decoder_input_ids": _WORDS["input_ids"]}
_BERT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
# 60 positions, too, in GPT-2: which table is that of the words does not go by its length.
MODELS: dict[str, tuple[str, str, dict[str, Any], dict[str, torch.Tensor]]] = {
    "tied": ("GPT2LMHeadModel", "GPT2Config", {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 60}, _WORDS),
    "tied, with a bias": ("BertForMaskedLM", "BertConfig", _BERT, _WORDS),
    "untied": ("LlamaForCausalLM", "LlamaConfig", _BERT, _WORDS),
    "shared": ("T5ForConditionalGeneration", "T5Config",
               {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}, _BOTH),
}  # fmt: skip


def _model(name: str) -> tuple[Any, dict[str, torch.Tensor]]:
    library = transformers()
    model, config, settings, example = MODELS[name]
    torch.manual_seed(0)
    whole = getattr(library, config)(vocab_size=60, bos_token_id=1, eos_token_id=2, pad_token_id=0, **settings)
    return getattr(library, model)(whole).eval(), example


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("size", [72, 48])
def test_old_rows_are_those_of_transformers_own_resize_and_the_mutant_loads(
    name: str, size: int, tmp_path: Path
) -> None:
    model, example = _model(name)
    operator = gw.ResizeVocabulary(num_tokens=size - 5, pad_to_multiple_of=12)
    mutant = gw.mutate(model, operator, seed=1, example=example)
    own = copy.deepcopy(model)
    own.resize_token_embeddings(size)
    expected, made, stay = own.state_dict(), mutant.state_dict(), min(size, 60)
    assert made.keys() == expected.keys()
    for key, tensor in made.items():
        assert tensor.shape == expected[key].shape
        resized = tensor.shape != model.state_dict()[key].shape
        assert torch.equal(tensor[:stay], expected[key][:stay]) if resized else torch.equal(tensor, expected[key])
    mutant.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path)
    assert loaded.config.vocab_size == size
    scores = mutant(**example).logits
    assert torch.equal(loaded(**example).logits, scores)
    assert torch.allclose(scores[..., :stay], model(**example).logits[..., :stay], atol=1e-6)
    assert gw.fingerprint(gw.replay(gw.Recipe.from_json(gw.recipe(mutant).to_json()), model)) == gw.fingerprint(mutant)
    if name != "untied":
        assert mutant.get_input_embeddings().weight is mutant.get_output_embeddings().weight


class _Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.head = nn.Embedding(9, 4), nn.Embedding(7, 4), nn.Linear(4, 3)
        self.kinds = nn.Embedding(5, 4)

    def forward(self, x: torch.Tensor, kinds: torch.Tensor | None = None) -> torch.Tensor:
        kind = self.kinds(torch.zeros_like(x) if kinds is None else kinds)
        return self.head((self.words(x) + self.places(torch.arange(x.shape[1])) + kind).mean(1))


def test_several_tables_are_listed_and_one_is_named() -> None:
    torch.manual_seed(0)
    net, x = _Words(), torch.arange(5).reshape(1, 5)
    with pytest.raises(gw.UnknownNameError, match=r"'kinds' \(5\), 'words' \(9\)"):
        gw.mutate(net, gw.ResizeVocabulary(), seed=1, example=(x, x % 2))
    alone = gw.mutate(net, gw.ResizeVocabulary(), seed=1, example=x)  # positions and kinds are counted, not given
    assert (alone.words.num_embeddings, alone.places.num_embeddings, alone.kinds.num_embeddings) == (10, 7, 5)
    with pytest.raises(gw.SettingError, match="9 words already"):
        gw.mutate(net, gw.ResizeVocabulary(9, layer="words"), seed=1, example=x)
    for init, wanted in (("zero", torch.zeros(2, 4)), ("mean", net.words.weight.mean(0).expand(2, 4))):
        mutant = gw.mutate(net, gw.ResizeVocabulary(11, layer="words", init=init), seed=1, example=x)
        assert torch.allclose(mutant.words.weight[9:], wanted)
        assert torch.equal(mutant(x), net(x))
    drawn = gw.mutate(net, gw.ResizeVocabulary(11, layer="words", init="noise"), seed=1, example=x).words.weight[9:]
    assert 0.1 < drawn.std() < 3


class _Image(nn.Module):
    def __init__(self, *, kinds: bool) -> None:
        super().__init__()
        self.patches, self.kinds = nn.Linear(3, 4), kinds
        self.places = nn.Embedding(7, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        numbers = torch.zeros(x.shape[1], dtype=torch.long) if self.kinds else torch.arange(x.shape[1])
        return self.patches(x) + self.places(numbers)


@pytest.mark.parametrize("kinds", [False, True])
def test_the_only_table_is_no_vocabulary_where_the_model_makes_its_numbers_by_itself(kinds: bool) -> None:
    net, x = _Image(kinds=kinds), torch.randn(2, 7, 3)
    with pytest.raises(gw.UnsupportedError, match="no table of words can change here: 'places': the model itself"):
        gw.mutate(net, gw.ResizeVocabulary(), seed=1, example=x)


class _Sent(_Words):
    """Which of two layers a word goes through stands in a buffer, as in routers by a hash of the word."""

    def __init__(self) -> None:
        super().__init__()
        self.goes = nn.Buffer(torch.arange(9) % 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + self.goes[x.reshape(-1)].reshape(x.shape).float().mean(1, keepdim=True)


@pytest.mark.parametrize("size", [12, 7])
def test_buffers_looked_up_by_the_words_follow(size: int) -> None:
    torch.manual_seed(0)
    net, x = _Sent(), torch.arange(5).reshape(1, 5)
    mutant = gw.mutate(net, gw.ResizeVocabulary(size, layer="words"), seed=1, example=x)
    assert mutant.goes.tolist() == [*(net.goes.tolist()[:size]), *[0, 1, 0][: max(0, size - 9)]]
    assert torch.equal(mutant(x), net(x))
    assert mutant(torch.arange(size - 5, size).reshape(1, 5)).isfinite().all()
    back = gw.mutate(mutant, gw.ResizeVocabulary(9, layer="words"), seed=1, example=x)
    assert size < 9 or gw.fingerprint(back) == gw.fingerprint(net)
    assert gw.fingerprint(gw.replay(gw.Recipe.from_json(gw.recipe(mutant).to_json()), net)) == gw.fingerprint(mutant)


def test_words_of_the_example_that_would_go_are_refused() -> None:
    net, x = _Words(), torch.full((1, 5), 8)
    with pytest.raises(gw.UnsupportedError, match="would not run any more"):
        gw.mutate(net, gw.ResizeVocabulary(8, layer="words"), seed=1, example=x)
