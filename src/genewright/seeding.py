"""Seeds, which are always reported, and the noise that an operator receives."""

from __future__ import annotations

import functools
import inspect
import operator as _operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from genewright.calls import answered
from genewright.errors import RecipeError, SeedError
from genewright.noise import Stream
from genewright.noise.key import deriving

Seed = int | str | bytes

_OF_OPERATORS = "Settings belong to the operator."
_HINTS = {
    "": _OF_OPERATORS,
    "*": "Settings and the seed are given by name.",
    **dict.fromkeys(("rng", "generator", "random_state", "key"), "All that is random follows from seed=."),
    "device": "It acts where the model is: model.to(device).",
}
_P = ParamSpec("_P")
_R = TypeVar("_R")


def canonical_seed(seed: object) -> Seed:
    """Return `seed` as an int, str or bytes.

    Args:
        seed: An int of any size and sign (NumPy integers too), a str or bytes.

    Raises:
        SeedError: `seed` is None, a bool, a float or anything else.

    >>> canonical_seed(7)
    7
    """
    if isinstance(seed, str | bytes):
        return seed
    if not isinstance(seed, bool):
        try:
            return _operator.index(seed)  # type: ignore[arg-type]  # the call is the check
        except TypeError:
            pass
    raise SeedError(
        f"A seed is an int, a str or bytes; received {seed!r} of type {type(seed).__name__}. Write seed=246."
    )


def seed_to_json(seed: Seed) -> int | str | dict[str, str]:
    """Return a form that JSON can hold (bytes become ``{"hex": ...}``)."""
    return {"hex": seed.hex()} if isinstance(seed, bytes) else seed


def seed_from_json(value: object) -> Seed:
    """Read what `seed_to_json` wrote."""
    if isinstance(value, dict):
        try:
            return bytes.fromhex(value["hex"])  # type: ignore[index]  # the except says what is wrong
        except (KeyError, TypeError, ValueError):
            raise RecipeError(f"A seed in a recipe cannot be read: {value!r}.") from None
    try:
        return canonical_seed(value)
    except SeedError as error:
        raise RecipeError(f"A seed in a recipe cannot be read. {error}") from None


def seed_required(
    example: str, hints: Mapping[str, str] | None = None
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Make a call without ``seed=`` an error that shows the fixed call.

    Args:
        example: The call as it should be written.
        hints: As in `answered`, beyond those about seeds and operators.
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        named = example.removeprefix("with ").partition("(")[0]
        fitting = answered(example, {**_HINTS, **(hints or {})}, who=named)(function)
        known = inspect.signature(function).parameters

        @functools.wraps(function)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            if "seed" not in kwargs and len(args) > 1 and all(name in known for name in kwargs):
                raise SeedError(f"{named} needs a seed: without one nobody can repeat the mutation. Write {example}.")
            keywords: dict[str, Any] = kwargs
            if "seed" in keywords:
                keywords["seed"] = canonical_seed(keywords["seed"])
            return fitting(*args, **kwargs)

        return call

    return decorate


@dataclass(frozen=True)
class Noise:
    """The seeded noise that an operator is handed; it holds no generator and never changes.

    Attributes:
        seed: The seed that the user said.
        path: The operator's place in what was asked for, such as ``"/0/1"``.
        salt: The operator's registered name: two operators with one seed draw different noise.
    """

    seed: Seed
    path: str = ""
    salt: str = ""

    def stream(self, name: str = "") -> Stream:
        """Return the stream of random words that belongs to the tensor called `name`."""
        known = self.__dict__  # no cached_property: its lock takes longer than a stream
        streams = known.get("_streams")
        if streams is None:
            streams = known["_streams"] = deriving(self.seed, path=self.path, salt=self.salt)
        return streams(name)

    def child(self, part: str | int) -> Noise:
        """Return the noise of the operator at place `part` below this one."""
        return Noise(self.seed, f"{self.path}/{part}", self.salt)

    def salted(self, salt: str) -> Noise:
        """Return the same noise under another operator's name."""
        return Noise(self.seed, self.path, salt)
