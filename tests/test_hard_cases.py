"""Models that are easy to get wrong: ties, frozen and odd tensors, layouts, dtypes, hooks, compilation, size."""

from __future__ import annotations

import copy
import math
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import genewright as gw
from genewright import noise
from tests.networks import SharedModule, TiedAutoencoder, make

NOISE = gw.GaussianNoise(std=0.5)


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    kind = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[a.element_size()]
    return a.shape == b.shape and torch.equal(a.detach().contiguous().view(kind), b.detach().contiguous().view(kind))


def expected(model: nn.Module, name: str, old: torch.Tensor, *, std: float = 0.5, seed: int = 1) -> torch.Tensor:
    """Return w + std * z for one float32 tensor, without the core."""
    stream = noise.derive(seed, name=name, path="/0", salt="gaussian_noise")
    z = noise.draw(stream, "normal", range(old.numel()), "float32").reshape(old.shape)
    return old.detach() + torch.from_numpy(np.float32(std) * z)


class TestTiedWeights:
    def test_change_once_and_stay_tied(self) -> None:
        base = TiedAutoencoder()
        mutant = gw.mutate(base, NOISE, seed=1)
        assert mutant.decoder.weight is mutant.encoder.weight
        assert same_bits(mutant.encoder.weight, expected(base, "decoder.weight", base.encoder.weight))

    def test_in_place_and_undone(self) -> None:
        base = TiedAutoencoder()
        before, tensor = gw.fingerprint(base), base.encoder.weight
        with gw.mutated(base, NOISE, seed=1) as mutant:
            assert mutant.decoder.weight is mutant.encoder.weight is tensor
        assert gw.fingerprint(base) == before

    def test_a_shared_sub_module_changes_once(self) -> None:
        base = SharedModule()
        mutant = gw.mutate(base, NOISE, seed=1)
        assert mutant.alpha is mutant.zeta
        assert same_bits(mutant.alpha.weight, expected(base, "alpha.weight", base.alpha.weight))

    def test_parameters_tied_through_views_of_the_same_elements_change_once(self) -> None:
        base = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
        base[1].weight = nn.Parameter(base[0].weight.detach().view(3, 3))
        assert base[1].weight is not base[0].weight
        old = base[0].weight.detach().clone()
        mutant = gw.mutate(base, NOISE, seed=1, inplace=True)
        assert same_bits(mutant[0].weight, expected(base, "0.weight", old))
        assert same_bits(mutant[1].weight, mutant[0].weight)

    def test_a_copy_stays_tied_through_views(self) -> None:
        base = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
        base[1].weight = nn.Parameter(base[0].weight.detach().view(3, 3))
        mutant = gw.mutate(base, NOISE, seed=1)
        assert mutant[1].weight.data_ptr() == mutant[0].weight.data_ptr() != base[0].weight.data_ptr()
        assert same_bits(mutant[0].weight, expected(base, "0.weight", base[0].weight))

    def test_the_names_order_does_not_matter(self) -> None:
        first, second = TiedAutoencoder(), TiedAutoencoder()
        second.load_state_dict(first.state_dict())
        modules = dict(reversed(second._modules.items()))
        second._modules.clear()
        second._modules.update(modules)
        assert gw.fingerprint(gw.mutate(first, NOISE, seed=1)) == gw.fingerprint(gw.mutate(second, NOISE, seed=1))

    def test_either_name_chooses_it(self) -> None:
        base = TiedAutoencoder()
        by_first = gw.mutate(base, gw.Zero(rate=1.0, where="encoder.weight"), seed=1)
        by_second = gw.mutate(base, gw.Zero(rate=1.0, where="decoder.weight"), seed=1)
        assert gw.fingerprint(by_first) == gw.fingerprint(by_second)
        assert not by_first.encoder.weight.any()

    def test_a_tensor_that_is_frozen_under_one_of_its_names_stays(self) -> None:
        base = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False), nn.Linear(3, 3))
        base[1].weight = nn.Parameter(base[0].weight.detach().view(3, 3), requires_grad=False)
        mutant = gw.mutate(base, NOISE, seed=1)
        assert same_bits(mutant[0].weight, base[0].weight)
        assert not same_bits(mutant[2].weight, base[2].weight)


