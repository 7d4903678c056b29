"""Following what is computed of a layer's units alone, up to the activation function behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from genewright.backends.torch.observing.experts import Dealing
from genewright.layer import activation_name, is_activation

ACTIVATIONS = frozenset({
    "relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "celu", "selu", "gelu", "silu", "mish", "tanh", "sigmoid",
    "hardsigmoid", "hardswish", "hardtanh", "hardshrink", "softshrink", "tanhshrink", "softplus", "softsign",
    "logsigmoid", "log_sigmoid", "threshold", "exp", "erf", "clamp", "clip", "clamp_min", "square", "abs",
})  # fmt: skip
"""Nonlinear functions, each of one unit's own value."""

PASSING = frozenset({
    "batch_norm", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout",
    "feature_dropout", "add", "radd", "iadd", "sub", "rsub", "isub", "mul", "rmul", "imul", "div", "rdiv", "idiv",
    "truediv", "rtruediv", "itruediv", "true_divide", "multiply", "subtract", "divide", "neg", "negative", "pow",
    "ipow", "rpow", "sqrt", "rsqrt", "reciprocal", "to", "type", "type_as", "float", "half", "double", "bfloat16",
    "contiguous", "clone",
})  # fmt: skip
"""Functions of one unit's own value, and of parameters, that are linear, or come before or behind a nonlinear one."""


ATTENDING = (
    torch.softmax,
    torch.Tensor.softmax,
    torch.nn.functional.softmax,
    torch.nn.functional.scaled_dot_product_attention,
    torch.nn.functional.multi_head_attention_forward,
)
"""What attentions call; whether there are heads is for the widths to say."""


@dataclass(eq=False)
class Instance:
    """One call of a layer, on the way to where its units are seen.

    Attributes:
        layer: The layer's name.
        number: Which call of it this is in the run.
        events: What has been computed of its output alone: (name, whether it is nonlinear, whether it joins two such
            values).
    """

    layer: str
    number: int
    events: list[tuple[str, bool, bool]] = field(default_factory=list[tuple[str, bool, bool]])

    def end(self) -> tuple[int, str]:
        """Return behind how many events the activation function ends, and its name; (0, "") where none follows.

        It ends with its first nonlinear function; or, where it is written out as several operations, with the last one
        that joins values of the unit: ``x * sigmoid(x)``.
        """
        nonlinear = [at for at, (_, is_so, _) in enumerate(self.events) if is_so]
        if not nonlinear:
            return 0, ""
        joins = [at for at, (_, _, join) in enumerate(self.events) if join and at > nonlinear[0]]
        if joins:
            return joins[-1] + 1, f"{_WRITTEN.get(self.events[nonlinear[0]][0], 'a function')} written out"
        return nonlinear[0] + 1, activation_name(self.events[nonlinear[0]][0].removesuffix("Activation"))


_WRITTEN = {"sigmoid": "silu", "tanh": "gelu", "erf": "gelu", "pow": "gelu"}

Arrived = Callable[[list[Instance], torch.Tensor], torch.Tensor]
"""Is told that a tensor has come one event further for some calls of layers; returns the tensor to go on with."""


class Following(TorchFunctionMode):
    """Follows the outputs of layers through functions that look at one unit at a time.

    Args:
        arrived: Is told of every step.
        heads: For fused attentions: is handed the outputs of all heads, side by side, and returns what to go on with.
        held: The ids of parameters and buffers: what is computed of them alone is a constant.
        dealing: Takes note of what experts are dealt.

    Attributes:
        attends: Something has been called that attentions call.
    """

    def __init__(
        self,
        arrived: Arrived,
        heads: Callable[[int, torch.Tensor], torch.Tensor],
        held: frozenset[int],
        dealing: Dealing | None = None,
    ) -> None:
        super().__init__()
        self._arrived, self._heads, self._held, self._dealing = arrived, heads, held, dealing
        self._known: Any = WeakIdKeyDictionary()  # tensors compare element by element: held by identity
        self._constants: Any = WeakIdKeyDictionary()
        self._muted = 0
        self.attends = False

    def start(self, instance: Instance, output: torch.Tensor) -> torch.Tensor:
        """Follow a layer's output from here on."""
        return self._reached([instance], output)

    def enter(self) -> None:
        """An activation layer begins: what it computes inside counts as one function."""
        self._muted += 1

    def leave(self, name: str, given: torch.Tensor | None, returned: Any) -> Any:
        """An activation layer has ended."""
        self._muted -= 1
        if self._muted or given is None or not isinstance(returned, torch.Tensor) or returned.shape != given.shape:
            return returned
        return self._step(name, True, [given], returned)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self.attends |= func in ATTENDING
        if func is torch.nn.functional.multi_head_attention_forward and not self._muted:
            return self._attention(func, args, kwargs)
        result = func(*args, **kwargs)
        name = str(getattr(func, "__name__", "")).strip("_")
        if self._dealing is not None:
            self._dealing.saw(name, args, kwargs, result)
        if self._muted or not isinstance(result, torch.Tensor):
            return result
        tensors = list(_tensors((*args, *kwargs.values())))
        if not tensors or not result.is_floating_point():
            return result
        if all(self._is_constant(tensor) for tensor in tensors):
            self._constants[result] = True
            return result
        nonlinear = name in ACTIVATIONS
        if not nonlinear and name not in PASSING:
            self._known.pop(result, None)  # an operation in place on what was followed
            return result
        return self._step(name, nonlinear, tensors, result)

    def _is_constant(self, tensor: torch.Tensor) -> bool:
        return id(tensor) in self._held or tensor in self._constants

    def _step(self, name: str, nonlinear: bool, tensors: list[torch.Tensor], result: torch.Tensor) -> torch.Tensor:
        moving = [t for t in tensors if not self._is_constant(t) and t.dim() > 0]
        if result.shape not in {t.shape for t in moving}:
            self._known.pop(result, None)
            return result
        known = [cast("list[Instance]", self._known.get(t, [])) for t in moving]
        common = [one for one in (known[0] if known else []) if all(one in each for each in known[1:])]
        self._known.pop(result, None)
        if not common:
            return result
        joins = len({id(t) for t in moving}) > 1
        for instance in common:
            instance.events.append((name, nonlinear, joins))
        return self._reached(common, result)

    def _reached(self, instances: list[Instance], tensor: torch.Tensor) -> torch.Tensor:
        before = cast("list[Instance]", self._known.get(tensor, []))
        tensor = self._arrived(instances, tensor)
        self._known[tensor] = [*before, *(one for one in instances if one not in before)]
        return tensor

    def _attention(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Run torch's own attention with an output projection that changes nothing, and the projection behind it."""
        names = ("query", "key", "value", "embed_dim_to_check", "num_heads", "in_proj_weight", "in_proj_bias", "bias_k",
                 "bias_v", "add_zero_attn", "dropout_p", "out_proj_weight", "out_proj_bias")  # fmt: skip
        given = dict(zip(names, args, strict=False)) | kwargs
        weight, bias = given["out_proj_weight"], given["out_proj_bias"]
        identity = torch.eye(weight.shape[1], dtype=weight.dtype, device=weight.device)
        output, weights = func(**(given | {"out_proj_weight": identity, "out_proj_bias": None}))
        output = self._heads(id(weight), output)
        return torch.nn.functional.linear(output, weight, bias), weights


def is_elementwise_activation(class_name: str) -> bool:
    """Whether a layer of this class is an activation function of one unit's own value."""
    return is_activation(class_name) and class_name not in ("GLU", "GluAct")


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)
