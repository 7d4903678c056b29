"""Run by test_cuda.py in a process of its own, with TRITON_INTERPRET=1: the Triton kernel against the reference."""

import sys
from pathlib import Path
from typing import Any

import torch

from genewright.noise import Change, Stream, WeightedSum, apply
from genewright.noise.cuda import apply as triton_apply
from genewright.noise.cuda import backend

from .test_backends import DTYPES, any_patterns

CHANGES = [
    Change(combine="add", scale=0.1),
    Change(combine="add", scale=-0.1, rate=0.4),
    Change(combine="add", scale=0.1, rate=0.3, distribution="cauchy"),
    Change(combine="add", scale=0.001, rounding="stochastic", rate=0.002),
    Change(combine="add", scale=-0.5, distribution="constant", rounding="stochastic"),
    Change(combine="add", scale=0.5, distribution="truncated_normal"),
    Change(combine="add_relative", scale=0.1, rate=0.01, distribution="uniform"),
    Change(combine="add_relative", scale=-3.0, distribution="constant"),
    Change(combine="multiply", scale=0.5, rate=0.7),
    Change(combine="multiply", scale=40.0),
    Change(combine="multiply", scale=-1.5, distribution="constant"),
    Change(combine="replace", scale=2.0, distribution="laplace", rate=0.05),
    Change(combine="replace", scale=-0.25, distribution="constant", rate=0.2),
    Change(combine="replace", scale=0.0),
    Change(combine="replace", scale=1e30, distribution="sign", rate=0.5),
    Change(combine="negate", rate=0.5),
    Change(combine="negate"),
    Change(combine="xor", bits=(3,), rate=0.999),
    Change(combine="xor", bits=(3, 7, 15), rate=0.9),
    Change(combine="add", rate=0.0),
]
TERMS = tuple((Stream(key=k, tweak=k >> 8), weight) for k, weight in ((3, 0.5), (2**63, -0.25), (7, 0.0), (9, -2e-3)))
SUMS = [
    WeightedSum(terms=TERMS),
    WeightedSum(terms=TERMS, decay=0.1, rounding="stochastic"),
    WeightedSum(terms=TERMS, rate=0.3, rounding="stochastic"),
    WeightedSum(terms=TERMS, rate=0.01, decay=0.1),
    WeightedSum(terms=TERMS, rounding="stochastic"),
    WeightedSum(terms=()),
]
PLACES = [(1, 0), (17, 127), (129, 4095), (4097, 4096), (5000, 2**32 - 3000), (4096, 2**40)]


def cases(all_of_them):
    """Every change; with every dtype and place, or with one of each in turn."""
    for number, change in enumerate([*CHANGES, *SUMS]):
        for dtype in sorted(DTYPES) if all_of_them else [sorted(DTYPES)[number % 4]]:
            for size, start in PLACES if all_of_them else [PLACES[(number + 2) % 6]]:
                yield number, change, dtype, size, start
        if isinstance(change, WeightedSum) and number % 2:  # 71 columns, from the middle of a row
            low_rank = WeightedSum(terms=TERMS, rank=1 + number % 3, matrix=(100, 71), rounding="stochastic")
            yield number, low_rank, sorted(DTYPES)[number % 4], 5000, 100


def main(device: str, extent: str) -> None:
    stream = Stream(key=2**64 - 3, tweak=2**56 - 5)
    done = 0
    for number, change, dtype, size, start in cases(extent == "all"):
        before = any_patterns(size, dtype, number)
        expected, made = before.copy(), torch.from_numpy(before.copy())
        made = (made.view(torch.bfloat16) if dtype == "bfloat16" else made).to(device)
        apply(expected, change, stream, dtype=dtype, start=start, backend="numpy")
        undos = []
        triton_apply(made, change, stream, start=start, journal=undos.append)
        signed = made.view(torch.int16) if made.element_size() == 2 else made
        assert signed.cpu().numpy().tobytes() == expected.tobytes(), (change, dtype, size, start)
        undos[0].restore(made)
        assert signed.cpu().numpy().tobytes() == before.tobytes(), ("undo", change, dtype, size, start)
        done += 1
    interrupted_anywhere(device)
    print(done)


HOUSE = str(Path(backend.__file__).parent)


class Instant:
    """Raises a KeyboardInterrupt at the k-th line or return of the room, counted from 1; 0 only counts them."""

    def __init__(self, instant: int) -> None:
        self.instant, self.passed = instant, 0

    def __enter__(self) -> "Instant":  # noqa: PYI034  # Triton's interpreter runs this file on its own
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _trace(self, frame: Any, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(HOUSE):
            return None
        if event in ("line", "return"):
            self.passed += 1
            if self.passed == self.instant:
                raise KeyboardInterrupt
        return self._trace


def interrupted_anywhere(device: str) -> None:
    """Interrupt the change at some of its lines, before, in (under the interpreter) and after the kernel."""
    stream = Stream(key=3, tweak=5)
    for change in (Change(combine="add"), Change(combine="negate", rate=0.9), Change(combine="negate", rate=0.01)):
        before = torch.from_numpy(any_patterns(700, "float32", 7)).to(device).view(torch.int32)
        values = before.clone()
        with Instant(0) as whole:
            triton_apply(values.view(torch.float32), change, stream, start=4096)
        values.copy_(before)
        outcomes = set[bool]()
        for number in range(8):
            undos: list[Any] = []
            try:
                with Instant(whole.passed if number == 7 else 1 + number * whole.passed // 7):
                    triton_apply(values.view(torch.float32), change, stream, start=4096, journal=undos.append)
            except KeyboardInterrupt:
                outcomes.add(torch.equal(values, before))
            assert undos or torch.equal(values, before)
            for undo in undos * 2:
                undo.restore(values.view(torch.float32))
            assert torch.equal(values, before), (change, number)
        assert True in outcomes, change
        if device == "cpu":
            assert False in outcomes, change


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
