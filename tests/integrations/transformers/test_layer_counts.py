"""The configs of transformers models count the layers of the right list, under whatever name they know it."""

from __future__ import annotations

from typing import Any

import pytest

import genewright as gw
from tests.pretrained import make

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    ("kind", "block", "holder", "expected"),
    [
        ("gpt2", "transformer.h.0", "", {"n_layer": 1, "num_hidden_layers": 1}),
        ("llama", "model.layers.0", "", {"num_hidden_layers": 1}),
        ("bart", "model.encoder.layers.0", "", {"encoder_layers": 1, "decoder_layers": 0}),
        ("bart", "model.decoder.layers.0", "", {"encoder_layers": 0, "decoder_layers": 1}),
        ("t5", "encoder.block.0", "encoder", {"num_layers": 1}),
        ("t5", "decoder.block.0", "", {"num_layers": 0, "num_decoder_layers": 1}),
    ],
)
def test_the_entry_that_counts_a_list_follows_it(kind: str, block: str, holder: str, expected: dict[str, int]) -> None:
    model, example = make(kind)
    before: Any = model.get_submodule(holder).config
    mutant = gw.mutate(model, gw.DuplicateBlock(block=block, by="gate"), seed=1, example=example)
    config: Any = mutant.get_submodule(holder).config
    assert {name: getattr(config, name) - getattr(before, name) for name in expected} == expected


def test_a_count_that_a_config_derives_from_its_list_follows_by_itself() -> None:
    """As in NemotronHConfig, whose number of layers is the length of its list of kinds."""
    model, example = make("llama")

    class Derived(type(model.config)):  # type: ignore[misc]
        @property
        def num_hidden_layers(self) -> int:
            return len(self.layers_block_type)

        @num_hidden_layers.setter
        def num_hidden_layers(self, number: int) -> None:
            """Ignore what old files say."""

    count = model.config.num_hidden_layers
    del vars(model.config)["num_hidden_layers"]
    model.config.layers_block_type = ["full"] * count
    model.config.__class__ = Derived
    mutant = gw.mutate(model, gw.DuplicateBlock("model.layers.0", by="zeros"), seed=1, example=example)
    assert (mutant.config.num_hidden_layers, len(mutant.model.layers)) == (count + 1, count + 1)
    assert model.config.num_hidden_layers == count
