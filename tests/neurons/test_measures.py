"""Each measure against its published formula, written out plainly on activations that hooks by hand have kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch.nn import functional

import genewright as gw
from tests.neurons.nets import Convolutions, Tokens, convolutions, tokens

SEED = 246
EVERY = sorted(gw.neurons.all_measures())


@dataclass
class Kept:
    """What a layer put out for all of the data: values and gradients of shape (samples, positions, units)."""

    values: np.ndarray
    gradients: np.ndarray
    labels: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        return self.values.reshape(-1, self.values.shape[-1])

    @property
    def products(self) -> np.ndarray:
        return self.values * self.gradients


def by_hand(
    values: torch.Tensor, outputs: torch.Tensor, labels: torch.Tensor, *, channels_first: bool, heads: int = 0
) -> Kept:
    """Return values that took part in a forward pass, with the gradients of the samples' losses."""
    losses = functional.cross_entropy(outputs, labels, reduction="sum")
    (gradient,) = torch.autograd.grad(losses, values, retain_graph=True)
    parts = []
    for tensor in (values, gradient):
        tensor = tensor.detach()
        tensor = (
            tensor.flatten(2).transpose(1, 2) if channels_first else tensor.reshape(len(tensor), -1, tensor.shape[-1])
        )
        parts.append(tensor.numpy())
    return Kept(*parts, labels.numpy())


def of_convolutions() -> tuple[gw.neurons.NeuronTable, dict[str, Kept]]:
    net, (x, y) = convolutions()
    assert isinstance(net, Convolutions)
    table = gw.neurons.measure(net, (x, y), measures=EVERY, loss="cross_entropy", seed=SEED, batch_size=8)
    first = net.norm(net.first(x))
    after = torch.relu(first)
    second = torch.relu(net.second(after))
    third = net.third(second)
    pooled = (third + after).mean((2, 3))
    outputs = net.head(pooled)
    keep: Callable[[torch.Tensor], Kept] = lambda t: by_hand(t, outputs, y, channels_first=t.dim() > 2)  # noqa: E731
    return table, {
        "first": keep(after),
        "norm": keep(after),
        "second": keep(second),
        "third": keep(third),
        "head": keep(outputs),
    }


def of_tokens() -> tuple[gw.neurons.NeuronTable, dict[str, Kept]]:
    net, (x, y) = tokens()
    assert isinstance(net, Tokens)
    table = gw.neurons.measure(net, (x, y), measures=EVERY, loss="cross_entropy", seed=SEED, batch_size=8)
    seen: dict[str, torch.Tensor] = {}
    handles = [
        module.register_forward_hook(lambda _m, _a, out, name=name: seen.update({name: out}))
        for name, module in net.named_children()
    ]
    inner: list[torch.Tensor] = []
    handles.append(net.back.register_forward_pre_hook(lambda _m, args: inner.append(args[0])))
    outputs = net(x)
    for handle in handles:
        handle.remove()
    gate = torch.sigmoid(seen["gate"])
    # behind their functions the gate and the wide layer are no outputs of layers: their gradients come by the product
    losses = functional.cross_entropy(outputs, y, reduction="sum")
    (of_product,) = torch.autograd.grad(losses, inner[0], retain_graph=True)
    wide = functional.gelu(seen["wide"], approximate="none") * 0 + inner[0] / gate
    kept = {
        name: by_hand(seen[name], outputs, y, channels_first=False) for name in ("norm", "qkv", "out", "back", "head")
    }
    for name, values, gradient in (("gate", gate, of_product * wide), ("wide", wide, of_product * gate)):
        kept[name] = Kept(values.detach().numpy(), gradient.detach().numpy(), y.numpy())
    recurrent = seen["recurrent"][0]
    kept["recurrent"] = by_hand(recurrent, outputs, y, channels_first=False)
    return table, kept


@pytest.fixture(scope="module", params=[of_convolutions, of_tokens], ids=["convolutions", "tokens"])
def measured(request: pytest.FixtureRequest) -> tuple[gw.neurons.NeuronTable, dict[str, Kept]]:
    return request.param()


def normalised(numbers: np.ndarray) -> np.ndarray:
    return numbers / numbers.mean()


