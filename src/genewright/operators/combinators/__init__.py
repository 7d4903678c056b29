"""Operators made of operators: they say which of them act, and propose nothing themselves."""
