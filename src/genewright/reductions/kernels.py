"""The kernel: every job on a block of values, then the next block. Units side by side or each unit's values."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from genewright.machine_code.bits import (
    apart,
    array_of_doubles,
    array_of_floats,
    array_of_u64,
    double_of_u64,
    kernel,
    standing_alone,
    wide,
)
from genewright.reductions.call import (
    ABOVE,
    BLOCK,
    COLUMNS,
    DISTANCES,
    EQUAL,
    HIGHEST,
    JOB,
    JOBS,
    JOBS_SIZE,
    LANE,
    LANES,
    LOWEST,
    POSITION_STRIDE,
    POSITIONS,
    SAMPLE_STRIDE,
    SAMPLES,
    SQUARES,
    SUM,
    UNIT_STRIDE,
    UNITS,
    VALUES,
)

U: Final = np.uint64
VALUES_AT: Final = {32: array_of_floats, 64: array_of_doubles}


@kernel
def _plus(a: Any, b: Any) -> Any:
    return a + b


@kernel
def _lower(a: Any, b: Any) -> Any:
    return a if a < b else b  # noqa: FURB136  # min() asks which is NaN, too


@kernel
def _higher(a: Any, b: Any) -> Any:
    return a if a > b else b  # noqa: FURB136


@kernel
def _itself(value: Any, number: Any) -> Any:
    return np.float64(value)


@kernel
def _square(value: Any, number: Any) -> Any:
    wider = np.float64(value)
    return wider * wider


@kernel
def _distance(value: Any, number: Any) -> Any:
    return abs(np.float64(value) - number)


@kernel
def _above(value: Any, number: Any) -> Any:
    return np.float64(1.0) if np.float64(value) > number else np.float64(0.0)


@kernel
def _equal(value: Any, number: Any) -> Any:
    return np.float64(1.0) if np.float64(value) == number else np.float64(0.0)


def _folding(term: Any, join: Any) -> Any:
    """Return a loop over rows of values that joins each column's terms to what it has; vectorised over columns."""

    @kernel
    def fold(values: Any, at: Any, stride: Any, rows: Any, columns: Any, into: Any, number: Any) -> None:
        wide()
        apart()
        row = U(0)
        while row + U(4) <= rows:
            a = at + row * stride
            b, c, d = a + stride, a + U(2) * stride, a + U(3) * stride
            for place in range(columns):
                k = U(place)
                first = join(term(values[a + k], number), term(values[b + k], number))
                second = join(term(values[c + k], number), term(values[d + k], number))
                into[k] = join(into[k], join(first, second))
            row += U(4)
        while row < rows:
            a = at + row * stride
            for place in range(columns):
                k = U(place)
                into[k] = join(into[k], term(values[a + k], number))
            row += U(1)

    return fold


_sum, _squares, _distances = _folding(_itself, _plus), _folding(_square, _plus), _folding(_distance, _plus)
_lowest, _highest = _folding(_itself, _lower), _folding(_itself, _higher)
_count_above, _count_equal = _folding(_above, _plus), _folding(_equal, _plus)


@kernel
def _begun(operation: Any) -> Any:
    return np.inf if operation == LOWEST else -np.inf if operation == HIGHEST else 0.0


@kernel
def _work(operation: Any, values: Any, at: Any, stride: Any, rows: Any, columns: Any, into: Any, number: Any) -> None:
    if operation == SUM:
        _sum(values, at, stride, rows, columns, into, number)
    elif operation == SQUARES:
        _squares(values, at, stride, rows, columns, into, number)
    elif operation == DISTANCES:
        _distances(values, at, stride, rows, columns, into, number)
    elif operation == LOWEST:
        _lowest(values, at, stride, rows, columns, into, number)
    elif operation == HIGHEST:
        _highest(values, at, stride, rows, columns, into, number)
    elif operation == ABOVE:
        _count_above(values, at, stride, rows, columns, into, number)
    elif operation == EQUAL:
        _count_equal(values, at, stride, rows, columns, into, number)


