"""Four threads run every operator at once: the bytes of a serial run, and a process that nobody has changed.

What may not stay as it is for other threads while we work, because a library has it no other way:

- `warnings.filters` and the filters of torch's logger for fake tensors hold one entry more for a moment. It matches
  nothing on other threads: the watching thread warns and logs, and is heard.
- transformers' constructors wrap torch.nn.init, and may set torch's default dtype, while they run (only in the long
  test: `FOREIGN`). Afterwards both are as before.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import os
import random
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import nn

import genewright as gw
from genewright.backends.files.checkpoint import Checkpoint, Entry
from genewright.operator import donors_of, registered
from tests.operators.architecture import networks, wide_networks
from tests.operators.architecture.test_golden import repairable
from tests.pretrained import make as make_pretrained

pytestmark = [pytest.mark.filterwarnings(f"ignore::DeprecationWarning:{of}") for of in ("keras", "tensorflow", "jax")]
THREADS = 4
FOREIGN = {"torch.nn.init", "torch default dtype"}
Task = Callable[[], str]
KERAS = importlib.util.find_spec("keras") is not None


class Drawing(nn.Module):
    """Draws whenever it runs, also in evaluation mode, by operations with and without a generator."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(6, 8)
        self.b = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.a(x + torch.rand_like(x))) + torch.randn(8)
        return self.b(F.dropout(hidden, 0.3, training=True))


