"""What every operator of depth and wiring promises, on every small network that it fits."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

import genewright as gw
from tests.crosses import crossed
from tests.operators.architecture.networks import NETWORKS, factory, make

KEEPING = {
    "insert": gw.InsertLayer(),
    "insert_gate": gw.InsertLayer(init="gate"),
    "duplicate": gw.DuplicateBlock(),
    "duplicate_gate": gw.DuplicateBlock(by="gate"),
    "grow": gw.GrowKernel(),
    "skip": gw.AddSkip(),
    "branch": gw.AddBranch(),
    "blend": gw.ReplaceActivation(to="SiLU", blend=0),
    "several": gw.Sequence(operators=(gw.InsertLayer(), gw.DuplicateBlock(), gw.AddSkip(), gw.AddBranch())),
}
CHANGING = {
    "insert_noise": gw.InsertLayer(init="noise"),
    "remove": gw.RemoveLayer(),
    "replace": gw.ReplaceLayer(),
    "activation": gw.ReplaceActivation(to="SiLU"),
}
OPERATORS = KEEPING | CHANGING
# An operator may refuse a network that has nothing for it. These do, and no others.
NOTHING = {
    **dict.fromkeys(("duplicate", "duplicate_gate", "several"), ("mlp", "plain")),
    "grow": ("mlp", "stack", "transformer"),
    **dict.fromkeys(("blend", "activation"), ("transformer",)),
}
UNFIT = {("replace", "transformer")}  # torch's encoder layer reads its norms' eps, which an identity does not have
UNFIT |= {(operator, network) for operator, networks in NOTHING.items() for network in networks}
LONGEST = pytest.param("several", "transformer", marks=pytest.mark.slow)  # ten times as long as others
UNFIT.add(LONGEST.values)
PAIRS = [*crossed(OPERATORS, NETWORKS, one_in=3, but=UNFIT), LONGEST]
KEEPING_PAIRS = [*crossed(KEEPING, NETWORKS, one_in=3, but=UNFIT), LONGEST]


def _state(model: torch.nn.Module) -> tuple[Any, ...]:
    """Everything that a refusal or an undo must leave as it was."""
    modules = [
        (
            name,
            type(module),
            module.training,
            len(module._forward_hooks),
            len(module._forward_pre_hooks),
            {key: repr(value) for key, value in vars(module).items() if isinstance(value, int | float | str | tuple)},
        )
        for name, module in model.named_modules()
    ]
    config = vars(model.config) if hasattr(model, "config") else None
    tensors = [(name, id(p), p.requires_grad) for name, p in model.named_parameters()]
    return gw.fingerprint(model), modules, tensors, copy.deepcopy(config)


@pytest.mark.parametrize(("operator", "network"), PAIRS)
def test_same_bytes_from_seed_recipe_and_file(operator: str, network: str, tmp_path: Path) -> None:
    model, example = make(network)
    before = _state(model)
    mutant = gw.mutate(model, OPERATORS[operator], seed=5, example=example)
    assert _state(model) == before
    print_ = gw.fingerprint(mutant)
    torch.randn(3)
    assert gw.fingerprint(gw.mutate(model, OPERATORS[operator], seed=5, example=example)) == print_
    recipe = gw.Recipe.from_json(gw.recipe(mutant).to_json())
    replayed = gw.replay(recipe, model)  # settled steps need no example
    assert gw.fingerprint(replayed) == print_
    gw.save(mutant, tmp_path / "mutant.safetensors")
    loaded = gw.load(factory(network), tmp_path / "mutant.safetensors")
    assert gw.fingerprint(loaded) == print_
    assert gw.recipe(loaded) == gw.recipe(mutant)
    with torch.no_grad():
        expected = mutant(example)
        assert torch.equal(replayed(example), expected)
        assert torch.equal(loaded(example), expected)


@pytest.mark.parametrize(("operator", "network"), PAIRS)
def test_undo_brings_everything_back(operator: str, network: str) -> None:
    model, example = make(network)
    before = _state(model)
    with gw.mutated(model, OPERATORS[operator], seed=5, example=example) as mutant:
        assert _state(mutant) != before
        mutant(example)
    assert _state(model) == before


@pytest.mark.parametrize(("operator", "network"), KEEPING_PAIRS)
def test_the_function_is_kept_on_an_input_that_was_not_seen(operator: str, network: str) -> None:
    model, example = make(network)
    for seed in range(2):
        mutant = gw.mutate(model, OPERATORS[operator], seed=seed, example=example).double()
        unseen = torch.randn(3, *example.shape[1:], generator=torch.Generator().manual_seed(seed)).double()
        with torch.no_grad():
            expected = copy.deepcopy(model).double()(unseen)
            change = (mutant(unseen) - expected).abs().max() / expected.abs().max()
        assert change < 1e-9, gw.recipe(mutant).steps[-1]


@pytest.mark.parametrize(("operator", "network"), PAIRS)
def test_a_mutant_is_still_the_users_own(operator: str, network: str) -> None:
    model, example = make(network)
    mutant = gw.mutate(model, OPERATORS[operator], seed=5, example=example)
    assert type(mutant) is type(model)
    buffer = io.BytesIO()
    torch.save(mutant, buffer)
    buffer.seek(0)
    with torch.no_grad():
        expected = mutant(example)
        for other in (
            copy.deepcopy(mutant),
            pickle.loads(pickle.dumps(mutant)),
            torch.load(buffer, weights_only=False),
        ):
            assert torch.equal(other(example), expected)
    mutant.train()
    mutant(example).sum().backward()
    assert all(p.grad is not None for p in mutant.parameters())


@pytest.mark.parametrize(("operator", "network"), [pair for pair in PAIRS if pair.values[1] in ("plain", "resnet")])
def test_a_mutant_exports(operator: str, network: str) -> None:
    model, example = make(network)
    mutant = gw.mutate(model, OPERATORS[operator], seed=5, example=example)
    exported = torch.export.export(mutant, (example,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(example), mutant(example))


@pytest.mark.parametrize("operator", [o for o in OPERATORS if "plain" not in NOTHING.get(o, ())])
def test_a_mutant_compiles_into_one_graph(operator: str) -> None:
    torch._dynamo.reset()
    model, example = make("plain")
    mutant = gw.mutate(model, OPERATORS[operator], seed=5, example=example)
    with torch.no_grad():
        compiled = torch.compile(mutant, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(example), mutant(example))


@pytest.mark.parametrize(
    ("operator", "network"), [(o, n) for o in OPERATORS for n in NETWORKS if n in NOTHING.get(o, ())]
)
def test_a_network_without_a_place_is_refused_and_left_alone(operator: str, network: str) -> None:
    model, example = make(network)
    before = _state(model)
    with pytest.raises(gw.GenewrightError, match=r"network has|none of this network"):
        gw.mutate(model, OPERATORS[operator], seed=5, example=example, inplace=True)
    assert _state(model) == before


@pytest.mark.parametrize("operator", [o for o in OPERATORS if o not in ("activation", "blend", "grow")])
def test_without_an_example_the_error_shows_the_call(operator: str) -> None:
    model, _ = make("resnet")
    with pytest.raises(gw.SettingError, match="example=x"):
        gw.mutate(model, OPERATORS[operator], seed=5)


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_example_that_does_not_run_is_refused(operator: str) -> None:
    model, _ = make("resnet")
    with pytest.raises(gw.UnsupportedError, match="example does not run"):
        gw.mutate(model, OPERATORS[operator], seed=5, example=torch.randn(2, 5, 6, 6))


@pytest.mark.parametrize(("operator", "network"), [pair for pair in PAIRS if pair.values[1] in ("resnet", "stack")])
def test_a_plan_changes_nothing_and_says_what_the_mutation_does(operator: str, network: str) -> None:
    model, example = make(network)
    before = _state(model)
    plan = gw.plan(model, OPERATORS[operator], seed=5, example=example)
    assert _state(model) == before
    mutant = plan.apply()
    assert gw.fingerprint(mutant) == gw.fingerprint(gw.mutate(model, OPERATORS[operator], seed=5, example=example))
    for planned in plan.steps:
        assert planned.change is not None
        assert (planned.change < 1e-9) == ("function" in planned.step.operator.claims())
    assert "the outputs change by" in str(plan)
