"""What a layer keeps beside its variables, and saves and loads by methods of its own class."""

from __future__ import annotations

from typing import Any

import blake3
import numpy as np
from numpy.typing import NDArray

from genewright.backends.keras.library import array_of, class_of, error_text
from genewright.errors import UnsupportedError
from genewright.state import State


def own_state(layer: Any) -> dict[str, NDArray[Any]]:
    """Return what `save_own_variables` of the layer's class writes beyond its variables, by key.

    Raises:
        UnsupportedError: The class's method fails.
    """
    if str(class_of(layer).save_own_variables.__module__).partition(".")[0] == "keras":
        return {}
    store: dict[str, Any] = {}
    try:
        layer.save_own_variables(store)
        found = {key: np.asarray(array_of(value)) for key, value in store.items()}
    except Exception as error:
        raise UnsupportedError(_fails("save_own_variables", layer, error)) from None
    variables = [np.asarray(array_of(variable)) for variable in layer.variables]
    return {key: value for key, value in found.items() if not any(_same(value, one) for one in variables)}


def carry_own_state(before: Any, after: Any) -> None:
    """Let a layer keep what another one of its class keeps; its variables stay.

    Raises:
        UnsupportedError: The class's method fails.
    """
    kept = own_state(before)
    if not kept:
        return
    store: dict[str, Any] = {}
    try:
        after.save_own_variables(store)
        after.load_own_variables({key: np.array(array_of(value)) for key, value in store.items()} | kept)
    except Exception as error:
        raise UnsupportedError(_fails("load_own_variables", after, error)) from None


def states_of(name: str, layer: Any) -> dict[str, State]:
    """Return a layer's own state as a network lists it: counted, told in plans, and left alone."""
    found: dict[str, State] = {}
    for key, value in own_state(layer).items():
        whole = f"{name}.{key}" if name else key
        held = np.ascontiguousarray(value)
        about = f"{held.dtype.str[1:]} {','.join(map(str, held.shape))} ".encode()
        counted = about + blake3.blake3(held.astype(held.dtype.newbyteorder("<")).tobytes()).digest()
        found[whole] = State(name=whole, layer=name, what="own state", size=held.size, about=counted, data=None)
    return found


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def _fails(method: str, layer: Any, error: Exception) -> str:
    return (
        f"{layer.name!r}: the {method} of class {type(layer).__name__} fails ({error_text(error)}), so that what it "
        "keeps beside its variables is not known. Mend it, or hold that in variables (add_weight)."
    )