@kernel
def _joined(operation: Any, lanes: Any) -> Any:
    """Return what the lanes come to, in a fixed order."""
    whole = lanes[U(0)]
    for place in range(1, LANE):
        lane = lanes[U(place)]
        if operation == LOWEST:
            whole = _lower(whole, lane)
        elif operation == HIGHEST:
            whole = _higher(whole, lane)
        else:
            whole += lane
    return whole


@kernel(error_model="numpy")  # a division by zero would be a call of Python's
def _side_by_side(values: Any, words: Any, jobs: Any) -> None:
    """Reduce units that lie side by side: a block is some of them at some positions."""
    units, positions, stride = words[UNITS], words[POSITIONS], words[POSITION_STRIDE]
    first = U(0)
    while first < units:
        columns = min(U(COLUMNS), units - first)
        most = U(BLOCK) // columns & U(0xFFFFFFFC)  # whole fours: what is added to what does not depend on the columns
        for job in range(words[JOBS_SIZE]):
            at = U(job) * U(JOB)
            into = array_of_doubles(jobs[at + U(2)] + U(8) * first, np.int64(columns))
            for k in range(columns):
                into[U(k)] = _begun(jobs[at])
        for sample in range(words[SAMPLES]):
            row = U(0)
            while row < positions:
                rows = min(most, positions - row)
                begin = U(sample) * words[SAMPLE_STRIDE] + row * stride + first
                for job in range(words[JOBS_SIZE]):
                    at = U(job) * U(JOB)
                    into = array_of_doubles(jobs[at + U(2)] + U(8) * first, np.int64(columns))
                    _work(jobs[at], values, begin, stride, rows, columns, into, double_of_u64(jobs[at + U(1)]))
                row += rows
        first += columns


@kernel(error_model="numpy")
def _one_by_one(values: Any, words: Any, jobs: Any) -> None:
    """Reduce units each of whose values lie side by side: a block is some rows of `LANE`."""
    positions = words[POSITIONS]
    for unit in range(words[UNITS]):
        for lane in range(words[JOBS_SIZE] * U(LANE)):
            lanes = array_of_doubles(words[LANES] + U(8) * U(lane), 1)
            lanes[U(0)] = _begun(jobs[U(lane) // U(LANE) * U(JOB)])
        for sample in range(words[SAMPLES]):
            begin = U(unit) * words[UNIT_STRIDE] + U(sample) * words[SAMPLE_STRIDE]
            done = U(0)
            while done < positions:
                size = min(U(BLOCK), positions - done)
                rows, left = size // U(LANE), size % U(LANE)
                for job in range(words[JOBS_SIZE]):
                    at = U(job) * U(JOB)
                    lanes = array_of_doubles(words[LANES] + U(8) * U(job) * U(LANE), LANE)
                    operation, number = jobs[at], double_of_u64(jobs[at + U(1)])
                    start = begin + done
                    _work(operation, values, start, U(LANE), rows, U(LANE), lanes, number)
                    if left:
                        _work(operation, values, start + rows * U(LANE), U(LANE), U(1), left, lanes, number)
                done += size
        for job in range(words[JOBS_SIZE]):
            at = U(job) * U(JOB)
            lanes = array_of_doubles(words[LANES] + U(8) * U(job) * U(LANE), LANE)
            into = array_of_doubles(jobs[at + U(2)] + U(8) * U(unit), 1)
            into[U(0)] = _joined(jobs[at], lanes)


def _entry(width: int) -> Callable[[Any], None]:
    values_at = VALUES_AT[width]

    def entry(words: Any) -> None:
        values = values_at(words[VALUES], np.int64(1))  # nothing looks at its size
        jobs = array_of_u64(words[JOBS], np.int64(words[JOBS_SIZE]) * JOB)
        if words[UNIT_STRIDE] == U(1):
            _side_by_side(values, words, jobs)
        else:
            _one_by_one(values, words, jobs)

    return entry


def code_of(name: str) -> str:
    """Compile ``reduce32`` or ``reduce64``, by the width of the values; see `standing_alone`."""
    return standing_alone(name, _entry(int(name.removeprefix("reduce"))))
