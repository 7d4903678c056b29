"""measure: laws of streaming, what is left behind (nothing), and what is refused."""

from __future__ import annotations

import copy
import itertools
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import genewright as gw
from tests.neurons.nets import convolutions, tokens

EVERY = sorted(gw.neurons.all_measures())
STREAMING = [name for name in EVERY if name not in ("duplicates", "effective_rank", "entropy")]


def assert_same_table(a: gw.neurons.NeuronTable, b: gw.neurons.NeuronTable, *, tolerance: float = 1e-12) -> None:
    assert a.measures == b.measures
    assert np.array_equal(a.layer, b.layer)
    for name in a.measures:
        np.testing.assert_allclose(a[name], b[name], rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("make", [convolutions, tokens], ids=["convolutions", "tokens"])
def test_how_data_is_split_into_batches_does_not_matter(make: Any) -> None:
    net, data = make()
    whole = gw.neurons.measure(net, data, measures=EVERY, loss="cross_entropy", seed=1, batch_size=len(data[1]))
    for size in (4, 5):
        assert_same_table(
            whole, gw.neurons.measure(net, data, measures=EVERY, loss="cross_entropy", seed=1, batch_size=size)
        )


@pytest.mark.parametrize("make", [convolutions, tokens], ids=["convolutions", "tokens"])
def test_the_order_of_samples_does_not_matter(make: Any) -> None:
    net, (x, y) = make()
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(2))
    first = gw.neurons.measure(net, (x, y), measures=STREAMING, loss="cross_entropy", batch_size=6)
    second = gw.neurons.measure(net, (x[order], y[order]), measures=STREAMING, loss="cross_entropy", batch_size=6)
    assert_same_table(first, second, tolerance=1e-11)


class Noting(nn.Sequential):
    """Layers that note how many samples they are given; copies of them, too."""

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        SEEN.append(len(given[0]))
        return super().forward(*given)


SEEN: list[int] = []


def test_two_samples_are_run_before_the_data_and_no_more() -> None:
    SEEN.clear()
    gw.neurons.measure(Noting(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), torch.randn(20, 4), batch_size=10)
    assert SEEN == [2, 10, 10]


