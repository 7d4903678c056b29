"""The real handwritten digits that scikit-learn ships, split by a seed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits as read_digits  # pyright: ignore[reportMissingTypeStubs]  # it has none

from genewright.noise import derive, permutation

Seed = int | str | bytes

_BRIGHTEST = 16  # grey levels of the images
_HELD_OUT = 360  # of 1,797


@dataclass(frozen=True)
class Digits:
    """Images (n, 1, 8, 8) as float32 in [0, 1] and their classes, 0 to 9, as int64.

    Attributes:
        images: For training.
        labels: Their classes.
        held_images: Never trained on.
        held_labels: Their classes.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    held_images: NDArray[np.float32]
    held_labels: NDArray[np.int64]

    def channels_last(self) -> Digits:
        """Return the same digits with images of shape (n, 8, 8, 1)."""
        images, held = (np.ascontiguousarray(np.moveaxis(x, 1, -1)) for x in (self.images, self.held_images))
        return dataclasses.replace(self, images=images, held_images=held)


def load_digits(seed: Seed) -> Digits:
    """Return the 1,797 digits, 360 of them held out.

    Args:
        seed: Of the split.

    References:
        Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998 (its
        test set, as scikit-learn ships it).
    """
    found = cast(Any, read_digits())
    order = permutation(derive(seed, name="split", path="/demo"), len(found.target))
    images = (found.images[order] / _BRIGHTEST).astype(np.float32)[:, None]
    labels = found.target[order].astype(np.int64)
    return Digits(images[_HELD_OUT:], labels[_HELD_OUT:], images[:_HELD_OUT], labels[:_HELD_OUT])
