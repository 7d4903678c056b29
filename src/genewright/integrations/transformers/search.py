"""Best-first search for the entries of a config that make it build what a mutant has become."""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from torch import nn

from genewright.integrations.transformers.build_from_config import build_from_config, changed_config
from genewright.integrations.transformers.signature import ConfigMismatch, Signature, diff, structural_difference

_MOST_BUILDS = 96
_MOST_PAIRED = 8
# An entry without a value takes one that is worked out from others: only where its name says that it is a length.
_LENGTH = re.compile(r".*(inner|dim|size|ffn|intermediate|heads?|width|hidden|d_ff|d_kv|kv).*")
_RATIO = re.compile(r".*(ratio|factor|mult|expan).*")
_NO_LENGTH = re.compile(r".*(token_id|_ids?$|vocab|position|version|seed|dropout|pdrop|initializer).*")

Changes = dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """A changed config, and the model that it builds.

    Attributes:
        changes: The entries, by dotted path from the config, with their new values.
        stale: Attributes (layer, name) that a new model would have otherwise, and the forward pass never reads.
        signature: That of the model built from the changed config.
    """

    changes: Changes
    stale: tuple[tuple[str, str], ...]
    signature: Signature


Result = tuple[list[ConfigMismatch], Candidate]


@dataclass
class ConfigSearch:
    """One search.

    Attributes:
        model: The mutant.
        config: Its config, as it is.
        mutant: The mutant's signature.
        original: That of the model built from the config as it is.
        tried: Changes from which a model was built, with the mismatches left; None where no model can be built.
    """

    model: nn.Module
    config: Any
    mutant: Signature
    original: Signature
    tried: dict[tuple[tuple[str, Any], ...], Result | None] = field(
        default_factory=dict[tuple[tuple[str, Any], ...], "Result | None"]
    )

    def run(self) -> Iterator[Candidate]:
        """Yield the candidates without a mismatch, the likeliest first: best-first by mismatches left."""
        waiting: list[tuple[tuple[int, int], int, Changes]] = []
        self._push({}, waiting)
        while waiting:
            _, _, changes = heapq.heappop(waiting)
            mismatches, candidate = cast("Result", self._result(changes))
            if not mismatches:
                yield candidate
                continue
            values = dict(entries(self.config))
            moves = [
                move for move in dict.fromkeys(_moves(self.config, changes, mismatches)) if values[move[0]] != move[1]
            ]
            for move in moves:
                self._push({**changes, **dict([move])}, waiting)
            if not changes:
                # Two at once only where one of them alone has fewer mismatches, or neither alone builds a model.
                for pair in itertools.combinations(moves[:_MOST_PAIRED], 2):
                    alone = [self._closer(dict([move])) for move in pair]
                    if True in alone or alone == [None, None]:
                        self._push(dict(pair), waiting)

    def _closer(self, changes: Changes) -> bool | None:
        """Whether fewer numbers are wrong than with the config as it is; None where no model can be built."""
        result, start = self._result(changes), self._result({})
        if result is None or start is None:
            return None
        return len(result[0]) + len(result[1].stale) < len(start[0])

    def first_mismatch(self) -> ConfigMismatch | None:
        """Return a number that the unchanged config gets wrong, where there is one."""
        result = self._result({})
        return result[0][0] if result is not None and result[0] else None

    def _push(self, changes: Changes, waiting: list[tuple[tuple[int, int], int, Changes]]) -> None:
        """Queue changes that have not been tried, by the number of mismatches that they leave."""
        if tuple(sorted(changes.items())) in self.tried:
            return
        result = self._result(changes)
        if result is not None and (not changes or not result[0] or self._closer(changes)):
            cost = len(result[0]) + len(result[1].stale), len(changes)
            heapq.heappush(waiting, (cost, len(self.tried), changes))

    def _result(self, changes: Changes) -> Result | None:
        key = tuple(sorted(changes.items()))
        if key not in self.tried:
            self.tried[key] = self._built(changes) if len(self.tried) < _MOST_BUILDS else None
        return self.tried[key]

    def _built(self, changes: Changes) -> Result | None:
        config = changed_config(self.config, changes)
        model = None if config is None else build_from_config(self.model, config)
        if model is None:
            return None
        built = Signature.of(model)
        if structural_difference(self.mutant, built):
            return None
        mismatches, stale = diff(self.mutant, built, self.original)
        return mismatches, Candidate(changes, tuple(stale), built)


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


def _moves(config: Any, changes: Changes, mismatches: Sequence[ConfigMismatch]) -> Iterator[tuple[str, Any]]:
    """Yield (entry, new value) that could correct a mismatch, the likeliest first."""
    held = {**dict(entries(config)), **changes}
    pairs = list(dict.fromkeys((mismatch.built, mismatch.wanted) for mismatch in mismatches))
    for built, wanted in pairs:
        yield from ((path, wanted) for path, value in held.items() if value == built and type(value) is type(wanted))
    whole = [(a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int) and a > 0]
    for built, wanted in whole:
        for path, value in held.items():
            if (
                isinstance(value, int)
                and value > 0
                and value != built
                and built % value == 0
                and wanted * value % built == 0
            ):
                yield path, wanted * value // built
    for _, wanted in whole:
        yield from ((path, wanted) for path, value in held.items() if value is None and _LENGTH.fullmatch(path))
    for built, wanted in whole:
        for path, value in held.items():
            if isinstance(value, float) and _RATIO.fullmatch(path):
                yield path, value * wanted / built