class TestFrozenAndBuffers:
    def test_frozen_parameters_stay_unless_named_in_full(self) -> None:
        base = make("mlp")
        base[0].weight.requires_grad_(False)
        assert same_bits(gw.mutate(base, NOISE, seed=1)[0].weight, base[0].weight)
        assert same_bits(gw.mutate(base, gw.GaussianNoise(std=0.5, where="0.*"), seed=1)[0].weight, base[0].weight)
        named = gw.mutate(base, gw.GaussianNoise(std=0.5, where="0.weight"), seed=1)
        assert same_bits(named[0].weight, expected(base, "0.weight", base[0].weight))
        assert not named[0].weight.requires_grad

    def test_batchnorm_statistics_stay_unless_named_in_full(self) -> None:
        base = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
        base(torch.randn(4, 2, 3, 3))
        mutant = gw.mutate(base, gw.GaussianNoise(std=9.0, where="*"), seed=1)
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            assert same_bits(getattr(mutant[1], name), getattr(base[1], name))
        assert not same_bits(mutant[1].weight, base[1].weight)
        named = gw.mutate(base, gw.Zero(rate=1.0, where="1.running_mean"), seed=1)
        assert not named[1].running_mean.any()

    def test_an_integer_buffer_is_refused_even_when_named(self) -> None:
        base = nn.BatchNorm1d(3)
        with pytest.raises(gw.UnsupportedError, match=r"'num_batches_tracked' has dtype int64"):
            gw.mutate(base, gw.GaussianNoise(where="num_batches_tracked"), seed=1)

    def test_buffers_that_a_state_dict_leaves_out_stay(self) -> None:
        base = nn.Linear(2, 2)
        base.register_buffer("cache", torch.ones(3), persistent=False)
        assert torch.equal(gw.mutate(base, gw.Zero(rate=1.0), seed=1).cache, torch.ones(3))

    def test_forward_passes_inside_mutated_are_undone_too(self) -> None:
        base = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
        before = gw.fingerprint(base)
        with gw.mutated(base, gw.GaussianNoise(std=0.5, rate=0.1), seed=1) as mutant:
            mutant(torch.randn(8, 4))
            assert int(mutant[1].num_batches_tracked) == 1
        assert gw.fingerprint(base) == before


