"""Searching a config for the entries that make it say what a model has become."""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from torch import nn

from genewright.backends.torch.declaring.misfit import Account, Misfit, misfits, strangers
from genewright.backends.torch.declaring.sketch import changed, sketch

_MOST_SKETCHES = 96
_MOST_PAIRED = 8
# An entry without a value takes one that is worked out from others: only where its name says that it is a length.
_LENGTH = re.compile(r".*(inner|dim|size|ffn|intermediate|heads?|width|hidden|d_ff|d_kv|kv).*")
_RATIO = re.compile(r".*(ratio|factor|mult|expan).*")
_NO_LENGTH = re.compile(r".*(token_id|_ids?$|vocab|position|version|seed|dropout|pdrop|initializer).*")

Changes = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """A changed config that fits.

    Attributes:
        changes: The entries, by dotted path from the config, with their new values.
        follow: Attributes of layers that a new model would have otherwise, and the forward pass does not ask for.
        account: What the changed config makes.
    """

    changes: Changes
    follow: tuple[tuple[str, str], ...]
    account: Account


Result = tuple[list[Misfit], Found]


@dataclass
class Search:
    """One search.

    Attributes:
        model: The model.
        config: Its config, as it is.
        account: What the model holds.
        first: What the config makes as it is.
        tried: Changes that have been sketched, with what differs then; None where no such model can be made.
    """

    model: nn.Module
    config: Any
    account: Account
    first: Account
    tried: dict[tuple[tuple[str, Any], ...], Result | None] = field(
        default_factory=dict[tuple[tuple[str, Any], ...], "Result | None"]
    )

    def run(self) -> Iterator[Found]:
        """Yield the changes that make the config fit, the likeliest first: what leaves the least wrong is widened."""
        waiting: list[tuple[tuple[int, int], int, Changes]] = []
        self._wait({}, waiting)
        while waiting:
            _, _, changes = heapq.heappop(waiting)
            wrong, found = cast("Result", self._left(changes))
            if not wrong:
                yield found
                continue
            first = dict(entries(self.config))
            moves = [move for move in dict.fromkeys(_moves(self.config, changes, wrong)) if first[move[0]] != move[1]]
            for move in moves:
                self._wait({**changes, **dict([move])}, waiting)
            if not changes:
                # Two at once where one of them alone is closer, or neither alone makes a model; all else leads away.
                for pair in itertools.combinations(moves[:_MOST_PAIRED], 2):
                    alone = [self._closer(dict([move])) for move in pair]
                    if True in alone or alone == [None, None]:
                        self._wait(dict(pair), waiting)

    def _closer(self, changes: Changes) -> bool | None:
        """Whether fewer numbers are wrong than with the config as it is; None where no such model can be made."""
        result, start = self._left(changes), self._left({})
        if result is None or start is None:
            return None
        return len(result[0]) + len(result[1].follow) < len(start[0])

    def closest(self) -> Misfit | None:
        """Return one thing that the unchanged config gets wrong, where something is."""
        left = self._left({})
        return left[0][0] if left is not None and left[0] else None

    def _wait(self, changes: Changes, waiting: list[tuple[tuple[int, int], int, Changes]]) -> None:
        """Put changes in line that have not been tried, by how much they leave wrong."""
        if tuple(sorted(changes.items())) in self.tried:
            return
        result = self._left(changes)
        if result is not None and (not changes or not result[0] or self._closer(changes)):
            cost = len(result[0]) + len(result[1].follow), len(changes)
            heapq.heappush(waiting, (cost, len(self.tried), changes))

    def _left(self, changes: Changes) -> Result | None:
        key = tuple(sorted(changes.items()))
        if key not in self.tried:
            self.tried[key] = self._sketched(changes) if len(self.tried) < _MOST_SKETCHES else None
        return self.tried[key]

    def _sketched(self, changes: Changes) -> Result | None:
        config = changed(self.config, changes)
        made = None if config is None else sketch(self.model, config)
        if made is None:
            return None
        account = Account.of(made)
        if strangers(self.account, account):
            return None
        hard, soft = misfits(self.account, account, self.first)
        return hard, Found(changes, tuple(soft), account)


def entries(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the numbers that a config holds, and what it leaves open, those of configs inside it included."""
    held = cast("dict[str, Any]", vars(config))
    for name, value in held.items():
        if name.startswith("_") or _NO_LENGTH.fullmatch(name):
            continue
        if hasattr(value, "to_json_string"):
            yield from entries(value, f"{prefix}{name}.")
        elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            yield f"{prefix}{name}", value


def _moves(config: Any, changes: Changes, wrong: Sequence[Misfit]) -> Iterator[tuple[str, Any]]:
    """Yield (entry, new value) that could put a wrong number right, the likeliest first."""
    held = {**dict(entries(config)), **changes}
    pairs = list(dict.fromkeys((misfit.made, misfit.wanted) for misfit in wrong))
    for made, wanted in pairs:
        yield from ((path, wanted) for path, value in held.items() if value == made and type(value) is type(wanted))
    whole = [(a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int) and a > 0]
    for made, wanted in whole:
        for path, value in held.items():
            if (
                isinstance(value, int)
                and value > 0
                and value != made
                and made % value == 0
                and wanted * value % made == 0
            ):
                yield path, wanted * value // made
    for _, wanted in whole:
        yield from ((path, wanted) for path, value in held.items() if value is None and _LENGTH.fullmatch(path))
    for made, wanted in whole:
        for path, value in held.items():
            if isinstance(value, float) and _RATIO.fullmatch(path):
                yield path, value * wanted / made
