"""Where the features of a tensor lie: what an inserted layer runs over, and where none of ours can run."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import batch_norm

import genewright as gw
from genewright.backends.torch.structure.calls import recorded_calls


class RelativePositions(nn.Module):
    """Attention whose logits have a bias for each head, with the heads along the first axis."""

    def __init__(self, heads: int = 3, length: int = 5) -> None:
        super().__init__()
        self.qkv, self.table, self.bias, self.out = (
            nn.Linear(6, 18),
            nn.Linear(2, heads),
            nn.Identity(),
            nn.Linear(6, 4),
        )
        self.register_buffer("places", torch.randn(length, length, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).reshape(*x.shape[:2], 3, -1, 2).permute(2, 0, 3, 1, 4)
        seen = (q @ k.transpose(-2, -1) + self.bias(self.table(self.places).permute(2, 0, 1))).softmax(-1) @ v
        return self.out(seen.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("init", ["identity", "gate"])
def test_the_seed_chooses_layers_behind_which_one_can_stand(init: str) -> None:
    torch.manual_seed(0)
    net, x = RelativePositions().eval(), torch.randn(2, 5, 6)
    with pytest.raises(gw.UnsupportedError, match="features along axis 0"):
        gw.mutate(net, gw.InsertLayer("bias", init=init), seed=0, example=x)
    mutants = [gw.mutate(net, gw.InsertLayer(init=init), seed=seed, example=x) for seed in range(8)]
    assert all(torch.allclose(mutant(x), net(x), atol=1e-6) for mutant in mutants)
    assert {gw.recipe(mutant).steps[0].operator.after for mutant in mutants} == {"qkv", "table", "out"}


class Standardised(nn.Conv2d):
    """A convolution whose kernel is standardised before it is used."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = self.weight.reshape(1, self.out_channels, -1)
        return self._conv_forward(x, batch_norm(flat, None, None, training=True).reshape_as(self.weight), self.bias)


class ChannelAttention(nn.Module):
    """Gates for the channels, by a convolution that runs along them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.conv(x.mean((2, 3))[:, None]).sigmoid()[:, 0, :, None, None]


def test_a_convolution_along_the_channels_does_not_say_how_images_are_laid_out() -> None:
    image, head = torch.randn(1, 3, 8, 8), Standardised(8, 8, 3)
    net = nn.Sequential(Standardised(3, 8, 3, padding=1), ChannelAttention(), nn.Identity(), head).eval()
    assert [recorded_calls(net, image)[name].depth_axis for name in ("0", "1", "2", "3")] == [1, 1, 1, 1]
    mutant = gw.mutate(net, gw.InsertLayer("2"), seed=1, example=image)
    for size in (8, 11):  # a layer over the width would run at the first alone
        other = torch.randn(2, 3, size, size)
        assert torch.allclose(mutant(other), net(other), atol=1e-6)
