"""Which run a log is of: what a resumed run has in common with what it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from blake3 import blake3


def identity_of(about: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits of what a run is; its limits, which a resumed run may change, are left out.

    Example:
        >>> identity_of({"seed": 1, "limits": {"generations": 2}}) == identity_of({"seed": 1, "limits": {}})
        True
    """
    kept = {name: value for name, value in about.items() if name != "limits"}
    return blake3(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:16]
