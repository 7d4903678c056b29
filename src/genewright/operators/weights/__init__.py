"""Operators on weights and biases: shapes stay as they are."""
