"""Spellings of a name, and the nearest known name for one that is not known."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable


def snake_case(class_name: str) -> str:
    """Spell a class name as its file and registered name.

    >>> snake_case("GaussianNoise")
    'gaussian_noise'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", class_name).lower()


def camel_case(name: str) -> str:
    """Spell a registered name as its class.

    >>> camel_case("gaussian_noise")
    'GaussianNoise'
    """
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def kebab_case(class_name: str) -> str:
    """Spell a class name as the command line does.

    >>> kebab_case("GaussianNoise")
    'gaussian-noise'
    """
    return snake_case(class_name).replace("_", "-")


def is_pattern(name: str) -> bool:
    """Whether a layer's name stands for several: it has a ``*`` (any text) or a ``?`` (any one character)."""
    return "*" in name or "?" in name


def matches(pattern: str, name: str) -> bool:
    """Whether a name is one that a pattern stands for: ``*`` is any text, ``?`` any one character.

    The one pattern language of the library, for tensors, layers and knobs. Brackets are plain text, which they are not
    for `fnmatch`: knobs are called ``qkv[0]``.

    >>> matches("layers.*.qkv[0]", "layers.11.qkv[0]")
    True
    """
    return _compiled(pattern).fullmatch(name) is not None


@functools.lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _in_short(one: str, other: str) -> bool:
    """Whether one name begins as the other does, or ends in it: acc and sparse_accuracy, for accuracy."""
    return (len(one) > 2 and other.startswith(one)) or (len(other) > 4 and one.endswith(other))


def did_you_mean(name: str, known: Iterable[str], *, shown: int = 5) -> str:
    """Say which known names are nearest; with none near, list the first few.

    >>> did_you_mean("gausian_noise", ["gaussian_noise", "zero"])
    "Did you mean 'gaussian_noise'?"
    """
    options = list(dict.fromkeys(known))
    by_lower = {option.lower(): option for option in reversed(options)}
    by_lower |= {option.lower(): option for option in options if option[:1] == name[:1]}  # Measure or measure
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.55)
    near = [by_lower[n] for n in close or [n for n in by_lower if _in_short(name.lower(), n)][:3]]
    if near:
        return "Did you mean " + " or ".join(repr(n) for n in near) + "?"
    if not options:
        return "There are none."
    more = f" and {len(options) - shown} more" if len(options) > shown else ""
    return "There are: " + ", ".join(options[:shown]) + more + "."
