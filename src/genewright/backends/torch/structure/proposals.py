"""New torch layers that fit where they are to be put."""

from __future__ import annotations

from genewright.errors import UnsupportedError
from genewright.spec import Spec
from genewright.structure import Call

_CONVOLUTIONS = {3: "Conv1d", 4: "Conv2d", 5: "Conv3d"}


def as_wide_as(call: Call) -> Spec:
    """Return a layer from what a layer returns to the same shape."""
    width, ndim = call.returned[call.depth_axis], len(call.returned)
    if call.depth_axis == 1 and ndim in _CONVOLUTIONS:
        convolution = {"layer": _CONVOLUTIONS[ndim], "in_channels": width, "out_channels": width}
        return {**convolution, "kernel_size": 3, "padding": 1}
    if ndim < 2:
        raise UnsupportedError(f"InsertLayer: {call.layer!r} returns shape {call.returned}, which has no features.")
    return {"layer": "Linear", "in_features": width, "out_features": width}


def path_between(start: Call, end: Call) -> Spec:
    """Return what leads from the input of one layer to the output of another: the identity, or a projection."""
    given, returned = start.given, end.returned
    if start.times > 1 or end.times > 1:
        shared = start if start.times > 1 else end
        raise UnsupportedError(
            f"AddSkip: {shared.layer!r} is called {shared.times} times in one run; a skip needs one."
        )
    if given == returned:
        return "identity"
    images = len(given) == len(returned) == 4 and end.depth_axis == 1 and given[0] == returned[0]
    if images:
        strides = [-(-a // b) if b else 0 for a, b in zip(given[2:], returned[2:], strict=True)]
        if all(s > 0 and -(-a // s) == b for s, a, b in zip(strides, given[2:], returned[2:], strict=True)):
            projection = {"layer": "Conv2d", "in_channels": given[1], "out_channels": returned[1]}
            return {**projection, "kernel_size": 1, "stride": strides}
    elif given[:-1] == returned[:-1]:
        return {"layer": "Linear", "in_features": given[-1], "out_features": returned[-1]}
    raise UnsupportedError(
        f"AddSkip: {start.layer!r} is given the shape {given} and {end.layer!r} returns {returned}; no projection of "
        "ours leads from one to the other. Say one: path={'layer': ...}. Nothing has been changed."
    )
