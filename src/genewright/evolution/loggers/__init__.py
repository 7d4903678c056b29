"""Loggers: callbacks that write down how a run goes, one kind a file."""
