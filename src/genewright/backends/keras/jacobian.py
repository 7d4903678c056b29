"""Products with the Jacobian of a Keras model's first output, on a copy in float64 where it can be made."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from genewright.backends.keras.double_precision import double_precision
from genewright.backends.keras.float64_outputs import doubled, in_float64
from genewright.backends.keras.library import array_of, keras
from genewright.backends.keras.members import is_graph, members_of
from genewright.backends.keras.predict import inputs_of
from genewright.errors import UnsupportedError
from genewright.example import example_fingerprint
from genewright.jacobian import Jacobian, Numbers

_STEP = 1e-6  # of a central difference: the best for float64 where numbers are about 1


class KerasJacobian(Jacobian):
    """Runs a float64 copy of a model for every product; TensorFlow, JAX and torch each differentiate in their own way.

    Args:
        model: A model; it is not touched.
        example: The sample input.
        names: The tensors that derivatives are taken by.

    Raises:
        UnsupportedError: The model cannot be made again in float64, or the example does not run.
    """

    def __init__(self, model: Any, example: Any, names: Sequence[str]) -> None:
        self.example = example_fingerprint(example, array_of)
        self._inputs = doubled(inputs_of(example))
        with double_precision() as possible:
            try:
                if not possible or not (is_graph(model) or isinstance(model, keras.Model)):
                    raise UnsupportedError("float64 is not to be had")
                self._model = in_float64(model)
                held = members_of(self._model)
                self._by = {name: held[name].variable for name in names}
                self.shape = tuple(self.output().shape)
            except Exception as error:  # a layer, a class or a device without float64
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                raise UnsupportedError(
                    f"Derivatives are taken in float64, and this {type(model).__name__} does not run in it ({reason})."
                ) from error

    def backward(self, weights: Numbers) -> dict[str, Numbers]:
        with double_precision():
            variables = list(self._by.values())
            found = _DIFFERENTIATED[keras.backend.backend()](self, variables, np.asarray(weights))
            return {
                name: np.zeros(tuple(variable.shape)) if slope is None else array_of(slope).astype(np.float64)
                for (name, variable), slope in zip(self._by.items(), found, strict=True)
            }

    def forward(self, direction: Mapping[str, Numbers]) -> Numbers:
        with double_precision():
            old = {name: np.array(array_of(variable)) for name, variable in self._by.items()}
            ends: list[Numbers] = []
            for sign in (1, -1):
                for name, variable in self._by.items():
                    variable.assign(old[name] + sign * _STEP * direction[name])
                ends.append(array_of(self.output()).astype(np.float64))
            for name, variable in self._by.items():
                variable.assign(old[name])
            return (ends[0] - ends[1]) / (2 * _STEP)

    def stateless(self, variables: Sequence[Any], values: Sequence[Any]) -> Any:
        """Return the first output with other values in some variables; of JAX, to be differentiated."""
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return self.output()

    def output(self) -> Any:
        """Return the first output."""
        return keras.tree.flatten(self._model(self._inputs, training=False))[0]


def _by_tensorflow(jacobian: KerasJacobian, variables: list[Any], weights: Numbers) -> list[Any]:
    tensorflow = sys.modules["tensorflow"]
    values = [variable.value for variable in variables]
    with tensorflow.GradientTape(watch_accessed_variables=False) as tape:
        for value in values:
            tape.watch(value)
        output = jacobian.output()
    found = tape.gradient(output, values, output_gradients=tensorflow.constant(weights, output.dtype))
    return [None if one is None else tensorflow.convert_to_tensor(one) for one in found]


def _by_jax(jacobian: KerasJacobian, variables: list[Any], weights: Numbers) -> list[Any]:
    jax = sys.modules["jax"]

    def output_of(values: list[Any]) -> Any:
        return jacobian.stateless(variables, values)

    output, pull = jax.vjp(output_of, [variable.value for variable in variables])
    return list(pull(jax.numpy.asarray(weights, output.dtype))[0])


def _by_torch(jacobian: KerasJacobian, variables: list[Any], weights: Numbers) -> list[Any]:
    torch = sys.modules["torch"]
    values = [variable.value for variable in variables]
    before = [value.requires_grad for value in values]
    try:
        with torch.enable_grad():
            for value in values:
                value.requires_grad_()
            output = jacobian.output()
        given = torch.tensor(weights, dtype=output.dtype, device=output.device)
        return list(torch.autograd.grad(output, values, given, allow_unused=True))
    finally:
        for value, required in zip(values, before, strict=True):
            value.requires_grad_(required)


_DIFFERENTIATED = {"tensorflow": _by_tensorflow, "jax": _by_jax, "torch": _by_torch}
