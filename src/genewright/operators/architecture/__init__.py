"""Operators that change a network's architecture, one a file."""
