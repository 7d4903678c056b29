"""What lets a model's config say what the model has become: found by search, believed when the outputs agree."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any, cast

from torch import nn

from genewright.backends.torch.declaring.misfit import Account, strangers
from genewright.backends.torch.declaring.search import Found, Search, entries
from genewright.backends.torch.declaring.sketch import changed, has_config, read_again, sketch
from genewright.backends.torch.predict import predict
from genewright.backends.torch.tensors import named_layers, unwrapped
from genewright.declaration import Declaration
from genewright.edits import SetAttribute
from genewright.witness import Witness, largest_change

_MOST_READ = 3  # fitting configs that are tried for real
_TOLERANCE = 1e-6  # the same operations on the same tensors


def declared(model: nn.Module, example: Any) -> Declaration:
    """Return the edits after which a transformers model can be saved and read without us, or why there are none.

    A config is believed when a model that is made of it alone has the same layers, shapes and numbers, and with the
    model's tensors puts out the same on the example.

    Args:
        model: A model whose form has changed; any other than one of transformers needs nothing.
        example: A sample input; without one nothing is searched for.
    """
    inner = unwrapped(model)
    if example is None or not has_config(inner):
        return Declaration()
    config: Any = inner.config
    # A copy: transformers' constructors write into the config that they are given.
    made = sketch(inner, copy.deepcopy(config))
    if made is None:
        return Declaration(note=_note(inner, "no model can be made of its config alone"))
    account, first = Account.of(inner), Account.of(made)
    odd = strangers(account, first)
    if odd:
        return Declaration(note=_note(inner, f"its config knows nothing of {odd}"))
    search = Search(inner, config, account, first)
    outputs = Witness(predict(inner, example), exact=False)
    for found in itertools.islice(search.run(), _MOST_READ):
        again = read_again(inner, changed(config, found.changes))
        if again is not None and largest_change(outputs, Witness(predict(again, example), exact=False)) <= _TOLERANCE:
            return Declaration(tuple(_edits(inner, again, found)))
    wrong = search.closest()
    if wrong is None:
        return Declaration(note=_note(inner, "a model made of its config puts out something else"))
    return Declaration(
        note=_note(inner, f"its config makes {wrong.made} of {wrong.what}, where {wrong.wanted} is meant")
    )


def _edits(model: nn.Module, again: nn.Module, found: Found) -> Iterator[SetAttribute]:
    """Yield the new entries of the config, of its copies in layers, and the attributes that a new model would have."""
    for path, value in found.changes.items():
        yield SetAttribute(layer="", attribute=f"config.{path}", value=value)
    others = dict(named_layers(again))
    seen = {id(part) for part in _configs(vars(model).get("config"))}
    for name, module in named_layers(model):
        held, theirs = vars(module).get("config"), vars(others[name]).get("config")
        if theirs is None or held is None or id(held) in seen or not hasattr(held, "to_json_string"):
            continue
        seen.add(id(held))
        made = dict(entries(theirs))
        for path, value in entries(held):
            if path.split(".")[-1] in {key.split(".")[-1] for key in found.changes} and made.get(path, value) != value:
                yield SetAttribute(layer=name, attribute=f"config.{path}", value=made[path])
    for name, attribute in found.follow:
        yield SetAttribute(layer=name, attribute=attribute, value=found.account.numbers[name, attribute])


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
