"""Donors: networks that weights may come from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from genewright.backends import backend_of
from genewright.backends.files import read_checkpoint
from genewright.edits import Store
from genewright.errors import FingerprintError, UnknownNameError
from genewright.fingerprint import difference_from, fingerprint_of
from genewright.interrupts import hearing
from genewright.network import Network
from genewright.operator import AnyOperator, donors_of
from genewright.recipe import History
from genewright.references import DonorReference
from genewright.storage import found_at


@dataclass(frozen=True)
class Donor:
    """A network that weights may come from; it is only read.

    Attributes:
        network: Its view.
        store: Where its tensors lie.
        fingerprint: Which network it is.
        history: How it was made, where it is a mutant.
    """

    network: Network
    store: Store
    fingerprint: str
    history: History


class Donors:
    """The donors of a transaction, by the name that the user gave; at a replay also by fingerprint.

    Args:
        models: Models or checkpoints by name, or in any order.
        changing: The model that changes in place: where it is a donor too, its copy is read, as it was before.
        operators: What will act: a donor that a setting holds as the object may be the model that changes, too.
        example: A sample input, for operators that let a donor run.
    """

    def __init__(
        self,
        models: Mapping[str, Any] | Iterable[Any] | None = None,
        *,
        changing: Any = None,
        operators: Iterable[AnyOperator] = (),
        example: Any = None,
    ) -> None:
        named: dict[str, Any] = {}
        if isinstance(models, Mapping):
            named = {str(name): model for name, model in models.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        elif models is not None:
            named = {f"donor {place}": model for place, model in enumerate(models)}
        for operator in operators:
            named.update((name, name.of) for name in donors_of(operator) if isinstance(name, DonorReference))
        self._models = {name: as_network(m, changing=changing) for name, m in named.items()}
        self._opened: dict[str, Donor] = {}
        self._example = example

    def named(self, name: str) -> Donor:
        """Return the donor of that name; a name that none has may be a file's, or stand for the object itself.

        Raises:
            UnknownNameError: There is none; the message says how to give it.
            FileError: It is a file, and cannot be read.
        """
        if name not in self._models and (isinstance(name, DonorReference) or found_at(name) == "file"):
            given = name.of if isinstance(name, DonorReference) else name
            self._models[name] = as_network(given)
        if name not in self._models:
            has = ", ".join(map(repr, self._models)) or "none"
            raise UnknownNameError(
                f"No donor is called {name!r} (given: {has}). Give the network that weights come from: "
                f"donors={{{name!r}: model}}, or the model itself as the setting; no file has that name either."
            )
        if name not in self._opened:
            model = self._models[name]
            backend = backend_of(model)
            network = backend.network(model, self._example)
            self._opened[name] = Donor(network, backend.store(model), fingerprint_of(network), backend.history(model))
        return self._opened[name]

    def with_fingerprint(self, fingerprint: str) -> Donor:
        """Return the donor that is this network, whatever its name.

        Raises:
            FingerprintError: It is not among them; it is named.
        """
        found = [donor for name in self._models if (donor := self.named(name)).fingerprint == fingerprint]
        if not found:
            given = [self.named(name) for name in self._models]
            has = ", ".join(donor.fingerprint for donor in given) or "none"
            told = (difference_from(fingerprint, None, donor.network) for donor in given)
            raise FingerprintError(
                f"The donor {fingerprint} is missing; given: {has}. {' '.join(filter(None, told))}"
                " Give the network that the weights came from: "
                "gw.replay(recipe, base, donors=[...])."
            )
        return found[0]


@hearing
def as_network(given: Any, *, changing: Any = None) -> Any:
    """Return a network that weights come from: of a path its checkpoint, of the model that changes a copy.

    Raises:
        FileError: The file cannot be read.
    """
    if isinstance(given, str | os.PathLike):
        return read_checkpoint(os.fspath(cast("os.PathLike[str]", given)))
    return backend_of(given).copy(given) if given is not None and given is changing else given
