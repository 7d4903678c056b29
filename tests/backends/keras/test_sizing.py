"""Sizes that a recipe asks for are refused before a variable of that size has memory, in every form of model."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import genewright as gw

from .test_heads import BATCH, functional, subclassed
from .test_rules import randomized

LARGE = 10**7  # units: 240 MB of them in the smallest layer, where a file of some kB is read


def _dense(keras: Any) -> Any:
    class Own(keras.Model):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.one, self.two = keras.layers.Dense(7, name="one"), keras.layers.Dense(2, name="two")

        def call(self, x: Any) -> Any:
            return self.two(self.one(x))

    model = Own()
    model(BATCH)
    return randomized(model)


CASES = {
    "subclassed": (_dense, gw.Widen("one", num_units=1), 8),
    "heads, subclassed": (lambda keras: subclassed(keras, "MultiHeadAttention"), gw.AddHeads("attend", 1), 4),
    "heads, functional": (lambda keras: functional(keras, "MultiHeadAttention"), gw.AddHeads("attend", 1), 4),
}


def _enlarged(recipe: gw.Recipe, old: int) -> gw.Recipe:
    """Return a recipe whose configs ask for more units than its tensors have."""
    form = json.loads(recipe.to_json())
    changed = 0

    def walk(entry: Any) -> None:
        nonlocal changed
        if isinstance(entry, dict):
            for each in entry.values():
                walk(each)
        elif isinstance(entry, list):
            if len(entry) == 3 and isinstance(entry[1], str) and entry[2] == old and type(entry[2]) is int:
                entry[2] = LARGE
                changed += 1
            for each in entry:
                walk(each)

    walk(form)
    assert changed == 1
    return gw.Recipe.from_json(json.dumps(form))


@pytest.mark.parametrize("case", CASES)
def test_a_size_that_a_recipe_makes_up_has_no_memory(keras: Any, case: str) -> None:
    make, operator, size = CASES[case]
    model = make(keras)
    mutant = gw.mutate(model, operator, seed=1, example=BATCH)
    honest = gw.recipe(mutant)
    recipe = _enlarged(honest, size)
    mark, state = gw.fingerprint(model), random.getstate()
    before = _resident()
    with pytest.raises(gw.UnsupportedError, match=r"a model of [\d,]{11,} bytes, and [\d,]+ are allowed"):
        gw.replay(recipe, model)
    assert _resident() - before < 100 * 2**20
    assert (gw.fingerprint(model), random.getstate()) == (mark, state)
    assert gw.fingerprint(gw.replay(honest, model)) == gw.fingerprint(mutant)


def _resident() -> int:
    """Return the bytes of memory that this process has."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096
