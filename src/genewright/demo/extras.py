"""What the demo needs beyond the library itself."""

from __future__ import annotations

import importlib.util

from genewright.errors import UnsupportedError

_NEEDED = {"torch": "torch", "sklearn": "scikit-learn", "matplotlib": "matplotlib"}


def require_extras() -> None:
    """Refuse to start where a package is missing.

    Raises:
        UnsupportedError: One is; the message has the command that installs them.
    """
    missing = [package for module, package in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise UnsupportedError(
            f"genewright demo needs {' and '.join(missing)}, not installed here: pip install 'genewright[demo]'"
        )
