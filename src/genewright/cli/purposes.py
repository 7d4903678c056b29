"""Operators by what they are for, as help texts and lists have them."""

from __future__ import annotations

from genewright.operator import Registered, registered

_PURPOSES = {
    "weights": "Change weights",
    "units": "Change whole units",
    "architecture": "Change the architecture",
    "sharing": "Weights of another network, or of another layer",
    "combinators": "Combine operators",
}
_OTHERS = "Operators of other packages"


def purpose_of(cls: type[Registered]) -> str:
    """Return what an operator is for; ours are sorted by the package that they stand in."""
    ours = cls.__module__.split(".")
    return _PURPOSES.get(ours[2], _OTHERS) if ours[:2] == ["genewright", "operators"] else _OTHERS


def by_purpose() -> dict[str, list[type[Registered]]]:
    """Return all registered operators in groups, none of them empty.

    >>> [cls.name for cls in by_purpose()["Combine operators"]]
    ['draw_settings', 'one_of', 'sequence']
    """
    groups: dict[str, list[type[Registered]]] = {title: [] for title in (*_PURPOSES.values(), _OTHERS)}
    for cls in registered().values():
        groups[purpose_of(cls)].append(cls)
    return {title: group for title, group in groups.items() if group}
