"""A report of mutants as a page."""
