"""Inputs and outputs that grow and shrink: the part that stays is as it was, and the model's own numbers follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import genewright as gw
from tests.pretrained import torchvision_ready, transformers

INITS: tuple[Any, ...] = ("zero", "mean", "noise", {"copy": [2, 0]})


def _classifier() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).double()


def _images(channels: int) -> nn.Sequential:
    torch.manual_seed(0)
    layers = (nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1))
    return nn.Sequential(*layers).double().eval()


@pytest.mark.parametrize("init", INITS, ids=str)
def test_old_outputs_stay_to_the_bit_and_new_ones_are_what_is_said(init: Any) -> None:
    net, x = _classifier(), torch.randn(5, 4, dtype=torch.float64)
    grown = gw.mutate(net, gw.GrowOutputs("2", num_units=2, init=init), seed=1, example=x)
    assert torch.allclose(grown(x)[:, :3], net(x), rtol=1e-12)
    new = grown(x)[:, 3:]
    wanted = {
        "zero": torch.zeros_like(new),
        "mean": net(x).mean(1, keepdim=True).expand(-1, 2),
        "noise": new,
        "{'copy': [2, 0]}": net(x)[:, [2, 0]],
    }[str(init)]
    assert torch.allclose(new, wanted)
    assert init != "noise" or new.std() > 0.05


@pytest.mark.parametrize(("channels", "added"), [(1, 2), (3, 1), (3, 9)])
def test_the_function_stays_whatever_new_channels_hold_that_start_at_zero(channels: int, added: int) -> None:
    net, x = _images(channels), torch.randn(2, channels, 6, 6, dtype=torch.float64)
    new = torch.randn(2, added, 6, 6, dtype=torch.float64)
    for placement, whole in (("end", (x, new)), ("start", (new, x))):
        grown = gw.mutate(net, gw.GrowInputs(num_units=added, placement=placement), seed=1, example=x)
        assert torch.allclose(grown(torch.cat(whole, 1)), net(x), rtol=1e-12)


def test_repeated_channels_share_the_weights_out() -> None:
    net, grey = _images(1), torch.randn(2, 1, 6, 6, dtype=torch.float64)
    coloured = gw.mutate(net, gw.GrowInputs(num_units=2, init="repeat"), seed=1, example=grey)
    assert torch.allclose(coloured(grey.repeat(1, 3, 1, 1)), net(grey), rtol=1e-12)
    back = gw.mutate(coloured, gw.ShrinkInputs(units=(1, 2), weights="sum"), seed=1, example=grey.repeat(1, 3, 1, 1))
    assert torch.allclose(back(grey), net(grey), rtol=1e-12)


@pytest.mark.parametrize("norm", [nn.LayerNorm(6), nn.RMSNorm(6), nn.Softmax(-1)], ids=str)
def test_inputs_under_a_norm_are_refused_where_new_ones_would_count(norm: nn.Module) -> None:
    net, x = nn.Sequential(norm, nn.Linear(6, 3)).double(), torch.randn(2, 6, dtype=torch.float64)
    with pytest.raises(gw.UnsupportedError, match=r"mixes its units.*init='mean' grows it all the same"):
        gw.mutate(net, gw.GrowInputs(num_units=6), seed=1, example=x)  # doubled values, but not for whatever they hold
    assert gw.mutate(net, gw.GrowInputs(init="mean"), seed=1, example=x)(torch.randn(2, 7).double()).shape == (2, 3)
    if not isinstance(norm, nn.Softmax):
        doubled = gw.mutate(net, gw.GrowInputs(num_units=6, init="repeat"), seed=1, example=x)
        assert torch.allclose(doubled(x.repeat(1, 2)), net(x), rtol=1e-12)


def test_shrunk_ends_keep_what_is_left() -> None:
    net, x = _images(3), torch.randn(2, 3, 6, 6, dtype=torch.float64)
    x[:, 1] = 0
    fewer = gw.mutate(net, [gw.ShrinkInputs(units=(1,)), gw.ShrinkOutputs(units=(0,))], seed=1, example=x)
    assert torch.allclose(fewer(x[:, [0, 2]]), net(x)[:, 1:], rtol=1e-12)
    assert (fewer[0].in_channels, fewer[3].out_channels) == (2, 2)


@pytest.mark.parametrize("last", [nn.Softmax(-1), nn.LogSoftmax(-1)], ids=str)
def test_the_ratios_of_probabilities_stay(last: nn.Module) -> None:
    net, x = _classifier(), torch.randn(5, 4, dtype=torch.float64)
    grown = gw.mutate(nn.Sequential(net, last), gw.GrowOutputs("0.2", init="mean"), seed=1, example=x)
    scores = grown(x) if isinstance(last, nn.LogSoftmax) else grown(x).log()
    assert torch.allclose(scores.exp().sum(1), torch.ones(5, dtype=torch.float64))
    assert torch.allclose(scores[:, :3].softmax(1), net(x).softmax(1), rtol=1e-12)


def test_a_network_whose_new_output_would_change_old_ones_is_refused() -> None:
    class Normalised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = _classifier()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.layer_norm(self.body(x), (3,))

    net, x = Normalised(), torch.randn(5, 4, dtype=torch.float64)
    before = gw.fingerprint(net)
    with pytest.raises(gw.GenewrightError):
        gw.mutate(net, gw.GrowOutputs(), seed=1, example=x, inplace=True)
    assert gw.fingerprint(net) == before


def test_what_is_no_end_is_refused_with_the_layers_that_are() -> None:
    net, x = _classifier(), torch.randn(5, 4, dtype=torch.float64)
    with pytest.raises(gw.UnsupportedError, match=r"'0' writes no length of the model's output.*2"):
        gw.mutate(net, gw.GrowOutputs("0"), seed=1, example=x)
    with pytest.raises(gw.UnknownNameError, match="No layer is called 'body'"):
        gw.mutate(net, gw.GrowInputs("body"), seed=1, example=x)
    with pytest.raises(gw.SettingError, match="units 0 to 2"):
        gw.mutate(net, gw.ShrinkOutputs(units=(3,)), seed=1, example=x)
    with pytest.raises(gw.SettingError, match="names the old unit of each of the 2 new ones"):
        gw.GrowOutputs(num_units=2, init={"copy": [0]})


class _TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.num_classes, self.size = 3, 3
        self.body, self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.body(x).relu()
        return self.first(h), self.second(h)


def test_one_of_several_outputs_is_named_and_the_models_numbers_follow_or_are_named() -> None:
    net, x = _TwoHeads(), torch.randn(5, 4)
    with pytest.raises(gw.UnknownNameError, match=r"'first' \(3\), 'second' \(2\)"):
        gw.mutate(net, gw.GrowOutputs(), seed=1, example=x)
    planned = gw.plan(net, gw.GrowOutputs("first"), seed=1, example=x)
    assert "num_classes = 4" in str(planned)
    assert "'size': still 3" in str(planned)
    grown = gw.mutate(net, gw.GrowOutputs("first"), seed=1, example=x)
    assert (grown.num_classes, grown.size) == (4, 3)
    assert torch.equal(grown(x)[1], net(x)[1])


def test_a_sequence_goes_on_with_the_example_that_has_the_new_inputs() -> None:
    net, x = _images(3), torch.randn(2, 3, 6, 6, dtype=torch.float64)
    steps = [gw.GrowInputs(num_units=2), gw.Widen("0", num_units=3), gw.GrowOutputs(), gw.ShrinkInputs(units=(0,))]
    mutant = gw.mutate(net, steps, seed=1, example=x)
    assert mutant(torch.randn(2, 4, 6, 6, dtype=torch.float64)).shape[1] == 4
    again = gw.replay(gw.Recipe.from_json(gw.recipe(mutant).to_json()), net)
    assert gw.fingerprint(again) == gw.fingerprint(mutant)


def test_training_goes_on_in_place_with_its_optimizer() -> None:
    net, x = _classifier(), torch.randn(5, 4, dtype=torch.float64)
    optimizer = torch.optim.Adam(net.parameters())
    net(x).sum().backward()
    optimizer.step()
    gw.mutate(net, gw.GrowOutputs(num_units=2), seed=1, example=x, inplace=True, optimizer=optimizer)
    optimizer.zero_grad()
    before = net[2].weight.detach().clone()
    nn.functional.cross_entropy(net(x), torch.tensor([4, 4, 3, 3, 0])).backward()
    optimizer.step()
    assert (net[2].weight != before).any(1).all()
    assert optimizer.state[net[2].weight]["exp_avg"].shape == (5, 8)


def test_resnet_and_vit_of_torchvision() -> None:
    torchvision_ready()
    models = pytest.importorskip("torchvision").models
    torch.manual_seed(0)
    x = torch.rand(1, 3, 32, 32)
    vit = models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5)
    for model, head in ((models.resnet18(num_classes=5), "fc"), (vit, "heads")):
        model.eval()
        nn.init.normal_(model.get_submodule(head)[0].weight if head == "heads" else model.fc.weight)
        grown = gw.mutate(model, [gw.GrowOutputs(head, num_units=2), gw.GrowInputs()], seed=1, example=x)
        new = torch.rand(1, 1, 32, 32)
        assert torch.allclose(grown(torch.cat([x, new], 1))[:, :5], model(x), atol=1e-5)
    assert grown.num_classes == 7


def test_bert_keeps_its_labels_and_loads_with_from_pretrained(tmp_path: Path) -> None:
    library = transformers()
    config = library.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=50,
        id2label={0: "cat", 1: "dog"}, label2id={"cat": 0, "dog": 1},
    )  # fmt: skip
    torch.manual_seed(0)
    model = library.BertForSequenceClassification(config).eval()
    example = {"input_ids": torch.arange(12).reshape(2, 6)}
    grown = gw.mutate(model, gw.GrowOutputs(num_units=1), seed=1, example=example)
    assert grown.config.id2label == {0: "cat", 1: "dog", 2: "LABEL_2"}
    assert grown.config.label2id == {"cat": 0, "dog": 1, "LABEL_2": 2}
    assert (grown.num_labels, model.config.num_labels) == (3, 2)
    grown.save_pretrained(tmp_path)
    loaded = library.BertForSequenceClassification.from_pretrained(tmp_path)
    assert torch.equal(loaded(**example).logits, grown(**example).logits)
    assert torch.allclose(grown(**example).logits[:, :2], model(**example).logits, atol=1e-6)
    fewer = gw.mutate(grown, gw.ShrinkOutputs(units=(0,)), seed=1, example=example)
    assert fewer.config.id2label == {0: "dog", 1: "LABEL_2"}
    again = gw.replay(gw.Recipe.from_json(gw.recipe(fewer).to_json()), model)
    assert again.config.id2label == fewer.config.id2label
