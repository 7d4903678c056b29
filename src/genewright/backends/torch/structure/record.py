"""Recording one forward pass, operation by operation; where possible without arithmetic and memory (see `stages`)."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.weak import WeakIdKeyDictionary

from genewright.backends.torch import draws
from genewright.backends.torch.predict import tensors_of
from genewright.backends.torch.structure.trace_devices import TRACE_DEVICES, Meta, TraceDevice
from genewright.backends.torch.structure.traceable_copy import call_with
from genewright.backends.torch.tensors import named_layers
from genewright.errors import UnsupportedError

LIBRARY = (f"{Path(torch.__file__).parent}{os.sep}", f"{Path(__file__).parent}{os.sep}", draws.__file__)

_TRUTH = (torch.bool, torch.uint8)


@dataclass(frozen=True, eq=False)
class Ref:
    """A tensor of the recording.

    Attributes:
        shape: Its shape.
        origin: "parameter" for parameters and buffers, "input", "constant" for any other tensor that the forward
            found ready, "" for what it computed.
        name: The parameter's first name.
        floating: It holds floating-point numbers.
        mask: It holds truth values.
    """

    shape: tuple[int, ...]
    origin: str = ""
    name: str = ""
    floating: bool = True
    mask: bool = False


@dataclass(frozen=True, eq=False)
class Call:
    """One operation.

    Attributes:
        name: The operation, without overload, such as "aten.view".
        overload: The operation itself.
        args: Its arguments, tensors as `Ref`.
        kwargs: Its keyword arguments.
        outputs: What it returned, tensors as `Ref`, lists as tuples.
        layer: Dotted name of the innermost module that was running.
        where: File and line of the user's code.
    """

    name: str
    overload: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: Any
    layer: str
    where: str


@dataclass(frozen=True)
class Recording:
    """A forward pass.

    Attributes:
        calls: The operations in order.
        leaves: Every tensor that was not computed: parameters, inputs, constants.
        outputs: The tensors of the model's output.
        layers: The modules by name.
        first_names: The first name of every parameter under each of its names.
        trace_device: What it ran on.
        returned: What each module returned, the first tensor of a tuple.
    """

    calls: tuple[Call, ...]
    leaves: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    layers: Mapping[str, nn.Module]
    first_names: Mapping[str, str]
    trace_device: type[TraceDevice]
    returned: Mapping[str, Ref]


def record(model: nn.Module, example: Any, names: Mapping[int, str]) -> Recording:
    """Run `model` on `example` and note every operation.

    Args:
        model: Any module; neither it nor its tensors are touched.
        example: A tensor, a tuple of positional or a dict of keyword arguments.
        names: Names of parameters and buffers, by the `id` of the tensor.

    Raises:
        UnsupportedError: The forward fails on the example.
    """
    *lighter, last = TRACE_DEVICES
    for trace_device in lighter:
        try:
            return _recorded(model, example, names, trace_device)
        except Exception:  # values were looked at, or a kernel has no such form
            continue
    try:
        return _recorded(model, example, names, last)
    except UnsupportedError:  # it cannot be copied, which says why
        raise
    except Exception as error:
        raise UnsupportedError(
            f"{type(model).__name__} does not run on the example: {type(error).__name__}: {error}. "
            f"{_what_to_give(example)}"
        ) from error


def _what_to_give(example: Any) -> str:
    """Return the call to write; a shape in the place of a sample is answered with the sample of that shape."""
    usual = (
        "Give a tensor, a tuple of positional or a dict of keyword arguments that model(...) takes; a list of several "
        "tuples or dicts is several examples, and a list that is one argument is written ([a, b],)."
    )
    given: Any = list(map(int, re.findall(r"\d+", example))) if isinstance(example, str) else example
    lengths = list(cast("list[Any]", given)) if isinstance(given, tuple | list) else []
    if not lengths or any(type(one) is not int for one in lengths):
        return usual
    return f"{usual} Of a shape, write example=torch.zeros({', '.join(map(str, lengths))})."


def record_training(model: nn.Module, example: Any, names: Mapping[int, str]) -> Recording | None:
    """Run `model` in training mode on shapes alone, where it may reach more layers; None where it does not run so."""
    try:
        return _recorded(model, example, names, Meta, training=True)
    except Exception:
        return None


def _recorded(
    model: nn.Module, example: Any, names: Mapping[int, str], kind: type[TraceDevice], *, training: bool = False
) -> Recording:
    trace_device = kind()
    copied = trace_device.copy_of(model, {}).train(training)
    layers = dict(named_layers(copied))
    stack: list[str] = [""]
    ended: dict[str, torch.Tensor] = {}
    for name, module in layers.items():
        _announce(module, name, stack, ended)
    first_names = {name: names[id(tensor)] for name, tensor in _held(model) if id(tensor) in names}
    held = [(first_names[name], tensor) for name, tensor in _held(copied) if name in first_names]
    recorder = _Recorder(
        {id(tensor): name for name, tensor in held},
        stack,
        {_place(tensor): name for name, tensor in held if tensor.numel()},  # behind `.data` or `.detach()`
        {id(tensor): name for name, tensor in _attributes(layers)},
    )
    given = tree_map_only(torch.Tensor, recorder.input, trace_device.example(example))
    output = trace_device.run(copied, given, recorder)
    outputs = tuple(recorder.ref(tensor) for tensor in tensors_of(output))
    returned = {name: cast(Ref, recorder.known[t]) for name, t in ended.items() if t in recorder.known}
    return Recording(tuple(recorder.calls), tuple(recorder.leaves), outputs, layers, first_names, kind, returned)


def _held(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Return parameters and buffers under all of their names."""
    return [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]


