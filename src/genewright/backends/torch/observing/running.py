"""One run of a shadow, with hooks that hand over what units put out."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils._python_dispatch import _disable_current_modes  # pyright: ignore[reportPrivateUsage]  # no public way

from genewright.backends.torch.draws import OwnDraws
from genewright.backends.torch.kept_state import kept_state
from genewright.backends.torch.observing.chunk import Seen, chunks
from genewright.backends.torch.observing.experts import Dealing
from genewright.backends.torch.observing.following import Following, Instance, is_elementwise_activation
from genewright.backends.torch.observing.heads import Heads
from genewright.backends.torch.observing.losses import loss_of
from genewright.backends.torch.observing.places import Layout, packed, unit_axis
from genewright.backends.torch.observing.watched import Key, Look, Watched
from genewright.backends.torch.predict import array_of, placed
from genewright.backends.torch.structure.calls import first_tensor, main_output
from genewright.backends.torch.structure.traceable_copy import call_with
from genewright.errors import DataError
from genewright.interrupts import checkpoint, shielded
from genewright.lookup_counts import LookupCounts
from genewright.observation import Wanted


class Run:
    """One forward pass, and backward where gradients are wanted."""

    def __init__(
        self,
        watched: Watched,
        count: int,
        first: int,
        wanted: Wanted | None,
        look: Look,
        only: set[Key] | None = None,
        labels: NDArray[np.int64] | None = None,
        read: frozenset[Key] = frozenset(),
    ) -> None:
        self._read = read  # whose inputs an earlier run of the same batch has handed over
        self._watched, self._count, self._first, self._wanted = watched, count, first, wanted
        self._look, self._only = look, only
        self._calls: dict[str, int] = {}
        self._waiting: dict[int, Callable[[torch.Tensor | None], None]] = {}
        self._missed: set[Key] = set()
        self._labels = labels

    @shielded  # torch's stack of modes must not be left half way
    def forward(self, batch: Any) -> None:
        with kept_state(self._watched.shadow), torch.no_grad():
            self._called(placed(batch, self._watched.place))
        self._all_arrived()

    @shielded
    def backward(self, batch: Any, loss: Any, targets: Any) -> None:
        parameters = [p for p in self._watched.shadow.parameters() if p.is_floating_point()]
        given = placed(batch, self._watched.place)
        inputs = [tensor.requires_grad_() for tensor in _floating(given)]
        with kept_state(self._watched.shadow):
            with torch.enable_grad():
                output = self._called(given)
                value = loss_of(loss, output, placed(targets, self._watched.place), self._count)
            self._all_arrived()
            torch.autograd.grad(value, [*parameters, *inputs], allow_unused=True)
        for unread in list(self._waiting.values()):  # the loss does not depend on it
            unread(None)

    def _called(self, given: Any) -> Any:
        checkpoint()
        shadow = self._watched.shadow
        held = frozenset(map(id, (*shadow.parameters(), *shadow.buffers())))
        of_experts = {
            id(parameter): (name, count)
            for name, count in self._watched.experts.items()
            for parameter in self._watched.modules[name].parameters(recurse=False)
            if parameter.dim() > 2
        }
        self._dealing = Dealing(of_experts)
        self._following = Following(self._arrived, self._of_fused, held, self._dealing if of_experts else None)
        handles = self._hooked()
        try:
            with OwnDraws(), self._following:
                return call_with(shadow, given)
        finally:
            self._look.attends |= self._following.attends
            del self._following  # it knows this run, too: together they would wait for the garbage collector
            for handle in handles:
                handle.remove()

    def _hooked(self) -> list[Any]:
        handles: list[Any] = []
        watched = self._watched
        names: dict[int, str] = {}
        for name, module in watched.modules.items():
            names.setdefault(id(module), name)
        self._names = names
        for name, module in watched.modules.items():
            if name in watched.kinds:
                handles.append(module.register_forward_hook(self._returned, with_kwargs=True))
                if self._wanted is not None and self._wanted.inputs is not None:
                    handles.append(module.register_forward_pre_hook(self._given, with_kwargs=True))
            elif is_elementwise_activation(type(module).__name__):
                handles.append(module.register_forward_pre_hook(self._enter))
                handles.append(module.register_forward_hook(self._leave, always_call=True))
            if name in watched.experts:
                handles.append(module.register_forward_hook(self._dealt, with_kwargs=True))
            if self._wanted is None and any(p is not None for p in module._parameters.values()):  # pyright: ignore[reportPrivateUsage]
                handles.append(module.register_forward_pre_hook(self._noted, with_kwargs=True))
            if name in watched.heads:
                handles.append(module.register_forward_pre_hook(self._of_heads))
        return handles

    def _enter(self, module: nn.Module, args: Any) -> None:
        self._following.enter()

    def _leave(self, module: nn.Module, args: Any, output: Any) -> Any:
        return self._following.leave(type(module).__name__, first_tensor(args), output)

    def _key(self, name: str) -> Key:
        number = self._calls[name] = self._calls.get(name, -1) + 1
        return name, number

    def _returned(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        name = self._names[id(module)]
        kind = self._watched.kinds[name]
        if kind == "embedding":
            self._looked_up(name, module, args, kwargs)
            return None
        tensor = main_output(output)
        if packed(output) or tensor is None or not tensor.is_floating_point() or tensor.dim() < 2:
            self._watched.left_out[name] = "it returns no tensor of samples and units"
            return None
        axis = unit_axis(module, kind, tuple(tensor.shape))
        if axis is None:
            self._watched.left_out[name] = "its shape does not tell along which axis its units lie"
            return None
        key = self._key(name)
        instance = Instance(*key)
        if key not in self._watched.plans:
            self._look.instances[key] = instance
            self._look.units[key] = Layout(axis)
            self._look.shapes.setdefault(key, {})[self._count] = tuple(tensor.shape)
        elif not self._watched.settle(key, tuple(tensor.shape), self._count):
            self._look.again[key] = None
        if kind == "recurrent":
            new = self._arrived([instance], tensor)
        else:
            self._missed.add(key)
            new = self._following.start(instance, tensor)
        if new is tensor:
            return None
        return (new, *output[1:]) if isinstance(output, tuple) else new

    def _arrived(self, instances: list[Instance], tensor: torch.Tensor) -> torch.Tensor:
        """Take the values of those layers whose units are seen here."""
        here: list[Key] = []
        for instance in instances:
            key = instance.layer, instance.number
            plan = self._watched.plans.get(key)
            if plan is not None and plan.end == len(instance.events):
                self._missed.discard(key)
                if key not in self._look.again and (self._only is None or key in self._only):
                    here.append(key)
            elif plan is None:
                self._missed.discard(key)
        if not here or self._wanted is None:
            return tensor
        return self._seen(tuple(here), tensor)

    def _seen(self, keys: tuple[Key, ...], tensor: torch.Tensor) -> torch.Tensor:
        wanted = self._wanted
        assert wanted is not None
        layouts: dict[Layout, list[str]] = {}
        for key in keys:
            layouts.setdefault(self._watched.plans[key].layout, []).append(key[0])
        for layout, names in layouts.items():
            if not wanted.gradients:
                self._hand(tuple(names), layout, tensor, None)
                continue
            if not tensor.requires_grad:
                raise DataError(f"{names[0]!r} puts out what no gradient reaches.")
            self._wait(tuple(names), layout, tensor)
        return tensor

    def _wait(self, names: tuple[str, ...], layout: Layout, tensor: torch.Tensor) -> None:
        values = tensor.detach().clone()  # what follows may work in place
        number = len(self._waiting) + 1
        while number in self._waiting:
            number += 1

        def arrive(gradient: torch.Tensor | None) -> None:
            del self._waiting[number]
            self._hand(names, layout, values, torch.zeros_like(values) if gradient is None else gradient)

        self._waiting[number] = arrive
        tensor.register_hook(arrive)  # pyright: ignore[reportUnknownMemberType]  # of the value before what follows

    def _hand(
        self, names: tuple[str, ...], layout: Layout, tensor: torch.Tensor, gradient: torch.Tensor | None
    ) -> None:
        wanted = self._wanted
        assert wanted is not None
        with torch.no_grad(), unwatched():
            for chunk in chunks(
                layout.seen(tensor, self._count, gradient), self._first, self._labels, self._watched.asked.of(names)
            ):
                wanted.values(names, chunk)

    def _given(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        name, tensor = self._names[id(module)], first_tensor((args, kwargs))
        wanted = self._wanted
        if tensor is None or wanted is None or wanted.inputs is None:
            return
        kind = self._watched.kinds[name]
        key = name, self._calls.get(name, -1) + 1  # the call that begins
        if kind not in ("linear", "convolution") or (self._only is not None and key not in self._only):
            return
        if key not in self._watched.plans or key in self._read:
            return  # seen in the second run of this batch
        layout = Layout(1, sample_axis=0) if kind == "convolution" else Layout(tensor.dim() - 1)
        count = len(tensor) if kind == "convolution" else 1  # read where they lie; which sample is whose, nobody asks
        with torch.no_grad(), unwatched():
            for chunk in chunks(
                layout.seen(tensor.detach(), count), self._first, None, self._watched.asked.of((name,), inputs=True)
            ):
                wanted.inputs((name,), chunk)

    def _noted(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        tensor = first_tensor((args, kwargs))
        if tensor is not None:
            self._look.given.append((self._names[id(module)], tuple(tensor.shape), len(self._look.instances)))

    def _of_heads(self, module: nn.Module, args: Any) -> Any:
        tensor = first_tensor(args)
        if tensor is None:
            return None
        self._head_outputs(self._watched.heads[self._names[id(module)]], tensor)
        return None

    def _of_fused(self, weight: int, output: torch.Tensor) -> torch.Tensor:
        if self._wanted is None:
            self._look.given.append((weight, tuple(output.shape), len(self._look.instances)))
        for reader, heads in self._watched.heads.items():
            held = self._watched.modules.get(reader)
            if held is not None and id(held._parameters.get("weight")) == weight:  # pyright: ignore[reportPrivateUsage]
                self._head_outputs(heads, output)
        return output

    def _head_outputs(self, heads: Heads, tensor: torch.Tensor) -> None:
        key = self._key(heads.name + "\0heads")
        key = heads.name, key[1]
        if key not in self._watched.plans:
            self._look.add_heads(heads, key[1], tuple(tensor.shape), self._count)
        elif not self._watched.settle(key, tuple(tensor.shape), self._count):
            self._look.again[key] = None
        elif self._wanted is not None and (self._only is None or key in self._only):
            self._seen((key,), tensor)

    def _looked_up(self, name: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        key = self._key(name)
        indices = args[0] if args else kwargs.get("input")
        if key not in self._watched.plans:
            self._look.instances[key] = Instance(*key)
            self._look.units[key] = Layout(0)
            self._look.shapes.setdefault(key, {})[self._count] = tuple(indices.shape)
            return
        if self._wanted is None or (self._only is not None and key not in self._only):
            return
        weight = module._parameters["weight"]  # pyright: ignore[reportPrivateUsage]
        assert weight is not None
        with torch.no_grad(), unwatched():
            often = torch.bincount(indices.reshape(-1), minlength=len(weight))
            norms = self._watched.norms_of(name, weight)
            total = int(indices.numel())
            chunk = LookupCounts(array_of(often).astype(np.float64), norms, 1, total, self._first)
            self._wanted.values((name,), chunk)

    def _dealt(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Take what the experts of a layer have put out; which sample a row is of is not known."""
        name, given = self._names[id(module)], first_tensor((args, kwargs))
        values = None if given is None else self._dealing.taken(name, given[..., 0].numel())
        if values is None:
            return
        key = self._key(name)
        if key not in self._watched.plans:
            self._watched.left_out.pop(name, None)
            self._look.instances[key] = Instance(*key)
            self._look.units[key] = Layout(1)
            self._look.shapes.setdefault(key, {})[0] = tuple(values.shape)
        elif self._wanted is not None and (self._only is None or key in self._only):
            seen = Seen(values=values[None], unit_axis=2, by_sample=False)
            with unwatched():
                for chunk in chunks(seen, self._first, None, self._watched.asked.of((name,))):
                    self._wanted.values((name,), chunk)

    def _all_arrived(self) -> None:
        missed = [key for key in self._missed if self._only is None or key in self._only]
        if missed and self._wanted is not None:
            name, number = missed[0]
            plan = self._watched.plans[missed[0]]
            raise DataError(
                f"{name!r} was seen {'after ' + plan.activation if plan.activation else 'as it is'} before, and on "
                f"this batch its call {number} goes another way, so that its units cannot be compared. Measure batches "
                "of one kind, or leave the layer out: layers=('*', '!" + name + "')."
            )


@contextmanager
def unwatched() -> Generator[None]:
    """Compute without gradients, and without torch's modes looking on: what is reduced here is no part of the model."""
    apart = torch._C.DisableTorchFunction()  # pyright: ignore[reportPrivateUsage]  # no public way
    with torch.no_grad(), apart, _disable_current_modes():
        yield


def _floating(value: Any) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    if isinstance(value, torch.Tensor):
        found = [value] if value.is_floating_point() else []
    elif isinstance(value, dict):
        found = [t for entry in value.values() for t in _floating(entry)]  # pyright: ignore[reportUnknownVariableType]
    elif isinstance(value, tuple | list):
        found = [t for entry in value for t in _floating(entry)]  # pyright: ignore[reportUnknownVariableType]
    return found
