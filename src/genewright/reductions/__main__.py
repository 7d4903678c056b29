"""Compile the kernels now, so that no later process waits for them: python -m genewright.reductions."""

from genewright.reductions.compiled import LIBRARY


def main() -> None:
    """Make the machine code of the kernels that are not there yet."""
    for name in ("reduce32", "reduce64"):
        LIBRARY.kernel(name)
        print(f"reductions kernel {name}: ready")


if __name__ == "__main__":
    main()
