from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import genewright as gw


class Table(nn.Module):
    """Returns the rows of a table that the input names: outputs that a test can write down."""

    def __init__(self, rows: Any) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.as_tensor(rows))

    def forward(self, index: torch.Tensor) -> torch.Tensor:
        return self.rows[index]


def _tables(before: Any, after: Any, **options: Any) -> gw.Comparison:
    a, b = np.asarray(before, np.float64), np.asarray(after, np.float64)
    return gw.compare(Table(a), Table(b), np.arange(len(a)), **options)


def _data(samples: int = 20) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    return generator.normal(size=(samples, 4)).astype(np.float32), generator.integers(0, 3, samples)


@pytest.fixture
def pair() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 3))
    return net, gw.mutate(net, gw.GaussianNoise(std=0.3), seed=5)


def test_changes_are_those_of_the_formulas() -> None:
    found = _tables([[1.0, -4.0], [0.0, 2.0]], [[1.5, -4.0], [0.0, 1.0]])
    assert found.largest_change == 1.0
    assert found.mean_change == (0.5 + 0 + 0 + 1.0) / 4
    assert found.relative_error == 1.0 / 4.0
    assert found.samples == 2


@given(st.integers(1, 9), st.integers(1, 9))
def test_batching_changes_nothing_but_rounding_of_the_mean(one: int, other: int) -> None:
    rows = np.random.default_rng(2).normal(size=(2, 7, 3))
    first = _tables(rows[0], rows[1], batch_size=one)
    second = _tables(rows[0], rows[1], batch_size=other)
    assert (first.largest_change, first.relative_error) == (second.largest_change, second.relative_error)
    assert first.agreement == second.agreement
    assert math.isclose(first.mean_change, np.abs(rows[0] - rows[1]).mean(), rel_tol=1e-12)


def test_a_model_agrees_with_itself_exactly(pair: tuple[nn.Module, nn.Module]) -> None:
    found = gw.compare(pair[0], pair[0], _data())
    assert (found.largest_change, found.mean_change, found.relative_error, found.agreement) == (0, 0, 0, 1)
    assert found.ok(0)


def test_accuracy_is_the_default_where_targets_are_classes(pair: tuple[nn.Module, nn.Module]) -> None:
    net, mutant = pair
    inputs, targets = _data()
    found = gw.compare(net, mutant, (inputs, targets), batch_size=7)
    with torch.no_grad():
        before = net.eval()(torch.tensor(inputs)).argmax(1).numpy()
        after = mutant.eval()(torch.tensor(inputs)).argmax(1).numpy()
    assert found.metrics["accuracy"].before == (before == targets).mean()
    assert found.metrics["accuracy"].after == (after == targets).mean()
    assert found.agreement == (before == after).mean()
    assert gw.compare(net, mutant, (inputs, targets), metrics=()).metrics == {}


FORMS: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "arrays": lambda x, y: (x, y),
    "tensors": lambda x, y: (torch.tensor(x), torch.tensor(y)),
    "lists": lambda x, y: (x.tolist(), y.tolist()),
    "loader": lambda x, y: DataLoader(TensorDataset(torch.tensor(x), torch.tensor(y)), batch_size=6),
    "batches": lambda x, y: [(x[:5], y[:5]), (x[5:], y[5:])],
    "generator": lambda x, y: ((x[i : i + 3], y[i : i + 3]) for i in range(0, len(x), 3)),
    "keywords": lambda x, y: ({"input": x}, y),
    "positional": lambda x, y: ((x,), y),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_data_gives_the_same(form: str, pair: tuple[nn.Module, nn.Module]) -> None:
    inputs, targets = _data()
    expected = gw.compare(*pair, (inputs, targets))
    found = gw.compare(*pair, FORMS[form](inputs.astype(np.float32), targets))
    assert found.largest_change == pytest.approx(expected.largest_change, rel=1e-5)
    assert (found.agreement, found.metrics, found.samples) == (expected.agreement, expected.metrics, 20)


