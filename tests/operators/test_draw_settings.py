"""DrawSettings: settings that the seed draws."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from scipy import stats

import genewright as gw
from genewright.backends import backend_of
from genewright.operator import operator_from_json, registered
from genewright.seeding import Noise
from tests.operators.architecture import networks, wide_networks

NET = torch.nn.Linear(2, 2)


def _drawn(operator: gw.DrawSettings, seed: int) -> Any:
    return next(iter(operator.choose(backend_of(NET).network(NET), Noise(seed))))[1]


def test_a_range_of_floats_is_uniform() -> None:
    operator = gw.DrawSettings(operator=gw.Zero(), ranges={"rate": (0.2, 0.6)})
    rates = [_drawn(operator, seed).rate for seed in range(3000)]
    assert stats.kstest(rates, stats.uniform(0.2, 0.4).cdf).pvalue > 1e-3


def test_a_range_of_ints_holds_both_ends_and_nothing_between_ints() -> None:
    operator = gw.DrawSettings(operator=gw.Widen(num_units=1), ranges={"num_units": (2, 5)})
    counts = Counter(_drawn(operator, seed).num_units for seed in range(2000))
    assert set(counts) == {2, 3, 4, 5}
    assert all(isinstance(value, int) for value in counts)
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_choices_are_equally_likely_and_settings_are_drawn_apart() -> None:
    operator = gw.DrawSettings(
        operator=gw.Widen(),
        ranges={"factor": (1.2, 2.0)},
        choices={"init": ("split", "silent", "pair"), "placement": ["end", "both"]},
    )
    drawn = [_drawn(operator, seed) for seed in range(3000)]
    pairs = Counter((one.init, one.placement) for one in drawn)
    assert len(pairs) == 6
    assert stats.chisquare(list(pairs.values())).pvalue > 1e-3
    high = [one.init for one in drawn if one.factor > 1.6]
    assert stats.chisquare(list(Counter(high).values())).pvalue > 1e-3


def test_what_is_drawn_is_pinned() -> None:
    """The same in every process, version and machine: a change here breaks what people have written down."""
    operator = gw.DrawSettings(operator=gw.Zero(), ranges={"rate": (0, 0.5)}, choices={"where": ("a.*", "b.*")})
    found = [(_drawn(operator, seed).rate, _drawn(operator, seed).where.to_json()) for seed in range(3)]
    assert found == PINNED


def test_the_recipe_holds_what_was_drawn_and_json_the_combinator() -> None:
    mutation = gw.DrawSettings(operator=gw.GaussianNoise(rate=0.5), ranges={"std": (0.1, 2.0)})
    net = torch.nn.Linear(4, 3)
    mutant = gw.mutate(net, mutation, seed=3)
    step = gw.recipe(mutant).steps[0].operator
    assert isinstance(step, gw.GaussianNoise)
    assert step.rate == 0.5
    assert 0.1 <= step.std < 2.0
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), net)) == gw.fingerprint(mutant)
    again = operator_from_json(mutation.to_json())
    assert again == mutation
    assert gw.fingerprint(gw.mutate(net, again, seed=3)) == gw.fingerprint(mutant)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ranges": {"rat": (0.1, 0.2)}}, "Did you mean 'rate'"),
        ({"ranges": {"rate": (0.2, 0.1)}}, "low < high"),
        ({"ranges": {"rate": 0.1}}, "low < high"),
        ({"ranges": {"rate": (0.1, float("nan"))}}, "low < high"),
        ({"ranges": {"rate": (0.1, 1.5)}}, "rate must be a number from 0 to 1; received 1.5"),
        ({"choices": {"rate": ()}}, "choices are lists"),
        ({"choices": {"rate": 0.1}}, "choices are lists"),
        ({"choices": {"rate": (0.1, 7)}}, "received 7"),
        ({"ranges": {"rate": (0, 1)}, "choices": {"rate": (0, 1)}}, "drawn twice"),
        ({"ranges": 3}, "by the setting's name"),
        ({"operator": gw.Zero}, "Make one of the class"),
    ],
)
def test_what_cannot_be_drawn_is_refused_when_it_is_made(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(gw.SettingError, match=said):
        gw.DrawSettings(**{"operator": gw.Zero(), **settings})


# Where nothing says which layer, the seed chooses it; settings come from ranges. Evolution needs both of all operators.
VARIED: dict[str, tuple[str, gw.DrawSettings]] = {
    "add_branch": ("resnet", gw.DrawSettings(operator=gw.AddBranch(), choices={"branch": (None, "identity")})),
    "add_heads": ("attention", gw.DrawSettings(operator=gw.AddHeads(), ranges={"num_heads": (1, 3)})),
    "add_skip": ("resnet", gw.DrawSettings(operator=gw.AddSkip(), choices={"path": ("auto", "identity")})),
    "copy_layer": ("resnet", gw.DrawSettings(operator=gw.CopyLayer())),
    "duplicate_block": ("resnet", gw.DrawSettings(operator=gw.DuplicateBlock(), choices={"by": ("auto", "gate")})),
    "grow_inputs": (
        "convolutions",
        gw.DrawSettings(operator=gw.GrowInputs(), ranges={"num_units": (1, 3)}, choices={"init": ("zero", "mean")}),
    ),
    "grow_kernel": ("resnet", gw.DrawSettings(operator=gw.GrowKernel(), choices={"by": (2, 4)})),
    "grow_outputs": (
        "convolutions",
        gw.DrawSettings(operator=gw.GrowOutputs(), ranges={"num_units": (1, 3)}, choices={"init": ("zero", "noise")}),
    ),
    "insert_layer": (
        "stack",
        gw.DrawSettings(operator=gw.InsertLayer(), choices={"init": ("identity", "gate", "noise")}),
    ),
    "narrow": (
        "convolutions",
        gw.DrawSettings(operator=gw.Narrow(), ranges={"factor": (0.3, 0.8)}, choices={"by": ("magnitude", "random")}),
    ),
    "remove_heads": ("attention", gw.DrawSettings(operator=gw.RemoveHeads(), choices={"by": ("last", "random")})),
    "remove_layer": ("resnet", gw.DrawSettings(operator=gw.RemoveLayer(), ranges={"max_change": (5.0, 50.0)})),
    "replace_activation": (
        "stack",
        gw.DrawSettings(operator=gw.ReplaceActivation(), ranges={"blend": (0, 1)}, choices={"to": ("ReLU", "SiLU")}),
    ),
    "replace_layer": (
        "stack",
        gw.DrawSettings(
            operator=gw.ReplaceLayer(),
            choices={"new": ("identity", "Tanh", {"layer": "LeakyReLU", "negative_slope": 0.2})},
        ),
    ),
    "resize_positions": ("attention", gw.DrawSettings(operator=gw.ResizePositions(), ranges={"length": (6, 9)})),
    "resize_vocabulary": (
        "attention",
        gw.DrawSettings(
            operator=gw.ResizeVocabulary(), ranges={"num_tokens": (20, 40)}, choices={"init": ("mean", "noise")}
        ),
    ),
    "shrink_inputs": (
        "convolutions",
        gw.DrawSettings(operator=gw.ShrinkInputs("stem"), choices={"units": ((0,), (1,), (0, 1))}),
    ),
    "shrink_outputs": ("convolutions", gw.DrawSettings(operator=gw.ShrinkOutputs(), choices={"units": ((0,), (1,))})),
    "swap_layers": ("resnet", gw.DrawSettings(operator=gw.SwapLayers(), choices={"layer": (None, "last.conv1")})),
    "widen": (
        "convolutions",
        gw.DrawSettings(operator=gw.Widen(), ranges={"factor": (1.3, 2.0)}, choices={"init": ("split", "silent")}),
    ),
    "widen_stream": ("attention", gw.DrawSettings(operator=gw.WidenStream(num_units=1), ranges={"num_units": (1, 6)})),
}


def test_every_operator_of_architecture_is_varied() -> None:
    assert VARIED.keys() == {name for name, cls in registered().items() if ".architecture." in cls.__module__}


@pytest.mark.parametrize("name", VARIED)
def test_the_seed_chooses_layers_and_settings_of_every_operator(name: str) -> None:
    network, mutation = VARIED[name]
    room: Any = networks if network in networks.NETWORKS else wide_networks
    model, example = room.make(network)
    settings: set[str] = set()
    for seed in range(5):
        mutant = gw.mutate(model, mutation, seed=seed, example=example)
        step = gw.recipe(mutant).steps[0]
        assert step.operator.name == name
        settings.add(str(step.operator.settings()))
        again = gw.replay(gw.Recipe.from_json(gw.recipe(mutant).to_json()), model, example=example)
        assert gw.fingerprint(again) == gw.fingerprint(mutant)
    assert len(settings) > 1, settings
    assert gw.fingerprint(model) == gw.fingerprint(room.make(network)[0])


PINNED: list[Any] = [(0.17923621740236934, ["a.*"]), (0.4452954274731985, ["a.*"]), (0.029481771419916147, ["a.*"])]
