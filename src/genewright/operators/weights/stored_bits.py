"""Which bits of stored numbers an operator may hit: by field or by position, in each number format."""

from __future__ import annotations

import functools
from typing import Any

from genewright.errors import SettingError, UnsupportedError
from genewright.names import did_you_mean
from genewright.tensor import COMPLEX, FLOATS, Tensor

FIELDS = ("sign", "exponent", "mantissa")
_FORMATS = {"float64": (64, 52), "float32": (32, 23), "float16": (16, 10), "bfloat16": (16, 7)}  # bits, mantissa bits


def checked_bits(who: str, bits: Any) -> tuple[int | str, ...]:
    """Return the setting `bits` as a tuple of fields and positions.

    Raises:
        SettingError: A field is unknown, a position is none, or there is nothing.
    """
    given: tuple[Any, ...] = (bits,) if isinstance(bits, str | int) else tuple(bits)
    for bit in given:
        if isinstance(bit, str) and bit not in FIELDS:
            raise SettingError(f"{who}: no field is called {bit!r}. {did_you_mean(bit, FIELDS)}")
        if isinstance(bit, bool) or not isinstance(bit, str | int) or (isinstance(bit, int) and not 0 <= bit < 64):
            raise SettingError(
                f"{who}: bits are positions from 0 to 63 or fields ({', '.join(FIELDS)}); received {bit!r}."
            )
    if not given:
        raise SettingError(f"{who}: bits must name at least one bit; received none. Write bits='mantissa'.")
    return given


def positions_of(who: str, bits: tuple[int | str, ...], tensor: Tensor) -> tuple[int, ...]:
    """Return the chosen positions in a tensor's number format, in ascending order.

    Raises:
        UnsupportedError: The format has no bit at one of the positions.
    """
    dtype = COMPLEX.get(tensor.dtype, tensor.dtype)  # real and imaginary part are numbers with bits of their own
    if dtype not in FLOATS:
        return (0,)  # the core refuses the edit and names the tensor
    width, found = _FORMATS[dtype][0], _positions(bits, dtype)
    if found[-1] >= width:
        raise UnsupportedError(
            f"{who}: {tensor.name!r} of dtype {tensor.dtype} has bits 0 to {width - 1}; received bit "
            f"{found[-1]}. Choose by field (bits='exponent'), or choose tensors of one dtype with `where`."
        )
    return found


@functools.lru_cache(maxsize=256)  # asked for by every mutant of a campaign
def _positions(bits: tuple[int | str, ...], dtype: str) -> tuple[int, ...]:
    fields = fields_of(dtype)
    return tuple(sorted({p for bit in bits for p in (fields[bit] if isinstance(bit, str) else (bit,))}))


def fields_of(dtype: str) -> dict[str, range]:
    """Return the bits of each field of a floating-point format; of a complex one, those of its parts.

    >>> fields_of("bfloat16")["exponent"]
    range(7, 15)
    """
    width, mantissa = _FORMATS[COMPLEX.get(dtype, dtype)]
    return {"sign": range(width - 1, width), "exponent": range(mantissa, width - 1), "mantissa": range(mantissa)}