class TestParametrizedModules:
    @pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm", "orthogonal"])
    def test_new_style(self, kind: str) -> None:
        wrap = getattr(nn.utils.parametrizations, kind)
        base = nn.Sequential(wrap(nn.Linear(4, 4)), nn.Linear(4, 2)).eval()
        x = torch.linspace(-1, 1, 12).reshape(3, 4)
        mutant = gw.mutate(base, gw.GaussianNoise(std=0.3), seed=1)
        assert nn.utils.parametrize.is_parametrized(mutant[0], "weight")
        assert not torch.equal(mutant[0].weight, base[0].weight)
        assert not torch.allclose(mutant(x), base(x))
        before = base(x)
        with gw.mutated(base, gw.GaussianNoise(std=0.3), seed=1):
            assert torch.equal(base(x), mutant(x))
        assert torch.equal(base(x), before)

    def test_power_iterates_of_spectral_norm_stay(self) -> None:
        base = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))
        mutant = gw.mutate(base, gw.GaussianNoise(std=0.3, where="*"), seed=1)
        for name, buffer in base.named_buffers():
            assert same_bits(dict(mutant.named_buffers())[name], buffer)

    def test_old_weight_norm_follows_at_the_next_forward(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            base = nn.utils.weight_norm(nn.Linear(4, 4))
        x = torch.linspace(-1, 1, 12).reshape(3, 4)
        base(x)
        mutant = gw.mutate(base, gw.GaussianNoise(std=0.3), seed=1)
        assert same_bits(mutant.weight_v, expected(base, "weight_v", base.weight_v, std=0.3))
        wanted = nn.functional.linear(x, torch._weight_norm(mutant.weight_v, mutant.weight_g, 0), mutant.bias)
        torch.testing.assert_close(mutant(x), wanted)
        assert not torch.allclose(base(x), wanted)

    def test_old_spectral_norm_follows_at_the_next_forward(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            base = nn.utils.spectral_norm(nn.Linear(4, 4)).eval()
        x = torch.linspace(-1, 1, 12).reshape(3, 4)
        base(x)
        mutant = gw.mutate(base, gw.GaussianNoise(std=0.3), seed=1)
        assert same_bits(mutant.weight_orig, expected(base, "weight_orig", base.weight_orig, std=0.3))
        assert not torch.allclose(mutant(x), base(x))


class TestRefusedByName:
    @pytest.mark.parametrize("inplace", [False, True])
    def test_lazy(self, inplace: bool) -> None:
        base = nn.Sequential(nn.Linear(2, 2), nn.LazyLinear(3))
        kept = base[0].weight.detach().clone()
        with pytest.raises(gw.UnsupportedError, match=r"'1\.weight' is lazy.*forward pass"):
            gw.mutate(base, NOISE, seed=1, inplace=inplace)
        assert torch.equal(base[0].weight, kept)

    def test_meta(self) -> None:
        base = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, device="meta"))
        kept = base[0].weight.detach().clone()
        with pytest.raises(gw.UnsupportedError, match=r"'1\.weight' is on the meta device.*to_empty"):
            gw.mutate(base, NOISE, seed=1, inplace=True)
        assert torch.equal(base[0].weight, kept)

    @pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
    def test_quantised(self) -> None:
        class Holder(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.plain = nn.Parameter(torch.ones(2))
                self.register_buffer("packed", torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8))

        base = Holder()
        with pytest.raises(gw.UnsupportedError, match=r"'packed' is quantised \(torch\.qint8\)"):
            gw.mutate(base, gw.GaussianNoise(where=("plain", "packed")), seed=1, inplace=True)
        assert torch.equal(base.plain, torch.ones(2))
        mutant = gw.mutate(base, NOISE, seed=1)  # nobody has chosen it
        assert not torch.equal(mutant.plain, base.plain)
        assert torch.equal(mutant.packed.int_repr(), base.packed.int_repr())

    def test_sparse(self) -> None:
        base = nn.Linear(2, 2, bias=False)
        base.weight = nn.Parameter(torch.eye(2).to_sparse())
        with pytest.raises(gw.UnsupportedError, match=r"'weight' has the layout torch\.sparse_coo.*to_dense"):
            gw.mutate(base, NOISE, seed=1)

    def test_expanded(self) -> None:
        base = nn.Linear(3, 2, bias=False)
        base.weight = nn.Parameter(torch.ones(1, 3).expand(2, 3))
        with pytest.raises(gw.UnsupportedError, match=r"'weight' is expanded.*clone"):
            gw.mutate(base, NOISE, seed=1)
        assert torch.equal(base.weight, torch.ones(2, 3))

    def test_views_that_overlap(self) -> None:
        storage = torch.arange(6.0)
        base = nn.ParameterList([nn.Parameter(storage[:4]), nn.Parameter(storage[2:])])
        with pytest.raises(gw.UnsupportedError, match="'0' and '1' are different views that share memory"):
            gw.mutate(base, NOISE, seed=1, inplace=True)
        assert torch.equal(storage, torch.arange(6.0))

    def test_parameters_that_overlap_are_in_nobodys_way(self, tmp_path: Path) -> None:
        def make() -> nn.Module:
            base, memory = nn.Linear(3, 3), torch.arange(6.0)
            base.early, base.late = nn.Parameter(memory[:4]), nn.Parameter(memory[2:], requires_grad=False)
            return base

        base = make()
        chosen = gw.GaussianNoise(where=("weight", "bias"))
        mutant = gw.mutate(base, chosen, seed=1)
        assert not torch.equal(mutant.weight, base.weight)
        with torch.no_grad():
            mutant.early[3] = 9
        assert mutant.late[1] == 9  # the copy's views share as the model's do
        assert base.late[1] == 3
        assert (mutant.early.is_leaf, mutant.early.requires_grad, mutant.late.requires_grad) == (True, True, False)
        with gw.mutated(base, chosen, seed=1):
            assert not torch.equal(base.weight, make().weight)
        wider = gw.mutate(nn.Sequential(base, nn.Linear(3, 2)), gw.Widen("0"), seed=1, example=torch.randn(2, 3))
        assert wider[0].weight.shape[0] == 4
        assert wider[0].early.untyped_storage().data_ptr() == wider[0].late.untyped_storage().data_ptr()
        gw.save(mutant, tmp_path / "mutant.safetensors")
        assert gw.fingerprint(gw.load(make, tmp_path / "mutant.safetensors")) == gw.fingerprint(mutant)
        with pytest.raises(gw.UnsupportedError, match=r"'early' and 'late' are .*\(where=\('\*', '!early', '!late'\)"):
            gw.mutate(base, NOISE, seed=1)

    def test_buffers_that_overlap_are_in_nobodys_way(self, tmp_path: Path) -> None:
        def make() -> nn.Module:
            base, table = nn.Linear(3, 3), torch.arange(6.0)
            base.register_buffer("early", table[:4])
            base.register_buffer("late", table[2:])
            return base

        base = make()
        mutant = gw.mutate(base, NOISE, seed=1)
        assert not torch.equal(mutant.weight, base.weight)
        mutant.early[3] = 9
        assert mutant.late[1] == 9  # the copy's views share as the model's do
        assert base.late[1] == 3
        gw.save(mutant, tmp_path / "mutant.safetensors")
        assert gw.fingerprint(gw.load(make, tmp_path / "mutant.safetensors")) == gw.fingerprint(mutant)
        with gw.mutated(base, gw.Zero(rate=1.0), seed=1):
            base.early[2] = 7
        assert base.late[0] == 2
        for where in ("late", gw.where("*", frozen=True)):
            with pytest.raises(gw.UnsupportedError, match=r"'(late|early)' and '(late|early)'"):
                gw.mutate(base, gw.Zero(rate=1.0, where=where), seed=1, inplace=True)
        assert torch.equal(base.early, torch.arange(4.0))

    def test_a_tensor_whose_own_elements_overlap(self) -> None:
        base = nn.ParameterList([nn.Parameter(torch.arange(5.0).as_strided((3, 3), (1, 1)))])
        before = base[0].detach().clone()
        with pytest.raises(gw.UnsupportedError, match="'0'"):
            gw.mutate(base, NOISE, seed=1, inplace=True)
        assert torch.equal(base[0], before)

    def test_complex(self) -> None:
        base = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, dtype=torch.complex64))
        before = gw.fingerprint(base)
        with pytest.raises(gw.UnsupportedError, match=r"'1\.weight' has dtype complex64.*!1\.weight"):
            gw.mutate(base, gw.Quantize(), seed=1, inplace=True)
        assert gw.fingerprint(base) == before
        gw.mutate(base, gw.Quantize(where=("*", "!1.*")), seed=1)

    def test_eight_bit_floats(self) -> None:
        base = nn.Linear(2, 2, bias=False)
        base.weight = nn.Parameter(torch.ones(2, 2).to(torch.float8_e4m3fn))
        with pytest.raises(gw.UnsupportedError, match="float8_e4m3fn"):
            gw.mutate(base, NOISE, seed=1)


