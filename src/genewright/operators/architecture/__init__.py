"""Operators that change layers and wiring: one a file."""
