"""TorchStructure: how a torch module computes, traced on an example; each part is worked out once, at its first use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from genewright.backends.torch.copying import copy_module
from genewright.backends.torch.float64_outputs import Precision, run_or_refuse
from genewright.backends.torch.layers import layer_called
from genewright.backends.torch.predict import predict
from genewright.backends.torch.restructure import restructure
from genewright.backends.torch.restructure.blueprint import new_layer
from genewright.backends.torch.restructure.insert import in_layer_list
from genewright.backends.torch.restructure.places import children_of, is_chain
from genewright.backends.torch.structure.calls import inputs_of_layer, laid_out, recorded_calls
from genewright.backends.torch.structure.counted_lists import is_counted
from genewright.backends.torch.structure.macs import macs_of
from genewright.backends.torch.structure.other_runs import elsewhere
from genewright.backends.torch.structure.randomize_params import randomize_constant_params
from genewright.backends.torch.structure.torch_widths import TorchWidths
from genewright.backends.torch.structure.zero_init import zero_init_tensors
from genewright.backends.torch.tensors import named_layers
from genewright.backends.torch.wrappers import refuse_wrapped
from genewright.edits import InsertLayer
from genewright.errors import UnsupportedError
from genewright.interrupts import shielded
from genewright.journal import Journal
from genewright.outputs import Outputs, largest_change
from genewright.structure import Call, Structure


class TorchStructure(Structure):
    """A torch module and an example input for it.

    Attributes:
        model: The module (the one inside, where it is compiled).
        example: A tensor or array, a tuple of positional or a dict of keyword arguments.
        others: Other examples, which reach other layers: widths are followed there, too.
    """

    def __init__(self, model: nn.Module, example: Any, others: Sequence[Any] = ()) -> None:
        refuse_wrapped(model)
        self.model = model
        self.example = example
        self.others = others
        self._widths: TorchWidths | None = None
        self._given: dict[str, NDArray[np.floating[Any]] | None] = {}
        self._zero_init: dict[str, tuple[str, ...] | None] = {}
        self._counted: dict[str, bool] = {}

    @property
    def widths(self) -> TorchWidths:
        if self._widths is None:
            self._widths = TorchWidths(self.model, self.example, self.others)
        return self._widths

    def calls(self) -> dict[str, Call]:
        return self._calls

    @cached_property
    def _calls(self) -> dict[str, Call]:
        shapes = elsewhere(self.model, self.example).layers
        return {name: replace(call, elsewhere=shapes.get(name)) for name, call in self._recorded[1].items()}

    def call(self, layer: str) -> Call:
        found = self.calls().get(layer)
        if found is not None:
            return laid_out(found, self._feature_axis(layer))
        layer_called(self.model, layer)
        raise UnsupportedError(
            f"{layer!r} is never called with a floating tensor to return one, in the run on the example (its "
            "weights may be used without calling it). Choose a layer that the forward pass calls, or give "
            "an example that reaches it."
        )

    def macs(self) -> dict[str, int]:
        return macs_of(self.widths.recording)

    def _feature_axis(self, layer: str) -> int | None:
        try:
            return self.widths.feature_axis(layer)
        except UnsupportedError:  # it cannot be traced: then its kind says where its features lie
            return None

    def layer_inputs(self, layer: str) -> NDArray[np.floating[Any]] | None:
        if layer not in self._given:
            self._given[layer] = inputs_of_layer(self.model, self.example, layer)
        return self._given[layer]

    def blocks(self) -> tuple[tuple[str, ...], ...]:
        calls = self.calls().values()
        alike = [
            c.layer
            for c in calls
            if c.layer and c.composite and c.input_shape == c.output_shape and len(c.input_shape) > 1
        ]
        ordered = [(name, module) for name, module in named_layers(self.model) if name in alike]
        chains = [name for name, module in ordered if is_chain(module)]
        single = [name for name, _ in ordered if name not in chains]
        listed = [name for name in single if self.in_layer_list(name)]
        outer = [name for name in listed if not any(name.startswith(f"{other}.") for other in listed)]
        return tuple(outer), tuple(name for name in single if name not in outer), tuple(chains)

    def in_layer_list(self, block: str) -> bool:
        return in_layer_list(block, self.model) and not self.counts_entries(block)

    def counts_entries(self, layer: str) -> bool:
        around, calls = layer.rpartition(".")[0], self.calls()
        chain = layer_called(self.model, around)
        if not layer or layer not in calls:
            return False
        if isinstance(chain, nn.ModuleList):
            if around not in self._counted:
                self._counted[around] = is_counted(copy_module(self._recorded[0]), around, self._returns_the_same)
            return self._counted[around]
        if not is_chain(chain):
            return False
        if around in calls:
            return calls[around].num_calls < calls[layer].num_calls
        entries = [f"{around}.{name}".lstrip(".") for name in children_of(chain)]
        return {entries[0], entries[-1]} <= calls.keys()  # else the chain may run by itself, on tokens say

    def accepts(self, insertion: InsertLayer, zeros: tuple[str, ...]) -> bool:
        trial = copy_module(self._recorded[0])
        name, _ = new_layer(insertion, trial)
        try:
            restructure(insertion, trial, Journal())
            for tensor in zeros:
                trial.get_parameter(f"{name}.{tensor}").data.zero_()
            return self._returns_the_same(trial)
        except Exception:  # it does not run: the caller asks whether it does
            return False

    def _returns_the_same(self, trial: nn.Module) -> bool:
        outputs, before = predict(trial, self.example), self._outputs
        return largest_change(before, Outputs(outputs, before.exact)) <= before.tolerance

    @cached_property
    @shielded
    def _outputs(self) -> Outputs:
        watch = Precision()
        with watch:
            outputs = predict(self._recorded[0], self.example)
        return Outputs(outputs, exact=not watch.single and all(o.dtype.itemsize == 8 for o in outputs))

    def zero_init_tensors(self, block: str) -> tuple[str, ...] | None:
        if block not in self._zero_init:
            call = self.call(block)
            alike = call.input_shape == call.output_shape
            randomized, once = self._recorded[0], call.num_calls == 1
            self._zero_init[block] = zero_init_tensors(randomized, self.example, block, once=once) if alike else None
        return self._zero_init[block]

    @cached_property
    def _recorded(self) -> tuple[nn.Module, dict[str, Call]]:
        """Return the copy with constant parameters randomized, in float64 where the module allows, and its calls."""
        randomized = randomize_constant_params(self.model)
        try:
            predict(randomized, self.example)
        except Exception:
            randomized = randomize_constant_params(
                self.model, dtype=None
            )  # it insists on its own dtype, or the example is wrong
            run_or_refuse(randomized, self.example)
        return randomized, recorded_calls(randomized, self.example)
