"""Seeded noise, bit for bit the same everywhere: specification gw1.

Every random number is a pure function of (seed, name, path, purpose, index). Nothing here reads or moves a
global generator, and no object keeps generator state. docs/noise.md is the specification; the NumPy code is
its executable form, and faster backends have the same bits.

Example:
    >>> import numpy as np
    >>> stream = derive(246, name="fc.weight", path="0")
    >>> weights = np.zeros(1000, np.float32)
    >>> apply(weights, Change(combine="add", scale=10.0, rate=0.3), stream, dtype="float32")
    >>> bool(np.array_equal(np.flatnonzero(weights), mask(stream, 0.3, 1000)))
    True
"""

from genewright.noise.change import Change as Change
from genewright.noise.discrete import choice as choice
from genewright.noise.discrete import permutation as permutation
from genewright.noise.discrete import uniform01 as uniform01
from genewright.noise.distinct import apply_at as apply_at
from genewright.noise.distinct import distinct as distinct
from genewright.noise.distributions import DISTRIBUTIONS as DISTRIBUTIONS
from genewright.noise.distributions import draw as draw
from genewright.noise.engine import add_rounded as add_rounded
from genewright.noise.engine import apply as apply
from genewright.noise.engine import apply_rows as apply_rows
from genewright.noise.engine import mask as mask
from genewright.noise.key import SPEC as SPEC
from genewright.noise.key import Stream as Stream
from genewright.noise.key import derive as derive
from genewright.noise.key import derive_rows as derive_rows
from genewright.noise.lognormal import factor as factor
from genewright.noise.shards import ShardUndo as ShardUndo
from genewright.noise.shards import apply_shard as apply_shard
from genewright.noise.undo import Undo as Undo
from genewright.noise.weighted_sum import WeightedSum as WeightedSum
from genewright.noise.words import Purpose as Purpose
from genewright.noise.words import words as words

__all__ = [
    "DISTRIBUTIONS",
    "SPEC",
    "Change",
    "Purpose",
    "ShardUndo",
    "Stream",
    "Undo",
    "WeightedSum",
    "add_rounded",
    "apply",
    "apply_at",
    "apply_rows",
    "apply_shard",
    "choice",
    "derive",
    "derive_rows",
    "distinct",
    "draw",
    "factor",
    "mask",
    "permutation",
    "uniform01",
    "words",
]