@pytest.mark.parametrize("form", ["array", "dict", "loader"])
def test_samples_without_targets(form: str, pair: tuple[nn.Module, nn.Module]) -> None:
    inputs, _ = _data()
    data = {"array": inputs, "dict": {"input": inputs}, "loader": DataLoader(TensorDataset(torch.tensor(inputs)))}
    found = gw.compare(*pair, data[form])
    assert (found.samples, found.metrics) == (20, {})


def test_metrics_by_name_and_function_match_numpy(pair: tuple[nn.Module, nn.Module]) -> None:
    inputs, classes = _data()
    with torch.no_grad():
        outputs = pair[0].eval()(torch.tensor(inputs)).double().numpy()

    def share_of_class_one(found: np.ndarray, targets: np.ndarray) -> float:
        assert len(found) == len(targets) == 20
        return float((found.argmax(1) == 1).mean())

    found = gw.compare(
        *pair,
        (inputs, classes),
        metrics={"share": share_of_class_one, "nats": "cross_entropy"},
        batch_size=6,
    ).metrics
    assert found["share"].before == (outputs.argmax(1) == 1).mean()
    oracle = nn.functional.cross_entropy(torch.tensor(outputs), torch.tensor(classes)).item()
    assert found["nats"].before == pytest.approx(oracle, rel=1e-6)  # float32 forwards of 6 and of 20 samples
    real = np.ones_like(outputs)
    found = gw.compare(*pair, (inputs, real), metrics=["mse", "mae"]).metrics
    assert found["mse"].before == pytest.approx(((outputs - 1) ** 2).mean(), rel=1e-12)
    assert found["mae"].before == pytest.approx(np.abs(outputs - 1).mean(), rel=1e-12)
    named = gw.compare(*pair, (inputs, classes), metrics=share_of_class_one).metrics
    assert list(named) == ["share_of_class_one"]


def test_there_is_no_agreement_without_a_class_axis() -> None:
    assert _tables([1.0, 2.0], [2.0, 1.0]).agreement is None
    assert _tables([[1.0], [2.0]], [[2.0], [1.0]]).agreement is None


def test_new_nan_is_never_ok() -> None:
    found = _tables([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [math.nan, 4.0]])
    assert found.new_nonfinite == 1
    assert (found.largest_change, found.relative_error) == (math.inf, math.inf)
    assert found.mean_change == 0  # over the three that are finite in both
    assert found.agreement == 0.5  # a row with NaN predicts nothing
    assert not found.ok(math.inf)


def test_nan_and_infinity_that_stay_are_no_change() -> None:
    rows = [[math.nan, 2.0], [math.inf, -math.inf]]
    found = _tables(rows, rows)
    assert (found.largest_change, found.nonfinite, found.new_nonfinite) == (0, 3, 0)
    assert found.ok(0)
    assert "not finite" in str(found)


@pytest.mark.parametrize("after", [1.0, -math.inf, math.nan])
def test_a_lost_infinity_is_a_change_without_bound(after: float) -> None:
    found = _tables([[math.inf, 1.0]], [[after, 1.0]])
    assert found.largest_change == math.inf
    assert not found.ok(1e9)


def test_outputs_that_were_zero_have_no_relative_size() -> None:
    assert _tables([[0.0, 0.0]], [[0.0, 0.0]]).relative_error == 0
    assert _tables([[0.0, 0.0]], [[0.0, 1e-9]]).relative_error == math.inf


def test_nothing_is_changed() -> None:
    class Inplace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(x.mul_(2))

    net = Inplace().train()
    inputs = torch.ones(6, 4)
    inputs[0] = 3
    kept = inputs.clone()
    array = kept.numpy().copy()
    array.flags.writeable = False
    before, state = gw.fingerprint(net), torch.random.get_rng_state()
    gw.compare(net, net, inputs)
    gw.compare(net, net, array)
    assert torch.equal(inputs, kept)
    assert gw.fingerprint(net) == before
    assert net.training
    assert net.norm.training
    assert torch.equal(state, torch.random.get_rng_state())


