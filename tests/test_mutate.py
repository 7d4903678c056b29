"""plan, mutate, mutated, replay: the one path by which networks change."""

from __future__ import annotations

import copy
import random
import re
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright.backends.torch.copying import copy_module
from tests.networks import make


class TestMutate:
    def test_the_sentence_that_people_write_today(self) -> None:
        """`for p in net.parameters(): p.data += 10 * torch.randn_like(p) * (torch.rand(p.shape) < 0.3).int()`."""
        net = nn.Sequential(nn.Linear(100, 200), nn.Linear(200, 50))
        mutant = gw.mutate(net, gw.GaussianNoise(std=10, rate=0.3), seed=246)
        change = torch.cat([(b - a).flatten() for a, b in zip(net.parameters(), mutant.parameters(), strict=True)])
        hit = change[change != 0].detach()
        assert hit.numel() / change.numel() == pytest.approx(0.3, abs=0.01)
        assert hit.std().item() == pytest.approx(10, rel=0.02)

    def test_the_input_and_its_recipe_are_untouched(self, network: nn.Module) -> None:
        before = gw.fingerprint(network)
        mutant = gw.mutate(network, gw.UniformNoise(bound=1.0), seed=1)
        assert gw.fingerprint(network) == before != gw.fingerprint(mutant)
        assert type(mutant) is type(network)
        with pytest.raises(gw.RecipeError):
            gw.recipe(network)

    def test_in_place_is_the_same_object_and_the_same_bytes(self, network: nn.Module) -> None:
        wanted = gw.fingerprint(gw.mutate(network, gw.UniformNoise(bound=1.0), seed=1))
        tensors = [id(p) for p in network.parameters()]
        assert gw.mutate(network, gw.UniformNoise(bound=1.0), seed=1, inplace=True) is network
        assert gw.fingerprint(network) == wanted
        assert [id(p) for p in network.parameters()] == tensors

    def test_global_generators_stay(self, mlp: nn.Module) -> None:
        before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]  # noqa: NPY002
        gw.mutate(mlp, [gw.GaussianNoise(), gw.Shuffle(), gw.OneOf(), gw.Reset()], seed=1)
        after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]  # noqa: NPY002
        assert before == after

    def test_a_tensors_noise_depends_on_nothing_but_its_name(self) -> None:
        """Freezing, adding or reordering other layers changes nothing for this one."""
        torch.manual_seed(0)
        small = nn.ModuleDict({"a": nn.Linear(4, 4)})
        large = nn.ModuleDict({"z": nn.Linear(9, 9), "a": copy.deepcopy(small["a"])})
        noise = gw.GaussianNoise(std=1.0)
        assert torch.equal(gw.mutate(small, noise, seed=1)["a"].weight, gw.mutate(large, noise, seed=1)["a"].weight)

    def test_equal_shapes_get_different_noise(self) -> None:
        net = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
        net[1].load_state_dict(net[0].state_dict())
        mutant = gw.mutate(net, gw.GaussianNoise(std=1.0), seed=1)
        assert not torch.equal(mutant[0].weight, mutant[1].weight)

    def test_threads_do_not_disturb_each_other(self) -> None:
        base = make("mlp")
        wanted = [gw.fingerprint(gw.mutate(base, gw.GaussianNoise(), seed=seed)) for seed in range(8)]
        found: list[str] = [""] * 8

        def work(seed: int) -> None:
            found[seed] = gw.fingerprint(gw.mutate(base, gw.GaussianNoise(), seed=seed))

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == wanted

    def test_a_module_that_cannot_be_copied_is_refused_with_the_way_out(self) -> None:
        base = make("mlp")
        base.lock = threading.Lock()  # type: ignore[assignment]
        with pytest.raises(gw.UnsupportedError, match=r"cannot be copied.*inplace=True"):
            gw.mutate(base, gw.GaussianNoise(), seed=1)
        assert gw.mutate(base, gw.GaussianNoise(), seed=1, inplace=True) is base


