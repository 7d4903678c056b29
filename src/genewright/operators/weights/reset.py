"""A fresh start for weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from genewright.errors import SettingError, UnsupportedError
from genewright.network import Network
from genewright.noise import Change
from genewright.operators.weights.elementwise import Elementwise
from genewright.part import Part, along
from genewright.settings import check_choice, check_nonnegative
from genewright.tensor import Initial, Tensor
from genewright.where import Selected

_CONSTANT = {"zeros": 0.0, "ones": 1.0}
_BY_STD = ("normal", "truncated_normal")
_BY_GAIN: dict[str, tuple[str, float, Callable[[int, int], float]]] = {  # distribution, usual gain, scale at gain 1
    "kaiming_uniform": ("uniform", math.sqrt(2), lambda fan_in, fan_out: math.sqrt(3 / fan_in)),
    "kaiming_normal": ("normal", math.sqrt(2), lambda fan_in, fan_out: math.sqrt(1 / fan_in)),
    "xavier_uniform": ("uniform", 1.0, lambda fan_in, fan_out: math.sqrt(6 / (fan_in + fan_out))),
    "xavier_normal": ("normal", 1.0, lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out))),
    "lecun_uniform": ("uniform", 1.0, lambda fan_in, fan_out: math.sqrt(3 / fan_in)),
    "lecun_normal": ("normal", 1.0, lambda fan_in, fan_out: math.sqrt(1 / fan_in)),
}
INITS = ("default", *_CONSTANT, *_BY_STD, "uniform", *_BY_GAIN)


@dataclass(frozen=True, kw_only=True)
class Reset(Elementwise):
    """Draw a share of the elements afresh, as at the start of training.

    w' = a draw from the initial distribution of w, for each element with probability `rate`, independently.

    | init | distribution | setting |
    |---|---|---|
    | default | what the tensor's own layer draws | |
    | zeros, ones | the constant | |
    | normal | N(0, std^2) | std, 0.02 where not given |
    | truncated_normal | std * z, z ~ N(0, 1) cut off at -2 and 2 | std, 0.02 where not given |
    | uniform | U(-bound, bound) | bound, 0.05 where not given |
    | kaiming_normal | N(0, gain^2 / fan_in) | gain, sqrt(2) where not given |
    | kaiming_uniform | U(-b, b), b = gain * sqrt(3 / fan_in) | gain, sqrt(2) where not given |
    | xavier_normal | N(0, gain^2 * 2 / (fan_in + fan_out)) | gain, 1 where not given |
    | xavier_uniform | U(-b, b), b = gain * sqrt(6 / (fan_in + fan_out)) | gain, 1 where not given |
    | lecun_normal | N(0, gain^2 / fan_in) | gain, 1 where not given |
    | lecun_uniform | U(-b, b), b = gain * sqrt(3 / fan_in) | gain, 1 where not given |

    Under the inits by gain, tensors that have no fans start as is usual beside them: biases at 0, gains of
    normalisation layers at 1. The padding row of an embedding, which no layer trains, stays as it is.

    Args:
        rate: Share of the elements that are drawn afresh, in [0, 1].
        count: Instead of `rate`, exactly how many of all chosen elements; those of a count are among those of a
            higher one.
        init: One of the table.
        std: Standard deviation, at least 0; only with the inits of the table that have it.
        bound: Bound, at least 0; only with "uniform".
        gain: Gain, at least 0; only with the inits of the table that have it.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range, or does not belong to the init.
        UnsupportedError: A tensor's default is not known (in a file, or in a layer without a rule), or it has no fans
            for an init by gain. It is named.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(4, 2)
        >>> mutant = gw.mutate(net, gw.Reset(init="ones", where="bias"), seed=1)
        >>> mutant.bias.tolist()
        [1.0, 1.0]

    References:
        He et al., "Delving Deep into Rectifiers", arXiv:1502.01852, section 2.2 (kaiming); Glorot and Bengio,
        "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010, equations 12 and 16
        (xavier); LeCun et al., "Efficient BackProp", 1998, section 4.6 (lecun). The default: the layer's own
        `reset_parameters`.
    """

    version: ClassVar[int] = 2

    init: str = "default"
    std: float | None = None
    bound: float | None = None
    gain: float | None = None

    def check(self) -> None:
        check_choice(self, "init", self.init, INITS)
        for setting, inits in (("std", _BY_STD), ("bound", ("uniform",)), ("gain", tuple(_BY_GAIN))):
            value = getattr(self, setting)
            if value is None:
                continue
            check_nonnegative(self, setting, value)
            object.__setattr__(self, setting, float(value))
            if self.init not in inits:
                raise SettingError(
                    f"Reset: {setting} belongs to init {', '.join(inits)}; received init={self.init!r} with "
                    f"{setting}={value!r}. Leave {setting} out, or choose one of those."
                )

    def change(self, tensor: Tensor, network: Network) -> Change:
        initial = self._initial(tensor, network)
        return Change(combine="replace", distribution=initial.distribution, scale=initial.scale, rate=self.rate)

    def part(self, selected: Selected, network: Network) -> Part:
        """Return the chosen units, without the rows that stay zero."""
        units = super().part(selected, network)
        initial = network.initial(selected.tensor.name)
        if initial is None or not initial.zero_rows:
            return units
        rows = units[0] if units and units[0] is not None else range(selected.tensor.shape[0])
        return (*along(0, tuple(row for row in rows if row not in initial.zero_rows)), *units[1:])

    def _initial(self, tensor: Tensor, network: Network) -> Initial:
        if self.init == "default":
            initial = network.initial(tensor.name)
            if initial is None:
                raise self._refusal(tensor, "the initialisation of its layer is not known here")
            return initial
        if self.init in _CONSTANT:
            return Initial(distribution="constant", scale=_CONSTANT[self.init])
        if self.init == "uniform":
            return Initial(distribution="uniform", scale=0.05 if self.bound is None else self.bound)
        if self.init in _BY_GAIN:
            return self._by_gain(tensor)
        distribution = "normal" if self.init == "normal" else "truncated_normal"
        return Initial(distribution=distribution, scale=0.02 if self.std is None else self.std)

    def _by_gain(self, tensor: Tensor) -> Initial:
        if tensor.fan_in is None or tensor.fan_out is None:
            constants = {"bias": 0.0, "norm_bias": 0.0, "norm_weight": 1.0}
            if tensor.role not in constants:
                raise self._refusal(tensor, f"it has no fan-in (role {tensor.role!r})")
            return Initial(distribution="constant", scale=constants[tensor.role])
        distribution, usual, scale = _BY_GAIN[self.init]
        gain = usual if self.gain is None else self.gain
        return Initial(
            distribution="uniform" if distribution == "uniform" else "normal",
            scale=gain * scale(tensor.fan_in, tensor.fan_out) if tensor.size else 0.0,
        )

    def _refusal(self, tensor: Tensor, why: str) -> UnsupportedError:
        layer = f" of {tensor.layer_type}" if tensor.layer_type else ""
        return UnsupportedError(
            f"Reset(init={self.init!r}): {tensor.name!r}{layer}: {why}. Name an init for it, such as "
            f"Reset(init='normal', std=0.02, where={tensor.name!r}), or leave it out: where=('*', '!{tensor.name}')."
        )
