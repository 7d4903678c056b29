"""Compile all kernels now, so that no later process waits for it: python -m genewright.noise.compiled."""

from genewright.noise.compiled.kernels.entries import ENTRIES
from genewright.noise.compiled.machine_code import kernel


def main() -> None:
    """Make the machine code of all kernels that are not there yet."""
    for name in ENTRIES:
        kernel(name)
        print(f"noise kernel {name}: ready")


if __name__ == "__main__":
    main()