class TestDtypes:
    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_halves_compute_in_float32_and_round_once(self, dtype: torch.dtype) -> None:
        base = nn.Linear(30, 40).to(dtype)
        mutant = gw.mutate(base, NOISE, seed=1)
        wanted = expected(base, "weight", base.weight.float()).to(dtype)
        assert mutant.weight.dtype == dtype
        assert same_bits(mutant.weight, wanted)

    def test_float64_computes_in_float64(self) -> None:
        base = nn.Linear(30, 40).double()
        stream = noise.derive(1, name="weight", path="/0", salt="gaussian_noise")
        z = noise.draw(stream, "normal", range(1200), "float64").reshape(40, 30)
        mutant = gw.mutate(base, NOISE, seed=1)
        assert same_bits(mutant.weight, base.weight.detach() + torch.from_numpy(0.5 * z))
        short = noise.draw(stream, "normal", range(1200), "float32").reshape(40, 30)
        assert not np.array_equal(z, short.astype(np.float64))
        np.testing.assert_allclose(z, short, rtol=1e-5, atol=1e-6)

    def test_one_model_of_many_dtypes(self) -> None:
        layers = [nn.Linear(2, 3).bfloat16(), nn.Linear(3, 3).half(), nn.Linear(3, 3), nn.Linear(3, 2).double()]
        base = nn.Sequential(*layers)
        mutant = gw.mutate(base, NOISE, seed=1)
        assert [p.dtype for p in mutant.parameters()] == [p.dtype for p in base.parameters()]
        assert all(not same_bits(a, b) for a, b in zip(base.parameters(), mutant.parameters(), strict=True))