class TestMutated:
    def test_every_byte_is_back(self, network: nn.Module) -> None:
        before = gw.fingerprint(network)
        for operator in (gw.GaussianNoise(std=3.0, rate=0.02), gw.GaussianNoise(std=3.0), gw.Quantize(bits=2)):
            with gw.mutated(network, operator, seed=1) as mutant:
                assert mutant is network
            assert gw.fingerprint(network) == before

    def test_after_an_exception_too(self, mlp: nn.Module) -> None:
        before = gw.fingerprint(mlp)
        inside = ""
        with pytest.raises(ZeroDivisionError):  # noqa: PT012, SIM117  # the block is the test
            with gw.mutated(mlp, [gw.GaussianNoise(), gw.SwapUnits()], seed=1):
                inside = gw.fingerprint(mlp)
                raise ZeroDivisionError
        assert gw.fingerprint(mlp) == before != inside != ""

    def test_tensors_that_the_block_moves_to_shared_memory_get_their_bytes_back_there(self, mlp: nn.Module) -> None:
        before = gw.fingerprint(mlp)
        with gw.mutated(mlp, gw.GaussianNoise(std=3.0), seed=1):
            inside = gw.fingerprint(mlp)
            places = [tensor.data_ptr() for tensor in mlp.parameters()]
            mlp.share_memory()
            assert gw.fingerprint(mlp) == inside
        assert gw.fingerprint(mlp) == before != inside
        assert all(tensor.data_ptr() != place for tensor, place in zip(mlp.parameters(), places, strict=True))

    def test_nested(self, mlp: nn.Module) -> None:
        before = gw.fingerprint(mlp)
        with gw.mutated(mlp, gw.GaussianNoise(), seed=1):
            middle = gw.fingerprint(mlp)
            with gw.mutated(mlp, gw.SignFlip(rate=0.5), seed=2):
                assert gw.fingerprint(mlp) not in (before, middle)
            assert gw.fingerprint(mlp) == middle
        assert gw.fingerprint(mlp) == before

    def test_a_thousand_times(self, mlp: nn.Module) -> None:
        before = gw.fingerprint(mlp)
        for seed in range(300):
            with gw.mutated(mlp, gw.GaussianNoise(std=1e6, rate=0.1), seed=seed):
                pass
        assert gw.fingerprint(mlp) == before

    def test_a_mutant_keeps_its_own_recipe(self, mlp: nn.Module) -> None:
        mutant = gw.mutate(mlp, gw.GaussianNoise(), seed=1)
        recipe = gw.recipe(mutant)
        with gw.mutated(mutant, gw.Zero(rate=0.5), seed=2):
            pass
        assert gw.recipe(mutant) == recipe

    def test_a_refusal_changes_nothing(self, mlp: nn.Module) -> None:
        before = gw.fingerprint(mlp)
        with pytest.raises(gw.SelectionError), gw.mutated(mlp, [gw.GaussianNoise(), gw.Zero(where="no")], seed=1):
            pytest.fail("the block must not run")
        assert gw.fingerprint(mlp) == before


class TestPlan:
    def test_it_changes_nothing_and_applies_the_same(self, network: nn.Module) -> None:
        before = gw.fingerprint(network)
        plan = gw.plan(network, [gw.GaussianNoise(std=0.5), gw.UniformNoise()], seed=3)
        str(plan)
        assert gw.fingerprint(network) == before == plan.base
        wanted = gw.mutate(network, [gw.GaussianNoise(std=0.5), gw.UniformNoise()], seed=3)
        assert gw.fingerprint(plan.apply()) == gw.fingerprint(wanted)

    def test_it_names_tensors_and_what_happens(self, mlp: nn.Module) -> None:
        text = str(gw.plan(mlp, gw.GaussianNoise(std=0.5, rate=0.25, where="0.*"), seed=3))
        assert "GaussianNoise at /0, seed 3" in text
        assert re.search(r"0\.weight +float32 +8x6 +w \+ 0\.5 \* normal, rate 0\.25", text)
        assert "2 tensors, about 14 of 92 trainable values" in text

    def test_what_would_be_refused_is_refused(self, mlp: nn.Module) -> None:
        with pytest.raises(gw.SelectionError):
            gw.plan(mlp, gw.Zero(where="nowhere"), seed=1)

    def test_its_json(self, mlp: nn.Module) -> None:
        import json

        form: Any = json.loads(json.dumps(gw.plan(mlp, gw.Zero(rate=0.5), seed=1).to_json()))
        assert form["trainable"] == 92
        assert [e["tensor"] for e in form["steps"][0]["edits"]] == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_a_copy_shares_the_texts_of_a_long_history() -> None:
    net = gw.mutate(torch.nn.Linear(3, 2), gw.SignFlip(rate=0.5), seed=1)
    for seed in range(2, 6):
        net = gw.mutate(net, gw.SignFlip(rate=0.5), seed=seed)
    history = net.__dict__["_genewright_recipe"]
    copied = copy_module(net)
    assert copied.__dict__["_genewright_recipe"] is history  # not one text after the other
    mutant = gw.mutate(net, gw.SignFlip(rate=0.5), seed=6)
    assert len(gw.recipe(mutant).steps) == 6
    assert len(gw.recipe(net).steps) == 5
