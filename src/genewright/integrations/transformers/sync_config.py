"""Bring a model's config up to date after its form has changed: found by search, believed when the outputs agree."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any, cast

from torch import nn

from genewright.backends.torch.predict import predict
from genewright.backends.torch.tensors import named_layers, unwrapped
from genewright.declaration import Declaration
from genewright.edits import SetAttribute
from genewright.integrations.transformers.build_from_config import (
    build_from_config,
    build_with_tensors,
    changed_config,
    has_config,
)
from genewright.integrations.transformers.search import Candidate, ConfigSearch, entries
from genewright.integrations.transformers.signature import Signature, structural_difference
from genewright.outputs import Outputs, largest_change

_MOST_RUN = 3  # candidates from which a model is built in memory, to be run
_TOLERANCE = 1e-6  # the same operations on the same tensors


def sync_config(model: nn.Module, example: Any) -> Declaration:
    """Return the edits after which `save_pretrained` and `from_pretrained` keep the mutant, or why there are none.

    A config is believed when a model built from it alone has the same layers, shapes and numbers, and returns the same
    outputs on the example with the mutant's tensors.

    Args:
        model: A model whose form has changed; a model of no class of transformers needs no edit.
        example: A sample input; without one nothing is searched for.
    """
    inner = unwrapped(model)
    if example is None or not has_config(inner):
        return Declaration()
    config: Any = inner.config
    # A copy: transformers' constructors write into the config that they receive.
    built = build_from_config(inner, copy.deepcopy(config))
    if built is None:
        return Declaration(note=_note(inner, "no model can be made of its config alone"))
    mutant, original = Signature.of(inner), Signature.of(built)
    unknown = structural_difference(mutant, original)
    if unknown:
        return Declaration(note=_note(inner, f"its config knows nothing of {unknown}"))
    search = ConfigSearch(inner, config, mutant, original)
    outputs = Outputs(predict(inner, example), exact=False)
    for candidate in itertools.islice(search.run(), _MOST_RUN):
        again = build_with_tensors(inner, changed_config(config, candidate.changes))
        if again is not None and largest_change(outputs, Outputs(predict(again, example), exact=False)) <= _TOLERANCE:
            return Declaration(tuple(_edits(inner, again, candidate)))
    mismatch = search.first_mismatch()
    if mismatch is None:
        return Declaration(note=_note(inner, "a model built from its config returns other outputs"))
    return Declaration(
        note=_note(inner, f"its config makes {mismatch.built} of {mismatch.what}, where {mismatch.wanted} is meant")
    )


def _edits(model: nn.Module, again: nn.Module, candidate: Candidate) -> Iterator[SetAttribute]:
    """Yield the new entries of the config, of its copies in layers, and the attributes that a new model would have."""
    for path, value in candidate.changes.items():
        yield SetAttribute(layer="", attribute=f"config.{path}", value=value)
    others = dict(named_layers(again))
    entry_names = {path.split(".")[-1] for path in candidate.changes}
    seen = {id(part) for part in _configs(vars(model).get("config"))}
    for name, module in named_layers(model):
        held, theirs = vars(module).get("config"), vars(others[name]).get("config")
        if theirs is None or held is None or id(held) in seen or not hasattr(held, "to_json_string"):
            continue
        seen.add(id(held))
        made = dict(entries(theirs))
        for path, value in entries(held):
            if path.split(".")[-1] in entry_names and made.get(path, value) != value:
                yield SetAttribute(layer=name, attribute=f"config.{path}", value=made[path])
    for name, attribute in candidate.stale:
        yield SetAttribute(layer=name, attribute=attribute, value=candidate.signature.numbers[name, attribute])


def _configs(config: Any) -> Iterator[Any]:
    if hasattr(config, "to_json_string"):
        yield config
        for value in cast("dict[str, Any]", vars(config)).values():
            yield from _configs(value)


def _note(model: nn.Module, why: str) -> str:
    return (
        f"The config of this {type(model).__name__} cannot say so ({why}): save the mutant with gw.save and read it "
        "with gw.load; save_pretrained would lose what has changed."
    )
