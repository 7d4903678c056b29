"""Letting a transformers model's own config say what the model has become, where a config can."""

from __future__ import annotations

from genewright.backends.torch.declaring.declare import declared

__all__ = ["declared"]
