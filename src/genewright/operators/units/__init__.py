"""Operators on units: one a file."""
