"""Other runs of a module: the example's shapes varied, on meta tensors, which cost no arithmetic.

What the forward pass takes in other sizes is found by trying: an axis that the module insists on stays as it is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_unflatten

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


def failure(model: nn.Module, run: OtherRun, *, alike: bool) -> str:
    """Return why a mutant does not do what its original does in another run; "" if it does.

    Args:
        model: The mutant; it is not touched.
        run: The run.
        alike: Its outputs have the shapes of the original's.
    """
    names: dict[int, str] = {}
    inside: list[nn.Module] = []

    def enter(module: nn.Module, _args: Any) -> None:
        inside.append(module)

    def leave(_module: nn.Module, _args: Any, _output: Any) -> None:
        inside.pop()

    device = Meta()
    try:
        copied = device.copy_of(model, {}).train(run.training)
        names = {id(module): name for name, module in named_layers(copied)}
        for module in copied.modules():
            module.register_forward_pre_hook(enter, prepend=True)
            module.register_forward_hook(leave)  # not called where the layer fails: the innermost one stays
        shapes = _shapes(device.run(copied, run.given, nullcontext()))
    except Exception as error:
        checkpoint()
        name = names.get(id(inside[-1]), "") if inside else ""
        text = str(error).strip().splitlines()
        return f"in {name or 'the model'!r}: {text[0] if text else type(error).__name__}"
    if alike and shapes != run.outputs:
        return f"the outputs would have the shapes {list(shapes)}, where they have {list(run.outputs)}"
    return ""


class _Search:
    """Tries what may be varied."""

    def __init__(self, model: nn.Module, example: Any) -> None:
        self._model = model
        self._leaves, self._form = tree_flatten(Meta().example(example))
        tensors = [leaf for leaf in self._leaves if isinstance(leaf, torch.Tensor) and leaf.dim()]
        self._batch = tensors[0].shape[0] if tensors else 0
        lengths = dict.fromkeys(size for tensor in tensors for size in tensor.shape[1:])
        self._lengths = [size for size in lengths if size > 1][:_MOST_SIZES]

    def found(self) -> Elsewhere:
        try:
            self._run(self._leaves)
        except Exception:
            return Elsewhere()
        if not self._batch:
            return Elsewhere()
        batch = self._batch + 1 if self._ran({}, self._batch + 1) else self._batch
        other: dict[int, int] = {}
        for length in self._lengths:
            tried = (length + 1, 2 * length, length + 32)
            fits = next((new for new in tried if self._ran({length: new}, self._batch)), None)
            if fits is not None:
                other[length] = fits
        runs: list[OtherRun] = []
        layers: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        together = self._leaves
        for varied in self._combinations(other, batch):
            shapes = self._ran(varied[0], varied[1], layers)
            if shapes is not None:
                together = self._varied(*varied)
                runs.append(OtherRun(self._words(*varied), tree_unflatten(together, self._form), shapes))
                break
        shapes = self._tried(lambda: self._run(together, training=True))
        if shapes is not None:
            runs.append(OtherRun("in training mode", tree_unflatten(together, self._form), shapes, training=True))
        return Elsewhere(tuple(runs), layers)

    def _combinations(self, other: Mapping[int, int], batch: int) -> Sequence[tuple[dict[int, int], int]]:
        """Return what is varied at once: all that can be, or less where that does not run together."""
        alone = [({old: new}, batch) for old, new in other.items()]
        nothing: dict[int, int] = {}
        every = [(dict(other), batch), *alone, (nothing, batch)]
        return [(sizes, count) for sizes, count in every if sizes or count != self._batch]

    def _words(self, sizes: Mapping[int, int], batch: int) -> str:
        lengths = ", ".join(f"{new} in place of {old}" for old, new in sizes.items())
        said = [f"a batch of {batch}"] if batch != self._batch else []
        said += [f"lengths of {lengths}"] if lengths else []
        return "with " + " and ".join(said)

    def _ran(
        self,
        sizes: Mapping[int, int],
        batch: int,
        layers: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] | None = None,
    ) -> Shapes | None:
        return self._tried(lambda: self._run(self._varied(sizes, batch), layers=layers))

    def _tried(self, run: Callable[[], Shapes]) -> Shapes | None:
        try:
            return run()
        except Exception:  # it insists on the length that it was given
            return None

    def _varied(self, sizes: Mapping[int, int], batch: int) -> list[Any]:
        return [self._other(leaf, sizes, batch) if isinstance(leaf, torch.Tensor) else leaf for leaf in self._leaves]

    def _other(self, tensor: torch.Tensor, sizes: Mapping[int, int], batch: int) -> torch.Tensor:
        first, *rest = tensor.shape or (0,)
        shape = (batch if first == self._batch else first, *(sizes.get(size, size) for size in rest))
        return tensor if not tensor.dim() else torch.empty(shape, dtype=tensor.dtype, device="meta")

    def _run(
        self,
        leaves: Sequence[Any],
        *,
        training: bool = False,
        layers: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] | None = None,
    ) -> Shapes:
        device = Meta()
        copied = device.copy_of(self._model, {}).train(training)
        names = {id(module): name for name, module in named_layers(copied)}

        def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            given, returned = first_tensor((args, kwargs)), main_output(output)
            if layers is not None and given is not None and returned is not None:
                layers.setdefault(names[id(module)], (tuple(given.shape), tuple(returned.shape)))

        with watching(list(copied.modules()) if layers is not None else [], note):
            return _shapes(device.run(copied, tree_unflatten(list(leaves), self._form), nullcontext()))


def _shapes(output: Any) -> Shapes:
    return tuple(tuple(tensor.shape) for tensor in tensors_of(output))