def test_several_outputs_count_together_and_the_first_predicts() -> None:
    class Two(nn.Module):
        def __init__(self, scale: float) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(scale))

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"logits": x, "value": x.sum(1) * self.scale}

    inputs = np.eye(3, dtype=np.float32)
    found = gw.compare(Two(1.0), Two(3.0), inputs)
    assert (found.largest_change, found.relative_error, found.agreement) == (2, 2, 1)
    assert found.mean_change == 3 * 2 / (9 + 3)


def test_half_types_are_compared_in_full_precision() -> None:
    inputs = np.ones((2, 4), np.float32)
    net = nn.Linear(4, 2).bfloat16()
    found = gw.compare(net, gw.mutate(net, gw.GaussianNoise(std=1.0), seed=1), inputs)
    assert found.largest_change > 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.zeros((0, 4), np.float32), "no samples"),
        ([], "no samples"),
        ((np.zeros((3, 4), np.float32), np.zeros(2, np.int64)), "3 samples and 2 targets"),
        ((np.zeros((3, 4), np.float32),), r"a tuple is \(X, y\)"),
        ({}, "no arrays"),
        ({"a": np.zeros((3, 4)), "b": np.zeros((2, 4))}, r"X\['a'\] has 3, X\['b'\] has 2"),
        (np.float32(1), "no axes"),
        ("data.npz", "received a str"),
        (7, "received a int"),
        ([(1, 2, 3)], "one of 3 entries"),
        (["x"], "received a str"),
        (([[1, 2], [3]], [0, 1]), "rows differ in length"),
        (np.zeros((3, 5), np.float32), "the original cannot take batch 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_data_that_does_not_fit_is_refused(data: Any, said: str) -> None:
    net = nn.Linear(4, 2)
    with pytest.raises(gw.DataError, match=said):
        gw.compare(net, net, data)


def test_refusals_say_what_is_wrong(pair: tuple[nn.Module, nn.Module], tmp_path: Path) -> None:
    inputs, targets = _data()
    with pytest.raises(gw.DataError, match=r"'accuracy' needs targets"):
        gw.compare(*pair, inputs, metrics="accuracy")
    with pytest.raises(gw.SettingError, match="Did you mean 'accuracy'"):
        gw.compare(*pair, (inputs, targets), metrics="acuracy")
    with pytest.raises(gw.SettingError, match="expected a name"):
        gw.compare(*pair, (inputs, targets), metrics=[3])
    with pytest.raises(gw.DataError, match=r"whole numbers of shape \(20,\), or one-hot rows of shape \(20, 3\)"):
        gw.compare(*pair, (inputs, np.eye(3)[targets] * 2), metrics="accuracy")
    with pytest.raises(gw.DataError, match=r"outputs have shape \(20, 3\), the targets \(20,\)"):
        gw.compare(*pair, (inputs, targets), metrics="mse")
    with pytest.raises(gw.DataError, match="classes from 0 to 2"):
        gw.compare(*pair, (inputs, targets + 3), metrics="cross_entropy")
    with pytest.raises(gw.DataError, match=r"differ in shape: \(20, 3\) of the original, \(20, 2\)"):
        gw.compare(pair[0], nn.Linear(4, 2), inputs)
    with pytest.raises(gw.SettingError, match="batch_size"):
        gw.compare(*pair, inputs, batch_size=0)
    gw.save(pair[0], tmp_path / "net.safetensors")
    with pytest.raises(gw.UnsupportedError, match="no forward pass"):
        gw.compare(pair[0], gw.read_checkpoint(tmp_path / "net.safetensors"), inputs)
    for tolerance in (-1, math.nan, "1"):
        with pytest.raises(gw.SettingError, match="tolerance"):
            gw.compare(*pair, inputs).ok(tolerance)  # type: ignore[arg-type]


def test_it_reads_well_and_is_strict_json(pair: tuple[nn.Module, nn.Module]) -> None:
    text = str(gw.compare(*pair, _data()))
    assert "relative error" in text
    assert "accuracy" in text
    assert "% agree" in text
    form = _tables([[1.0, 2.0]], [[math.nan, 2.0]]).to_json()
    assert json.loads(json.dumps(form, allow_nan=False))["relative_error"] == "Infinity"
