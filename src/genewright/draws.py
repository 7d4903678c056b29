"""Draws: the random numbers of one tensor, for operators that are written as functions."""

from __future__ import annotations

import math
import operator as _operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError
from genewright.noise import DISTRIBUTIONS, Stream, distinct, draw, mask, permutation, uniform01
from genewright.noise.distributions import check_distribution
from genewright.seeding import Noise

Shape = int | tuple[int, ...] | None


class Draws:
    """The random numbers of one tensor: each call has numbers of its own, and the same ones in every run.

    They follow from the seed, the operator's name and place, the tensor's name, and which call it is. Nothing is taken
    from a global generator, and none is moved.

    Args:
        noise: What `Operator.propose` receives.
        name: The tensor's name.
        like: An array whose shape and type the draws have where nothing else is said.

    Example:
        >>> import numpy as np
        >>> w = np.zeros((2, 3), np.float32)
        >>> first, again = Draws(Noise(246), "fc.weight", w), Draws(Noise(246), "fc.weight", w)
        >>> bool((first.normal() == again.normal()).all()), first.normal().shape, first.mask(0.5).dtype
        (True, (2, 3), dtype('bool'))
    """

    def __init__(self, noise: Noise, name: str, like: NDArray[Any]) -> None:
        self._noise = noise
        self._name = name
        self._like = like
        self._calls = 0

    def normal(self, shape: Shape = None) -> NDArray[Any]:
        """Return standard normal numbers, of the tensor's shape where none is given."""
        return self.draw("normal", shape)

    def draw(self, distribution: str, shape: Shape = None) -> NDArray[Any]:
        """Return numbers of unit scale, from a distribution by its name.

        They are "normal", "uniform" (on (-1, 1)), "laplace", "cauchy", "truncated_normal" and "sign".

        Raises:
            SettingError: No distribution has this name, or the shape is none.
        """
        check_distribution(distribution, DISTRIBUTIONS)
        wanted = self._shape(shape)
        dtype = "float64" if self._like.dtype == np.float64 else "float32"
        return draw(self._next(), distribution, range(math.prod(wanted)), dtype).reshape(wanted)

    def uniform(self, low: float = 0.0, high: float = 1.0, shape: Shape = None) -> NDArray[Any]:
        """Return numbers from [low, high), of the tensor's shape and type where nothing else is given."""
        wanted = self._shape(shape)
        drawn = uniform01(self._next(), range(math.prod(wanted))).reshape(wanted)
        dtype = np.float64 if self._like.dtype == np.float64 else np.float32
        return (low + (high - low) * drawn).astype(dtype)

    def mask(self, rate: float, shape: Shape = None) -> NDArray[np.bool_]:
        """Return which elements are hit, each with probability `rate`, independently."""
        wanted = self._shape(shape)
        hit = np.zeros(math.prod(wanted), bool)
        hit[mask(self._next(), rate, hit.size)] = True
        return hit.reshape(wanted)

    def choose(self, count: int, size: int) -> NDArray[np.int64]:
        """Return `count` different numbers below `size`, ascending."""
        return distinct(self._next(), count, size)

    def permutation(self, size: int) -> NDArray[np.int64]:
        """Return the numbers below `size` in random order."""
        return permutation(self._next(), size)

    def _next(self) -> Stream:
        call, self._calls = self._calls, self._calls + 1
        return (self._noise.child(call) if call else self._noise).stream(self._name)

    def _shape(self, shape: Shape) -> tuple[int, ...]:
        if shape is None:
            return self._like.shape
        try:
            wanted = tuple(map(_operator.index, shape if isinstance(shape, tuple | list) else (shape,)))
        except TypeError:
            wanted = (-1,)
        if min(wanted, default=0) < 0:
            raise SettingError(f"A shape is a whole number or a tuple of them; received {shape!r}.")
        return wanted
