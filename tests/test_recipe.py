"""Recipes: a few hundred bytes of JSON from which the same bytes come again, in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from tests.networks import make
from tests.test_conformance import OPERATORS

SEVERAL = gw.Sequence(
    operators=(
        gw.GaussianNoise(std=0.3, rate=0.5, relative_to="tensor"),
        gw.OneOf(operators=(gw.Shuffle(rate=0.5), gw.SwapUnits(rate=0.5)), weights=(2, 1)),
        gw.FactorNoise(std=0.2),
        gw.BitFlip(bits="mantissa", rate=0.1),  # type: ignore[arg-type]
        gw.Quantize(bits=6),
    )
)


@pytest.mark.parametrize("seed", [0, -7, 2**200, "a text — with ∞", b"\x00\xff", ""])
def test_every_kind_of_seed_survives_json(seed: Any, mlp: nn.Module) -> None:
    mutant = gw.mutate(mlp, gw.GaussianNoise(), seed=seed)
    recipe = gw.Recipe.from_json(gw.recipe(mutant).to_json())
    assert recipe.steps[0].seed == seed
    assert type(recipe.steps[0].seed) is type(seed)
    assert gw.fingerprint(gw.replay(recipe, mlp)) == gw.fingerprint(mutant)


def test_seeds_of_different_kinds_are_different_seeds(mlp: nn.Module) -> None:
    seeds: list[Any] = [1, "1", b"1", -1, 2**64 + 1]
    prints = {gw.fingerprint(gw.mutate(mlp, gw.GaussianNoise(), seed=seed)) for seed in seeds}
    assert len(prints) == len(seeds)


def test_numpy_integers_are_integers(mlp: nn.Module) -> None:
    import numpy as np

    mutant = gw.mutate(mlp, gw.GaussianNoise(), seed=np.int64(5))
    assert gw.recipe(mutant).steps[0].seed == 5
    assert gw.fingerprint(mutant) == gw.fingerprint(gw.mutate(mlp, gw.GaussianNoise(), seed=5))


_ON_WEIGHTS = [n for n, operator in OPERATORS.items() if ".weights." in type(operator).__module__]


@pytest.mark.parametrize("name", _ON_WEIGHTS)
def test_a_recipe_of_one_operator_is_a_few_hundred_bytes(name: str, mlp: nn.Module) -> None:
    text = gw.recipe(gw.mutate(mlp, OPERATORS[name], seed=246)).to_json()
    assert len(text) < 600
    assert gw.Recipe.from_json(text).to_json() == text


def test_a_recipe_is_a_file_too(mlp: nn.Module, tmp_path: Path) -> None:
    recipe = gw.recipe(gw.mutate(mlp, SEVERAL, seed=1))
    recipe.save(tmp_path / "r.json")
    assert gw.Recipe.load(tmp_path / "r.json") == recipe == gw.read_recipe(tmp_path / "r.json")


def test_a_mutant_of_a_mutant_continues_its_recipe(mlp: nn.Module) -> None:
    first = gw.mutate(mlp, gw.GaussianNoise(), seed=1)
    second = gw.mutate(first, gw.Zero(rate=0.5), seed=2)
    recipe = gw.recipe(second)
    assert [s.operator.name for s in recipe.steps] == ["gaussian_noise", "zero"]
    assert recipe.base == gw.fingerprint(mlp)
    assert gw.fingerprint(gw.replay(recipe, mlp)) == gw.fingerprint(second)
    assert len(gw.recipe(first).steps) == 1


def test_a_mutant_that_was_trained_starts_a_recipe_whose_lineage_goes_on(mlp: nn.Module) -> None:
    first = gw.mutate(mlp, gw.GaussianNoise(), seed=1)
    with torch.no_grad():
        first[0].weight += 1
    trained = gw.fingerprint(first)
    second = gw.mutate(first, gw.Zero(rate=0.5), seed=2)
    recipe = gw.recipe(second)
    assert recipe.base == trained
    assert [step.name for step in recipe.steps] == ["zero"]
    assert [step.name for step in recipe.all_steps()] == ["gaussian_noise", "zero"]
    assert recipe.all_steps()[0].parents == (gw.fingerprint(mlp),)
    assert gw.Recipe.from_json(recipe.to_json()) == recipe
    assert gw.fingerprint(gw.replay(recipe, first)) == gw.fingerprint(second)
    third = gw.recipe(gw.mutate(second, gw.SignFlip(), seed=3))
    assert [step.name for step in third.steps] == ["zero", "sign_flip"]
    assert third.base == trained


def test_a_lineage_that_comes_back_to_where_it_was_is_followed_step_by_step(mlp: nn.Module) -> None:
    mutant = mlp
    for seed in (1, 1, 1):
        mutant = gw.mutate(mutant, gw.SignFlip(rate=0.5), seed=seed)
    recipe = gw.recipe(mutant)
    assert recipe.nodes[1].result == recipe.base
    assert len(recipe.steps) == 3
    assert gw.fingerprint(gw.replay(recipe, mlp)) == gw.fingerprint(mutant)


def test_a_squashed_recipe_leads_to_the_same_bytes(mlp: nn.Module) -> None:
    mutant = gw.mutate(gw.mutate(gw.mutate(mlp, SEVERAL, seed=1), gw.Zero(rate=0.1), seed=2), SEVERAL, seed=3)
    whole = gw.recipe(mutant)
    squashed = whole.squash()
    assert len(squashed.to_json()) < len(whole.to_json())
    assert [step.result for step in squashed.nodes[:-1]] == [None] * (len(whole.steps) - 1)
    assert gw.fingerprint(gw.replay(gw.Recipe.from_json(squashed.to_json()), mlp)) == whole.result


def test_a_replay_in_place_is_the_model_itself(mlp: nn.Module) -> None:
    recipe = gw.recipe(gw.mutate(mlp, SEVERAL, seed=1))
    again = gw.replay(recipe, mlp, inplace=True)
    assert again is mlp
    assert gw.fingerprint(mlp) == recipe.result
    assert gw.recipe(mlp) == recipe


_CHILD = """
import sys, pathlib
import torch
torch.set_num_threads(int(sys.argv[1]))
import genewright as gw
folder = pathlib.Path(sys.argv[2])
for name in sys.argv[3:]:
    base = gw.read_checkpoint(folder / f"{name}.safetensors")
    mutant = gw.replay(gw.Recipe.load(folder / f"{name}.json"), base)
    print(gw.fingerprint(mutant))
