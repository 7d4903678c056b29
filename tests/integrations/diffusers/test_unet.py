"""A UNet of diffusers, whose norms' groups cut across concatenated pieces: each call works, or says why it cannot."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

import genewright as gw
from tests.pretrained import torchvision_ready

pytestmark = pytest.mark.slow  # the library takes ten seconds to import


@pytest.fixture(scope="module")
def unet() -> Any:
    torchvision_ready()
    diffusers = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    return diffusers.UNet2DModel(
        sample_size=16,
        in_channels=3,
        out_channels=3,
        layers_per_block=1,
        block_out_channels=(16, 32),
        norm_num_groups=4,
        attention_head_dim=8,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    ).eval()


def _example(channels: int = 3) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {"sample": torch.randn(2, channels, 16, 16), "timestep": torch.tensor([3, 5])}


@torch.no_grad()
def _out(model: Any, example: dict[str, torch.Tensor]) -> torch.Tensor:
    return model(**example).sample


WORK = {
    "Widen": gw.Widen("down_blocks.0.resnets.0.conv1", num_units=4),
    "Narrow": gw.Narrow("down_blocks.1.resnets.0.conv1", num_units=8),
    "AddHeads": gw.AddHeads("mid_block.attentions.0"),
    "RemoveHeads": gw.RemoveHeads("mid_block.attentions.0"),
    "InsertLayer": gw.InsertLayer("conv_in"),
    "DuplicateBlock": gw.DuplicateBlock("mid_block.resnets.1"),
    "CopyLayer": gw.CopyLayer("mid_block.resnets.1.conv2"),
    "RemoveLayer": gw.RemoveLayer("mid_block.resnets.1"),
    "ReplaceActivation": gw.ReplaceActivation("*", "gelu"),
    "GrowKernel": gw.GrowKernel("conv_in"),
    "AddSkip": gw.AddSkip(),
    "AddBranch": gw.AddBranch(),
    "GrowOutputs": gw.GrowOutputs("conv_out", num_units=1),
    "ShrinkOutputs": gw.ShrinkOutputs("conv_out", units=(2,)),
    "PruneUnits": gw.PruneUnits(0.25),
    "SplitUnits": gw.SplitUnits(),
    "SwapUnits": gw.SwapUnits(),
}


@pytest.mark.parametrize("name", WORK)
def test_it_changes_and_runs(unet: Any, name: str) -> None:
    mutant = gw.mutate(unet, WORK[name], seed=1, example=_example())
    out = _out(mutant, _example())
    assert out.isfinite().all()
    assert gw.fingerprint(mutant) != gw.fingerprint(unet) or name in ("ReplaceActivation", "RemoveLayer")
    if "function" in WORK[name].claims():
        torch.testing.assert_close(out, _out(unet, _example()), rtol=1e-4, atol=1e-5)


def test_what_groups_cut_across_is_refused_with_the_line(unet: Any) -> None:
    for layer in ("conv_in", "conv_in[0]"):
        why = r"groups of a norm do not end where the pieces do that are laid side by side in it \(resnet\.py:"
        with pytest.raises(gw.UnsupportedError, match=why):
            gw.mutate(unet, gw.Widen(layer, num_units=4), seed=1, example=_example())


def test_channels_come_and_go_and_the_config_is_named(unet: Any) -> None:
    before = _out(unet, _example())
    plan = gw.plan(unet, gw.GrowInputs("conv_in", num_units=1), seed=1, example=_example())
    assert re.search(r"'config\.in_channels'", str(plan))
    wider = plan.apply()
    example = _example(4)
    old = {**example, "sample": example["sample"][:, :3]}
    torch.testing.assert_close(_out(wider, example), _out(unet, old), rtol=1e-4, atol=1e-5)
    more = gw.mutate(unet, gw.GrowOutputs("conv_out", num_units=1), seed=1, example=_example())
    torch.testing.assert_close(_out(more, _example())[:, :3], before, rtol=1e-4, atol=1e-5)
