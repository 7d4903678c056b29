"""Whether a Keras layer that was made again is like the old one and apart from it.

A config says nothing of a method that was replaced on the instance (``layer.call = ...``), and a class may hand on an
object that its config should only describe: the copy would compute something else, or with the original's weights.
"""

from __future__ import annotations

import types
from typing import Any

from genewright.backends.keras.library import attributes_of, class_of
from genewright.backends.keras.members import layers_of
from genewright.errors import UnsupportedError

_SET_BY_KERAS = ("build", "quantize", "loss")  # when a layer is made, and by compile


def refuse_replaced_methods(old: Any, new: Any) -> None:
    """Refuse a layer with a method that was replaced on the instance, which its config does not say.

    Raises:
        UnsupportedError: `new` lacks it; the layer and the method are named.
    """
    mine = attributes_of(new)
    for name, value in attributes_of(old).items():
        replaced = callable(value) and isinstance(getattr(class_of(old), name, None), types.FunctionType)
        if replaced and name not in _SET_BY_KERAS and not (name in mine and callable(mine[name])):
            raise UnsupportedError(
                f"{name!r} of {old.name!r} ({class_of(old).__name__}) was replaced on the instance: made again from "
                "its config, it would compute something else. Write a subclass with that method; weights can be "
                "mutated all the same: in place (inplace=True), or for a while with gw.mutated(...)."
            )


def refuse_shared(model: Any, copied: Any) -> None:
    """Refuse a copy that has a layer or a variable of its original, or lacks a method that was replaced on a layer.

    Raises:
        UnsupportedError: It does; what is shared is named.
    """
    layers = {"": model, **layers_of(model)}
    of_original = {id(layer): name for name, layer in layers.items()}
    variables = {id(variable) for variable in model.variables}
    for name, layer in {"": copied, **layers_of(copied)}.items():
        shared = id(layer) in of_original or any(id(variable) in variables for variable in layer.variables)
        if shared and name:
            raise UnsupportedError(
                f"{name!r} ({class_of(layer).__name__}) would be shared by the copy and its original: the class around "
                "it hands on the object itself. Describe it in get_config "
                "(keras.saving.serialize_keras_object), or mutate in place (inplace=True)."
            )
        if name in layers:
            refuse_replaced_methods(layers[name], layer)
