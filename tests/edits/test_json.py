"""Every edit has a JSON form both ways; what is damaged is refused with a RecipeError."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import genewright as gw
from genewright.edits import (
    EDITS,
    Accumulate,
    Assign,
    ContinueBuffer,
    Copy,
    Edit,
    Exchange,
    Following,
    Forget,
    Gather,
    InsertLayer,
    Map,
    Mix,
    Perturb,
    Place,
    RemoveLayer,
    ReplaceLayer,
    Rewire,
    SetAttribute,
    Share,
    Tie,
    Write,
    edit_from_json,
    functions,
)
from genewright.edits.map import functions as known_functions
from genewright.index import Index
from genewright.noise import Change
from genewright.part import along

NUMBERS = np.array([0.5, -0.0, 1e-300, 2.0 / 3.0])
FUNCTIONS = [
    functions.Scale(by=2 / 3),
    functions.Negate(),
    functions.DividedNoise(scale=2 / 3, divisor=np.abs(NUMBERS) + 1, rate=0.5),
    functions.ZeroSmallest(count=3),
    functions.AddLowRank(scale=2 / 3, rank=2),
    functions.Add(by=NUMBERS),
    functions.MeanFill(axis=1, new=Index.of([4, 5])),
    functions.Identity(unit_axis=0, input_axis=1),
    functions.Resample(axes=(1,), old=(2, 3), new=(4, 1), first=1),
    functions.Shuffle(axis=0),
    functions.Quantize(bits=4, axis=0),
    functions.ForceBits(flips=Change(combine="xor", bits=(1, 30), rate=0.25), value=0),
    functions.Ascend(
        generations=[[[1, 0.5], [2**64 - 1, -2 / 3]], [[3, 0.25]]],
        salt="evolution_noise",
        optimizer="adam",
        rate=0.1,
        decays=[0.9, 0.999],
        epsilon=1e-8,
        decay=0.0,
    ),
    functions.Absorb(
        axis=0, units=Index.of([0, 1, 2]), kept=Index.of([0, 1]), gone=Index.of([2]), share=NUMBERS[:2].reshape(2, 1)
    ),
]
EXAMPLES: list[Edit] = [
    Accumulate(
        tensor="w",
        members=[[1, 0.5], [2**64 - 1, -2 / 3]],
        salt="evolution_noise",
        noise_rate=0.5,
        decay=2 / 3,
        rounding="stochastic",
        part=along(0, (1,)),
    ),
    Accumulate(tensor="w", members=[[1, 0.5]], salt="evolution_noise", rank=2),
    Perturb(tensor="w", change=Change(combine="add", scale=0.1, rate=0.5, rounding="stochastic"), stream="w"),
    Perturb(tensor="w", change=Change(combine="xor", bits=(1, 30)), stream="w", part=along(1, [3, 1])),
    Perturb(tensor="w", change=Change(combine="negate"), stream="w", elements=Index.of([3, 8, 9])),
    Forget(tensor="w", part=along(1, [3, 1])),
    *(Map(tensor="w", function=function, stream="s", part=along(0, range(5))) for function in FUNCTIONS),
    Assign(tensor="w", values=NUMBERS, part=along(0, [1, 2, 3, 4])),
    Copy(tensor="w", source="v", part=along(0, [1]), source_part=along(1, [0]), of=1),
    Exchange(tensor="w", other="v", part=along(0, [1])),
    Mix(tensor="w", source="v", part=along(0, [1]), source_part=along(1, [0]), of=1, own=0.75, other=0.25),
    Gather(
        width="fc",
        size=3,
        index=Index.of([0, 1, 2, 0, -1]),
        new=Index.of([3, 4]),
        places=(Place("w"), Place("v", 1, ("*", 3, "u", ("+", 2, "u")), True)),
        attributes=(Following("fc", "out_features", 5), Following("", "config.sizes", [5, {"a": None}])),
    ),
    Share(tensor="w", axis=1, source=Index.of([0, 0]), target=Index.of([3, 4]), share=NUMBERS[:2], fresh=True),
    ContinueBuffer(layer="a", attribute="position_ids", size=4, new=7),
    SetAttribute(layer="a", attribute="config.x.0", value={"a": [1, True, None, "b", 0.5]}),
    InsertLayer(after="a", layer={"layer": "Linear", "in_features": 4, "out_features": 4}, label="b"),
    RemoveLayer(layer="a"),
    ReplaceLayer(layer="a", new="GELU"),
    Rewire(start="a", end="b", path={"copy": "a"}, gate=0.25),
    Tie(tensor="a.weight", to="b.weight"),
]


def test_every_kind_of_edit_and_every_function_is_among_the_examples() -> None:
    assert {type(edit) for edit in EXAMPLES} == set(EDITS) - {Write}
    assert {type(function) for function in FUNCTIONS} == set(known_functions().values())


@pytest.mark.parametrize("edit", EXAMPLES, ids=lambda edit: edit.name)
def test_json_holds_it_exactly(edit: Edit) -> None:
    text = json.dumps(edit.to_json())
    again = edit_from_json(json.loads(text))
    assert again == edit
    assert json.dumps(again.to_json()) == text


def test_a_function_is_no_data() -> None:
    write = Write(tensor="w", values=lambda old: old)
    assert not write.data
    with pytest.raises(gw.RecipeError, match="replayed by its operator"):
        write.to_json()


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(EXAMPLES), st.data())
def test_a_damaged_entry_is_refused_or_read_as_what_it_says(edit: Edit, data: Any) -> None:
    form = edit.to_json()
    key = data.draw(st.sampled_from([*form, "unknown"]))
    form[key] = data.draw(PLAIN)
    try:
        again = edit_from_json(form)
    except gw.RecipeError:
        return
    assert edit_from_json(json.loads(json.dumps(again.to_json()))) == again


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (None, "no edit is called None"),
        ({"edit": "gathr"}, "Did you mean 'gather'"),
        ({"edit": "write", "tensor": "w"}, "no edit is called 'write'"),
        ({"edit": "tie", "tensor": "w"}, "lacks 'to'"),
        ({"edit": "tie", "tensor": "w", "to": 3}, "expected str"),
        ({"edit": "map", "tensor": "w", "function": {"is": "os.system"}}, "no function is called 'os.system'"),
        ({"edit": "gather", "width": "a", "size": True, "index": []}, "expected int"),
        ({"edit": "gather", "width": "a", "size": 1, "index": [[0, -3]]}, "a run is"),
        ({"edit": "perturb", "tensor": "w", "stream": "w", "change": {"combine": "add", "rate": 7}}, "a change"),
    ],
)
def test_what_is_wrong_is_said(form: Any, words: str) -> None:
    with pytest.raises(gw.RecipeError, match=words.replace("[", r"\[")):
        edit_from_json(form)
