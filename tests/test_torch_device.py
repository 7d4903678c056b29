"""A tensor on a device is changed there, by the kernel; Triton's interpreter shows it without a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

_PROGRAM = """
import torch
import genewright as gw
import genewright.backends.torch.store as store

asked = []
on_device = store.perturb_on_device


def counted(*arguments):
    asked.append(on_device(*arguments))
    return asked[-1]


store.perturb_on_device = counted
net = torch.nn.Sequential(torch.nn.Linear(40, 7), torch.nn.Linear(7, 3).bfloat16())
for number, parameter in enumerate(net.parameters()):
    torch.nn.init.constant_(parameter, 0.5 + number)
before = gw.fingerprint(net)
mutations = [
    gw.GaussianNoise(std=0.3), gw.GaussianNoise(std=0.3, rate=0.1), gw.FactorNoise(std=0.2), gw.BitFlip(rate=0.4),
    gw.UniformNoise(bound=0.1, where=gw.where(units=[0, 2])),
]
for mutation in mutations:
    print(gw.fingerprint(gw.mutate(net, mutation, seed=5)))
    with gw.mutated(net, mutation, seed=5):
        pass
    assert gw.fingerprint(net) == before
print(sum(asked), len(asked))
"""


def _run(**environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
def test_the_kernel_and_main_memory_give_the_same_bytes_and_both_undo() -> None:
    here, there = _run(), _run(TRITON_INTERPRET="1")
    assert here[:-1] == there[:-1]
    assert here[-1] == "0 0"  # main memory is no device to ask
    assert there[-1] == "32 40"  # 5 mutations, of 4 tensors, made and undone; of a part of one it is not asked