class AsksForItsDevice(nn.Module):
    """Does not run on meta tensors; its attention takes torch's fused kernels where it may."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(6, 8)
        self.inner = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.device.type == "cpu"
        return self.head(self.inner(torch.relu(self.up(x))))


OWN: dict[str, tuple[type[nn.Module], tuple[int, ...]]] = {
    "drawing": (Drawing, (3, 6)),
    "asks for its device": (AsksForItsDevice, (2, 5, 6)),
}
OF_WEIGHTS: dict[str, Any] = {
    "BitFlip": gw.BitFlip(rate=0.3),
    "CauchyNoise": gw.CauchyNoise(scale=0.1),
    "Crossover": gw.Crossover(rate=0.5),
    "DrawSettings": gw.DrawSettings(operator=gw.Zero(), ranges={"rate": (0.1, 0.6)}),
    "EvolutionNoise": gw.EvolutionNoise(std=0.1),
    "EvolutionUpdate": gw.EvolutionUpdate(seeds=(1, 2), weights=(0.1, -0.2), optimizer="momentum", sizes=(1, 1)),
    "FactorNoise": gw.FactorNoise(std=0.3),
    "GaussianNoise": gw.GaussianNoise(std=0.1, relative_to="tensor"),
    "LaplaceNoise": gw.LaplaceNoise(scale=0.1),
    "OneOf": gw.OneOf(operators=(gw.Zero(rate=0.5), gw.SignFlip(rate=0.5))),
    "MaskSmallest": gw.MaskSmallest(),
    "LowRankNoise": gw.LowRankNoise(std=0.1, rank=2),
    "Quantize": gw.Quantize(bits=3),
    "Rewind": gw.Rewind(),
    "Reset": gw.Reset(init="kaiming_normal"),
    "Sequence": gw.Sequence(operators=(gw.GaussianNoise(), gw.Zero(rate=0.2))),
    "SetWeights": gw.SetWeights(values=(0.5,)),
    "Shuffle": gw.Shuffle(rate=0.7),
    "SignFlip": gw.SignFlip(rate=0.5),
    "SwapUnits": gw.SwapUnits(rate=0.8),
    "UniformNoise": gw.UniformNoise(bound=0.5),
    "Zero": gw.Zero(rate=0.5),
    "FaultAt": gw.FaultAt(operator=gw.BitFlip(), place=100),
    "Scale": gw.Scale(factor=2.0, rate=0.5),
    "SetValue": gw.SetValue(value=0.5, rate=0.5),
    "Shift": gw.Shift(amount=0.5, rate=0.5),
    "StuckAt": gw.StuckAt(rate=0.5),
}
OF_MODULES: dict[str, tuple[str, Any]] = {
    "AddBranch": ("plain", gw.AddBranch()),
    "AddHeads": ("attention", gw.AddHeads()),
    "AddSkip": ("plain", gw.AddSkip()),
    "AlignTo": ("convolutions", gw.AlignTo("mate")),
    "BlockInputs": ("resnet", gw.BlockInputs(count=2)),
    "BlockUnits": ("resnet", gw.BlockUnits(count=2)),
    "CopyLayer": ("stack", gw.CopyLayer()),
    "DuplicateBlock": ("stack", gw.DuplicateBlock(by="gate")),
    "GrowKernel": ("plain", gw.GrowKernel()),
    "GrowInputs": ("plain", gw.GrowInputs()),
    "GrowOutputs": ("plain", gw.GrowOutputs()),
    "InsertLayer": ("plain", gw.InsertLayer()),
    "InsertLayer where it draws": ("drawing", gw.InsertLayer()),
    "FoldConstantUnits": ("constant", gw.FoldConstantUnits()),
    "InvertUnits": ("resnet", gw.InvertUnits(count=2)),
    "MergeUnits": ("copies", gw.MergeUnits()),
    "Narrow": ("gated", gw.Narrow(by="last", num_units=1)),
    "PruneUnits": ("convolutions", gw.PruneUnits(fraction=0.25)),
    "RecycleUnits": ("constant", gw.RecycleUnits(where=gw.where(units=[0]))),
    "RemoveHeads": ("attention", gw.RemoveHeads(by="last")),
    "RemoveLayer": ("stack", gw.RemoveLayer()),
    "ReplaceActivation": ("stack", gw.ReplaceActivation(to="SiLU", blend=0)),
    "ReplaceLayer": ("stack", gw.ReplaceLayer(new={"layer": "Linear", "in_features": 8, "out_features": 8})),
    "ResizePositions": ("attention", gw.ResizePositions(8)),
    "ResizeVocabulary": ("attention", gw.ResizeVocabulary()),
    "ShrinkInputs": ("plain", gw.ShrinkInputs()),
    "ShrinkOutputs": ("plain", gw.ShrinkOutputs()),
    "SafeGaussianNoise": ("convolutions", gw.SafeGaussianNoise(std=0.1)),
    "SplitUnits": ("convolutions", gw.SplitUnits(count=2)),
    "SwapUnits": ("tied", gw.SwapUnits()),
    "SwapLayers": ("resnet", gw.SwapLayers("stage.0.conv1", "stage.1.conv2")),
    "Tie": ("resnet", gw.Tie(source="stage.0.conv1", target="stage.0.conv2")),
    "Transfer": ("resnet", gw.Transfer(source="stage.0.conv1", target="stage.1.conv1")),
    "Widen": ("convolutions", gw.Widen(num_units=3, init="noise")),
    "Widen after looking at values": ("looks_at_values", gw.Widen(layer="a", num_units=2)),
    "Widen beside fused attention": ("asks for its device", gw.Widen(layer="inner.linear1", num_units=2)),
    "WidenStream": ("attention", gw.WidenStream(factor=2, init="replicate")),
}
OF_KERAS: dict[str, Any] = {
    "GaussianNoise": gw.GaussianNoise(std=0.1),
    "InsertLayer": gw.InsertLayer(after="hidden"),
    "Widen": gw.Widen(layer="hidden", num_units=2),
}


@pytest.fixture(scope="module")
def models() -> dict[str, tuple[Any, Any]]:
    """Models and examples by name; they are only copied."""
    made: dict[str, tuple[Any, Any]] = {"checkpoint": (_checkpoint(), None)}
    for name in {network for network, _ in OF_MODULES.values()}:
        if name in OWN:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(7)
                made[name] = OWN[name][0]().eval(), torch.randn(OWN[name][1])
        elif name in ("constant", "copies"):
            made[name] = repairable(name, torch.float32)
        else:
            room: Any = networks if name in networks.NETWORKS else wide_networks
            made[name] = room.make(name)
    return made


def _checkpoint() -> Checkpoint:
    entries: dict[str, Entry] = {}
    for name, shape in {"first.weight": (6, 5), "first.bias": (6,), "second.weight": (4, 6)}.items():
        values = ((np.arange(np.prod(shape)) * 29 % 83) - 41).astype(np.float32) / 64
        entries[name] = Entry("float32", shape, values.view(np.uint8))
    return Checkpoint(entries, {})


def _keras_model() -> tuple[Any, Any]:
    os.environ.setdefault("KERAS_BACKEND", "torch")  # its table of dtypes is one that we touch
    import keras

    state = random.getstate()
    random.seed(7)
    inputs = keras.Input((6,), name="given")
    hidden = keras.layers.Dense(8, activation="relu", name="hidden")(inputs)
    outputs = keras.layers.Dense(3, name="out")(hidden)
    model = keras.Model(inputs, outputs, name="small")
    random.setstate(state)
    shapes = [tuple(weight.shape) for weight in model.weights]
    model.set_weights([(np.arange(np.prod(s)) * 29 % 83 - 41).astype("float32").reshape(s) / 64 for s in shapes])
    return model, np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)


def tasks(models: Mapping[str, tuple[Any, Any]], thread: int) -> Iterator[tuple[str, Task]]:
    """Yield every operator on models of this thread's own."""

    def task(kind: str, operator: Any, *, inplace: bool = False) -> Task:
        model, example = models[kind]
        mine = model if kind == "keras" else copy.deepcopy(model)  # gw.mutate copies; Keras's own way shares no state

        def run() -> str:
            before = gw.fingerprint(mine)
            donors = {name: gw.mutate(mine, gw.SignFlip(rate=0.5), seed=1) for name in donors_of(operator)}
            if inplace:
                with gw.mutated(mine, operator, seed=246, example=example, donors=donors) as changed:
                    found = gw.fingerprint(changed)
            else:
                found = gw.fingerprint(gw.mutate(mine, operator, seed=246, example=example, donors=donors))
            assert gw.fingerprint(mine) == before
            return found

        return run

    for name, operator in OF_WEIGHTS.items():
        yield f"{name} of a checkpoint", task("checkpoint", operator)
    for number, (name, (kind, operator)) in enumerate(OF_MODULES.items()):
        yield f"{name} of {kind}", task(kind, operator, inplace=bool(number % 2))
    if "llama" in models:
        yield "Widen of llama", task("llama", gw.Widen(layer="model.layers.*.mlp.gate_proj", num_units=8))
    if "keras" in models:
        for name, operator in OF_KERAS.items():
            yield f"{name} of Keras", task("keras", operator)


