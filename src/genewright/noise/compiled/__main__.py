"""Compile all kernels now, so that no later process waits for it: python -m genewright.noise.compiled."""

from genewright.noise.compiled.backend import STORED_BYTES, load, mask
from genewright.noise.key import Stream


def main() -> None:
    """Load the kernels of every dtype, compiling those that are not in Numba's cache."""
    for dtype in STORED_BYTES:
        for sparsely in (False, True):
            load(dtype, sparsely=sparsely)
        print(f"noise kernels for {dtype}: ready")
    mask(Stream(key=0, tweak=0), 0.5, 0, 1)
    print("noise kernels for masks: ready")


if __name__ == "__main__":
    main()
