"""Compile all kernels now, so that no later process waits for it: python -m genewright.noise.compiled."""

from genewright.noise.compiled.backend import STORED_BYTES, load


def main() -> None:
    """Load the kernels of every dtype, compiling those that are not in Numba's cache."""
    for dtype in STORED_BYTES:
        for sparsely in (False, True):
            load(dtype, sparsely=sparsely)
        print(f"noise kernels for {dtype}: ready")


if __name__ == "__main__":
    main()
