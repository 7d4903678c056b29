"""Operators that change widths, layers and wiring: one a file."""