class TestMemoryLayouts:
    def test_channels_last_has_the_bytes_of_its_contiguous_twin(self) -> None:
        plain = nn.Conv2d(3, 4, 3)
        twin = copy.deepcopy(plain).to(memory_format=torch.channels_last)
        mutant = gw.mutate(twin, NOISE, seed=1)
        assert mutant.weight.is_contiguous(memory_format=torch.channels_last)
        assert not mutant.weight.is_contiguous()
        assert same_bits(mutant.weight, gw.mutate(plain, NOISE, seed=1).weight)

    def test_transposed_in_place_keeps_its_memory(self) -> None:
        base = nn.Linear(4, 6, bias=False)
        base.weight = nn.Parameter(torch.randn(4, 6).t())
        old, address, strides = base.weight.detach().clone(), base.weight.data_ptr(), base.weight.stride()
        gw.mutate(base, NOISE, seed=1, inplace=True)
        assert (base.weight.data_ptr(), base.weight.stride()) == (address, strides)
        assert same_bits(base.weight, expected(base, "weight", old))

    def test_a_view_into_a_larger_tensor_leaves_the_rest_alone(self) -> None:
        whole = torch.zeros(10)
        base = nn.ParameterList([nn.Parameter(whole[2:9:2])])
        gw.mutate(base, NOISE, seed=1, inplace=True)
        assert bool((whole[2:9:2] != 0).all())
        rest = [0, 1, 3, 5, 7, 9]
        assert not whole[rest].any()

    def test_disjoint_views_of_one_storage_are_two_tensors(self) -> None:
        flat = torch.zeros(12)
        base = nn.ParameterList([nn.Parameter(flat[:6].view(2, 3)), nn.Parameter(flat[6:].view(2, 3))])
        gw.mutate(base, NOISE, seed=1, inplace=True)
        assert same_bits(base[0], expected(base, "0", torch.zeros(2, 3)))
        assert same_bits(base[1], expected(base, "1", torch.zeros(2, 3)))
        assert same_bits(flat, torch.cat([base[0].flatten(), base[1].flatten()]))

    def test_interleaved_views_of_one_storage_are_two_tensors(self) -> None:
        flat = torch.zeros(12)
        base = nn.ParameterList([nn.Parameter(flat[::2]), nn.Parameter(flat[1::2])])
        gw.mutate(base, NOISE, seed=1, inplace=True)
        assert same_bits(flat[::2].contiguous(), base[0].detach().contiguous())
        assert same_bits(base[1], expected(base, "1", torch.zeros(6)))

    def test_a_non_leaf_tensor_in_a_module_is_left_alone(self) -> None:
        base = nn.Linear(3, 2)
        base.derived = base.weight * 2
        mutant = gw.mutate(base, NOISE, seed=1)
        assert torch.equal(mutant.derived, base.derived)
        assert not torch.equal(mutant.weight, base.weight)

    def test_a_graph_from_before_an_in_place_mutation_cannot_be_used(self) -> None:
        base = nn.Linear(3, 2)
        loss = (base(torch.ones(1, 3)) ** 2).sum() + (base.weight**2).sum()
        gw.mutate(base, NOISE, seed=1, inplace=True)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()

    def test_gradients_of_the_input_stay_and_a_copy_has_none(self) -> None:
        base = nn.Linear(3, 2)
        base(torch.ones(1, 3)).sum().backward()
        kept = base.weight.grad
        assert gw.mutate(base, NOISE, seed=1).weight.grad is None
        gw.mutate(base, NOISE, seed=1, inplace=True)
        assert base.weight.grad is kept

    def test_negated_and_conjugated_views(self) -> None:
        base = nn.ParameterList([nn.Parameter(torch.imag(torch.tensor([1 + 2j, 3 - 4j]).conj()))])
        assert base[0].is_neg()
        mutant = gw.mutate(base, gw.SignFlip(rate=1.0), seed=1, inplace=True)
        assert mutant[0].tolist() == [2.0, -4.0]


