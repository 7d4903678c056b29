"""Recording one forward pass, operation by operation, on fake tensors: no arithmetic, no memory, nothing touched.

Where the forward looks at values (`if mask.all()`), fake tensors have none: the pass is then run for real, once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.weak import WeakIdKeyDictionary

from genewright.backends.torch.predict import tensors_of
from genewright.backends.torch.structure.shadow import as_plain_operations, call_with, shadow_of
from genewright.errors import UnsupportedError

LIBRARY = (f"{Path(torch.__file__).parent}{os.sep}", f"{Path(__file__).parent}{os.sep}")


@dataclass(frozen=True, eq=False)
class Ref:
    """A tensor of the recording.

    Attributes:
        shape: Its shape.
        origin: "parameter" for parameters and buffers, "input", "constant" for any other tensor that the forward
            found ready, "" for what it computed.
        name: The parameter's first name.
        floating: It holds floating-point numbers.
    """

    shape: tuple[int, ...]
    origin: str = ""
    name: str = ""
    floating: bool = True


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
        fake: It ran on fake tensors.
    """

    calls: tuple[Call, ...]
    leaves: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    layers: Mapping[str, nn.Module]
    first_names: Mapping[str, str]
    fake: bool


def record(model: nn.Module, example: Any, names: Mapping[int, str]) -> Recording:
    """Run `model` on `example` and note every operation.

    Args:
        model: Any module; neither it nor its tensors are touched.
        example: A tensor, a tuple of positional or a dict of keyword arguments.
        names: Names of parameters and buffers, by the `id` of the tensor.

    Raises:
        UnsupportedError: The forward fails on the example.
    """
    try:
        return _recorded(shadow_of(model), example, names, fake=True)
    except Exception:
        pass  # values were looked at, or a kernel has no fake form: the real run below says what is wrong, if anything
    held = {id(p): p for p in model.parameters()}
    try:
        return _recorded(shadow_of(model, instead=held, share=False), example, names, fake=False)
    except Exception as error:
        raise UnsupportedError(
            f"{type(model).__name__} does not run on the example: {type(error).__name__}: {error}. "
            "Give a tensor, a tuple of positional or a dict of keyword arguments that model(...) takes."
        ) from error


def _recorded(shadow: nn.Module, example: Any, names: Mapping[int, str], *, fake: bool) -> Recording:
    if not fake:
        names = _names_in_copy(shadow, names)
    layers: dict[str, nn.Module] = dict(shadow.named_modules())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    stack: list[str] = [""]
    for name, module in layers.items():
        _announce(module, name, stack)
    fakes = FakeTensorMode(allow_non_fake_inputs=True)
    with as_plain_operations():
        if fake:
            example = tree_map_only(torch.Tensor, fakes.from_tensor, example)
        recorder = _Recorder(names, stack, _storages(shadow, names))
        tree_map_only(torch.Tensor, recorder.input, example)
        if fake:
            with fakes, recorder:
                output = call_with(shadow, example)
        else:
            with recorder:
                output = call_with(shadow, example)
    outputs = tuple(recorder.ref(tensor) for tensor in tensors_of(output))
    first_names = {name: names[id(p)] for name, p in shadow.named_parameters(remove_duplicate=False) if id(p) in names}
    return Recording(tuple(recorder.calls), tuple(recorder.leaves), outputs, layers, first_names, fake)


def _names_in_copy(shadow: nn.Module, names: Mapping[int, str]) -> dict[int, str]:
    by_name = dict(shadow.named_buffers(remove_duplicate=False))
    wanted = {name: key for key, name in names.items()}
    found = dict(names)
    for name, tensor in by_name.items():
        if name in wanted:
            found[id(tensor)] = name
    return found


def _storages(shadow: nn.Module, names: Mapping[int, str]) -> dict[tuple[object, ...], str]:
    """Find a parameter again behind `.data` or `.detach()`: another object over the same elements."""
    found: dict[tuple[object, ...], str] = {}
    for tensor in (*shadow.parameters(), *shadow.buffers()):
        if id(tensor) in names and tensor.numel():
            found[_place(tensor)] = names[id(tensor)]
    return found


def _place(tensor: torch.Tensor) -> tuple[object, ...]:
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def _announce(module: nn.Module, name: str, stack: list[str]) -> None:
    def enter(_module: nn.Module, _args: Any) -> None:
        stack.append(name)

    def leave(_module: nn.Module, _args: Any, _output: Any) -> None:
        stack.pop()

    if isinstance(module, torch.jit.ScriptModule):
        return
    module.register_forward_pre_hook(enter, prepend=True)
    module.register_forward_hook(leave, always_call=True)


@dataclass
class _Recorder(TorchDispatchMode):
    names: Mapping[int, str]
    stack: list[str]
    storages: Mapping[tuple[object, ...], str]
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
            ref = self._leaf(tensor, "constant")
        elif name in self.parameters:
            ref = self.parameters[name]
        else:
            ref = self.parameters[name] = self._leaf(tensor, "parameter", name)
        self.known[tensor] = ref
        return ref

    def _leaf(self, tensor: torch.Tensor, origin: str, name: str = "") -> Ref:
        ref = Ref(tuple(tensor.shape), origin, name, tensor.is_floating_point())
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
            ref = Ref(tuple(value.shape), floating=value.is_floating_point())
            self.known[value] = ref  # also where an operation in place returns what it was given
            return ref
        if isinstance(value, tuple | list):
            return tuple(self._results(v) for v in cast(Sequence[Any], value))
        return value


class Shapes(TorchDispatchMode):
    """Notes the name and the shapes of every operation's results.

    Attributes:
        seen: One entry an operation: its name, and the shapes of the tensors that it returned.
    """

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.seen: list[tuple[str, tuple[tuple[int, ...], ...], str]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result: Any = func(*args, **(kwargs or {}))
        if func.namespace != "prim":
            flat = cast("Sequence[Any]", result if isinstance(result, tuple | list) else (result,))
            shapes = tuple(tuple(t.shape) for t in flat if isinstance(t, torch.Tensor))
            self.seen.append((func._schema.name.split("::")[-1], shapes, user_line()))
        return cast(object, result)


def user_line(frame: Any = None) -> str:
    """Return "file:line" of the innermost code that is neither torch's nor ours."""
    frame = frame or sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(LIBRARY) and not name.startswith("<"):
            return f"{Path(name).name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
