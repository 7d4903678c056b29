"""Sums, extremes and counts of many units' values, read once: by compiled code where the values are worth it."""
