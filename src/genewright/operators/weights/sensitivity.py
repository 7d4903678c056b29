"""How much a model's outputs move with each weight, on an example; measured once for many seeds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from genewright.fingerprint import fingerprint_of
from genewright.jacobian import Jacobian, Numbers
from genewright.network import Network
from genewright.noise import uniform01
from genewright.noise.key import derive
from genewright.process_state import LOCK

METHODS = ("sum", "abs", "second_order")

_BITS = 12  # of a sensitivity: more would differ from machine to machine
_MOST_KEPT = 2  # models whose sensitivities are remembered

_kept: OrderedDict[tuple[object, ...], dict[str, Numbers]] = OrderedDict()


def sensitivities(network: Network, names: Sequence[str], method: str, probes: int, floor: float) -> dict[str, Numbers]:
    """Return the sensitivity of a model's outputs on its example to each element of some tensors, all above 0.

    Args:
        network: The model, with an example.
        names: The tensors.
        method: "sum", "abs" or "second_order" (see `SafeGaussianNoise`).
        probes: With more outputs than this, as many random sums of them stand for all.
        floor: No sensitivity is below this share of the mean one.

    Raises:
        ExampleError: There is no example.
        UnsupportedError: The outputs have no gradients.
    """
    jacobian = network.jacobian(names)
    key = (fingerprint_of(network), jacobian.example, tuple(names), method, probes, floor)
    with LOCK:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    found = {"sum": _summed, "abs": _absolute, "second_order": _second_order}[method](jacobian, names, probes)
    every = np.concatenate([found[name].reshape(-1) for name in names])
    mean = float(every[np.isfinite(every)].mean()) if np.isfinite(every).any() else 0.0
    least = floor * mean if mean > 0 else 1.0
    made = {name: _rounded(np.maximum(np.nan_to_num(found[name], nan=least, posinf=mean), least)) for name in names}
    with LOCK:
        _kept[key] = made
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return made


def _summed(jacobian: Jacobian, names: Sequence[str], probes: int) -> dict[str, Numbers]:
    """Return sqrt(sum over outputs k of (mean over samples i of J_ik)^2), a backward pass for each output or probe."""
    samples = jacobian.shape[0]
    total = {name: np.zeros(1) for name in names}
    for weights in _mixtures(jacobian, probes):
        slopes = jacobian.backward(np.broadcast_to(weights, jacobian.shape) / samples)
        total = {name: total[name] + np.square(slopes[name]) for name in names}
    return {name: np.sqrt(total[name]) for name in names}


def _absolute(jacobian: Jacobian, names: Sequence[str], probes: int) -> dict[str, Numbers]:
    """Return sqrt(sum over k of (mean over i of |J_ik|)^2), a backward pass for each output of each sample."""
    samples = jacobian.shape[0]
    total = {name: np.zeros(1) for name in names}
    for weights in _mixtures(jacobian, probes):
        mean = {name: np.zeros(1) for name in names}
        for sample in range(samples):
            of_one = np.zeros(jacobian.shape)
            of_one[sample] = weights / samples
            slopes = jacobian.backward(of_one)
            mean = {name: mean[name] + np.abs(slopes[name]) for name in names}
        total = {name: total[name] + np.square(mean[name]) for name in names}
    return {name: np.sqrt(total[name]) for name in names}


def _second_order(jacobian: Jacobian, names: Sequence[str], probes: int) -> dict[str, Numbers]:
    """Return sqrt(|H d|), H the Hessian of the outputs' mean squared change, d a direction that is always the same."""
    shapes = {name: slopes.shape for name, slopes in jacobian.backward(np.zeros(jacobian.shape)).items()}
    direction = {name: _signs(f"direction of {name}", shape) for name, shape in shapes.items()}
    moved = jacobian.forward(direction)
    slopes = jacobian.backward(2 * moved / jacobian.shape[0])
    return {name: np.sqrt(np.abs(slopes[name])) for name in names}


def _mixtures(jacobian: Jacobian, probes: int) -> list[Numbers]:
    """Return weights of one sample's outputs: each output alone, or random signs of one mean square."""
    shape = jacobian.shape[1:]
    outputs = int(np.prod(shape))
    if outputs <= probes:
        return list(np.eye(outputs).reshape(outputs, *shape))
    return [_signs(f"probe {turn}", shape) / np.sqrt(probes) for turn in range(probes)]


def _signs(name: str, shape: tuple[int, ...]) -> Numbers:
    """Return 1 or -1 at random, the same for every model, seed and machine."""
    drawn = uniform01(derive(0, name=name, path="", salt="sensitivity"), range(int(np.prod(shape))))
    return np.where(drawn < 0.5, -1.0, 1.0).reshape(shape)


def _rounded(values: Numbers) -> Numbers:
    fraction, power = np.frexp(values)
    return np.ldexp(np.round(np.ldexp(fraction, _BITS)), power - _BITS)
