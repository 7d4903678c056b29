"""Other runs of a module: the example's shapes varied, on meta tensors, which cost no arithmetic.

What the forward pass takes in other sizes is found by trying: an axis that the module insists on stays as it is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, NamedTuple

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from genewright.backends.torch.kept_state import state_of
from genewright.backends.torch.predict import placed, tensors_of
from genewright.backends.torch.structure.calls import first_tensor, main_output, watching
from genewright.backends.torch.structure.structural_key import structural_key
from genewright.backends.torch.structure.trace_devices import Meta
from genewright.backends.torch.tensors import named_layers
from genewright.interrupts import checkpoint
from genewright.other_runs import OtherRun, Shapes

_MOST_SIZES = 6  # lengths of the example that are varied
_KEPT = 8  # models whose runs are remembered
LayerShapes = Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]


@dataclass(frozen=True)
class Elsewhere:
    """What is known of a module beyond the example.

    Attributes:
        runs: The runs.
        layers: For every layer of the one on other sizes, the shapes of what it took and returned.
    """

    runs: tuple[OtherRun, ...] = ()
    layers: LayerShapes = field(default_factory=dict[str, tuple[tuple[int, ...], tuple[int, ...]]])


def elsewhere(model: nn.Module, example: Any) -> Elsewhere:
    """Return how a module runs on shapes other than the example's; nothing where it needs values to run.

    Args:
        model: Any module; it is not touched.
        example: A tensor or array, a tuple of positional or a dict of keyword arguments.
    """
    example = placed(example, next(iter(model.parameters()), None))
    key = structural_key(model, example)
    with _LOCK:
        known = None if key is None else _CACHE.get(key)
    if known is not None:
        return known
    found = _Search(model, example).found()
    checkpoint()  # what a signal's handler raised may have been taken for an answer: then this one is not kept
    if key is not None:
        with _LOCK:
            _CACHE[key] = found
            while len(_CACHE) > _KEPT:
                _CACHE.popitem(last=False)
    return found


_LOCK: Final = Lock()
_CACHE: Final[OrderedDict[Hashable, Elsewhere]] = OrderedDict()


def failures(model: nn.Module, runs: Sequence[OtherRun], *, alike: bool) -> list[str]:
    """Return for each run why a mutant does not do there what its original does; "" where it does.

    Args:
        model: The mutant; it is not touched.
        runs: The runs.
        alike: Its outputs have the shapes of the original's.
    """
    try:
        copied = _MetaCopy(model)
    except Exception as error:
        return [f"in 'the model': {_first_line(error)}"] * len(runs)
    return [_failure(copied, run, alike=alike) for run in runs]


def _failure(copied: _MetaCopy, run: OtherRun, *, alike: bool) -> str:
    try:
        shapes = copied.run(run.given, training=run.training)
    except Exception as error:
        checkpoint()
        return f"in {_failing_layer(copied, run) or 'the model'!r}: {_first_line(error)}"
    if alike and shapes != run.outputs:
        return f"the outputs would have the shapes {list(shapes)}, where they have {list(run.outputs)}"
    return ""


def _failing_layer(copied: _MetaCopy, run: OtherRun) -> str:
    """Return the innermost layer in which a run fails: "" outside of all layers."""
    inside: list[nn.Module] = []

    def enter(module: nn.Module, _args: Any) -> None:
        inside.append(module)

    def leave(_module: nn.Module, _args: Any, _output: Any) -> None:
        inside.pop()

    for module in copied.module.modules():  # the end of the run takes the hooks off
        module.register_forward_pre_hook(enter, prepend=True)
        module.register_forward_hook(leave)  # not called where the layer fails: the innermost one stays
    with suppress(Exception):
        copied.run(run.given, training=run.training)
    return copied.names.get(id(inside[-1]), "") if inside else ""


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__


class _MetaCopy:
    """A copy of a module on meta tensors, which every run finds as the first one did.

    Attributes:
        module: The copy.
        names: The names of its layers, by `id`.
    """

    def __init__(self, model: nn.Module) -> None:
        self._device = Meta()
        self.module = self._device.copy_of(model, {})
        self.names = {id(module): name for name, module in named_layers(self.module)}
        self._state = state_of(self.module)

    def run(self, given: Any, *, training: bool = False) -> Shapes:
        """Return the shapes of the outputs; hooks that were put on for the run are gone afterwards."""
        try:
            output = self._device.run(self.module.train(training), given, nullcontext())
            return tuple(tuple(tensor.shape) for tensor in tensors_of(output))
        finally:
            self._state.put_back()


class _Ran(NamedTuple):
    outputs: Shapes
    layers: LayerShapes


class _Search:
    """Tries what may be varied."""

    def __init__(self, model: nn.Module, example: Any) -> None:
        self._model = model
        self._copied: _MetaCopy | None = None
        self._leaves, self._form = tree_flatten(Meta().example(example))
        tensors = [leaf for leaf in self._leaves if isinstance(leaf, torch.Tensor) and leaf.dim()]
        self._batch = tensors[0].shape[0] if tensors else 0
        lengths = dict.fromkeys(size for tensor in tensors for size in tensor.shape[1:])
        self._lengths = [size for size in lengths if size > 1][:_MOST_SIZES]

    def found(self) -> Elsewhere:
        """Vary the batch, then each length on top of what has been varied, as far as the module takes it."""
        if not self._batch:
            return Elsewhere()
        batch, sizes = self._batch + 1, dict[int, int]()
        found = self._ran(sizes, batch)
        if found is None:
            batch = self._batch
            found = self._ran(sizes, batch)
        if found is None:
            return Elsewhere()
        for length in self._lengths:
            for new in (length + 1, 2 * length, length + 32):
                more = self._ran({**sizes, length: new}, batch)
                if more is not None:
                    sizes[length], found = new, more
                    break
        runs: list[OtherRun] = []
        leaves = self._varied(sizes, batch)
        varied = sizes or batch != self._batch
        if varied:
            runs.append(OtherRun(self._words(sizes, batch), tree_unflatten(leaves, self._form), found.outputs))
        training = self._tried(leaves, training=True)
        if training is not None:
            given = tree_unflatten(leaves, self._form)
            runs.append(OtherRun("in training mode", given, training.outputs, training=True))
        return Elsewhere(tuple(runs), found.layers if varied else {})

    def _words(self, sizes: Mapping[int, int], batch: int) -> str:
        lengths = ", ".join(f"{new} in place of {old}" for old, new in sizes.items())
        said = [f"a batch of {batch}"] if batch != self._batch else []
        said += [f"lengths of {lengths}"] if lengths else []
        return "with " + " and ".join(said)

    def _ran(self, sizes: Mapping[int, int], batch: int) -> _Ran | None:
        return self._tried(self._varied(sizes, batch))

    def _varied(self, sizes: Mapping[int, int], batch: int) -> list[Any]:
        return [self._other(leaf, sizes, batch) if isinstance(leaf, torch.Tensor) else leaf for leaf in self._leaves]

    def _other(self, tensor: torch.Tensor, sizes: Mapping[int, int], batch: int) -> torch.Tensor:
        first, *rest = tensor.shape or (0,)
        shape = (batch if first == self._batch else first, *(sizes.get(size, size) for size in rest))
        return tensor if not tensor.dim() else torch.empty(shape, dtype=tensor.dtype, device="meta")

    def _tried(self, leaves: Sequence[Any], *, training: bool = False) -> _Ran | None:
        """Run the module; None where it insists on the lengths that it was given."""
        layers: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        try:
            copied = self._copied = self._copied or _MetaCopy(self._model)

            def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
                given, returned = first_tensor((args, kwargs)), main_output(output)
                if given is not None and returned is not None:
                    layers.setdefault(copied.names[id(module)], (tuple(given.shape), tuple(returned.shape)))

            with watching(list(copied.module.modules()), note):
                outputs = copied.run(tree_unflatten(list(leaves), self._form), training=training)
        except Exception:
            return None
        return _Ran(outputs, layers)