"""


@pytest.mark.parametrize(("threads", "hash_seed"), [(1, "0"), (3, "4242")])
def test_it_replays_in_another_process_thread_count_and_hash_seed(threads: int, hash_seed: str, tmp_path: Path) -> None:
    names = ["mlp", "conv_batchnorm", "mlp_bfloat16", "mlp_float64", "tied_autoencoder"]
    wanted = []
    for name in names:
        base = make(name)
        gw.save(base, tmp_path / f"{name}.safetensors")
        mutant = gw.mutate(base, SEVERAL, seed=f"seed of {name}")
        gw.recipe(mutant).save(tmp_path / f"{name}.json")
        wanted.append(gw.fingerprint(mutant))
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "OMP_NUM_THREADS": str(threads),
        "NUMBA_NUM_THREADS": str(threads),
    }
    command = [sys.executable, "-c", _CHILD, str(threads), str(tmp_path), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == wanted


WRITTEN_LONG_AGO = (
    '{"genewright":2,"noise":"gw1","nodes":[{"operator":"gaussian_noise@1","settings":{"rate":0.3,"where":["0.*"],'
    '"relative_to":"none","rounding":"nearest","std":10.0},"seed":246,"path":"/0","parents":["b3:1"]},'
    '{"operator":"widen@1","settings":{"layer":"0","factor":1.5,"num_units":null,"init":"split","placement":"end"},'
    '"seed":7,"path":"/1","edits":[{"edit":"gather","width":"0","size":2,"index":[[0,2],1],"new":[2],'
    '"places":[["0.weight"],["2.weight",1,["*",3,"u"],true]],"attributes":[["0","out_features",3]]},'
    '{"edit":"share","tensor":"2.weight","axis":1,"source":[1],"target":[2],'
    '"share":{"shape":[1],"float64":"AAAAAAAA4D8="},"fresh":true}],"result":"b3:2"}]}'
)


def test_the_json_of_a_recipe_is_what_it_was() -> None:
    """Recipes are kept for years: entries may be added, and none renamed."""
    recipe = gw.Recipe.from_json(WRITTEN_LONG_AGO)
    assert recipe.to_json() == WRITTEN_LONG_AGO
    first, second = recipe.steps
    assert first.operator == gw.GaussianNoise(std=10, rate=0.3, where="0.*")
    assert (first.seed, first.path, first.whole) == (246, "/0", False)
    assert second.operator == gw.Widen("0", factor=1.5)
    assert second.whole
    assert (recipe.base, recipe.result) == ("b3:1", "b3:2")


def test_an_operator_of_another_version_is_refused_by_name_where_it_would_have_to_run() -> None:
    later = WRITTEN_LONG_AGO.replace("gaussian_noise@1", "gaussian_noise@2")
    with pytest.raises(gw.RecipeVersionError, match="'gaussian_noise' in version 2"):
        gw.Recipe.from_json(later)
    with pytest.raises(gw.UnknownNameError, match="gaussian_nose"):
        gw.Recipe.from_json(WRITTEN_LONG_AGO.replace("gaussian_noise@1", "gaussian_nose@1"))


def test_recorded_edits_need_neither_their_operator_nor_its_version() -> None:
    for name in ("widen@2", "an_operator_that_is_gone@1"):
        assert gw.Recipe.from_json(WRITTEN_LONG_AGO.replace("widen@1", name)).steps[1].whole


class TestReplayStandsAlone:
    """What an analysis found is in the recipe: no example, no analysis, no knob's name."""

    EXAMPLE = torch.linspace(-1, 1, 18).reshape(3, 6)

    @pytest.mark.parametrize(
        "operator",
        [
            gw.Widen("0", factor=1.5),
            gw.Widen("0", num_units=4, init="pair", placement="both"),
            gw.Narrow("0", factor=0.5),
            gw.InsertLayer("0"),
            gw.RemoveLayer("1"),
            gw.ReplaceActivation("1", to="Tanh"),
            gw.AddSkip("0", "2"),
            gw.AddBranch("0"),
        ],
        ids=lambda operator: operator.name,
    )
    def test_without_an_example(self, operator: Any, mlp: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
        mutant = gw.mutate(mlp, [operator, gw.GaussianNoise()], seed=1, example=self.EXAMPLE)
        recipe = gw.Recipe.from_json(gw.recipe(mutant).to_json())
        # whatever an analysis would say now: the replay does not ask it
        monkeypatch.setattr("genewright.backends.torch.network.TorchStructure", None)
        assert gw.fingerprint(gw.replay(recipe, mlp)) == gw.fingerprint(mutant)

    def test_values_that_were_fitted_need_the_very_example_and_the_error_names_it(self, mlp: nn.Module) -> None:
        narrow = gw.Narrow("0", factor=0.5, repair="least_squares")
        mutant = gw.mutate(mlp, narrow, seed=1, example=self.EXAMPLE)
        recipe = gw.recipe(mutant)
        wanted = recipe.steps[0].example
        assert wanted is not None
        for other in (None, self.EXAMPLE + 1):
            with pytest.raises(gw.ExampleError, match=f"narrow at /0.*{wanted}"):
                gw.replay(recipe, mlp, example=other)
        assert gw.fingerprint(gw.replay(recipe, mlp, example=self.EXAMPLE.clone())) == gw.fingerprint(mutant)


class TestDonors:
    def test_weights_of_another_network_come_again_by_its_fingerprint_in_any_order(self, mlp: nn.Module) -> None:
        teacher, other = make("mlp"), make("mlp")
        for network, by in ((teacher, 2.0), (other, 3.0)):
            with torch.no_grad():  # by other means, so that no recipe leads to them
                for parameter in network.parameters():
                    parameter.mul_(by)
        mutant = gw.mutate(
            mlp,
            [gw.Transfer("0", "0", donor="teacher"), gw.Transfer("2", "2", donor="other")],
            seed=1,
            donors={"teacher": teacher, "other": other},
        )
        assert torch.equal(mutant[0].weight, teacher[0].weight)
        assert torch.equal(mutant[2].weight, other[2].weight)
        recipe = gw.Recipe.from_json(gw.recipe(mutant).to_json())
        assert recipe.donors == (gw.fingerprint(teacher), gw.fingerprint(other))
        assert str(recipe).startswith("Recipe of 2 steps, 2 donors:")
        alone = gw.mutate(mlp, gw.Transfer("0", "0", donor="teacher"), seed=1, donors={"teacher": teacher})
        assert str(gw.recipe(alone)).startswith("Recipe of 1 step, 1 donor:")
        for given in ([teacher, other], [other, teacher]):
            assert gw.fingerprint(gw.replay(recipe, mlp, donors=given)) == gw.fingerprint(mutant)
        with pytest.raises(gw.FingerprintError, match=gw.fingerprint(other)):
            gw.replay(recipe, mlp, donors=[teacher])

    def test_a_donor_that_comes_from_the_same_base_is_made_again_by_the_replay(self, mlp: nn.Module) -> None:
        """Lines that part and meet again, as those of crossovers do: two steps in one go, and a donor of a donor."""
        both = [gw.GaussianNoise(std=1.0), gw.SignFlip(rate=0.5)]
        one = gw.mutate(mlp, both, seed=8)
        two = gw.mutate(gw.mutate(mlp, both, seed=9), gw.Crossover(), seed=1, donors={"mate": one})
        mutant = gw.mutate(gw.mutate(one, gw.Zero(rate=0.2), seed=2), gw.Crossover(), seed=3, donors={"mate": two})
        mutant = gw.mutate(mutant, gw.Crossover(), seed=4, donors={"mate": mlp})
        recipe = gw.Recipe.from_json(gw.recipe(mutant).to_json())
        assert set(recipe.donors) == {gw.fingerprint(two), gw.fingerprint(mlp)}
        assert gw.fingerprint(gw.replay(recipe, mlp)) == gw.fingerprint(mutant)
        assert gw.fingerprint(gw.replay(recipe, make("mlp"), inplace=True)) == gw.fingerprint(mutant)

    def test_the_lineage_of_a_donor_is_in_the_recipe(self, mlp: nn.Module) -> None:
        teacher = gw.mutate(make("mlp"), gw.GaussianNoise(std=1.0), seed=9)
        recipe = gw.recipe(gw.mutate(mlp, gw.Transfer(donor="teacher"), seed=1, donors={"teacher": teacher}))
        assert [step.name for step in recipe.nodes] == ["gaussian_noise", "transfer"]
        assert [step.name for step in recipe.steps] == ["transfer"]
        assert recipe.nodes[0].result == recipe.steps[0].parents[1]

    def test_a_file_is_a_donor(self, mlp: nn.Module, tmp_path: Path) -> None:
        teacher = gw.mutate(make("mlp"), gw.GaussianNoise(std=1.0), seed=9)
        gw.save(teacher, tmp_path / "teacher.safetensors")
        donor = gw.read_checkpoint(tmp_path / "teacher.safetensors")
        mutant = gw.mutate(mlp, gw.Transfer(donor="teacher"), seed=1, donors={"teacher": donor})
        assert gw.fingerprint(mutant) == gw.fingerprint(teacher)

    def test_a_donor_that_is_not_given_is_named(self, mlp: nn.Module) -> None:
        with pytest.raises(gw.UnknownNameError, match=r"donors=\{'teacher': model\}"):
            gw.mutate(mlp, gw.Transfer(donor="teacher"), seed=1)


def test_signing_costs_the_new_step_alone(mlp: nn.Module) -> None:
    """The texts of the steps before hang on the mutant as they are: none is read, copied or written again."""
    mutant = gw.mutate(mlp, gw.SignFlip(), seed=0)
    before = mutant.__dict__["_genewright_recipe"]
    after = gw.mutate(mutant, gw.SignFlip(), seed=1).__dict__["_genewright_recipe"]
    assert len(after) == len(before) + 1
    assert all(old is new for old, new in zip(before, after, strict=False))
