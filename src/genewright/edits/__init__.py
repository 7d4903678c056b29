"""The closed set of edits: what an operator may propose, as data that one core applies. One kind a file.

An edit names tensors, a width or layers and says what becomes of them; it computes nothing until it is applied. To add
a kind: write its file, and its line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from genewright.edits import functions as functions  # registers them
from genewright.edits.accumulate import Accumulate as Accumulate
from genewright.edits.assign import Assign as Assign
from genewright.edits.continue_buffer import ContinueBuffer as ContinueBuffer
from genewright.edits.copy import Copy as Copy
from genewright.edits.edit import Edit as Edit
from genewright.edits.edit import Line as Line
from genewright.edits.edit import View as View
from genewright.edits.exchange import Exchange as Exchange
from genewright.edits.forget import Forget as Forget
from genewright.edits.gather import Following as Following
from genewright.edits.gather import Gather as Gather
from genewright.edits.gather import Place as Place
from genewright.edits.insert_layer import InsertLayer as InsertLayer
from genewright.edits.map import Function as Function
from genewright.edits.map import Map as Map
from genewright.edits.mix import Mix as Mix
from genewright.edits.perturb import Perturb as Perturb
from genewright.edits.remove_layer import RemoveLayer as RemoveLayer
from genewright.edits.replace_layer import ReplaceLayer as ReplaceLayer
from genewright.edits.rewire import Rewire as Rewire
from genewright.edits.set_attribute import SetAttribute as SetAttribute
from genewright.edits.share import Share as Share
from genewright.edits.site import Site as Site
from genewright.edits.store import Memory as Memory
from genewright.edits.store import Store as Store
from genewright.edits.tie import Tie as Tie
from genewright.edits.write import Write as Write
from genewright.errors import RecipeError
from genewright.names import did_you_mean

EDITS: tuple[type[Edit], ...] = (
    Perturb, Accumulate, Map, Assign, Copy, Exchange, Mix, Gather, Share, SetAttribute,
    InsertLayer, RemoveLayer, ReplaceLayer, Rewire, Tie, Write, Forget, ContinueBuffer,
)  # fmt: skip
_BY_NAME = {cls.name: cls for cls in EDITS if cls.data}


def edit_from_json(form: Any) -> Edit:
    """Read what `Edit.to_json` wrote.

    Raises:
        RecipeError: It is damaged; the message says how.
    """
    entries: dict[str, Any] = dict(cast("Mapping[str, Any]", form)) if isinstance(form, Mapping) else {}
    name = entries.pop("edit", None)
    if not isinstance(name, str) or name not in _BY_NAME:
        raise RecipeError(f"The recipe is damaged: no edit is called {name!r}. {did_you_mean(str(name), _BY_NAME)}")
    return _BY_NAME[name].from_form(entries)