def state() -> dict[str, Any]:
    """Return what belongs to the process, as a thread sees it that does nothing."""
    loggers = [logging.getLogger(name) for name in ("", "genewright", "torch", "transformers", _FAKES)]
    found: dict[str, Any] = {
        "torch generator": torch.random.get_rng_state().numpy().tobytes(),
        "Python generator": random.getstate(),
        "NumPy generator": repr(np.random.get_state(legacy=False)),  # noqa: NPY002  # the global one is the point
        "torch default dtype": torch.get_default_dtype(),
        "torch default device": torch.get_default_device(),
        "torch grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "torch modes": (torch._C._len_torch_dispatch_stack(), torch._C._len_torch_function_stack()),
        "torch deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.deterministic,
            torch.backends.cudnn.benchmark,
        ),
        "torch threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "torch fast path": torch.backends.mha.get_fastpath_enabled(),
        "torch attention": tuple(
            getattr(torch._C, f"_get_{name}_sdp_enabled")() for name in ("flash", "mem_efficient", "math", "cudnn")
        ),
        "torch fake tensors": torch._C._only_lift_cpu_tensors(),
        "torch.nn.init": {name: value for name, value in vars(nn.init).items() if callable(value)},
        # a copy: an entry that another thread puts in front while a loop is under way would show one twice
        "warnings.filters": [f for f in list(warnings.filters) if f[1] is None or isinstance(f[1], str | re.Pattern)],
        "warnings.showwarning": warnings.showwarning,
        "a warning is heard": _is_heard(),
        "loggers": [(one.level, one.propagate, one.disabled, list(one.handlers)) for one in loggers],
        "a record is heard": bool(loggers[-1].filter(logging.makeLogRecord({"name": _FAKES, "msg": "heard"}))),
        "os.environ": dict(os.environ),
    }
    status = Path("/proc/self/status")
    if status.exists():
        found["umask"] = next((line for line in status.read_text().splitlines() if line.startswith("Umask")), "")
    if KERAS:
        import keras

        found["Keras"] = (
            keras.config.floatx(),
            keras.config.epsilon(),
            keras.config.image_data_format(),
            keras.config.backend(),
            keras.config.dtype_policy().name,
            keras.backend.result_type("float64", "float64"),
        )
    return found