def _attributes(layers: Mapping[str, nn.Module]) -> list[tuple[str, torch.Tensor]]:
    """Return the tensors that layers hold as plain attributes, such as a hidden state."""
    held = [(layer, name, value) for layer, module in layers.items() for name, value in vars(module).items()]
    return [(f"{layer}.{name}".lstrip("."), value) for layer, name, value in held if isinstance(value, torch.Tensor)]


def _place(tensor: torch.Tensor) -> tuple[object, ...]:
    """Return what another tensor object over the same elements has too."""
    memory = tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]  # fake and meta tensors have no address
    return memory, tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def _announce(module: nn.Module, name: str, stack: list[str], ended: dict[str, torch.Tensor]) -> None:
    def enter(_module: nn.Module, _args: Any) -> None:
        stack.append(name)

    def leave(_module: nn.Module, _args: Any, output: Any) -> None:
        stack.pop()
        main = next(iter(cast("tuple[Any, ...]", output)), None) if isinstance(output, tuple) else output
        if isinstance(main, torch.Tensor):
            ended.setdefault(name, main)

    if isinstance(module, torch.jit.ScriptModule):
        return
    module.register_forward_pre_hook(enter, prepend=True)
    module.register_forward_hook(leave, always_call=True)


@dataclass
class _Recorder(TorchDispatchMode):
    names: Mapping[int, str]
    stack: list[str]
    storages: Mapping[tuple[object, ...], str]
    attributes: Mapping[int, str]
    calls: list[Call] = field(default_factory=list[Call])
    leaves: list[Ref] = field(default_factory=list[Ref])

    def __post_init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.known: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self.parameters: dict[str, Ref] = {}

    def input(self, tensor: torch.Tensor) -> torch.Tensor:
        self.known[tensor] = self._leaf(tensor, "input")
        return tensor

    def ref(self, tensor: torch.Tensor) -> Ref:
        """Return the reference of a tensor that an operation takes."""
        if tensor in self.known:
            return cast(Ref, self.known[tensor])
        name = self.names.get(id(tensor))
        if name is None and type(tensor) in (torch.Tensor, nn.Parameter) and tensor.numel():
            name = self.storages.get(_place(tensor))
        if name is None:
            ref = self._leaf(tensor, "constant", self.attributes.get(id(tensor), ""))
        elif name in self.parameters:
            ref = self.parameters[name]
        else:
            ref = self.parameters[name] = self._leaf(tensor, "parameter", name)
        self.known[tensor] = ref
        return ref

    def _leaf(self, tensor: torch.Tensor, origin: str, name: str = "") -> Ref:
        ref = Ref(tuple(tensor.shape), origin, name, tensor.is_floating_point(), tensor.dtype in _TRUTH)
        self.leaves.append(ref)
        return ref

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.namespace == "prim":
            return func(*args, **kwargs)
        taken = self._refs(args), self._refs(kwargs)
        result = func(*args, **kwargs)
        outputs = self._results(result)
        name = f"{func.namespace}.{func._schema.name.split('::')[-1]}"
        self.calls.append(Call(name, func, *taken, outputs, self.stack[-1], user_line()))
        return result

    def _refs(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self.ref(value)
        if isinstance(value, tuple | list):
            return tuple(self._refs(v) for v in cast(Sequence[Any], value))
        if isinstance(value, dict):
            return {k: self._refs(v) for k, v in cast(dict[str, Any], value).items()}
        return value

    def _results(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            ref = Ref(tuple(value.shape), floating=value.is_floating_point(), mask=value.dtype in _TRUTH)
            self.known[value] = ref  # also where an operation in place returns its input
            return ref
        if isinstance(value, tuple | list):
            return tuple(self._results(v) for v in cast(Sequence[Any], value))
        return value


def user_line(frame: Any = None) -> str:
    """Return "file:line" of the innermost code of the model that is not torch's; "" where all of it is."""
    frame = frame or sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code is not call_with.__code__:  # there the run was started
        name = frame.f_code.co_filename
        if not name.startswith(LIBRARY) and not name.startswith("<"):
            return f"{Path(name).name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
