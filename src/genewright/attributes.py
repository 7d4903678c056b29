"""Attributes as people look for them: one that is not there is answered with what to write."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from genewright.errors import NoAttributeError, SettingError
from genewright.names import did_you_mean


def no_attribute(owner: str, name: str, known: Iterable[str], looked_for: Mapping[str, str]) -> NoAttributeError:
    """Return the error for an attribute that is not there.

    Args:
        owner: Whose it would be, as its users write it.
        name: The attribute.
        known: Those that are there.
        looked_for: What to write instead, by names that people try.

    >>> no_attribute("gw", "mutat", ["mutate", "plan"], {})
    NoAttributeError("gw has no attribute 'mutat'. Did you mean 'mutate'?")
    """
    hint = looked_for.get(name) or did_you_mean(name, [each for each in known if not each.startswith("_")], shown=12)
    return NoAttributeError(f"{owner} has no attribute {name!r}. {hint}")


class LookedAt:
    """An object that answers for an attribute that it does not have.

    Attributes:
        looked_for: What to write instead, by names that people try.
    """

    looked_for: ClassVar[Mapping[str, str]] = {}

    if not TYPE_CHECKING:  # what it has is read off the class

        def __getattr__(self, name: str) -> Any:
            """Say what to write; Python asks here for what it has not found."""
            cls = type(self)
            if hasattr(cls, name):  # a property whose own code lacks an attribute: its error, not ours
                return object.__getattribute__(self, name)
            known = () if name.startswith("_") else [each for each in dir(self) if each != "looked_for"]
            raise no_attribute(cls.__name__, name, known, cls.looked_for)


class Room(ModuleType):
    """A module that is used as ``gw.fitness`` is; called, or asked for what it lacks, it says what to write."""

    looked_for: Mapping[str, str] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: a module does nothing."""
        raise SettingError(f"{_called(self)} is a module, which cannot be called. {self.looked_for[':call']}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how it is found in another process; pickles know modules by their exact type alone."""
        return importlib.import_module, (self.__name__,)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say what to write; Python asks here for what it has not found."""
            known = () if name.startswith("_") else dir(self)
            raise no_attribute(_called(self), name, known, {**_elsewhere(name), **self.looked_for})

    def __dir__(self) -> list[str]:
        """List what is for users; the files of a room are not."""
        if "__dir__" in vars(self):
            return list(super().__dir__())
        hidden = {"annotations", "looked_for"}
        return sorted(n for n, value in vars(self).items() if n not in hidden and not isinstance(value, ModuleType))


def _called(room: ModuleType) -> str:
    return room.__name__.replace("genewright", "gw", 1)


def _elsewhere(name: str) -> dict[str, str]:
    """Return what to write for a name that another room has."""
    found = [
        _called(room)
        for room in list(sys.modules.values())
        if isinstance(room, Room) and name in vars(room) and not isinstance(vars(room)[name], ModuleType)
    ]
    return {name: f"Write {min(found, key=len)}.{name}."} if found and not name.startswith("_") else {}


def open_room(module: ModuleType, call: str, looked_for: Mapping[str, str] | None = None) -> None:
    """Make a module a `Room`.

    Args:
        module: The module.
        call: What to write instead of calling it.
        looked_for: What to write instead of what it lacks, by names that people try.
    """
    module.__class__ = Room
    module.__dict__["looked_for"] = {**(looked_for or {}), ":call": call}
