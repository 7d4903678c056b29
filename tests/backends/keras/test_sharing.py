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
