"""The kernels as they are called from outside: `call.py` has the words. Compiled to machine code that stands alone."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from genewright.machine_code.bits import (
    array_of_i64,
    array_of_u16,
    array_of_u32,
    array_of_u64,
    double_of_u64,
    kernel,
    standing_alone,
)
from genewright.noise.compiled.call import (
    ADDEND,
    BELOW,
    BLOCK,
    COMPLEMENT,
    COUNTING,
    COUNTS,
    CROWDED,
    DISTRIBUTION,
    DRAWS,
    FIRST,
    FLIPS,
    FLIPS_SIZE,
    FULL,
    GUIDE,
    KIND,
    MANTISSA,
    NOISE,
    OLDS,
    OLDS_SIZE,
    OPERATION,
    OTHER,
    PIECE,
    PLACES,
    PLACES_SIZE,
    PLACES_WIDE,
    PLACING,
    PURPOSE,
    ROWS,
    SCRATCH,
    SHIFT,
    SIZE,
    STOCHASTIC,
    STREAMS,
    TABLE,
    TABLE_SIZE,
    TERMS,
    TERMS_SIZE,
    UNIT,
    VALUES,
    WRITTEN,
)
from genewright.noise.compiled.kernels.dense import dense
from genewright.noise.compiled.kernels.draws import U
from genewright.noise.compiled.kernels.job import Buffers, Job
from genewright.noise.compiled.kernels.places import places
from genewright.noise.compiled.kernels.sparse import Finding, Mask, sparse
from genewright.noise.compiled.kernels.weighted import weighted
from genewright.noise.words import Purpose

ARRAYS: Final = {16: array_of_u16, 32: array_of_u32, 64: array_of_u64}
LINE = FULL + BLOCK


@kernel
def _whole(words: Any, at: Any) -> Any:
    return np.int64(words[at])


@kernel
def _stream(words: Any, at: Any) -> Any:
    return words[at], words[at + 1], words[at + 2], words[at + 3]


@kernel
def _mask(words: Any) -> Any:
    return Mask(
        _stream(words, COUNTING),
        _stream(words, PLACING),
        array_of_u64(words[TABLE], _whole(words, TABLE_SIZE)),
        array_of_i64(words[GUIDE], np.int64(256)),
        _whole(words, BELOW),
        _whole(words, COMPLEMENT),
        _whole(words, CROWDED),
    )


@kernel
def _finding(scratch: Any) -> Any:
    bitmap = scratch + U(8 * LINE)
    draws = bitmap + U(8 * (BLOCK // 64))
    made = Finding(
        array_of_u64(scratch, np.int64(LINE)),
        array_of_u64(bitmap, np.int64(BLOCK // 64)),
        array_of_u16(draws, np.int64(DRAWS)),
        array_of_u64(draws + U(2 * DRAWS), np.int64(COUNTS)),
    )
    for place in range(BLOCK // 64):
        made.bitmap[U(place)] = U(0)
    return made


def _job(width: int) -> Any:
    values_at = ARRAYS[width]

    @kernel
    def job(words: Any) -> Any:
        return Job(
            _stream(words, NOISE),
            _stream(words, OTHER),
            _whole(words, OPERATION),
            _whole(words, KIND),
            _whole(words, DISTRIBUTION),
            _whole(words, STOCHASTIC),
            double_of_u64(words[UNIT]),
            words[MANTISSA],
            words[SHIFT],
            values_at(words[FLIPS], _whole(words, FLIPS_SIZE)),
        )

    return job


def _buffers(width: int, size: int) -> Any:
    values_at, steps_at = ARRAYS[width], ARRAYS[max(width, 32)]

    @kernel
    def buffers(words: Any) -> Any:
        scratch = words[SCRATCH]
        rounding = np.int64(size) if words[STOCHASTIC] else np.int64(0)  # no random words: round to nearest
        return Buffers(
            array_of_u32(scratch, np.int64(size)),
            steps_at(scratch + U(8 * size), np.int64(size)),
            array_of_u32(scratch + U(16 * size), rounding),
            values_at(scratch + U(24 * size), np.int64(size)),
        )

    return buffers


def _dense(width: int) -> Callable[[Any], None]:
    values_at, job, buffers = ARRAYS[width], _job(width), _buffers(width, PIECE)

    def entry(words: Any) -> None:
        dense(values_at(words[VALUES], _whole(words, SIZE)), words[FIRST], job(words), buffers(words))

    return entry


def _sparse(width: int) -> Callable[[Any], None]:
    values_at, job, buffers = ARRAYS[width], _job(width), _buffers(width, LINE)

    def entry(words: Any) -> None:
        room, wide = _whole(words, PLACES_SIZE), _whole(words, PLACES_WIDE)
        journal = (
            array_of_u32(words[PLACES], 0 if wide else room),
            array_of_u64(words[PLACES], room if wide else 0),
            values_at(words[OLDS], _whole(words, OLDS_SIZE)),
        )
        sparse(
            values_at(words[VALUES], _whole(words, SIZE)),
            words[FIRST],
            job(words),
            _mask(words),
            buffers(words),
            _finding(words[SCRATCH] + U(32 * LINE)),
            journal,
            words,
        )

    return entry


def _rows(width: int) -> Callable[[Any], None]:
    values_at, job, buffers = ARRAYS[width], _job(width), _buffers(width, PIECE)
    noise = U(int(Purpose.NOISE) << 24)

    def entry(words: Any) -> None:
        rows, size = _whole(words, ROWS), _whole(words, SIZE)
        streams = array_of_u64(words[STREAMS], 4 * rows)
        for row in range(rows):
            at = U(4 * row)
            for word in range(3):
                words[NOISE + word] = words[OTHER + word] = streams[at + U(word)]
            words[NOISE + 3] = streams[at + U(3)] | noise
            words[OTHER + 3] = streams[at + U(3)] | words[PURPOSE]
            values = values_at(words[VALUES] + U(row * size * (width // 8)), size)
            dense(values, words[FIRST], job(words), buffers(words))

    return entry


def _sum(width: int) -> Callable[[Any], None]:
    values_at, numbers_at = ARRAYS[width], ARRAYS[max(width, 32)]
    job, buffers = _job(width), _buffers(width, PIECE)

    def entry(words: Any) -> None:
        values = values_at(words[VALUES], _whole(words, SIZE))
        terms = array_of_u64(words[TERMS], _whole(words, TERMS_SIZE))
        addend = numbers_at(words[ADDEND], _whole(words, SIZE) if words[ADDEND] else np.int64(0))
        weighted(values, words[FIRST], terms, addend, job(words), buffers(words))

    return entry


def _places() -> Callable[[Any], None]:
    def entry(words: Any) -> None:
        out = array_of_u64(words[PLACES], _whole(words, PLACES_SIZE))
        finding = _finding(words[SCRATCH])
        words[WRITTEN] = U(places(out, words[FIRST], _whole(words, SIZE), _mask(words), finding))

    return entry


ENTRIES: Final[dict[str, Callable[[], Callable[[Any], None]]]] = {
    **{f"dense{width}": (lambda width=width: _dense(width)) for width in ARRAYS},
    **{f"sparse{width}": (lambda width=width: _sparse(width)) for width in ARRAYS},
    **{f"rows{width}": (lambda width=width: _rows(width)) for width in ARRAYS},
    **{f"sum{width}": (lambda width=width: _sum(width)) for width in ARRAYS},
    "places": _places,
}


def code_of(name: str) -> str:
    """Compile an entry; return its LLVM code, in which the function is called by that name."""
    return standing_alone(name, ENTRIES[name]())
