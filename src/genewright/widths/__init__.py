"""What of a network's architecture can change: an algebra of axes, and the knobs that are read off it.

Nothing here knows a framework: a backend records a forward pass and states which axes are one.
"""
