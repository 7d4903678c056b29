"""The noise's kernels as machine code."""

from pathlib import Path
from typing import Final

from genewright.machine_code.library import Library

_HERE: Final = Path(__file__).parent
_NOISE: Final = _HERE.parent


def _code_of(name: str) -> str:
    from genewright.noise.compiled.kernels.entries import code_of

    return code_of(name)


LIBRARY: Final = Library(
    "noise",
    _HERE,
    _code_of,
    (
        *(_HERE / "kernels").glob("*.py"),
        *(_NOISE / "data").glob("*.bin"),
        *(_HERE / "call.py", _NOISE / "philox.py", _NOISE / "lognormal.py"),
    ),
)

kernel: Final = LIBRARY.kernel
