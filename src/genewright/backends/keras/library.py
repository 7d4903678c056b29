"""Keras itself, typed as Any: it ships no complete types, and a checker need not have it installed.

Only `genewright.backends.keras` imports this, and that package is imported only when the user has imported Keras.
"""

from __future__ import annotations

import importlib
from typing import Any

keras: Any = importlib.import_module("keras")
