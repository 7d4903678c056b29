"""Outputs and targets in every form, and what gw.compare measures of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

import genewright as gw

ROWS = 50


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).astype(np.float32)


DRAWN = np.random.default_rng(3)
LOGITS = DRAWN.normal(size=(ROWS, 4)).astype(np.float32)
CLASSES = np.where(DRAWN.random(ROWS) < 0.5, LOGITS.argmax(-1), DRAWN.integers(0, 4, ROWS))
ONE_HOT = np.eye(4, dtype=np.float32)[CLASSES]
SIGMOID = (1 / (1 + np.exp(-2 * DRAWN.normal(size=(ROWS, 1))))).astype(np.float32)
BINARY = (DRAWN.random((ROWS, 1)) < 0.3 + 0.4 * SIGMOID).astype(np.int64)
MANY = (DRAWN.random((ROWS, 4)) < 0.4).astype(np.float32)
VALUES = (SIGMOID + DRAWN.normal(size=(ROWS, 1))).astype(np.float32)


def measured(outputs: np.ndarray, targets: Any, metrics: Any = None) -> dict[str, float]:
    """Return the metrics that gw.compare gives for a model that puts out these outputs, in uneven batches."""
    found = gw.compare(nn.Identity(), nn.Identity(), (outputs, targets), metrics=metrics, batch_size=7).metrics
    assert all(pair.before == pair.after or np.isnan(pair.before) for pair in found.values())
    return {name: pair.before for name, pair in found.items()}
