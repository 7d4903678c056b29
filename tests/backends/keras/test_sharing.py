"""Transfer and Tie on Keras models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genewright as gw
from genewright.backends import backend_of

from .test_weights import values


@pytest.fixture
def net(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, padding="same", name="conv2d_1"),
            layers.Conv2D(8, 3, padding="same", name="conv2d_2"),
            layers.Conv2D(8, 3, padding="same", name="conv2d_3"),
            layers.Conv2DTranspose(4, 3, padding="same", name="up"),
        ],
        name="net",
    )


def test_the_first_half_of_the_output_filters(net: Any) -> None:
    mutant = gw.mutate(net, gw.Transfer("conv2d_2", "conv2d_3", fraction=0.5, axis="out"), seed=1)
    old, new = values(net), values(mutant)
    assert np.array_equal(new["conv2d_3.kernel"][..., :4], old["conv2d_2.kernel"][..., :4])
    assert np.array_equal(new["conv2d_3.kernel"][..., 4:], old["conv2d_3.kernel"][..., 4:])
    assert np.array_equal(new["conv2d_2.kernel"], old["conv2d_2.kernel"])
    mutant = gw.mutate(net, gw.Transfer("conv2d_2", "conv2d_3", fraction=0.5, axis="in"), seed=1)
    assert np.array_equal(values(mutant)["conv2d_3.kernel"][:, :, :4], old["conv2d_2.kernel"][:, :, :4])
    assert np.array_equal(values(mutant)["conv2d_3.kernel"][:, :, 4:], old["conv2d_3.kernel"][:, :, 4:])


def test_incompatible_shapes_are_both_said(net: Any) -> None:
    for operator in (gw.Transfer("conv2d_1", "conv2d_3", fraction=0.5), gw.Tie("conv2d_1", "conv2d_3")):
        with pytest.raises(gw.UnsupportedError, match=r"\(3, 3, [38], 8\).*\(3, 3, [38], 8\)"):
            gw.mutate(net, operator, seed=1)
    with pytest.raises(gw.UnknownNameError, match="Did you mean 'conv2d_3'"):
        gw.mutate(net, gw.Transfer("conv2d_1", "conv2d_33"), seed=1)


def test_tied_layers_train_and_travel_as_one(net: Any, tmp_path: Path) -> None:
    batch, target = np.ones((2, 8, 8, 3), np.float32), np.zeros((2, 8, 8, 4), np.float32)
    mutant = gw.mutate(net, [gw.Tie("conv2d_2", "conv2d_3"), gw.GaussianNoise(std=0.1)], seed=1)
    second, third = mutant.get_layer("conv2d_2"), mutant.get_layer("conv2d_3")
    assert second.kernel is third.kernel
    assert len(mutant.trainable_variables) == len(net.trainable_variables) - 2
    mutant.compile("sgd", "mse")
    mutant.fit(batch, target, verbose=0)
    assert second.kernel is third.kernel
    twin = backend_of(mutant).copy(mutant)
    assert twin.get_layer("conv2d_2").kernel is twin.get_layer("conv2d_3").kernel
    assert twin.get_layer("conv2d_2").kernel is not second.kernel
    assert gw.fingerprint(twin) == gw.fingerprint(mutant)
    same = [gw.Tie("conv2d_2", "conv2d_3"), gw.GaussianNoise(std=0.1)]
    mutant = gw.mutate(net, same, seed=1)
    for suffix in (".keras", ".safetensors", ".weights.h5"):
        gw.save(mutant, tmp_path / f"m{suffix}")
        again = gw.load(lambda: backend_of(net).copy(net), tmp_path / f"m{suffix}")
        assert again.get_layer("conv2d_2").kernel is again.get_layer("conv2d_3").kernel, suffix
        assert gw.fingerprint(again) == gw.fingerprint(mutant)
    read = gw.load(tmp_path / "m.keras")
    assert read.get_layer("conv2d_2").kernel is read.get_layer("conv2d_3").kernel


def test_untied_again_after_mutated(net: Any) -> None:
    before = gw.fingerprint(net)
    with gw.mutated(net, gw.Tie("conv2d_2", "conv2d_3"), seed=1):
        assert net.get_layer("conv2d_2").kernel is net.get_layer("conv2d_3").kernel
    assert net.get_layer("conv2d_2").kernel is not net.get_layer("conv2d_3").kernel
    assert gw.fingerprint(net) == before


def square(keras: Any, name: str = "fc") -> Any:
    """A layer whose kernel is square, so that shapes do not tell how it lies."""
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name=name)], name="square")


def test_a_donor_of_the_same_framework(keras: Any, tmp_path: Path) -> None:
    base, donor = square(keras), keras.Sequential([keras.Input((3,)), keras.layers.Dense(5, name="fc")], name="donor")
    mutant = gw.mutate(base, gw.Transfer(donor="d"), seed=1, donors={"d": donor})
    old, theirs, new = values(base), values(donor), values(mutant)
    assert np.array_equal(new["fc.kernel"][:3], theirs["fc.kernel"][:, :4])
    assert np.array_equal(new["fc.kernel"][3:], old["fc.kernel"][3:])
    for suffix in (".safetensors", ".keras"):
        gw.save(donor, tmp_path / f"donor{suffix}")
        file = gw.read_checkpoint(tmp_path / f"donor{suffix}")
        from_file = gw.mutate(base, gw.Transfer(donor="d"), seed=1, donors={"d": file})
        assert gw.fingerprint(from_file) == gw.fingerprint(mutant)
    recipe = gw.Recipe.from_json(gw.recipe(mutant).to_json())
    assert gw.fingerprint(gw.replay(recipe, base, donors=[donor])) == gw.fingerprint(mutant)


def test_a_kernel_of_another_framework_is_refused_even_where_its_shape_agrees(keras: Any, tmp_path: Path) -> None:
    """torch's kernels are (out, in), Keras's (in, out): a square one would be copied transposed."""
    torch = pytest.importorskip("torch")
    theirs, own = torch.nn.ModuleDict({"fc": torch.nn.Linear(4, 4)}), square(keras)
    gw.save(theirs, tmp_path / "torch.safetensors")
    gw.save(own, tmp_path / "keras.safetensors")
    files = [gw.read_checkpoint(tmp_path / f"{name}.safetensors") for name in ("torch", "keras")]
    before = gw.fingerprint(own), gw.fingerprint(theirs)
    into_keras, into_torch = (
        gw.Transfer("*.weight", "*.kernel", donor="d"),
        gw.Transfer("*.kernel", "*.weight", donor="d"),
    )
    for base, donor, operator in (
        (own, theirs, into_keras),
        (own, files[0], into_keras),
        (files[1], theirs, into_keras),
        (theirs, own, into_torch),
        (theirs, files[1], into_torch),
        (files[0], files[1], into_torch),
    ):
        for call in (gw.mutate, gw.plan):
            with pytest.raises(gw.UnsupportedError, match=r"'fc\.\w+' and 'fc\.\w+' are laid out differently"):
                call(base, operator, seed=1, donors={"d": donor})
    assert (gw.fingerprint(own), gw.fingerprint(theirs)) == before
    # Vectors mean the same everywhere; kernels have other names, and are reported as skipped.
    plan = gw.plan(own, gw.Transfer(donor="d"), seed=1, donors={"d": theirs})
    assert "fc.kernel: the donor has no 'fc.kernel'" in plan.steps[0].note
    made = plan.apply()
    assert np.array_equal(values(made)["fc.bias"], theirs["fc"].bias.detach().numpy())
    assert np.array_equal(values(made)["fc.kernel"], values(own)["fc.kernel"])