class Trimming(nn.Module):
    """Cuts a batch to its longest sample, so that two of its axes depend on which samples there are."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(3, 6), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        longest = int((x != 0).any(2).any(0).sum())
        return self.head(torch.relu(self.first(x[:, :longest])).mean(1))


def test_samples_are_told_from_positions_where_the_first_batch_does_not_tell() -> None:
    torch.manual_seed(0)
    net, x, y = Trimming(), torch.randn(8, 6, 3), torch.arange(8) % 2
    x[:3, 2:] = 0  # the samples that are looked at first are short, the batch is long
    wanted = ["mean", "wanda", "class_selectivity", "taylor"]
    short = gw.neurons.measure(net, (x, y), measures=wanted, loss="cross_entropy", batch_size=8)
    long = gw.neurons.measure(net, (x.flip(0), y.flip(0)), measures=wanted, loss="cross_entropy", batch_size=8)
    assert_same_table(short, long, tolerance=1e-11)
    assert not short.notes


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 20), max_size=6), places=st.integers(2, 40))
def test_what_a_reservoir_keeps_depends_on_the_seed_and_not_on_batches(cuts: list[int], places: int) -> None:
    net, (x, _) = convolutions()
    wanted = [gw.neurons.Duplicates(places=places), gw.neurons.Entropy(samples=5)]
    bounds = sorted({0, len(x), *cuts})
    parts = [x[a:b] for a, b in itertools.pairwise(bounds)]
    layers = ["second", "head"]
    first = gw.neurons.measure(net, x, measures=wanted, seed=3, layers=layers)
    split = gw.neurons.measure(net, parts, measures=wanted, seed=3, layers=layers)
    by_sample = [layer for layer in split.notes if "which sample" in layer]
    if not by_sample:
        assert_same_table(first, split)
    other = gw.neurons.measure(net, x, measures=wanted, seed=4, layers=layers)
    assert not np.array_equal(first["duplicate_correlation"], other["duplicate_correlation"])


def test_memory_does_not_grow_with_the_data() -> None:
    net, (x, y) = convolutions()
    wanted = [
        *(name for name in STREAMING if name != "effective_rank"),
        gw.neurons.Duplicates(places=64),
        gw.neurons.Entropy(samples=64),
        gw.neurons.EffectiveRank(places=64),
    ]

    def peak(batches: int) -> int:
        data = ((x, y) for _ in range(batches))
        tracemalloc.start()
        gw.neurons.measure(net, data, measures=wanted, loss="cross_entropy", seed=1)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(5)  # what is allocated once
    of_a_batch = 8 * 21 * 36 * 28  # what one layer more or less puts out; kept rows would add up
    assert peak(60) < peak(15) + 2 * of_a_batch


def test_all_forms_of_data_are_one() -> None:
    net, (x, y) = convolutions()
    whole = gw.neurons.measure(net, (x, y), batch_size=8)
    loader = DataLoader(TensorDataset(x, y), batch_size=8)
    for data in (
        loader,
        [(x[:8], y[:8]), (x[8:], y[8:])],
        (x.numpy(), y.numpy()),
        {"x": x},
        (part for part in x[None]),
    ):
        assert_same_table(whole, gw.neurons.measure(net, data, batch_size=8))


def test_the_model_is_left_as_it_was() -> None:
    net, (x, y) = convolutions()
    net.train()
    net.get_submodule("norm").eval()
    net.register_buffer("calls", torch.zeros(()))
    called: list[int] = []
    net.register_forward_hook(lambda *_: called.append(1))
    for parameter in list(net.parameters())[:2]:
        parameter.requires_grad_(False)
    modes = [module.training for module in net.modules()]
    trained = [parameter.requires_grad for parameter in net.parameters()]
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()]
    before, state = gw.fingerprint(net), torch.random.get_rng_state()
    keys = [set(vars(module)) for module in net.modules()]
    kept = x.clone()
    gw.neurons.measure(net, (x, y), measures=EVERY, loss="cross_entropy", seed=1)
    assert gw.fingerprint(net) == before
    assert [module.training for module in net.modules()] == modes
    assert [parameter.requires_grad for parameter in net.parameters()] == trained
    assert [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()] == hooks
    assert [set(vars(module)) for module in net.modules()] == keys
    assert all(parameter.grad is None for parameter in net.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(x, kept)
    assert not x.requires_grad


class Counting(nn.Module):
    """Keeps a state of its own from one call to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(3, 4)
        self.register_buffer("calls", torch.zeros(()))
        self.state: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.state = self.cell(x, None if self.state is None else self.state[: len(x)])
        return self.state


def test_state_that_a_model_keeps_between_calls_is_left_as_it_was() -> None:
    net = Counting()
    net(torch.randn(5, 3))
    held, calls = net.state, net.calls.clone()
    assert held is not None
    before = held.clone()
    gw.neurons.measure(net, torch.randn(5, 3), measures="mean")
    assert net.state is held
    assert torch.equal(held, before)
    assert torch.equal(net.calls, calls)


