"""Keras's files: in, mutated, out, as models and as checkpoints; nothing in them is executed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of
from tests.crosses import crossed

from .conftest import Make

h5py = pytest.importorskip("h5py")
SUFFIXES = (".keras", ".h5", ".weights.h5", ".safetensors")
BASES = ("classifier", "reader")
NOISE = gw.GaussianNoise(std=0.1, rate=0.5)


@pytest.fixture(params=BASES)
def base(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)()


@pytest.mark.parametrize(("base", "suffix"), list(crossed(BASES, SUFFIXES, one_in=2)), indirect=["base"])
def test_a_mutant_comes_back_with_its_recipe(base: Any, suffix: str, tmp_path: Path) -> None:
    mutant = gw.mutate(base, NOISE, seed=1)
    path = tmp_path / f"mutant{suffix}"
    gw.save(mutant, path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert gw.read_recipe(path).result == gw.fingerprint(mutant)
    again = gw.load(lambda: backend_of(base).copy(base), path)
    assert gw.fingerprint(again) == gw.fingerprint(mutant)
    assert gw.recipe(again).to_json() == gw.recipe(mutant).to_json()


@pytest.mark.parametrize(("base", "suffix"), list(crossed(BASES, SUFFIXES, one_in=2)), indirect=["base"])
def test_a_file_is_the_network_that_it_was_saved_from(base: Any, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"base{suffix}"
    gw.save(base, path)
    checkpoint = gw.read_checkpoint(path)
    assert gw.fingerprint(checkpoint) == gw.fingerprint(base)
    for operator in (NOISE, gw.SwapUnits(), gw.Reset(init="kaiming_uniform", where="*kernel")):
        expected = gw.fingerprint(gw.mutate(base, operator, seed=1))
        assert gw.fingerprint(gw.mutate(checkpoint, operator, seed=1)) == expected, operator


@pytest.mark.parametrize(("base", "suffix"), list(crossed(BASES, SUFFIXES[:3], one_in=2)), indirect=["base"])
def test_a_mutated_file_is_read_by_keras_itself(keras: Any, base: Any, suffix: str, tmp_path: Path) -> None:
    gw.save(base, tmp_path / f"base{suffix}")
    mutant = gw.mutate(gw.read_checkpoint(tmp_path / f"base{suffix}"), NOISE, seed=1)
    gw.save(mutant, tmp_path / f"mutant{suffix}")
    if suffix == ".weights.h5":
        read = backend_of(base).copy(base)
        read.load_weights(tmp_path / f"mutant{suffix}")
    else:
        read = keras.saving.load_model(tmp_path / f"mutant{suffix}")
    assert gw.fingerprint(read) == gw.fingerprint(mutant)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_whole_model_needs_no_factory(base: Any, suffix: str, tmp_path: Path) -> None:
    mutant = gw.mutate(base, NOISE, seed=1)
    gw.save(mutant, tmp_path / f"m{suffix}")
    read = gw.load(tmp_path / f"m{suffix}")
    assert gw.recipe(read).result == gw.fingerprint(read) == gw.fingerprint(mutant)


def test_files_that_keras_wrote_are_read(base: Any, tmp_path: Path) -> None:
    base.save(tmp_path / "k.keras")
    base.save_weights(tmp_path / "k.weights.h5")
    for name in ("k.keras", "k.weights.h5"):
        assert gw.fingerprint(gw.read_checkpoint(tmp_path / name)) == gw.fingerprint(base)
    with pytest.raises(gw.RecipeError, match="no recipe"):
        gw.read_recipe(tmp_path / "k.keras")


def test_optimizer_and_compile_settings_survive(base: Any, tmp_path: Path) -> None:
    base.compile("adam", loss="mse")
    base.optimizer.build(base.trainable_variables)
    gw.save(base, tmp_path / "c.keras")
    gw.save(gw.mutate(gw.read_checkpoint(tmp_path / "c.keras"), NOISE, seed=1), tmp_path / "d.keras")
    read = gw.load(tmp_path / "d.keras")
    assert read.compiled
    assert type(read.optimizer).__name__ == "Adam"


def test_bfloat16_survives(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype="bfloat16", name="d")])
    mutant = gw.mutate(model, NOISE, seed=1)
    for suffix in (".keras", ".weights.h5"):
        gw.save(mutant, tmp_path / f"m{suffix}")
        checkpoint = gw.read_checkpoint(tmp_path / f"m{suffix}")
        assert checkpoint.entries["d.kernel"].dtype == "bfloat16"
        assert gw.fingerprint(checkpoint) == gw.fingerprint(mutant)


def test_files_are_read_without_keras(base: Any, tmp_path: Path) -> None:
    gw.save(base, tmp_path / "m.keras")
    gw.save(base, tmp_path / "m.weights.h5")
    code = (
        "import sys, genewright as gw\n"
        f"for name in ('m.keras', 'm.weights.h5'):\n"
        f"    read = gw.read_checkpoint({str(tmp_path)!r} + '/' + name)\n"
        f"    gw.mutate(read, gw.GaussianNoise(std=0.1), seed=1)\n"
        "    print(gw.fingerprint(read))\n"
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {gw.fingerprint(base)}


@pytest.mark.parametrize(("base", "suffix"), list(crossed(BASES, SUFFIXES[:3], one_in=2)), indirect=["base"])
def test_a_file_is_mutated_in_place(base: Any, suffix: str, tmp_path: Path) -> None:
    gw.save(base, tmp_path / f"m{suffix}")
    checkpoint = gw.read_checkpoint(tmp_path / f"m{suffix}")
    gw.mutate(checkpoint, NOISE, seed=1, inplace=True)
    assert gw.fingerprint(checkpoint) == gw.fingerprint(gw.mutate(base, NOISE, seed=1))


def test_running_statistics_of_a_file_stay(classifier: Make, tmp_path: Path) -> None:
    gw.save(classifier(), tmp_path / "m.weights.h5")
    before = gw.read_checkpoint(tmp_path / "m.weights.h5")
    after = gw.mutate(before, gw.GaussianNoise(std=1.0), seed=1)
    for name in ("norm.moving_mean", "norm.moving_variance"):
        assert np.array_equal(before.entries[name].data, after.entries[name].data)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_lambda_in_a_file_is_refused(keras: Any, suffix: str, tmp_path: Path) -> None:
    layers = [keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2, name="code"), keras.layers.Dense(2)]
    path = tmp_path / f"lambda{suffix}"
    keras.Sequential(layers).save(path)
    for read in (gw.load, gw.read_checkpoint):
        with pytest.raises(gw.FileError, match=r"'code' of class Lambda is Python code"):
            read(path)


def test_an_unknown_class_in_a_file_is_refused_with_the_reason(keras: Any, classifier: Make, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    gw.save(classifier(), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["layers"][1].update(module="os", class_name="system", registered_name=None)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(gw.FileError, match="safe mode"):
        gw.load(path)


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".weights.h5"])
def test_damaged_files(classifier: Make, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    gw.save(classifier(), path)
    whole = path.read_bytes()
    for data in (b"", b"nothing of the kind", whole[: len(whole) // 2], whole[:200]):
        path.write_bytes(data)
        with pytest.raises(gw.FileError, match=path.name):
            gw.read_checkpoint(path)
    path.unlink()
    with pytest.raises(gw.FileError, match="cannot be read"):
        gw.read_checkpoint(path)


def test_links_in_hdf5_files_are_refused(classifier: Make, tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones(4, np.float32)
    for make in (lambda: h5py.ExternalLink(str(secret), "x"), lambda: h5py.SoftLink("/layers")):
        path = tmp_path / "m.weights.h5"
        gw.save(classifier(), path, overwrite=True)
        with h5py.File(path, "r+") as file:
            del file["layers/conv2d/vars/1"]
            file["layers/conv2d/vars/1"] = make()
        with pytest.raises(gw.FileError, match="links are not allowed"):
            gw.read_checkpoint(path)


def test_a_file_that_does_not_fit_changes_nothing(classifier: Make, reader: Make, tmp_path: Path) -> None:
    gw.save(reader(), tmp_path / "r.keras")
    model = classifier()
    before = gw.fingerprint(model)
    with pytest.raises(gw.FileError, match="does not fit"):
        gw.load(lambda: model, tmp_path / "r.keras")
    assert gw.fingerprint(model) == before


def test_existing_files_and_unknown_suffixes(classifier: Make, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(b"old")
    with pytest.raises(gw.FileError, match="exists already"):
        gw.save(classifier(), path)
    assert path.read_bytes() == b"old"
    with pytest.raises(gw.FileError, match=r"\.weights\.h5"):
        gw.save(classifier(), tmp_path / "m.onnx")
    gw.save(classifier(), tmp_path / "w.safetensors")
    with pytest.raises(gw.FileError, match="factory"):
        gw.load(tmp_path / "w.safetensors")
    with pytest.raises(gw.FileError, match="architecture"):
        gw.save(gw.read_checkpoint(tmp_path / "w.safetensors"), tmp_path / "out.keras")


def test_a_wrong_backend_is_named(classifier: Make, tmp_path: Path) -> None:
    gw.save(classifier(), tmp_path / "m.keras")
    code = f"import genewright as gw; gw.load({str(tmp_path / 'm.keras')!r})"
    environment = {**os.environ, "KERAS_BACKEND": "theano"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert "UnsupportedError: Keras does not start with KERAS_BACKEND=theano" in done.stderr


def test_a_sequential_model_has_the_same_names_in_every_file(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    inner = keras.Sequential([layers.Dense(3, name="deep")], name="inner")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, name="first"), inner], name="outer")
    mutant = gw.mutate(model, gw.GaussianNoise(std=0.1), seed=1)
    for suffix in (".keras", ".h5", ".weights.h5"):
        path = tmp_path / f"model{suffix}"
        gw.save(model, path)
        checkpoint = gw.mutate(gw.read_checkpoint(path), gw.GaussianNoise(std=0.1), seed=1)
        assert gw.fingerprint(checkpoint) == gw.fingerprint(mutant), suffix


@pytest.mark.parametrize(
    "edit",
    [
        {"edit": "set_attribute", "layer": "dense", "attribute": "units", "value": 10**11},
        {"edit": "insert_layer", "after": "dense", "layer": {"class_name": "Dense", "config": {"units": 10**11}}},
        {"edit": "gather", "width": "dense", "size": 3, "index": [[0, 3], [-1, 10**11, 0]], "places": [["dense.bias"]]},
    ],
    ids=lambda edit: edit["edit"],
)
def test_a_recipe_that_asks_for_more_than_the_file_holds_is_refused(keras: Any, edit: Any, tmp_path: Path) -> None:
    def make() -> Any:
        inputs = keras.Input((4,))
        return keras.Model(inputs, keras.layers.Dense(3, name="dense")(inputs))

    mutant = gw.mutate(make(), NOISE, seed=1)
    gw.save(mutant, tmp_path / "mutant.safetensors")
    checkpoint = gw.read_checkpoint(tmp_path / "mutant.safetensors")
    form = json.loads(checkpoint.metadata["genewright.recipe"])
    form["nodes"][0]["edits"] = [edit]
    checkpoint.metadata["genewright.recipe"] = json.dumps(form)
    checkpoint.history = None
    gw.save(checkpoint, tmp_path / "hostile.safetensors")
    with pytest.raises(gw.GenewrightError, match="bytes"):
        gw.load(make, tmp_path / "hostile.safetensors")
