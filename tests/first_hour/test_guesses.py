"""What newcomers guessed in their first hour: each guess is right, or its error names the call to write.

The guesses are written as they were typed; `says` is what the answer has to hold, None where the guess is right.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genewright as gw

torch = pytest.importorskip("torch")
nn = torch.nn

GUESSES: list[tuple[str, str | None]] = [
    # settings
    ("gw.mutate(net, gw.GaussianNoise(10, 0.3), seed=1)", None),
    ("gw.GaussianNoise(10, 0.3, 5)", r"Write GaussianNoise\(10, 0.3, count=5\)"),
    ("gw.Zero(0.1)", None),
    ("gw.mutate(net, std=10, rate=.3, seed=1)", r"no argument 'std'.*Write gw.mutate\(model, gw.GaussianNoise\("),
    ("gw.mutate(net, 'gaussian_noise', std=1, seed=1)", r"Settings belong to the operator"),
    ("gw.GaussianNoise(sigma=1)", r"There are: std, rate"),
    ("gw.GaussianNoise(sd=1)", r"Did you mean 'std'"),
    ("gw.GaussianNoise(std=np.float32(.1))", None),
    ("gw.GaussianNoise(rate=torch.tensor(.3))", None),
    ("gw.GaussianNoise(std='0.1')", r"std must be a finite number"),
    # operators
    ("gw.mutate(net, 'gaussian_noise', seed=1)", None),
    ("gw.mutate(net, 'GaussianNoise', seed=1)", None),
    ("gw.mutate(net, 'gausian_noise', seed=1)", r"Did you mean 'gaussian_noise'"),
    ("gw.mutate(net, gw.GaussianNoise, seed=1)", r"gw.GaussianNoise\(\)"),
    ("gw.mutate(net, seed=1)", r"missing.*'operator'.*Write gw.mutate\("),
    ("gw.mutate(gw.GaussianNoise(), net, seed=1)", r"Expected a torch.nn.Module"),
    ("gw.mutate(net, [gw.Zero(), gw.SignFlip()], seed=1)", None),
    ("gw.mutate(net, gw.Sequence([gw.Zero(), gw.SignFlip()]), seed=1)", None),
    ("gw.mutate(net, gw.Sequence(['zero', gw.SignFlip()]), seed=1)", None),
    ("gw.Sequence(gw.Zero(), gw.SignFlip())", r"Write Sequence\(\[first, second\]\)"),
    ("gw.OneOf(gw.Zero(), gw.SignFlip())", r"Write OneOf\(\[first, second\]\)"),
    ("gw.mutate(net, gw.Zero() + gw.SignFlip(), seed=1)", None),
    ("gw.mutate(net, gw.Zero() | gw.SignFlip(), seed=1)", None),
    # seeds
    ("gw.mutate(net, gw.Zero())", r"Write gw.mutate\(.*seed=246\)"),
    ("gw.mutate(net, gw.Zero(), 246)", r"Write gw.mutate\(.*seed=246\)"),
    ("gw.mutate(net, gw.Zero(), seed=0.5)", r"Write seed=246"),
    ("gw.mutate(net, gw.Zero(), seed=None)", r"Write seed=246"),
    ("gw.mutate(net, gw.Zero(), seed=torch.Generator())", r"Write seed=246"),
    ("gw.mutate(net, gw.Zero(), seed=np.int64(3))", None),
    # where
    ("gw.mutate(net, gw.Zero(where=gw.where(layers=nn.Linear)), seed=1)", None),
    ("gw.mutate(net, gw.Zero(where=nn.Linear), seed=1)", None),
    ("gw.mutate(net, gw.Zero(where=net[0]), seed=1)", None),
    ("gw.mutate(net, gw.Zero(where=[net[0], '2.bias']), seed=1)", None),
    ("gw.mutate(net, gw.Zero(where=net[0].weight), seed=1)", None),
    ("gw.mutate(net, gw.Zero(where=nn.Linear(3, 3)), seed=1)", r"no layer or tensor of this model"),
    ("gw.Zero(where=lambda name: 'bias' in name)", r"where=\[name for name, _ in model.named_parameters\(\) if"),
    ("gw.Zero(where=0)", r"expected a pattern on names"),
    ("gw.where(roles='weight')", r"'kernel'"),
    ("gw.where(roles='kernels')", r"Did you mean 'kernel'"),
    ("gw.mutate(net, gw.Zero(where=gw.where(layers='linear')), seed=1)", r"Layer types: Linear"),
    # how many of what, and by what
    (
        "gw.mutate(net, gw.Narrow('0', by='dead'), seed=1, example=x)",
        r"by is one of .*\. Dead units .* active_fraction",
    ),
    ("gw.mutate(net, gw.Narrow('0', by='entropi'), seed=1, example=x)", r"received 'entropi'. Did you mean 'entropy'"),
    ("gw.crossover(net, net)", r"Did you mean 'Crossover'"),
    ("gw.testing.campaign(net, (x, y), seed=1)", r"Write gw.campaign\."),
    ("gw.Supervised(x, y)", r"Write gw.fitness.Supervised\."),
    ("gw.neurons.measur(net)", r"Did you mean 'measure'"),
    ("gw.plan(net, gw.Widen('0'), seed=1)", r"Give a sample input, example=x"),
    ("gw.mutate(net.state_dict(), gw.Widen('0'), seed=1)", r"it cannot be run.*model = gw.load\(factory, path\)"),
    ("gw.knobs(gw.mutate(net.state_dict(), gw.Zero(), seed=1), x)", r"model = gw.load\(factory, path\)"),
    ("gw.evolve(net, len, strategy='hill_climb', generations=1, seed=1)", r"Did you mean 'HillClimb'"),
    ("gw.resident(net).mutant(gw.Zero())", r"^base.mutant needs a seed"),
    ("gw.resident()", r"as base: \.\.\.$"),
    ("gw.compare(net, net, (x, y), metrics='acc')", r"Did you mean 'accuracy'"),
    ("gw.compare(net, net, (x, y), metrics='sparse_categorical_accuracy')", r"Did you mean 'accuracy'"),
    # models
    ("gw.mutate(net.state_dict(), gw.Zero(), seed=1)", None),
    ("gw.mutate({'state_dict': net.state_dict(), 'epoch': 3}, gw.Zero(), seed=1)", None),
    ("gw.mutate('model.pt', gw.Zero(), seed=1)", r"gw.read_checkpoint\('model.pt'\)"),
    ("gw.mutate([net, net], gw.Zero(), seed=1)", r"for model in models"),
    ("gw.mutate(made, gw.Zero(), seed=1)", r"give what it returns"),
    ("gw.mutate(nn.Linear, gw.Zero(), seed=1)", r"make a model of it first"),
    # compare
    ("gw.compare(net, net, [x, y]).metrics['accuracy']", None),
    ("gw.compare(net, net, x, y)", r"the tuple \(X, y\)"),
    ("gw.compare(net, net)", r"Write gw.compare\(original, mutant, \(X, y\)\)"),
    ("gw.compare(net, net, (x, y)).ok()", r"\.ok\(1e-6\)"),
    ("bool(gw.compare(net, net, (x, y)))", r"\.ok\(accuracy_drop=0.01\)"),
    ("gw.compare(net, net, (x, y)).ok(accuracy_drop=0.01)", None),
    ("gw.compare(net, net, (x, y)).ok(f1_drop=0.01)", r"'f1' was not measured"),
    # architecture
    ("gw.mutate(net, gw.Widen('0', 1.5), seed=1, example=x)", None),
    ("gw.mutate(net, gw.Widen(['0', '2']), seed=1, example=x)", r"\[gw.Widen\('0'\), gw.Widen\('2'\)\]"),
    ("gw.mutate(net, gw.Widen(net[0], factor=1.5), seed=1, example=x)", None),
    ("gw.Widen('0', size=12)", r"There are: layer, factor, num_units"),
    ("gw.mutate(net, gw.Narrow('0', 0.5), seed=1, example=x)", None),
    ("gw.Narrow('0', importance='l1')", r"by"),
    ("gw.mutate(net, gw.Widen('0'), seed=1)", r"example=x"),
    ("gw.mutate(conv, gw.InsertLayer('1', nn.Conv2d(8, 8, 1)), seed=1, example=im)", None),
    ("gw.mutate(conv, gw.InsertLayer('1', {'layer': 'Conv2d', 'out_channels': 8}), seed=1, example=im)", None),
    ("gw.mutate(conv, gw.InsertLayer('1', 'Conv2d'), seed=1, example=im)", None),
    ("gw.mutate(net, gw.InsertLayer(net[1], nn.Linear), seed=1, example=x)", None),
    ("gw.mutate(net, gw.ReplaceLayer('1', nn.GELU()), seed=1, example=x)", None),
    ("gw.mutate(net, gw.ReplaceActivation(to=nn.GELU), seed=1, example=x)", None),
    ("gw.mutate(net, gw.Widen('*', 1.5), seed=1, example=x)", None),
    ("gw.mutate(net, gw.Narrow('*', 0.5), seed=1, example=x)", None),
    ("gw.mutate(net, gw.Widen('2*'), seed=1, example=x)", r"no width can change so: '2' cannot change.*output"),
    ("gw.mutate(net, gw.Widen('0'), seed=1, example='1x4')", r"write example=torch.zeros\(1, 4\)"),
    ("gw.mutate(net, gw.Widen('0'), seed=1, example=(1, 4))", r"write example=torch.zeros\(1, 4\)"),
    ("gw.knobs(net)", r"Write gw.knobs\(model, example=x\)"),
    ("gw.mutate(net, gw.RemoveLayer(net[1]), seed=1, example=x)", None),
    # files and recipes
    ("gw.load('net.safetensors', net)", r"Write gw.load\(model, 'net.safetensors'\)"),
    ("gw.save('net.safetensors', net)", r"Write gw.save\(model, 'net.safetensors'\)"),
    ("gw.load(net, 'none.safetensors')", r"none.safetensors"),
    ("gw.save(net)", r"Write gw.save\(model, path\)"),
    ("gw.recipe(net)", r"not a mutant"),
    ("gw.replay(gw.recipe(gw.mutate(net, gw.Zero(), seed=1)).to_json(), net)", r"gw.Recipe.from_json\(text\)"),
    ("gw.replay(net, gw.recipe(gw.mutate(net, gw.Zero(), seed=1)))", r"the recipe comes first"),
    ("gw.Recipe.load(gw.recipe(gw.mutate(net, gw.Zero(), seed=1)))", r"a recipe already: use it as it is"),
    ("gw.Recipe.load({'nodes': []})", r"gw.Recipe.from_json\(json.dumps\(recipe\)\)"),
    ("gw.Recipe.load(net)", r"gw.recipe\(mutant\)"),
    ("gw.Recipe.load()", r"Write gw.Recipe.load\(path\)"),
    ("gw.Recipe('mutant.json')", r"write gw.Recipe.load\(path\)"),
    ("gw.recipe(gw.mutate(net, gw.Zero(), seed=1)).save()", r"Write Recipe.save\(path\)"),
    ("gw.recipe(gw.mutate(net, gw.Zero(), seed=1)).apply(net)", r"Write gw.replay\(recipe, base\)"),
    # rooms, names and objects
    ("gw.neurons(net)", r"Write gw.neurons.measure\(model, data\)"),
    ("gw.fitness(x, y)", r"Write gw.fitness.Supervised\(X, y\)"),
    ("gw.fitness.Supervised((x, y))", r"Write gw.fitness.Supervised\(x, y\)"),
    ("gw.fitness.Acuracy()", r"gw.fitness has no attribute 'Acuracy'"),
    ("gw.diff(net, net)", r"Write gw.difference\(first, second\)"),
    ("gw.difference(net, net)", None),
    ("gw.GausianNoise()", r"Did you mean 'GaussianNoise'"),
    ("gw.gaussian_noise()", r"Did you mean 'GaussianNoise'"),
    ("gw.prune(net)", r"Write gw.Narrow\("),
    ("gw.undo(net)", r"gw.mutated undoes itself"),
    ("gw.compare(net, net, (x, y)).accuracy", r"\.metrics\['accuracy'\]\.after"),
    ("gw.mutated(net, gw.Zero(), seed=1)[0]", r"Write with gw.mutated\("),
    ("gw.mutated(net, gw.Zero(), seed=1)(x)", r"Write with gw.mutated\("),
    ("gw.mutated(net, gw.Zero(), seed=1).weight", r"Write with gw.mutated\("),
    ("gw.plan(net, gw.Zero(), seed=1).run()", r"Write .apply\(\)"),
    ("gw.Plan(net, gw.Zero(), seed=1)", r"Write gw.plan\(model, operator, seed=246\)"),
    ("gw.GeneticAlgorithm(20)", r"By name: population"),
    ("gw.evolve(net, len, population=5, seed=1)", r"strategy=gw.GeneticAlgorithm\(population="),
    ("gw.evolve(net, len, operator=gw.Zero(), seed=1)", r"Did you mean 'mutation'"),
    # operators as objects
    ("gw.Zero().mutate(net)", r"Write gw.mutate\(model, operator, seed=246\)"),
    ("gw.Zero().apply(net)", r"Write gw.mutate\(model, operator, seed=246\)"),
    ("gw.Zero() * 3", r"write \[operator\] \* 3"),
    ("3 * gw.Zero()", r"write \[operator\] \* 3"),
    ("gw.Zero() + 3", r"\+ joins operators"),
    ("gw.Zero() & gw.SignFlip()", r"write first \+ second"),
    ("gw.Zero + gw.SignFlip", r"Make one of it: gw.Zero\(\)"),
    ("gw.mutate(net, gw.Zero | gw.SignFlip, seed=1)", r"gw.Zero\(\) \| gw.SignFlip\(\)"),
    ("sum([gw.Zero(), gw.SignFlip()])", r"write gw.Sequence\(\[first, second\]\)"),
    ("gw.mutate(net, gw.Zero() + 'sign_flip', seed=1)", None),
    ("gw.mutate(net, operators=[gw.Zero()], seed=1)", r"Did you mean 'operator'"),
    ("gw.mutate(net, gw.Zero(), rng=np.random.default_rng(1))", r"no argument 'rng'.*seed=246"),
    ("gw.mutate(net, gw.Zero(), generator=torch.Generator(), seed=1)", r"All that is random follows from seed="),
    ("gw.Zero(where={'layers': 'Linear'})", r"Write gw.where\(layers='Linear'\)"),
    ("gw.Zero(where={'0', '2'})", r"write a list"),
    ("gw.where(roles=3)", r"roles is one of kernel"),
    ("gw.where(roles=[])", r"chooses nothing"),
    ("gw.Zero(where=[])", r"an empty list chooses nothing"),
    ("gw.where(['0', '2'])", None),
    ("gw.where('0', frozen='no')", r"frozen is True or False"),
    ("gw.Zero(where=net.state_dict())", r"where=list\(names\)"),
    ("gw.mutate(net, {'operator': 'zero'}, seed=1)", r"list\(operators.values\(\)\)"),
    ("gw.mutate(net, lambda w: 2 * w, seed=1)", r"@gw.operator"),
    ("gw.mutate(net.parameters(), gw.Zero(), seed=1)", r"give the module"),
    ("gw.Narrow('0', units=3)", r"num_units=3"),
    ("gw.compare(net, net, (x, y)) < 0.1", r"\.relative_error"),
    ("gw.recipe(gw.mutate(net, gw.Zero(), seed=1))[0]", r"recipe.steps\[0\]"),
    ("gw.read_checkpoint(net)", r"give it as it is"),
    ("gw.read_recipe(net)", r"gw.recipe\(mutant\)"),
    ("gw.save(gw.recipe(gw.mutate(net, gw.Zero(), seed=1)), 'a.json')", r"recipe.save\(path\)"),
    ("gw.calibrate(net, [gw.GaussianNoise(), gw.Zero()], x, seed=1, target=0.3)", None),
    ("gw.population(net, gw.Zero(), range(3))[0]", r"population.model\(0\)"),
    ("gw.evaluate(net, gw.Zero(), range(3), nn.CrossEntropyLoss())", r"write Supervised\(x, y, loss\)"),
    ("gw.neurons.measure(net, x, layers=net[0])", None),
    ("gw.neurons.measure(net)", r"Write gw.neurons.measure\(model, data\)"),
]


@pytest.fixture(scope="module")
def typed() -> dict[str, Any]:
    """What a guess finds in the session."""
    layers = nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)
    rows = torch.linspace(-1, 1, 24).reshape(6, 4)
    images = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3)
    return {
        "gw": gw,
        "nn": nn,
        "np": np,
        "torch": torch,
        "net": nn.Sequential(*layers),
        "conv": nn.Sequential(*images),
        "made": lambda: nn.Linear(4, 3),
        "x": rows,
        "y": torch.tensor([0, 1, 2, 0, 1, 2]),
        "im": torch.linspace(-1, 1, 384).reshape(2, 3, 8, 8),
    }


@pytest.mark.parametrize(("guess", "says"), GUESSES, ids=[guess for guess, _ in GUESSES])
def test_a_guess_is_right_or_answered_with_the_call_to_write(
    guess: str, says: str | None, typed: dict[str, Any]
) -> None:
    if says is None:
        assert eval(guess, dict(typed)) is not None
        return
    with pytest.raises(gw.GenewrightError, match=says):
        eval(guess, dict(typed))


def test_an_operator_is_not_callable_and_lacks_attributes_as_python_knows_it() -> None:
    operator = gw.Zero()
    assert not callable(operator)
    assert not hasattr(operator, "mutate")
    assert not hasattr(gw, "undo")
    assert getattr(operator, "seed", 7) == 7


def test_modules_of_ours_travel_by_their_names() -> None:
    assert pickle.loads(pickle.dumps(gw)) is gw
    assert pickle.loads(pickle.dumps(gw.fitness)) is gw.fitness


def test_a_pattern_changes_what_can_and_the_plan_says_what_stays(typed: dict[str, Any]) -> None:
    plan = gw.plan(typed["net"], gw.Widen("*", 1.5), seed=1, example=typed["x"])
    assert "2 widths that the pattern stands for stay: 'input of 0' cannot change" in str(plan)
    assert [layer.out_features for layer in plan.apply() if isinstance(layer, nn.Linear)] == [12, 3]


def test_names_of_gw_are_those_for_users() -> None:
    names = dir(gw)
    assert {"GaussianNoise", "mutate", "Widen", "neurons", "fitness", "__version__"} <= set(names)
    assert not {"Any", "annotations", "packed", "transaction", "operators"} & set(names)
    assert all(hasattr(gw, name) for name in names)


def test_a_layer_in_a_setting_becomes_its_name_in_the_recipe(typed: dict[str, Any]) -> None:
    net = typed["net"]
    by_object = gw.mutate(net, gw.GaussianNoise(0.1, where=net[0]), seed=1)
    by_name = gw.mutate(net, gw.GaussianNoise(0.1, where="0"), seed=1)
    assert gw.recipe(by_object).to_json() == gw.recipe(by_name).to_json()


def test_a_layer_object_says_kind_and_settings_of_a_new_layer(typed: dict[str, Any]) -> None:
    new = nn.Conv2d(8, 8, 5, padding=2, bias=False)
    deeper = gw.mutate(typed["conv"], gw.InsertLayer("1", new), seed=1, example=typed["im"])
    assert repr(deeper[2]) == repr(new)
    assert torch.allclose(deeper(typed["im"]), typed["conv"](typed["im"]), atol=1e-6)


def test_a_state_dict_mutates_as_its_model_does(typed: dict[str, Any]) -> None:
    net = typed["net"]
    before = gw.fingerprint(net)
    mutant = gw.mutate(net.state_dict(), gw.GaussianNoise(0.1), seed=1)
    assert gw.fingerprint(mutant) == gw.fingerprint(gw.mutate(net, gw.GaussianNoise(0.1), seed=1))
    assert gw.fingerprint(net) == before
    assert gw.recipe(mutant).steps[0].seed == 1


def test_a_plain_state_dict_of_a_grown_net_loads_with_its_recipe(typed: dict[str, Any], tmp_path: Path) -> None:
    net, file, recipe = typed["net"], tmp_path / "grown.pt", tmp_path / "grown.json"
    grown = gw.mutate(net, gw.Widen("0", 2.0), seed=1, example=typed["x"])
    torch.save(grown.state_dict(), file)
    gw.recipe(grown).save(recipe)
    with pytest.raises(gw.FileError, match=r"gw.load\(factory, path, recipe="):
        gw.load(net, file)
    again = gw.load(net, file, recipe=recipe)
    assert gw.fingerprint(again) == gw.fingerprint(grown)
    assert net[0].out_features == 8


def test_the_cost_without_an_example_says_how_to_get_all_of_it(typed: dict[str, Any]) -> None:
    assert gw.cost(typed["net"]).note.endswith("gw.cost(model, x).")
    assert "cannot be run" in gw.cost(gw.mutate(typed["net"].state_dict(), gw.Zero(), seed=1)).note
    assert gw.cost(typed["net"], typed["x"]).note == ""


def test_files_of_a_room_are_no_names_of_it() -> None:
    assert {"measure", "Taylor"} <= set(dir(gw.neurons))
    assert not {"measuring", "registry", "looked_for"} & set(dir(gw.neurons))
    assert "Supervised" in dir(gw.fitness)
    assert "supervised" not in dir(gw.fitness)


@pytest.mark.parametrize("prefix", ["model.", "module."])
def test_a_checkpoint_of_a_wrapper_names_the_prefix(typed: dict[str, Any], prefix: str, tmp_path: Path) -> None:
    state = {f"{prefix}{name}": tensor for name, tensor in typed["net"].state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "wrapped.ckpt")
    with pytest.raises(gw.FileError, match=rf"behind '{prefix}': a wrapper's.*gw.read_checkpoint"):
        gw.load(typed["net"], tmp_path / "wrapped.ckpt")


def test_two_layers_of_one_kind_are_two_settings() -> None:
    nn = pytest.importorskip("torch.nn")
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    assert gw.Zero(where=first) != gw.Zero(where=second)
    assert gw.Zero(where=first) == gw.Zero(where=first)
    assert gw.Widen(first) != gw.Widen(second)
    assert len({gw.Zero(where=first), gw.Zero(where=second)}) == 2
