"""Operators that are one decorated function: settings, draws and refusals, and that they keep every law."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import genewright as gw
from genewright.authoring import Draws, Noise

NET = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))


@gw.operator
def shrinking(w, noise, *, factor=0.9):
    """Multiply by a factor.

    Args:
        factor: The factor.
    """
    return w * factor


@gw.operator
def jittering(w, noise, *, std: float = 0.1, rate: float = 0.5, kind: str = "normal"):
    return w + std * noise.draw(kind) * noise.mask(rate)


@gw.operator
def naming(w, tensor):
    w[:] = len(tensor.name)
    return w


def test_six_lines_are_an_operator_with_settings_recipe_and_registered_name() -> None:
    mutant = gw.mutate(NET, shrinking(factor=0.5, where="0.weight"), seed=1)
    assert torch.equal(mutant[0].weight, NET[0].weight * 0.5)
    assert torch.equal(mutant[1].weight, NET[1].weight)
    assert gw.fingerprint(gw.replay(gw.recipe(mutant), NET)) == gw.fingerprint(mutant)
    assert gw.Shrinking is shrinking
    assert shrinking(0.5) == shrinking(factor=0.5)
    assert "w -> shrinking(w, factor=0.5)" in str(gw.plan(NET, shrinking(0.5), seed=1))
    assert pickle.loads(pickle.dumps(shrinking(0.3))) == shrinking(0.3)
    assert torch.equal(gw.mutate(NET, naming(), seed=1)[0].bias, torch.full((3,), 6.0))


@pytest.mark.parametrize("operator", [shrinking, jittering(1.0, kind="laplace"), naming])
def test_they_keep_every_invariant_on_what_they_fit(operator: Any) -> None:
    tried = gw.check_operator(operator, {"net": NET, "halves": torch.nn.Linear(3, 2).half()})
    assert tried.fitted == ("net", "halves")


def test_draws_are_the_seeds_and_differ_by_call_tensor_and_seed() -> None:
    like = np.zeros((3, 4), np.float32)

    def drawn(seed: int = 1, name: str = "a") -> list[Any]:
        draws = Draws(Noise(seed, "/0", "x"), name, like)
        return [draws.normal(), draws.normal(), draws.uniform(2, 5), draws.mask(0.5), draws.choose(3, 9)]

    first, again = drawn(), drawn()
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], drawn(seed=2)[0])
    assert not np.array_equal(first[0], drawn(name="b")[0])
    assert first[2].min() >= 2
    assert first[2].max() < 5
    assert first[3].dtype == bool
    assert len(set(first[4])) == 3
    assert Draws(Noise(1), "a", like).normal(7).shape == (7,)
    with pytest.raises(gw.SettingError, match=r"received -1"):
        Draws(Noise(1), "a", like).normal(-1)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def a(w, *, k): return w", "'k' needs a default"),
        ("def b(noise): return noise", r"takes \(noise\): first the values"),
        ("def c(w, factor, noise): return w", "first the values"),
        ("def d(*w): return w", "first the values"),
        ("def e(w, *, sizes=[]): return w", "write a tuple"),
        ("def f(w, *, where=1): return w", "no setting can be called 'where'"),
        ("def g(w, *, h=object()): return w", "what JSON can hold"),
        ("def x_y(w): return w", "no name for an operator"),
        ("class Shrink: pass", r"decorates a function.*frozen=True"),
    ],
)
def test_a_function_of_another_form_is_refused_with_the_form(source: str, message: str) -> None:
    names: dict[str, Any] = {}
    exec(source, names)
    made = next(value for name, value in names.items() if name != "__builtins__")
    with pytest.raises(gw.SettingError, match=message):
        gw.operator(made)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shrinking("much"), "factor must be a number; received 'much'"),
        (lambda: shrinking(None), "factor must be a number"),
        (lambda: shrinking(facto=0.5), "Did you mean 'factor'"),
        (lambda: gw.mutate(NET, shrinking, seed=1), r"with its settings: shrinking\(\)"),
    ],
)
def test_settings_of_another_kind_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(gw.SettingError, match=message):
        call()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (lambda w: w.nothing, "raised AttributeError: .*nothing.*test_function_operator.py:"),
        (lambda w: None, "it returned None"),
        (lambda w: w[:1], "shape"),
        (lambda w: np.array(["a"] * w.size).reshape(w.shape), "real numbers"),
    ],
)
def test_a_fault_of_the_function_names_its_line_and_leaves_the_model(body: Any, message: str) -> None:
    def faulty(w, noise):
        return body(w)

    operator, before = gw.operator(faulty), gw.fingerprint(NET)
    with pytest.raises(gw.OperatorError, match=message):
        gw.mutate(NET, operator(), seed=1, inplace=True)
    assert gw.fingerprint(NET) == before
    with pytest.raises(
        gw.ConformanceError, match=r"(?s)refused with a GenewrightError.*See .*test_function_operator.py:\d+"
    ):
        gw.check_operator(operator, {"net": NET})


def test_a_global_generator_is_caught_and_the_advice_is_to_draw_from_noise() -> None:
    @gw.operator
    def unseeded(w):
        return w + np.random.rand(*w.shape)  # noqa: NPY002  # the fault that is tested

    with pytest.raises(
        gw.ConformanceError, match=r"that of NumPy moved.*Draw from the `noise`.*test_function_operator"
    ):
        gw.check_operator(unseeded, {"net": NET})


def test_noise_that_is_asked_for_and_does_nothing_is_caught() -> None:
    @gw.operator
    def ignoring(w, noise):
        noise.normal()
        return w + 1

    with pytest.raises(gw.ConformanceError, match="another seed, other bytes"):
        gw.check_operator(ignoring, {"net": NET})
