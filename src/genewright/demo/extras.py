"""What the demo needs beyond the library itself."""

from __future__ import annotations

import importlib.util

from genewright.errors import UnsupportedError

_NEEDED = {"sklearn": "scikit-learn", "matplotlib": "matplotlib"}
_FRAMEWORKS = {"torch": ({"torch": "torch"}, "demo"), "keras": ({"keras": "keras", "h5py": "h5py"}, "demo,keras")}
FRAMEWORKS = tuple(_FRAMEWORKS)


def require_extras(framework: str) -> None:
    """Refuse to start where a package is missing.

    Args:
        framework: "torch" or "keras".

    Raises:
        UnsupportedError: One is; the message has the command that installs them.
    """
    own, extra = _FRAMEWORKS[framework]
    missing = [package for module, package in {**own, **_NEEDED}.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise UnsupportedError(
            f"genewright demo needs {' and '.join(missing)}, not installed here: pip install 'genewright[{extra}]'"
        )