class Experts(nn.Module):
    """Sends each sample to one of its experts."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(4, 6), nn.ReLU()) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = x.new_zeros(len(x), 6)
        which = (x[:, 0] > 0).long() + (x[:, 0] > 1).long()
        for number, expert in enumerate(self.experts):
            if (which == number).any():
                out[which == number] = expert(x[which == number])
        return out


def test_units_of_experts_are_measured_on_what_is_sent_to_them_wherever_it_comes_first() -> None:
    torch.manual_seed(1)
    net = Experts().double()
    x = torch.randn(40, 4, dtype=torch.float64)
    x = x[x[:, 0].argsort()]  # the last expert is reached by the last batches alone
    table = gw.neurons.measure(net, x, measures=["active_fraction", "mean"], batch_size=5)
    which = (x[:, 0] > 0).long() + (x[:, 0] > 1).long()
    for number in range(3):
        values = net.experts[number](x[which == number]).detach().numpy()
        mine = table.filter(f"layer == 'experts.{number}.0'")
        np.testing.assert_allclose(mine["mean"], values.mean(0), rtol=1e-10)
        np.testing.assert_allclose(mine["active_fraction"], (values > 0).mean(0), rtol=1e-12)


def test_layers_whose_units_are_not_known_are_said() -> None:
    class Fused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernels = nn.Parameter(torch.randn(2, 4, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.kernels[0] + x @ self.kernels[1]

    net = nn.Sequential(nn.Linear(4, 4), Fused())
    table = gw.neurons.measure(net, torch.randn(5, 4), measures="mean")
    assert table.notes == ("'1' is left out: what the units of a Fused are is not known.",)
    assert len(table) == 4


def test_probabilities_are_not_taken_for_logits() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
    data = torch.randn(5, 4), torch.randint(0, 3, (5,))
    with pytest.raises(gw.SettingError, match="takes logits"):
        gw.neurons.measure(net, data, measures="taylor", loss="cross_entropy")
    gw.neurons.measure(
        net, data, measures="taylor", loss=lambda outputs, targets: nn.functional.nll_loss(outputs.log(), targets)
    )


def test_layers_that_run_several_times_are_seen_each_time() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shared = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.shared(torch.relu(self.shared(x)))

    net = Twice().double()
    x = torch.randn(9, 4, dtype=torch.float64)
    first = torch.relu(net.shared(x)).detach()
    both = torch.cat([first, net.shared(first).detach()]).numpy()
    np.testing.assert_allclose(gw.neurons.measure(net, x, measures="mean")["mean"], both.mean(0), rtol=1e-10)


def test_sequences_that_come_first_are_told_by_their_length() -> None:
    torch.manual_seed(0)
    net = nn.GRU(3, 5).double()

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = net

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.gru(x.transpose(0, 1))[0]

    x = torch.randn(6, 6, 3, dtype=torch.float64)  # as many steps as samples: the length of an axis says nothing
    y = torch.randint(0, 2, (6,))
    found = gw.neurons.measure(Last(), (x, y), measures="class_selectivity")
    means = net(x.transpose(0, 1))[0].mean(0).detach()
    best = torch.stack([means[y == c].mean(0) for c in y.unique()])
    expected = (best.max(0).values - best.min(0).values) / best.sum(0)
    np.testing.assert_allclose(found["class_selectivity"], expected, rtol=1e-9)


def test_not_a_number_is_counted_and_said() -> None:
    net, (x, _) = convolutions()
    x = x.clone()
    x[3, 0, 0, 0] = float("nan")
    table = gw.neurons.measure(net, x, measures=["mean", "active_fraction"])
    assert any("'first': " in note and "NaN or infinite" in note for note in table.notes)
    assert np.isnan(table.filter("layer == 'first'")["mean"]).all()


def test_a_compiled_model_is_looked_through() -> None:
    net, (x, _) = convolutions()
    assert_same_table(gw.neurons.measure(net, x), gw.neurons.measure(torch.compile(net, backend="eager"), x))


def test_a_measure_of_ones_own_is_found_by_its_name() -> None:
    from tests.neurons.own_measure import HighestValue

    net, (x, _) = convolutions()
    table = gw.neurons.measure(net, x, measures="highest_value", layers="head", batch_size=4)
    assert HighestValue.name == "highest_value"
    np.testing.assert_allclose(table["highest_value"], net(x).max(0).values.detach(), rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"measures": "dormant"}, gw.UnknownNameError, "Did you mean 'dormancy'"),
        ({"measures": []}, gw.SettingError, "at least one"),
        ({"measures": ["mean", "mean"]}, gw.SettingError, "different"),
        ({"measures": 3}, gw.SettingError, "a measure is a name"),
        ({"measures": "taylor"}, gw.SettingError, "loss='cross_entropy'"),
        ({"measures": "taylor", "loss": "crossentropy"}, gw.SettingError, "Did you mean 'cross_entropy'"),
        ({"measures": "duplicates"}, gw.SeedError, "seed=246"),
        ({"measures": "entropy", "seed": 1.5}, gw.SeedError, "int"),
        ({"layers": "fist"}, gw.SelectionError, "Did you mean 'first'"),
        ({"layers": "act"}, gw.SelectionError, "no layer with units"),
        ({"layers": gw.where(roles="kernel")}, gw.SettingError, "chooses layers"),
        ({"batch_size": 0}, gw.SettingError, "batch_size"),
    ],
)
def test_what_is_asked_wrongly_is_refused(options: dict[str, Any], error: type[Exception], words: str) -> None:
    net, data = convolutions()
    with pytest.raises(error, match=words):
        gw.neurons.measure(net, data, **options)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (torch.zeros(0, 3, 6, 6, dtype=torch.float64), "no samples"),
        ([], "no samples"),
        (torch.zeros(4, 2, 6, 6, dtype=torch.float64), "cannot take batch 0"),
        (3, "data:"),
        (torch.zeros(4, 3, 6, 6, dtype=torch.float64), "needs labels"),
        ((torch.zeros(4, 3, 6, 6, dtype=torch.float64), torch.zeros(4)), "needs labels"),
        ((torch.zeros(4, 3, 6, 6, dtype=torch.float64), torch.tensor([0, 1, 2, -1])), "needs labels"),
    ],
)
def test_data_that_does_not_fit_is_refused(data: Any, words: str) -> None:
    net, _ = convolutions()
    with pytest.raises(gw.DataError, match=words):
        gw.neurons.measure(net, data, measures=["class_selectivity"])


def test_a_later_batch_that_does_not_fit_is_named_and_leaves_nothing() -> None:
    net, (x, _) = convolutions()
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(gw.DataError, match="cannot take batch 1"):
        gw.neurons.measure(net, [x[:4], x[:4, :2]])
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


def test_a_checkpoint_does_not_run(tmp_path: Any) -> None:
    gw.save(nn.Linear(2, 2), tmp_path / "net.safetensors")
    with pytest.raises(gw.UnsupportedError, match="does not run"):
        gw.neurons.measure(gw.read_checkpoint(tmp_path / "net.safetensors"), torch.zeros(2, 2))


def test_losses_are_means_or_one_a_sample_and_come_out_the_same() -> None:
    net, data = convolutions()

    def each(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs, targets, reduction="none")

    named = gw.neurons.measure(net, data, measures=["taylor", "fisher"], loss="cross_entropy", batch_size=8)
    assert_same_table(
        named, gw.neurons.measure(net, data, measures=["taylor", "fisher"], loss=nn.CrossEntropyLoss(), batch_size=8)
    )
    assert_same_table(named, gw.neurons.measure(net, data, measures=["taylor", "fisher"], loss=each, batch_size=8))
    with pytest.raises(gw.SettingError, match="one loss for each"):
        gw.neurons.measure(net, data, measures="taylor", loss=lambda outputs, targets: outputs)
    with pytest.raises(gw.DataError, match="does not depend"):
        gw.neurons.measure(net, data, measures="taylor", loss=lambda outputs, targets: torch.zeros(()))


class Scaled(nn.Linear):
    """Takes two inputs."""

    def forward(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * scale


def test_a_second_input_that_was_taken_for_targets_is_named_with_the_form_to_write() -> None:
    net, x, scale = Scaled(4, 3), torch.randn(5, 4), torch.rand(5, 1)
    with pytest.raises(gw.DataError, match=r"taken for targets; several inputs go together: \(\(x1, x2\), y\)"):
        gw.neurons.measure(net, [(x, scale)], measures="mean")
    together = gw.neurons.measure(net, [((x, scale),)], measures="mean")
    np.testing.assert_allclose(together["mean"], net(x, scale).detach().double().mean(0), rtol=1e-6)


def test_what_does_not_fit_measure_is_said_of_its_whole_name() -> None:
    with pytest.raises(gw.SettingError, match=r"^gw\.neurons\.measure has no argument 'layer'\."):
        gw.neurons.measure(nn.Linear(4, 3), torch.randn(5, 4), layer="0")
