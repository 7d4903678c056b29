"""Time the noise in ratios: to torch's in-place add of a ready tensor, and to the recipe that people write today.

Run: make bench-noise   (or: python benchmarks/noise/run.py --quick)

Each number is the least of several runs, taken in turn with the floor in the same process, so that a busy machine
blurs all of them alike. CPU time on one thread; wall time on two.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from genewright.noise import Change, Stream, Undo
from genewright.noise.compiled import apply as compiled

STREAM = Stream(key=246, tweak=135)
RATES = (1.0, 0.3, 0.1, 0.01, 0.001)


def least(tasks: dict[str, Callable[[], object]], clock: Callable[[], float], rounds: int) -> dict[str, float]:
    """Return the least time of each task; the tasks take turns."""
    best = dict.fromkeys(tasks, float("inf"))
    for turn in range(rounds + 1):
        for name, task in tasks.items():
            begun = clock()
            task()
            if turn:
                best[name] = min(best[name], clock() - begun)
    return best


def tensor(count: int, dtype: str) -> torch.Tensor:
    """Return weights of a usual spread."""
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(count, generator=generator) * 0.05).to(getattr(torch, dtype))


def as_array(values: torch.Tensor) -> np.ndarray:
    """Return the NumPy view that `apply` takes."""
    return values.view(torch.int16).numpy().view(np.uint16) if values.dtype == torch.bfloat16 else values.numpy()


def recipe(values: torch.Tensor, rate: float) -> Callable[[], object]:
    """Return what people write today, with a seed."""

    def run() -> None:
        torch.manual_seed(246)
        values.add_(1e-6 * torch.randn_like(values) * (torch.rand_like(values) < rate))

    return run


def table(title: str, rows: list[list[str]]) -> None:
    """Print rows as a Markdown table."""
    print(f"\n{title}\n")
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        print("| " + " | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")


def speeds(dtype: str, counts: tuple[int, ...], rounds: int) -> None:
    """Time adding normal noise, by size and rate."""
    head = ["n", "rate", "ns per element", "x the add", "x faster than the recipe", "2 threads, wall ns"]
    rows = [head]
    for count in counts:
        torch.set_num_threads(1)
        values, ready = tensor(count, dtype), tensor(count, dtype)
        array = as_array(values)
        repeat = max(1, 10**6 // count)
        for rate in RATES:
            change = Change(combine="add", scale=1e-6, rate=rate)

            def ours(threads: int, change: Change = change, array: np.ndarray = array, repeat: int = repeat) -> None:
                for _ in range(repeat):
                    compiled(array, change, STREAM, dtype, 0, None, threads=threads)

            def floor(values: torch.Tensor = values, ready: torch.Tensor = ready, repeat: int = repeat) -> None:
                for _ in range(repeat):
                    values.add_(ready)

            few = max(2, rounds // 3) if count >= 10**7 else rounds
            best = least({"floor": floor, "ours": lambda: ours(1)}, time.process_time, few + 2)
            usual = least({"recipe": recipe(values, rate)}, time.process_time, 2)["recipe"] * repeat
            wall = least({"wall": lambda: ours(2)}, time.perf_counter, few)["wall"]
            scale = 1e9 / (count * repeat)
            rows.append(
                [
                    f"{count:.0e}",
                    f"{rate:g}",
                    f"{best['ours'] * scale:.3f}",
                    f"{best['ours'] / best['floor']:.2f}",
                    f"{usual / best['ours']:.1f}",
                    f"{wall * scale:.3f}",
                ]
            )
    table(f"### Adding normal noise, {dtype}", rows)


def kinds(count: int, rounds: int) -> None:
    """Time every kind of change and every dtype."""
    rows = [["change", *("float32", "bfloat16", "float16", "float64")]]
    changes = {
        "add normal": Change(combine="add", scale=1e-6),
        "add normal, stochastic rounding": Change(combine="add", scale=1e-6, rounding="stochastic"),
        "add uniform": Change(combine="add", scale=1e-6, distribution="uniform"),
        "add laplace": Change(combine="add", scale=1e-6, distribution="laplace"),
        "add cauchy": Change(combine="add", scale=1e-9, distribution="cauchy"),
        "add relative": Change(combine="add_relative", scale=1e-6),
        "multiply (log-normal)": Change(combine="multiply", scale=1e-6),
        "replace": Change(combine="replace", scale=0.05),
        "negate": Change(combine="negate"),
        "negate, rate 0.01": Change(combine="negate", rate=0.01),
        "flip a bit of three": Change(combine="xor", bits=(0, 1, 2)),
    }
    for name, change in changes.items():
        row = [name]
        for dtype in rows[0][1:]:
            array = as_array(tensor(count, dtype))
            best = least(
                {"ours": lambda c=change, a=array, d=dtype: compiled(a, c, STREAM, d, 0, None, threads=1)},
                time.process_time,
                rounds,
            )
            row.append(f"{best['ours'] / count * 1e9:.2f}")
        rows.append(row)
    table(f"### Every kind of change, ns per element, one thread, n = {count:.0e}, rate 1", rows)


RESNET18 = [(64, 3, 7, 7), (64,), (64,)] + [
    shape
    for width, before in ((64, 64), (128, 64), (256, 128), (512, 256))
    for shape in (
        (width, before, 3, 3), (width,), (width,), (width, width, 3, 3), (width,), (width,),
        *([(width, before, 1, 1), (width,), (width,)] if width != before else []),
        (width, width, 3, 3), (width,), (width,), (width, width, 3, 3), (width,), (width,),
    )
] + [(1000, 512), (1000,)]  # fmt: skip
GPT2 = [(50257, 768), (1024, 768)] + 12 * [
    (768,), (768,), (768, 2304), (2304,), (768, 768), (768,), (768,), (768,), (768, 3072), (3072,), (3072, 768), (768,)
] + [(768,), (768,)]  # fmt: skip


def models(rounds: int) -> None:
    """Time whole models."""
    rows = [["model", "parameters", "tensors", "rate", "ms, 1 thread CPU", "ms, recipe", "times faster", "undo MB"]]
    for name, shapes in (("ResNet-18", RESNET18), ("GPT-2 small", GPT2)):
        torch.set_num_threads(1)
        parameters = [tensor(int(np.prod(shape)), "float32") for shape in shapes]
        arrays = [as_array(values) for values in parameters]
        total = sum(map(len, arrays))
        for rate in (1.0, 0.01):
            change = Change(combine="add", scale=1e-6, rate=rate)

            def ours(change: Change = change, arrays: list[np.ndarray] = arrays) -> None:
                for number, array in enumerate(arrays):
                    compiled(array, change, Stream(key=number, tweak=1), "float32", 0, None, threads=1)

            def usual(rate: float = rate, parameters: list[torch.Tensor] = parameters) -> None:
                for values in parameters:
                    values += 1e-6 * torch.randn_like(values) * (torch.rand_like(values) < rate)

            best = least({"ours": ours}, time.process_time, rounds)["ours"]
            other = least({"usual": usual}, time.process_time, 2)["usual"]
            undos: list[Undo] = []
            for array in arrays:
                compiled(array, change, STREAM, "float32", 0, undos.append, threads=1)
            undo = sum(one.nbytes for one in undos)
            undos.clear()
            rows.append(
                [
                    name,
                    f"{total:,}",
                    str(len(arrays)),
                    f"{rate:g}",
                    f"{best * 1e3:.1f}",
                    f"{other * 1e3:.0f}",
                    f"{other / best:.0f}",
                    f"{undo / 1e6:.1f}",
                ]
            )
    table("### Whole models, float32, random weights", rows)


def peak(count: int) -> None:
    """Measure the memory that a change takes beyond its tensor."""
    rows = [["n", "rate", "journal", "tensor MB", "peak beyond it, MB"]]
    for rate, journal in ((1.0, False), (0.01, False), (0.01, True)):
        values = np.zeros(count, np.float32)
        values += 1
        change = Change(combine="add", scale=1e-6, rate=rate)
        undos: list[Undo] = []
        note = undos.append if journal else None
        compiled(values[:5000], change, STREAM, "float32", 0, note)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        compiled(values, change, STREAM, "float32", 0, note)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rows.append(
            [
                f"{count:.0e}",
                f"{rate:g}",
                "yes" if undos else "no",
                f"{values.nbytes / 1e6:.0f}",
                f"{(after - before) / 1e3:.1f}",
            ]
        )
        del values, undos
    table("### Peak memory (of a process that has run nothing larger)", rows)


FIRST = """
import time
begun = time.perf_counter()
import numpy as np
from genewright.noise import Change, Stream, apply
values = np.zeros({size}, np.float32)
imported = time.perf_counter()
apply(values, Change(combine="add", scale=0.1, rate={rate}), Stream(key=1, tweak=2), dtype="float32")
print(imported - begun, time.perf_counter() - imported)
"""


def first_calls() -> None:
    """Time the first call of new processes."""
    rows = [["first call of a new process", "import genewright.noise, s", "first apply, s"]]
    for name, size, rate in (
        ("10,000 elements", 10_000, 1),
        ("1e6 elements", 10**6, 1),
        ("1e6 at rate 0.01", 10**6, 0.01),
    ):
        runs = []
        for _ in range(5):
            code = FIRST.format(size=size, rate=rate)
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            runs.append([float(part) for part in done.stdout.split()])
        rows.append([name, *(f"{min(column):.3f}" for column in zip(*runs, strict=True))])
    table("### The first call, with the kernels in the cache", rows)


def machine() -> str:
    """Name the machine and the versions."""
    names = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    import numba

    return (
        f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"NumPy {np.__version__}, Numba {numba.__version__}, torch {torch.__version__}"
    )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="n = 1e4 and 1e6 only")
    quick = parser.parse_args().quick
    counts = (10**4, 10**6) if quick else (10**4, 10**6, 10**7, 10**8)
    print(f"Machine: {machine()}")
    peak(10**6 if quick else 10**8)
    for dtype in ("float32", "bfloat16"):
        speeds(dtype, counts, 9)
    kinds(10**6, 15)
    models(2 if quick else 5)
    first_calls()


if __name__ == "__main__":
    main()
