"""What is learned of a torch module by running it on an example; each part is worked out once, at its first use."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from genewright.backends.torch.copying import copy_module
from genewright.backends.torch.layers import layer_called
from genewright.backends.torch.predict import predict
from genewright.backends.torch.restructure import restructure
from genewright.backends.torch.restructure.blueprint import new_layer
from genewright.backends.torch.restructure.insert import is_listed
from genewright.backends.torch.restructure.places import is_chain
from genewright.backends.torch.structure.blocks import silencing_tensors
from genewright.backends.torch.structure.calls import given_to, recorded_calls
from genewright.backends.torch.structure.waking import woken
from genewright.backends.torch.structure.widths import TorchWidths
from genewright.backends.torch.tensors import named_layers
from genewright.backends.torch.witness import Precision, run_or_refuse
from genewright.backends.torch.wrappers import refuse_wrapped
from genewright.edits import InsertLayer
from genewright.errors import UnsupportedError
from genewright.interrupts import shielded
from genewright.journal import Journal
from genewright.structure import Call, Structure
from genewright.witness import Witness, largest_change


class TorchStructure(Structure):
    """A torch module and an example input for it.

    Attributes:
        model: The module (the one inside, where it is compiled).
        example: A tensor or array, a tuple of positional or a dict of keyword arguments.
    """

    def __init__(self, model: nn.Module, example: Any) -> None:
        refuse_wrapped(model)
        self.model = model
        self.example = example
        self._widths: TorchWidths | None = None
        self._given: dict[str, NDArray[np.floating[Any]] | None] = {}
        self._silencing: dict[str, tuple[str, ...] | None] = {}

    @property
    def widths(self) -> TorchWidths:
        if self._widths is None:
            self._widths = TorchWidths(self.model, self.example)
        return self._widths

    def calls(self) -> dict[str, Call]:
        return self._recorded[1]

    def call(self, layer: str) -> Call:
        found = self.calls().get(layer)
        if found is not None:
            return found
        layer_called(self.model, layer)
        raise UnsupportedError(
            f"{layer!r} is never called with a floating tensor to return one, in the run on the example (its "
            "weights may be used without calling it). Choose a layer that the forward pass calls, or give "
            "an example that reaches it."
        )

    def given(self, layer: str) -> NDArray[np.floating[Any]] | None:
        if layer not in self._given:
            self._given[layer] = given_to(self.model, self.example, layer)
        return self._given[layer]

    def blocks(self) -> tuple[tuple[str, ...], ...]:
        calls = self.calls().values()
        alike = [c.layer for c in calls if c.layer and c.composite and c.given == c.returned and len(c.given) > 1]
        ordered = [(name, module) for name, module in named_layers(self.model) if name in alike]
        chains = [name for name, module in ordered if is_chain(module)]
        single = [name for name, _ in ordered if name not in chains]
        listed = [name for name in single if self.is_listed(name)]
        outer = [name for name in listed if not any(name.startswith(f"{other}.") for other in listed)]
        return tuple(outer), tuple(name for name in single if name not in outer), tuple(chains)

    def is_listed(self, block: str) -> bool:
        return is_listed(block, self.model)

    def takes(self, insertion: InsertLayer, zeros: tuple[str, ...]) -> bool:
        trial = copy_module(self._recorded[0])
        name, _ = new_layer(insertion, trial)
        try:
            restructure(insertion, trial, Journal())
            for tensor in zeros:
                trial.get_parameter(f"{name}.{tensor}").data.zero_()
            outputs = predict(trial, self.example)
        except Exception:  # it does not run: the caller asks whether it does
            return False
        before = self._outputs
        return largest_change(before, Witness(outputs, before.exact)) <= before.tolerance

    @cached_property
    @shielded
    def _outputs(self) -> Witness:
        watch = Precision()
        with watch:
            outputs = predict(self._recorded[0], self.example)
        return Witness(outputs, exact=not watch.single and all(o.dtype.itemsize == 8 for o in outputs))

    def silencing(self, block: str) -> tuple[str, ...] | None:
        if block not in self._silencing:
            call = self.call(block)
            alike = call.given == call.returned
            awake, once = self._recorded[0], call.times == 1
            self._silencing[block] = silencing_tensors(awake, self.example, block, once=once) if alike else None
        return self._silencing[block]

    @cached_property
    def _recorded(self) -> tuple[nn.Module, dict[str, Call]]:
        """Return the woken copy, in float64 where the module allows, and its calls."""
        awake = woken(self.model)
        try:
            predict(awake, self.example)
        except Exception:
            awake = woken(self.model, dtype=None)  # it insists on its own dtype, or the example is wrong
            run_or_refuse(awake, self.example)
        return awake, recorded_calls(awake, self.example)