class TestEmptyAndTiny:
    @pytest.mark.parametrize(
        "operator",
        [NOISE, gw.GaussianNoise(relative_to="tensor"), gw.Zero(rate=1.0), gw.SignFlip(rate=1.0), gw.Quantize(bits=4)],
    )
    def test_empty_and_0d_parameters(self, operator: Any) -> None:
        base = make("scalars_and_empty")
        mutant = gw.mutate(base, operator, seed=1)
        assert mutant.scale.shape == ()
        assert mutant.nothing.shape == (0, 3)
        with gw.mutated(base, operator, seed=1):
            pass
        assert gw.fingerprint(gw.replay(gw.recipe(mutant), base)) == gw.fingerprint(mutant)

    def test_one_parameter(self) -> None:
        base = nn.Linear(1, 1, bias=False)
        mutant = gw.mutate(base, NOISE, seed=1)
        assert same_bits(mutant.weight, expected(base, "weight", base.weight))

    def test_a_module_without_parameters_is_refused(self) -> None:
        with pytest.raises(gw.SelectionError, match="the network has no tensors at all"):
            gw.mutate(nn.ReLU(), NOISE, seed=1)

    def test_only_empty_parameters(self) -> None:
        base = nn.ParameterList([nn.Parameter(torch.empty(0)), nn.Parameter(torch.empty(3, 0))])
        mutant = gw.mutate(base, NOISE, seed=1)
        assert [tuple(p.shape) for p in mutant] == [(0,), (3, 0)]


class TestSpecialValues:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
    def test_nan_keeps_its_bits_and_infinity_stays(self, dtype: torch.dtype) -> None:
        base = nn.Linear(4, 2, bias=False, dtype=dtype)
        with torch.no_grad():
            base.weight[0] = torch.tensor([math.nan, math.inf, -math.inf, 1.0])
        mutant = gw.mutate(base, NOISE, seed=1)
        assert same_bits(mutant.weight[0, :1], base.weight[0, :1])
        assert mutant.weight[0, 1:3].tolist() == [math.inf, -math.inf]
        assert mutant.weight[0, 3] != 1.0

    def test_undo_restores_nan_payloads(self) -> None:
        base = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            base.weight.view(torch.int32)[0, 0] = 0x7FA00123
        before = base.weight.detach().clone()
        with gw.mutated(base, gw.Zero(rate=1.0), seed=1):
            assert not base.weight.any()
        assert same_bits(base.weight, before)

    def test_a_fingerprint_sees_the_payload_of_a_nan_and_the_sign_of_zero(self) -> None:
        prints = set()
        for pattern in (0x7FC00000, 0x7FC00001, 0, -0x80000000):
            base = nn.Linear(1, 1, bias=False)
            with torch.no_grad():
                base.weight.view(torch.int32)[0, 0] = pattern
            prints.add(gw.fingerprint(base))
        assert len(prints) == 4


class TestDevicesHooksAndModes:
    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
    def test_cuda_has_the_bytes_of_the_cpu(self) -> None:
        base = make("conv_batchnorm")
        on_gpu = copy.deepcopy(base).cuda()
        for operator in (NOISE, gw.FactorNoise(std=0.5, rate=0.5), gw.Shuffle(rate=1.0), gw.Quantize(bits=3)):
            mutant = gw.mutate(on_gpu, operator, seed=1)
            assert all(p.is_cuda for p in mutant.parameters())
            assert gw.fingerprint(mutant) == gw.fingerprint(gw.mutate(base, operator, seed=1))

    def test_hooks_are_kept_and_not_called(self) -> None:
        calls: list[str] = []
        base = make("mlp")
        base[0].register_forward_hook(lambda *_: calls.append("forward"))
        base[0].weight.register_hook(lambda grad: calls.append("gradient") or grad)
        gw.mutate(base, NOISE, seed=1, inplace=True)
        assert calls == []
        base(torch.ones(1, 6)).sum().backward()
        assert calls == ["forward", "gradient"]

    def test_modes_are_kept_module_by_module(self) -> None:
        base = make("conv_batchnorm")
        base[1].eval()
        mutant = gw.mutate(base, NOISE, seed=1)
        assert [m.training for m in mutant.modules()] == [m.training for m in base.modules()]
        assert not mutant[1].training

    def test_a_mutant_trains_pickles_and_loads(self) -> None:
        mutant = gw.mutate(make("mlp"), NOISE, seed=1)
        optimizer = torch.optim.SGD(mutant.parameters(), lr=0.1)
        before = mutant[0].weight.detach().clone()
        mutant(torch.ones(2, 6)).sum().backward()
        optimizer.step()
        assert not torch.equal(mutant[0].weight, before)
        again = pickle.loads(pickle.dumps(mutant))
        assert type(again) is type(mutant)
        assert gw.fingerprint(again) == gw.fingerprint(mutant)
        assert gw.recipe(again) == gw.recipe(mutant)
        fresh = make("mlp")
        fresh.load_state_dict(mutant.state_dict())
        assert gw.fingerprint(fresh) == gw.fingerprint(mutant)

    def test_parameters_made_in_inference_mode(self) -> None:
        with torch.inference_mode():
            base = make("mlp")
        mutant = gw.mutate(base, NOISE, seed=1)
        assert gw.fingerprint(mutant) == gw.fingerprint(gw.mutate(make("mlp"), NOISE, seed=1))
        gw.mutate(base, NOISE, seed=1, inplace=True)
        assert gw.fingerprint(base) == gw.fingerprint(mutant)