_FAKES = "torch._subclasses.fake_tensor"


def _is_heard() -> bool:
    try:
        warnings.warn("the watching thread warns", UserWarning, stacklevel=1)
    except UserWarning:  # the tests turn warnings into errors
        return True
    return False


def together(models: Mapping[str, tuple[Any, Any]], rounds: int) -> tuple[list[tuple[str, str]], set[str]]:
    """Run all tasks on four threads, which begin each task together and are never at the same one.

    Returns:
        The results, and the names of what the watching thread saw changed.
    """
    lists = [list(tasks(models, thread)) for thread in range(THREADS)]
    barrier = threading.Barrier(THREADS, timeout=300)
    results: list[tuple[str, str]] = []
    changed: set[str] = set()
    done = threading.Event()
    before = state()

    def work(thread: int) -> None:
        mine = lists[thread]
        for at in range(rounds * len(mine)):
            name, task = mine[(at + thread * len(mine) // THREADS) % len(mine)]
            barrier.wait()
            try:
                results.append((name, task()))
            except BaseException as error:
                results.append((name, f"{type(error).__name__}: {error}"))

    def watch() -> None:
        while not done.wait(0.005):
            now = state()
            changed.update(name for name in before if now[name] != before[name])

    watcher = threading.Thread(target=watch)
    workers = [threading.Thread(target=work, args=(thread,)) for thread in range(THREADS)]
    watcher.start()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done.set()
    watcher.join()
    return results, changed


def assert_like_a_serial_run(models: Mapping[str, tuple[Any, Any]], rounds: int, allowed: set[str]) -> None:
    serial = {name: task() for name, task in tasks(models, 0)}  # what frameworks import on first use is there now
    before = state()
    results, changed = together(models, rounds)
    after = state()
    assert [name for name in before if after[name] != before[name]] == []
    assert len(results) == THREADS * rounds * len(serial)
    assert {(name, found) for name, found in results if found != serial[name]} == set()
    assert changed - allowed == set()


def test_every_operator_is_here() -> None:
    ours = {cls.__name__ for cls in registered().values() if cls.__module__.startswith("genewright.")}
    assert ours == {name.split()[0] for name in (*OF_WEIGHTS, *OF_MODULES)}


def test_threads_get_the_bytes_of_a_serial_run_and_change_nothing_of_the_process(models: Any) -> None:
    assert_like_a_serial_run({**models, "keras": _keras_model()} if KERAS else models, 1, set())


@pytest.mark.slow
def test_threads_for_longer_and_with_pretrained_models(models: Any) -> None:
    pretrained = {"llama": make_pretrained("llama")} if importlib.util.find_spec("transformers") else {}
    assert_like_a_serial_run({**models, **pretrained} | ({"keras": _keras_model()} if KERAS else {}), 5, FOREIGN)
