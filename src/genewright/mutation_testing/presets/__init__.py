"""Sets of mutants that have a name: one file each."""
