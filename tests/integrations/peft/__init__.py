"""PEFT."""
