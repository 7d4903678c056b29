"""Bad input on the Python face: one clear error that says how to fix it, and nothing has changed."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

import genewright as gw

NOISE = gw.GaussianNoise(std=0.1)


@pytest.fixture
def recipe(mlp: nn.Module) -> gw.Recipe:
    return gw.recipe(gw.mutate(mlp, NOISE, seed=1))


class TestSeeds:
    @pytest.mark.parametrize("function", [gw.mutate, gw.plan, gw.mutated])
    def test_a_missing_seed_shows_the_fixed_call(self, function: Any, mlp: nn.Module) -> None:
        before = gw.fingerprint(mlp)
        with pytest.raises(gw.SeedError, match=rf"gw\.{function.__name__} needs a seed.*seed=246"):
            function(mlp, NOISE)
        assert gw.fingerprint(mlp) == before

    @pytest.mark.parametrize("seed", [None, 1.5, True, [1], np.float32(3), torch.tensor(1.0)])
    def test_what_is_no_seed_is_refused(self, seed: Any, mlp: nn.Module) -> None:
        with pytest.raises(gw.SeedError, match="an int, a str or bytes"):
            gw.mutate(mlp, NOISE, seed=seed)

    def test_a_missing_seed_is_a_type_error_too(self, mlp: nn.Module) -> None:
        with pytest.raises(TypeError):
            gw.mutate(mlp, NOISE)  # type: ignore[call-arg]


class TestOperators:
    def test_an_unknown_name_has_the_nearest(self) -> None:
        with pytest.raises(AttributeError, match="Did you mean 'GaussianNoise'"):
            gw.GausianNoise  # noqa: B018  # the access is the test

    def test_an_unknown_operator_in_a_recipe_has_the_nearest(self, recipe: gw.Recipe) -> None:
        with pytest.raises(gw.UnknownNameError, match=r"'gausian_noise'.*Did you mean 'gaussian_noise'"):
            gw.Recipe.from_json(recipe.to_json().replace("gaussian_noise", "gausian_noise"))

    def test_an_unknown_setting_has_the_nearest(self) -> None:
        with pytest.raises(gw.SettingError, match=r"no setting 'sdt'.*Did you mean 'std'"):
            gw.GaussianNoise(sdt=1.0)  # type: ignore[call-arg]

    @pytest.mark.parametrize(
        ("value", "says"),
        [
            (gw.GaussianNoise, "Make one of the class"),
            (0.1, "expected an operator"),
            ([], "at least one operator"),
            ([NOISE, None], "expected an operator"),
            (None, "expected an operator"),
        ],
    )
    def test_what_is_no_operator_is_refused(self, value: Any, says: str, mlp: nn.Module) -> None:
        with pytest.raises(gw.SettingError, match=says):
            gw.mutate(mlp, value, seed=1)

    @pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), float("inf"), "half", None, True])
    @pytest.mark.parametrize(
        "operator",
        [gw.GaussianNoise, gw.FactorNoise, gw.Zero, gw.SignFlip, gw.BitFlip, gw.Reset, gw.Shuffle, gw.SwapUnits],
    )
    def test_a_rate_outside_0_to_1_is_refused(self, operator: Callable[..., Any], rate: Any) -> None:
        with pytest.raises(gw.SettingError, match=r"rate must be a number from 0 to 1; received"):
            operator(rate=rate)

    @pytest.mark.parametrize("std", [-1e-9, float("nan")])
    def test_a_std_that_is_negative_or_nan_is_refused(self, std: float) -> None:
        with pytest.raises(gw.SettingError, match="GaussianNoise: std must be a finite number of at least 0"):
            gw.GaussianNoise(std=std)

    def test_an_unknown_choice_has_the_nearest(self) -> None:
        with pytest.raises(gw.SettingError, match=r"relative_to is one of none, tensor, weight.*Did you mean 'tensor'"):
            gw.GaussianNoise(relative_to="tensors")  # type: ignore[arg-type]

    def test_settings_cannot_be_changed_afterwards(self) -> None:
        with pytest.raises(AttributeError):
            NOISE.std = 3.0  # type: ignore[misc]

    @pytest.mark.parametrize("model", [3, "net.pt", {"weight": 2}, torch.ones(2), nn.Linear, None])
    def test_what_is_no_model_is_refused(self, model: Any) -> None:
        with pytest.raises(gw.UnsupportedError, match=r"Expected a torch\.nn\.Module, a Keras model, a checkpoint"):
            gw.mutate(model, NOISE, seed=1)


class TestWhere:
    @pytest.mark.parametrize(
        ("where", "says"),
        [
            ("0.wieght", "Did you mean '0.weight'"),
            ("layer9.*", "no tensor matches 'layer9"),
            (gw.where(roles="embedding"), "Roles here: kernel, bias"),
            (gw.where(layers="Conv2d"), "Layer types: Linear"),
            (gw.where("0.*", "!0.*"), "no tensor matches"),
            (gw.where(units={"9": [0]}), "no chosen tensor belongs to a layer of that name"),
        ],
    )
    def test_what_matches_nothing_lists_what_is_near(self, where: Any, says: str, mlp: nn.Module) -> None:
        before = gw.fingerprint(mlp)
        with pytest.raises(gw.SelectionError, match=says):
            gw.mutate(mlp, gw.GaussianNoise(where=where), seed=1, inplace=True)
        assert gw.fingerprint(mlp) == before

    def test_only_frozen_tensors_match(self, mlp: nn.Module) -> None:
        mlp[0].requires_grad_(False)  # type: ignore[index]
        with pytest.raises(gw.SelectionError, match=r"2 tensors match '0\.\*'.*none is trainable.*frozen=True"):
            gw.mutate(mlp, gw.GaussianNoise(where="0.*"), seed=1)

    @pytest.mark.parametrize(
        ("units", "says"),
        [([99], "units, 0 to 7; received 99"), ([True, False], "2 entries.*8 units"), ([-1], "received -1")],
    )
    def test_units_that_do_not_exist(self, units: Any, says: str, mlp: nn.Module) -> None:
        with pytest.raises(gw.SelectionError, match=says):
            gw.mutate(mlp, gw.GaussianNoise(where=gw.where("0.*", units=units)), seed=1)

    @pytest.mark.parametrize("where", [3, [3], ["0.*", None], "", "!"])
    def test_what_is_no_pattern_is_refused(self, where: Any) -> None:
        with pytest.raises(gw.SettingError, match="where"):
            gw.GaussianNoise(where=where)

    def test_an_unknown_role_has_the_nearest(self) -> None:
        with pytest.raises(gw.SettingError, match=r"no role is called 'kernels'.*Did you mean 'kernel'"):
            gw.where(roles="kernels")

    @pytest.mark.parametrize("units", [[[1, 2]], [0.5], "abc", np.zeros((2, 2), bool)])
    def test_units_of_the_wrong_kind(self, units: Any) -> None:
        with pytest.raises(gw.SettingError, match="a boolean mask or positions"):
            gw.where(units=units)


class TestRecipes:
    def test_of_another_base(self, recipe: gw.Recipe, mlp: nn.Module) -> None:
        other = gw.mutate(mlp, NOISE, seed=9)
        before = gw.fingerprint(other)
        with pytest.raises(gw.FingerprintError, match=rf"The base differs.*{recipe.base}.*{before}"):
            gw.replay(recipe, other, inplace=True)
        assert gw.fingerprint(other) == before

    def test_with_another_result_undoes_what_it_did(self, recipe: gw.Recipe, mlp: nn.Module) -> None:
        edited = gw.Recipe.from_json(recipe.to_json().replace('"std":0.1', '"std":0.2'))
        before = gw.fingerprint(mlp)
        with pytest.raises(gw.FingerprintError, match=rf"The result differs.*{recipe.result}"):
            gw.replay(edited, mlp, inplace=True)
        assert gw.fingerprint(mlp) == before

    def test_of_a_newer_version(self, recipe: gw.Recipe) -> None:
        newer = recipe.to_json().replace('"genewright":2', '"genewright":99')
        with pytest.raises(gw.RecipeVersionError, match=r"format 99.*pip install -U genewright"):
            gw.Recipe.from_json(newer)

    def test_of_newer_noise(self, recipe: gw.Recipe) -> None:
        with pytest.raises(gw.RecipeVersionError, match=r"noise is 'gw9'.*pip install -U genewright"):
            gw.Recipe.from_json(recipe.to_json().replace('"gw1"', '"gw9"'))

    @pytest.mark.parametrize(
        "damage",
        [
            lambda text: text[:-10],
            lambda text: "",
            lambda text: "[]",
            lambda text: "null",
            lambda text: "{}",
            lambda text: "[" * 100_000,
            lambda text: text.replace('"nodes":', '"knots":'),
            lambda text: text.replace('"nodes":[', '"nodes":{"a":[') + "}",
            lambda text: text.replace('"parents":', '"parent":'),
            lambda text: text.replace('"parents":[', '"parents":[7,'),
            lambda text: text.replace('"result":', '"outcome":'),
            lambda text: text.replace('"result":"b3:', '"edits":7,"result":"b3:'),
            lambda text: text.replace('"result":"b3:', '"edits":[{"edit":"no_such"}],"result":"b3:'),
            lambda text: text.replace('"result":"b3:', '"rerun":1,"result":"b3:'),
            lambda text: '{"genewright":2,"noise":"gw1","nodes":[]}',
            lambda text: text.replace('"seed":1', '"seed":1.5'),
            lambda text: text.replace('"seed":1,', ""),
            lambda text: text.replace('"path":"/0"', '"path":0'),
            lambda text: text.replace('"operator":"gaussian_noise@1"', '"operator":7'),
            lambda text: text.replace('"operator":"gaussian_noise@1"', '"operator":"sequence"').replace(
                '"settings"', '"s"'
            ),
            lambda text: text.replace('"where":[]', '"where":{"patterns":3}'),
            lambda text: text.replace('"where":[]', '"where":{"units":[[1]]}'),
            lambda text: text.replace('"genewright":2', '"genewright":"one"'),
            lambda text: text.replace('"genewright":2', '"genewright":true'),
            lambda text: text.replace('"settings":{', '"settings":[{').replace('},"seed"', '}],"seed"'),
        ],
    )
    def test_damaged(self, damage: Callable[[str], str], recipe: gw.Recipe) -> None:
        text = damage(recipe.to_json())
        assert text != recipe.to_json()
        with pytest.raises(gw.RecipeError, match=r"recipe|An operator in JSON|settings of|`where`"):
            gw.Recipe.from_json(text)

    def test_with_a_setting_that_is_out_of_range(self, recipe: gw.Recipe) -> None:
        with pytest.raises(gw.SettingError, match="rate must be"):
            gw.Recipe.from_json(recipe.to_json().replace('"rate":1.0', '"rate":2.0'))

    def test_bytes_that_are_no_text(self) -> None:
        with pytest.raises(gw.RecipeError, match="not JSON"):
            gw.Recipe.from_json(b"\xff\xfe\x00")

    def test_of_a_model_that_is_no_mutant(self, mlp: nn.Module) -> None:
        with pytest.raises(gw.RecipeError, match="carries no recipe"):
            gw.recipe(mlp)

    def test_a_file_that_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(gw.FileError, match="cannot be read"):
            gw.Recipe.load(tmp_path / "none.json")


class _Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


class TestFiles:
    @pytest.fixture
    def saved(self, mlp: nn.Module, tmp_path: Path) -> Path:
        gw.save(mlp, tmp_path / "net.safetensors")
        torch.save(mlp.state_dict(), tmp_path / "net.pt")
        return tmp_path

    @pytest.mark.parametrize("keep", [0, 1, 7, 8, 100, -1])
    @pytest.mark.parametrize("name", ["net.safetensors", "net.pt"])
    def test_truncated(self, name: str, keep: int, saved: Path) -> None:
        path = saved / name
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(gw.FileError, match=name):
            gw.read_checkpoint(path)

    @pytest.mark.parametrize(
        "content",
        [
            b"not a model at all",
            (1 << 62).to_bytes(8, "little") + b"{}",
            (2).to_bytes(8, "little") + b"[]",
            (60).to_bytes(8, "little") + b'{"w":{"dtype":"F32","shape":[9],"data_offsets":[0,9999]}}   ',
            (60).to_bytes(8, "little") + b'{"w":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}      ' + bytes(4),
        ],
    )
    def test_hostile_safetensors(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "hostile.safetensors"
        path.write_bytes(content)
        with pytest.raises(gw.FileError, match=r"hostile\.safetensors"):
            gw.read_checkpoint(path)

    @pytest.mark.parametrize("zipped", [True, False])
    @pytest.mark.parametrize("suffix", [".pt", ".pth"])
    def test_a_pickle_is_never_executed(self, suffix: str, zipped: bool, tmp_path: Path) -> None:
        path, witness = tmp_path / f"hostile{suffix}", tmp_path / "executed"
        if zipped:
            torch.save({"weight": _Bomb(witness)}, path)
        else:
            path.write_bytes(pickle.dumps({"weight": _Bomb(witness)}))
        with pytest.raises(gw.FileError, match=r"pickled code or objects.*not executed.*state_dict"):
            gw.read_checkpoint(path)
        assert not witness.exists()
        torch.load(path, weights_only=False) if zipped else pickle.loads(path.read_bytes())
        assert witness.exists()  # it would have been

    def test_a_whole_pickled_module_is_refused(self, mlp: nn.Module, tmp_path: Path) -> None:
        torch.save(mlp, tmp_path / "whole.pt")
        with pytest.raises(gw.FileError, match=r"torch\.save\(model\.state_dict\(\), path\)"):
            gw.read_checkpoint(tmp_path / "whole.pt")

    def test_a_zip_that_is_no_checkpoint(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "odd.pt", "w") as archive:
            archive.writestr("hello.txt", "hello")
        with pytest.raises(gw.FileError, match=r"odd\.pt"):
            gw.read_checkpoint(tmp_path / "odd.pt")

    def test_a_pt_file_without_a_state_dict(self, tmp_path: Path) -> None:
        torch.save({"epoch": 3}, tmp_path / "none.pt")
        with pytest.raises(gw.UnsupportedError, match=r"no state dict.*epoch"):
            gw.read_checkpoint(tmp_path / "none.pt")

    def test_an_unknown_suffix_and_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(gw.FileError, match=r"no known kind.*\.safetensors, \.pt, \.pth"):
            gw.read_checkpoint(tmp_path / "net.onnx")
        for name in ("none.safetensors", "none.pt"):
            with pytest.raises(gw.FileError, match="cannot be read"):
                gw.read_checkpoint(tmp_path / name)

    def test_a_list_of_ties_that_lies_is_refused(self, tmp_path: Path, mlp: nn.Module) -> None:
        ties = {"genewright.ties": json.dumps({"0.weight": "2.weight"})}
        safetensors.torch.save_file(mlp.state_dict(), tmp_path / "lying.safetensors", metadata=ties)
        with pytest.raises(gw.FileError, match="tied tensors does not fit"):
            gw.read_checkpoint(tmp_path / "lying.safetensors")

    def test_a_file_that_does_not_fit_the_model(self, saved: Path) -> None:
        other = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5))
        before = gw.fingerprint(other)
        with pytest.raises(gw.FileError, match=r"'2\.weight' has shape \(4, 8\), the model's has \(5, 8\)"):
            gw.load(lambda: other, saved / "net.safetensors")
        assert gw.fingerprint(other) == before
        with pytest.raises(gw.FileError, match=r"missing in the file .*unknown to the model"):
            gw.load(lambda: nn.Linear(2, 2), saved / "net.safetensors")

    def test_an_existing_output_survives(self, saved: Path, mlp: nn.Module, recipe: gw.Recipe) -> None:
        for path, write in (
            (saved / "net.safetensors", lambda p: gw.save(mlp, p)),
            (saved / "net.pt", lambda p: gw.save(gw.read_checkpoint(saved / "net.pt"), p)),
            (saved / "net.json", lambda p: recipe.save(p)),
        ):
            path.touch()
            old = path.read_bytes()
            with pytest.raises(gw.FileError, match=r"exists already.*overwrite=True"):
                write(path)
            assert path.read_bytes() == old

    def test_a_folder_or_a_missing_folder_as_output(self, tmp_path: Path, mlp: nn.Module) -> None:
        (tmp_path / "folder.safetensors").mkdir()
        with pytest.raises(gw.FileError, match="is a folder"):
            gw.save(mlp, tmp_path / "folder.safetensors", overwrite=True)
        with pytest.raises(gw.FileError, match=r"does not exist\. Make it first"):
            gw.save(mlp, tmp_path / "none" / "net.safetensors")

    def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(self, saved: Path) -> None:
        """A limit on the size of files stands for the full disk: the kernel refuses the same writes."""
        paths = [saved / f"old.{suffix}" for suffix in ("safetensors", "pt", "json")]
        for path in paths:
            path.write_bytes(b"old")
        before = {p.name: p.read_bytes() for p in saved.iterdir()}
        code = f"""
import resource, genewright as gw
mutant = gw.mutate(gw.read_checkpoint({str(saved / "net.pt")!r}), [gw.GaussianNoise()] * 20, seed=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
for path in {[str(path) for path in paths]!r}:
    try:
        gw.recipe(mutant).save(path, overwrite=True) if path.endswith("json") else gw.save(mutant, path, overwrite=True)
    except gw.FileError as error:
        print(error)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for path in paths:
            assert f"{path}: cannot be written" in done.stdout
        assert done.stdout.count("The old file is as it was.") == 3
        assert {p.name: p.read_bytes() for p in saved.iterdir()} == before