class TestCompiledModules:
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, while it imports inductor
    @pytest.mark.parametrize("backend", ["eager", "inductor"])
    def test_bytes_names_and_recipes_are_the_plain_modules(self, backend: str) -> None:
        plain = make("mlp")
        compiled = torch.compile(make("mlp"), backend=backend)
        assert gw.fingerprint(compiled) == gw.fingerprint(plain)
        mutant = gw.mutate(compiled, gw.GaussianNoise(std=0.5, where="0.*"), seed=1)
        assert type(mutant) is type(compiled)
        on_plain = gw.mutate(plain, gw.GaussianNoise(std=0.5, where="0.*"), seed=1)
        assert gw.fingerprint(mutant) == gw.fingerprint(on_plain)
        assert gw.recipe(mutant) == gw.recipe(on_plain)
        assert gw.fingerprint(gw.replay(gw.recipe(on_plain), compiled)) == gw.fingerprint(on_plain)

    def test_a_compiled_mutant_computes_with_its_new_weights(self) -> None:
        torch._dynamo.reset()
        compiled = torch.compile(make("mlp"), backend="eager")
        x = torch.linspace(-1, 1, 12).reshape(2, 6)
        before = compiled(x)
        mutant = gw.mutate(compiled, NOISE, seed=1)
        torch.testing.assert_close(mutant(x), gw.mutate(make("mlp"), NOISE, seed=1)(x))
        with gw.mutated(compiled, NOISE, seed=1):
            torch.testing.assert_close(compiled(x), mutant(x))
        assert torch.equal(compiled(x), before)

    def test_a_compiled_sub_module(self) -> None:
        base = nn.Sequential(torch.compile(nn.Linear(3, 3), backend="eager"), nn.Linear(3, 2))
        plain = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
        plain.load_state_dict({k.replace("_orig_mod.", ""): v for k, v in base.state_dict().items()})
        assert gw.fingerprint(gw.mutate(base, NOISE, seed=1)) == gw.fingerprint(gw.mutate(plain, NOISE, seed=1))


class TestLargeModels:
    def test_100_million_parameters(self) -> None:
        base = nn.Sequential(*(nn.Linear(5000, 5000, bias=False) for _ in range(4)))
        before, last = gw.fingerprint(base), base[3].weight.detach()[-1, -5:].clone()
        with gw.mutated(base, gw.GaussianNoise(std=0.1, rate=0.01), seed=1) as mutant:
            assert gw.fingerprint(mutant) != before
        assert gw.fingerprint(base) == before
        gw.mutate(base, gw.GaussianNoise(std=0.1), seed=1, inplace=True)
        stream = noise.derive(1, name="3.weight", path="/0", salt="gaussian_noise")
        z = noise.draw(stream, "normal", range(25_000_000 - 5, 25_000_000), "float32")
        assert same_bits(base[3].weight[-1, -5:], last + torch.from_numpy(np.float32(0.1) * z))
