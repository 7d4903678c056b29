"""What can become of a mutant: six outcomes, and none of them is ever counted as another."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What became of one mutant.

    | outcome | when |
    |---|---|
    | KILLED | it ran, and the criterion tells it from the original |
    | SURVIVED | it ran, its outputs differ somewhere, and the criterion does not tell it from the original |
    | UNCHANGED | no byte changed, or it is proved equal, or its outputs equal the original's to the bit on all data |
    | NONFINITE | an output that is finite in the original is NaN or infinite |
    | REFUSED | the operator refused its site; nothing ran |
    | CRASHED | the mutant was made, and its forward pass raised |

    Scores count KILLED of KILLED and SURVIVED; the other four stand beside them.

    Example:
        >>> Outcome("killed") is Outcome.KILLED
        True
    """

    KILLED = "killed"
    SURVIVED = "survived"
    UNCHANGED = "unchanged"
    NONFINITE = "nonfinite"
    REFUSED = "refused"
    CRASHED = "crashed"
