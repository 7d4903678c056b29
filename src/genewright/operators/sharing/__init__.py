"""Operators that share weights between layers, one a file."""
