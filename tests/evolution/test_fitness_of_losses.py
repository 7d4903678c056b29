"""A loss of a library is a fitness of which less is better, as the named ones are."""

from __future__ import annotations

import pytest

import genewright as gw

torch = pytest.importorskip("torch")


def test_a_loss_counts_with_its_sign_turned() -> None:
    torch.manual_seed(0)
    net, x, y = torch.nn.Linear(4, 3), torch.randn(30, 4), torch.randint(0, 3, (30,))
    loss = torch.nn.CrossEntropyLoss()
    value = gw.fitness.Supervised(x, y, loss)(net)
    assert value == pytest.approx(-loss(net(x), y).item(), rel=1e-6)
    assert value == pytest.approx(gw.fitness.Supervised(x, y, "cross_entropy")(net), rel=1e-6)


def test_a_metric_whose_better_side_is_not_known_is_refused() -> None:
    with pytest.raises(gw.SettingError, match="more of 'Softmax' is better is not known"):
        gw.fitness.Supervised([1.0], [1], torch.nn.Softmax())
