"""Mutation testing: many mutants of one model on one data set, each beside the original."""
