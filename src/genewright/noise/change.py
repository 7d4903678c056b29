"""Change: one elementwise change of a tensor. All the weight operators reduce to it."""

from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal, get_args

from genewright.errors import SettingError
from genewright.noise.distributions import DISTRIBUTIONS, check_distribution
from genewright.noise.masks import check_rate

Combine = Literal["add", "add_relative", "multiply", "replace", "negate", "xor"]
Rounding = Literal["nearest", "stochastic"]
DRAWING: Final = ("add", "add_relative", "multiply", "replace")
"""The ways to combine that use a number; negate and xor use none."""
_COMBINES: Final = get_args(Combine)
_ROUNDINGS: Final = get_args(Rounding)
_DISTRIBUTIONS: Final = (*DISTRIBUTIONS, "constant")


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What happens to each hit element w, with s the scale and z the draw of its index.

    | combine | w becomes |
    |---|---|
    | add | w + s z |
    | add_relative | w + (s z) abs(w) |
    | multiply | w exp(s z), z normal; with "constant", w s |
    | replace | s z; with "constant", s |
    | negate | w with its sign bit flipped |
    | xor | w with one bit of its pattern flipped, one of `bits`, chosen per element; its own inverse |

    Every product and every sum is rounded by itself in the computing type: float64 for float64, else
    float32. The result is rounded once to the tensor's type.

    A scale of 0 in add, add_relative and the log-normal multiply changes no byte (not even -0.0); in
    replace it writes +0.0. Elements that are NaN stay as they are, bit for bit, under add, add_relative and
    multiply; what becomes NaN (infinity minus infinity) becomes the positive quiet NaN without payload.

    Args:
        combine: See above.
        distribution: A name that `draw` knows, or "constant" (z = 1). multiply knows "normal" (the
            log-normal factor) and "constant".
        scale: s, rounded once to the computing type. Negative only under add, whose noise is then subtracted (the
            mirror image), and with "constant".
        rate: The probability that an element is hit, from 0 to 1.
        rounding: "nearest", or "stochastic" for bfloat16 and float16 (the same as nearest for the wider
            types).
        bits: For xor only: bit positions of the tensor's type, 0 the least significant.

    Raises:
        SettingError: If a setting is out of range, or does not go with the others.

    Example:
        >>> Change(combine="add", scale=0.1, rate=0.5).distribution
        'normal'
    """

    combine: Combine
    distribution: str = "normal"
    scale: float = 1.0
    rate: float = 1.0
    rounding: Rounding = "nearest"
    bits: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.combine not in _COMBINES:
            raise SettingError(f"unknown combine={self.combine!r}: one of {', '.join(_COMBINES)}")
        check_rounding(self.rounding)
        check_rate(self.rate)
        check_distribution(self.distribution, _DISTRIBUTIONS)
        self._check_scale()
        self._check_bits()

    def _check_scale(self) -> None:
        if not isfinite(self.scale):
            raise SettingError(f"scale must be finite, got {self.scale!r}")
        if self.scale < 0 and self.combine != "add" and self.distribution != "constant":
            raise SettingError(
                f"scale must be at least 0 (noise is symmetric), got {self.scale!r}: try {-self.scale!r}"
            )
        if self.combine == "multiply" and self.distribution not in ("normal", "constant"):
            raise SettingError(
                f"multiply takes distribution='normal' (the factor exp(scale * z)) or 'constant', "
                f"got {self.distribution!r}"
            )

    def _check_bits(self) -> None:
        if self.combine == "xor":
            if not self.bits:
                raise SettingError("xor needs the bits to choose from: write bits=(22,)")
            if not all(0 <= bit < 64 for bit in self.bits) or len(set(self.bits)) < len(self.bits):
                raise SettingError(f"bits are different positions from 0 to 63, got {self.bits!r}")
        elif self.bits:
            raise SettingError(f"bits={self.bits!r} go with combine='xor' only, not with {self.combine!r}")

    @property
    def idle(self) -> bool:
        """Whether the change cannot change a byte."""
        if self.rate == 0 or self.scale != 0:
            return self.rate == 0
        return self.combine in ("add", "add_relative") or (self.combine == "multiply" and self.distribution == "normal")


def check_rounding(rounding: str) -> None:
    """Raise a SettingError unless there is such a rounding."""
    if rounding not in _ROUNDINGS:
        raise SettingError(f"rounding is 'nearest' or 'stochastic', got {rounding!r}")
