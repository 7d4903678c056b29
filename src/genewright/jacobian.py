"""The derivatives of a model's output by its weights, on an example: products with the Jacobian, never the whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


class Jacobian(ABC):
    """Products with J[k, w] = d output_k / d w, for the first output of a model that ran once in evaluation mode.

    All is computed in float64 where the model allows, so that other machines find nearly the same numbers.

    Attributes:
        shape: The output's shape; samples lie along the first axis.
        example: Fingerprint of the example.
    """

    shape: tuple[int, ...]
    example: str

    @abstractmethod
    def backward(self, weights: Numbers) -> dict[str, Numbers]:
        """Return sum over k of weights_k * J[k, w], for every tensor by name; zeros where nothing depends on one.

        Args:
            weights: One number for each entry of the output.
        """

    @abstractmethod
    def forward(self, direction: Mapping[str, Numbers]) -> Numbers:
        """Return sum over w of J[k, w] * direction_w, in the output's shape, by a central difference.

        Args:
            direction: For every tensor by name, numbers in its shape.
        """