def entropy(kept: Kept) -> np.ndarray:
    means = kept.values.mean(1)
    out = []
    for column in means.T:
        counts, _ = np.histogram(column, bins=16)
        shares = counts[counts > 0] / len(column)
        out.append(-(shares * np.log(shares)).sum())
    return np.array(out)


def effective_rank(kept: Kept) -> np.ndarray:
    singular = np.linalg.svd(kept.rows, compute_uv=False)
    shares = singular[singular > 0] / singular.sum()
    return np.full(kept.rows.shape[1], np.exp(-(shares * np.log(shares)).sum()))


def class_selectivity(kept: Kept) -> np.ndarray:
    means = np.stack([kept.values.mean(1)[kept.labels == label].mean(0) for label in np.unique(kept.labels)])
    best = means.max(0)
    rest = np.sort(means, axis=0)[:-1].mean(0)
    return (best - rest) / (best + rest)


def sensitivity(kept: Kept) -> np.ndarray:
    gates = np.abs(kept.products.sum(1).mean(0))
    return gates / gates.sum()


FORMULAS: dict[str, Callable[[Kept], np.ndarray]] = {
    "active_fraction": lambda k: (k.rows > 0).mean(0),
    "apoz": lambda k: (k.rows == 0).mean(0),
    "mean": lambda k: k.rows.mean(0),
    "variance": lambda k: k.rows.var(0),
    "constancy": lambda k: np.abs(k.rows.mean(0)) / np.sqrt((k.rows**2).mean(0)),
    "dormancy": lambda k: normalised(np.abs(k.rows).mean(0)),
    "entropy": entropy,
    "class_selectivity": class_selectivity,
    "taylor": lambda k: np.abs(k.products.mean(1)).mean(0),
    "fisher": lambda k: 0.5 * (k.products.sum(1) ** 2).mean(0),
    "sensitivity": sensitivity,
    "gradient_dormancy": lambda k: normalised(np.abs(k.gradients).mean((0, 1))),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_measure_is_its_formula(name: str, measured: tuple[gw.neurons.NeuronTable, dict[str, Kept]]) -> None:
    table, kept = measured
    for layer, held in kept.items():
        found = table.filter(table.layer == layer)[name]
        np.testing.assert_allclose(found, FORMULAS[name](held), rtol=1e-9, atol=1e-12, err_msg=layer)


@pytest.mark.parametrize("measure", ["effective_rank", "duplicates"])
def test_measures_of_kept_places_are_exact_while_all_are_kept(
    measure: str, measured: tuple[gw.neurons.NeuronTable, dict[str, Kept]]
) -> None:
    table, kept = measured
    for layer, held in kept.items():
        if len(held.rows) > 1024:
            continue
        mine = table.filter(table.layer == layer)
        if measure == "effective_rank":
            np.testing.assert_allclose(mine["effective_rank"], effective_rank(held), rtol=1e-9)
            continue
        correlations = np.corrcoef(held.rows.T) - 2 * np.eye(held.rows.shape[1])
        np.testing.assert_allclose(mine["duplicate_correlation"], correlations.max(1), rtol=1e-9, atol=1e-12)
        assert np.array_equal(mine["duplicate_of"], correlations.argmax(1))


def test_units_are_seen_after_the_function_that_follows_however_it_is_written() -> None:
    seen = {layer.name: layer.seen for layer in of_convolutions()[0].layers}
    assert seen == {
        "first": "after relu", "norm": "after relu", "second": "after relu", "third": "as it is", "head": "as it is",
    }  # fmt: skip
    of = {layer.name: (layer.kind, layer.seen) for layer in of_tokens()[0].layers}
    assert of["wide"] == ("linear", "after gelu written out")
    assert of["gate"] == ("linear", "after sigmoid")
    assert of["recurrent"] == ("recurrent", "after tanh")
    assert of["rows"] == ("embedding", "as it is")


def test_saturation_is_the_published_one_with_bins() -> None:
    """Rakitianskaia and Engelbrecht: the weighted mean of bins' absolute mean outputs, scaled to [-1, 1]."""
    net, (x, y) = tokens()
    table = gw.neurons.measure(net, (x, y), measures="saturation", layers=["gate", "recurrent"])
    seen: list[torch.Tensor] = []
    handle = net.get_submodule("gate").register_forward_hook(lambda _m, _a, out: seen.append(torch.sigmoid(out)))
    net(x)
    handle.remove()
    values = 2 * seen[0].detach().numpy().reshape(-1, 20) - 1
    bins = np.clip(((values + 1) / 2 * 10).astype(int), 0, 9)
    for unit in range(20):
        total = 0.0
        for at in range(10):
            inside = values[:, unit][bins[:, unit] == at]
            total += abs(inside.mean()) * len(inside) if len(inside) else 0.0
        assert table.filter("layer == 'gate'")["saturation"][unit] == pytest.approx(total / len(values), rel=1e-12)
    assert np.isnan(gw.neurons.measure(net, (x, y), measures="saturation", layers="wide")["saturation"]).all()


def test_heads_are_the_norms_of_their_outputs_and_their_taylor_that_of_a_gate() -> None:
    net, (x, y) = tokens()
    table = gw.neurons.measure(net, (x, y), measures=["mean", "taylor"], loss="cross_entropy", batch_size=5)
    heads = next(layer for layer in table.layers if layer.kind == "heads")
    given: list[torch.Tensor] = []
    handle = net.get_submodule("out").register_forward_pre_hook(lambda _m, args: given.append(args[0]))
    losses = functional.cross_entropy(net(x), y, reduction="sum")
    handle.remove()
    (gradient,) = torch.autograd.grad(losses, given[0])
    a, g = (t.detach().numpy().reshape(17, 7, 4, 4) for t in (given[0], gradient))
    mine = table.filter(table.layer == heads.name)
    np.testing.assert_allclose(mine["mean"], np.linalg.norm(a, axis=3).mean((0, 1)), rtol=1e-10)
    np.testing.assert_allclose(mine["taylor"], np.abs((a * g).sum(3).mean(1)).mean(0), rtol=1e-9)


def test_fused_attention_of_torch_shows_its_heads_and_computes_what_it_did() -> None:
    torch.manual_seed(0)
    attention = torch.nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
    net = _Self(attention).eval()
    x = torch.randn(6, 5, 8, dtype=torch.float64)
    table = gw.neurons.measure(
        net, (x, net(x).detach() + 1.0), measures=["mean", "fisher"], loss="mse", layers="attention", batch_size=4
    )
    identity = torch.nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
    identity.load_state_dict(attention.state_dict())
    with torch.no_grad():
        identity.out_proj.weight.copy_(torch.eye(8))
        identity.out_proj.bias.zero_()
    heads = identity(x, x, x)[0].requires_grad_()
    gradient = torch.autograd.grad(
        ((attention.out_proj(heads) - net(x).detach() - 1.0) ** 2).mean((1, 2)).sum(), heads
    )[0]
    a, g = heads.detach().view(6, 5, 2, 4), gradient.view(6, 5, 2, 4)
    assert [layer.kind for layer in table.layers] == ["heads"]
    np.testing.assert_allclose(table["mean"], a.norm(dim=3).mean((0, 1)), rtol=1e-10)
    np.testing.assert_allclose(table["fisher"], 0.5 * ((a * g).sum((1, 3)) ** 2).mean(0), rtol=1e-8)


class _Self(torch.nn.Module):
    def __init__(self, attention: torch.nn.MultiheadAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x)[0]


def test_wanda_sums_weights_times_the_norms_of_inputs() -> None:
    net, (x, _) = convolutions()
    assert isinstance(net, Convolutions)
    table = gw.neurons.measure(net, x, measures="wanda", batch_size=5)
    weight = net.first.weight.detach().abs()
    norms = x.transpose(0, 1).flatten(1).norm(dim=1)
    expected = (weight * norms[None, :, None, None]).sum((1, 2, 3))
    np.testing.assert_allclose(table.filter("layer == 'first'")["wanda"], expected, rtol=1e-10)
    grouped = torch.nn.Sequential(torch.nn.Conv1d(4, 6, 3, groups=2)).double()
    x = torch.randn(5, 4, 9, dtype=torch.float64)
    norms = x.transpose(0, 1).flatten(1).norm(dim=1)
    taken = torch.stack([norms[:2]] * 3 + [norms[2:]] * 3)
    expected = (grouped[0].weight.detach().abs() * taken[:, :, None]).sum((1, 2))
    np.testing.assert_allclose(gw.neurons.measure(grouped, x, measures="wanda")["wanda"], expected, rtol=1e-10)


def test_norms_of_weights_are_those_of_rows_and_of_columns() -> None:
    net, (x, _) = convolutions()
    assert isinstance(net, Convolutions)
    table = gw.neurons.measure(net, x, measures=["incoming_norm", "outgoing_norm"])
    second = table.filter("layer == 'second'")
    np.testing.assert_allclose(second["incoming_norm"], net.second.weight.detach().flatten(1).norm(dim=1))
    columns = net.third.weight.detach().transpose(0, 1).flatten(1).norm(dim=1)
    np.testing.assert_allclose(second["outgoing_norm"], columns)
    assert np.isnan(table.filter("layer == 'head'")["outgoing_norm"]).all()


def test_embedding_rows_are_active_where_they_are_looked_up() -> None:
    net, (x, _) = tokens()
    assert isinstance(net, Tokens)
    table = gw.neurons.measure(
        net, x, measures=["active_fraction", "mean", "variance", "dormancy", "apoz"], layers="rows"
    )
    norms = net.rows.weight.detach().norm(dim=1).numpy()
    values = np.where(np.arange(11) == x.reshape(-1, 1).numpy(), norms, 0.0)
    np.testing.assert_allclose(table["active_fraction"], (values > 0).mean(0), rtol=1e-12)
    np.testing.assert_allclose(table["mean"], values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(table["variance"], values.var(0), rtol=1e-12)
    np.testing.assert_allclose(table["apoz"], (values == 0).mean(0), rtol=1e-12)


def test_a_unit_is_constant_exactly_where_all_its_values_are_one_number() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
    with torch.no_grad():
        net[0].weight[:2] = 0.0
        net[0].bias[:2] = torch.tensor([0.1, -1.0])
    table = gw.neurons.measure(net, torch.randn(50, 3), measures=["constancy", "variance"], batch_size=7)
    assert (table["constancy"] == 1.0).tolist() == [True, True, False, False]
    assert (table["variance"] == 0.0).tolist() == [True, True, False, False]


def test_captum_agrees_on_activations_times_gradients() -> None:
    captum = pytest.importorskip("captum.attr")
    net, (x, y) = convolutions()
    assert isinstance(net, Convolutions)
    found = gw.neurons.measure(net, (x, y), measures="taylor", loss="cross_entropy", layers="third")
    losses = _Losses(net, y)
    with torch.enable_grad():
        product = captum.LayerGradientXActivation(losses, net.third).attribute(x)
    expected = product.mean((2, 3)).abs().mean(0).detach().numpy()
    np.testing.assert_allclose(found["taylor"], expected, rtol=1e-9)


class _Losses(torch.nn.Module):
    def __init__(self, net: torch.nn.Module, labels: torch.Tensor) -> None:
        super().__init__()
        self.net, self.labels = net, labels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(self.net(x), self.labels, reduction="none")


def test_torch_pruning_agrees_on_the_norms_of_filters() -> None:
    pruning = pytest.importorskip("torch_pruning")
    net, (x, _) = convolutions()
    assert isinstance(net, Convolutions)
    graph = pruning.DependencyGraph().build_dependency(net, example_inputs=x[:1])
    group = graph.get_pruning_group(net.second, pruning.prune_conv_out_channels, idxs=[0])
    importance = pruning.importance.MagnitudeImportance(
        p=2, group_reduction="first", normalizer=None, target_types=[torch.nn.Conv2d]
    )(graph.get_pruning_group(net.second, pruning.prune_conv_out_channels, idxs=list(range(6))))
    assert len(group)
    mine = gw.neurons.measure(net, x, measures="incoming_norm", layers="second")["incoming_norm"]
    np.testing.assert_allclose(mine**2, importance.detach().numpy(), rtol=1e-6)  # theirs is float32
