"""An elementwise relation between activations and what they are compared with."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from genewright.calls import answered
from genewright.errors import DataError, SettingError
from genewright.names import did_you_mean

RELATIONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@answered(who="gw.neurons.check_active")
def check_active(x: Any, y: Any, relation: str | Callable[[Any, Any], Any] = "==", *, unit_axis: int = -1) -> Any:
    """Say where activations stand in a relation to a number, to one number a unit, or to other activations.

    | x | y | compared |
    |---|---|---|
    | any shape | a number | every activation with it |
    | (samples, units) | (units,) | every unit's activations with its own number |
    | (samples, channels, height, width) | (channels,), with ``unit_axis=1`` | every channel's with its own number |
    | any shape | the same shape, or one that broadcasts to it | activation by activation |

    Args:
        x: Activations: a NumPy array (or a list of numbers), a torch tensor, or a tensor of Keras's backend.
        y: What they are compared with, as in the table: a number, an array or a tensor. A vector lies along
            `unit_axis`, whatever other axes have its length; all else broadcasts to x as NumPy does it.
        relation: "==", "!=", "<", "<=", ">" or ">=" (x stands on the left), or a function (x, y) that returns one bool
            an activation. NaN stands in no relation but "!=".
        unit_axis: The axis of x that a vector y lies along: the last, or 1 for channels that come first.

    Returns:
        Bools of the shape and kind of x: a NumPy array for an array, a torch tensor on x's device for a torch tensor.

    Raises:
        SettingError: The relation is unknown, or the function returns something else than bools of x's shape.
        DataError: y does not broadcast to x.

    Example:
        >>> import numpy as np, genewright as gw
        >>> x = np.array([[0.0, 2.0], [1.0, 0.0]])
        >>> gw.neurons.check_active(x, [0.5, 3.0], ">").tolist()
        [[False, False], [True, False]]
    """
    if isinstance(relation, str) and relation not in RELATIONS:
        raise SettingError(
            f"check_active: relation is one of {', '.join(RELATIONS)} or a function; received {relation!r}. "
            f"{did_you_mean(relation, RELATIONS)}"
        )
    if not hasattr(x, "shape"):
        x = np.asarray(x)
    shape = tuple(int(size) for size in x.shape)
    y = _laid_out(_like(y, x), shape, unit_axis)
    found = RELATIONS[relation](x, y) if isinstance(relation, str) else relation(x, y)
    if tuple(getattr(found, "shape", (None,))) != shape or "bool" not in str(getattr(found, "dtype", "")):
        raise SettingError(
            f"check_active: the relation returns one bool an activation, of shape {shape}; received "
            f"{getattr(found, 'dtype', type(found).__name__)} of shape {tuple(getattr(found, 'shape', ()))}."
        )
    return np.asarray(found) if isinstance(x, np.ndarray | np.generic) else found


def _like(y: Any, x: Any) -> Any:
    """Return y as an array of x's kind; numbers stay what they are."""
    torch, tensorflow = sys.modules.get("torch"), sys.modules.get("tensorflow")
    if isinstance(y, bool | int | float):
        return y
    if torch is not None and isinstance(x, torch.Tensor):
        return torch.as_tensor(y if isinstance(y, torch.Tensor) else _array(y), device=x.device)
    if tensorflow is not None and tensorflow.is_tensor(x):
        return tensorflow.cast(tensorflow.convert_to_tensor(_array(y) if not tensorflow.is_tensor(y) else y), x.dtype)
    if isinstance(x, np.ndarray | np.generic):
        return _array(y)
    return y if hasattr(y, "shape") else _array(y)


def _array(y: Any) -> Any:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(y, torch.Tensor):
        y = y.detach().cpu().numpy()
    array = np.asarray(y)
    if array.dtype.kind not in "biuf":
        raise DataError(f"check_active: y holds numbers; received {array.dtype}.")
    return array


def _laid_out(y: Any, shape: tuple[int, ...], unit_axis: int) -> Any:
    """Return y with its axes where they are to be compared with those of x."""
    given = tuple(int(size) for size in getattr(y, "shape", ()))
    if not -len(shape) <= unit_axis < max(1, len(shape)):
        raise SettingError(f"check_active: unit_axis={unit_axis} is no axis of x, of shape {shape}.")
    if len(given) == 1 and shape:
        axis = unit_axis % len(shape)
        if given[0] not in (1, shape[axis]):
            fits = [at for at, size in enumerate(shape) if size == given[0]]
            hint = f" Write unit_axis={fits[0]}." if len(fits) == 1 else ""
            raise DataError(
                f"check_active: a vector y has one number a unit, {shape[axis]} along axis {axis} of x, of shape "
                f"{shape}; received {given[0]}.{hint}"
            )
        laid = (given[0],) + (1,) * (len(shape) - 1 - axis)
        return y.reshape(laid) if hasattr(y, "reshape") else sys.modules["tensorflow"].reshape(y, laid)
    try:
        fits_x = np.broadcast_shapes(given, shape) == shape
    except ValueError:
        fits_x = False
    if not fits_x:
        raise DataError(
            f"check_active: y is a number, one number a unit, or an array that broadcasts to x, of shape {shape}; "
            f"received one of shape {given}."
        )
    return y
