"""Whether a copy of a torch module reaches its original: Python copies functions and weak references by reference.

A `forward` that was replaced on the instance, a hook that closes over the model, a sub-module whose ``__deepcopy__``
returns itself: the copy would compute with the original's weights, or change them.
"""

from __future__ import annotations

import dis
import functools
import types
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

import torch
from torch import nn

from genewright.backends.torch.tensors import named_layers

_REGISTRIES = ("_modules", "_parameters", "_buffers")
_CONTAINERS = (list, tuple, set, frozenset, deque)
_ATOMS = frozenset({
    bool, int, float, complex, str, bytes, type(None), type, types.ModuleType, types.CodeType, torch.Size,
    torch.dtype, torch.device, torch.memory_format, torch.layout, range, slice,
})  # fmt: skip
_LIBRARIES = frozenset({"torch", "functools", "builtins"})


class Reached(NamedTuple):
    """Something of the original that its copy reaches.

    Attributes:
        layer: The module of the copy from which it is reached.
        attribute: Its attribute that leads there; "" where the module itself is the original's.
        what: What of the original is reached, such as "the Linear 'fc1'".
    """

    layer: str
    attribute: str
    what: str

    def __str__(self) -> str:
        owner = f"its layer {self.layer!r}" if self.layer else "it"
        if not self.attribute:
            return f"{owner} stays the same object (its __deepcopy__ returns itself)"
        return f"{self.attribute!r} of {owner if self.layer else 'the model'} leads to {self.what} of the original"


def reached_from(copied: nn.Module, model: nn.Module, *, tensors: bool = True) -> Reached | None:
    """Return the first thing of `model` that its copy reaches; None where the two are apart.

    Followed are attributes of instances, hooks, containers, bound methods, partials, weak references, and of functions
    the closures, defaults and those globals that their code reads.

    Args:
        copied: The copy.
        model: The original.
        tensors: Whether tensors count; False for a copy that is meant to share them.
    """
    return _Search(copied, model, tensors).first()


class _Search:
    def __init__(self, copied: nn.Module, model: nn.Module, tensors: bool) -> None:
        self._copied = copied
        self._modules = {id(module): _described(name, module) for name, module in named_layers(model)}
        self._tensors: dict[int, str] = {}
        if tensors:
            for name, tensor in _tensors_of(model):
                for key in _keys(tensor):
                    self._tensors.setdefault(key, f"the tensor {name!r}")
        self._seen: dict[int, Any] = {}  # kept alive, so that no id is given twice

    def first(self) -> Reached | None:
        own = dict(named_layers(self._copied))
        for name, module in own.items():
            if id(module) in self._modules:
                return Reached(name, "", self._modules[id(module)])
        self._seen.update((id(module), module) for module in own.values())
        for name, module in own.items():
            for registry in (module._parameters, module._buffers) if self._tensors else ():  # pyright: ignore[reportPrivateUsage]
                for attribute, tensor in registry.items():
                    if tensor is not None and (what := self._known_tensor(tensor)):
                        return Reached(name, attribute, what)
            for attribute, value in vars(module).items():
                if attribute not in _REGISTRIES and (what := self._found(value)):
                    return Reached(name, attribute, what)
        return None

    def _found(self, start: Any) -> str | None:
        todo = [start]
        while todo:
            value = todo.pop()
            if type(value) in _ATOMS or id(value) in self._seen:
                continue
            self._seen[id(value)] = value
            if id(value) in self._modules:
                return self._modules[id(value)]
            if isinstance(value, torch.Tensor):
                if what := self._known_tensor(value):
                    return what
                continue
            todo += _leads_to(value)
        return None

    def _known_tensor(self, tensor: torch.Tensor) -> str | None:
        return next((self._tensors[key] for key in _keys(tensor) if key in self._tensors), None)


def _described(name: str, module: nn.Module) -> str:
    kind = type(module).__name__
    return f"the layer {name!r} ({kind})" if name else f"the {kind} itself"


def _tensors_of(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for prefix, module in named_layers(model):
        held = (module._parameters, module._buffers, vars(module))  # pyright: ignore[reportPrivateUsage]
        for name, value in (pair for holder in held for pair in holder.items()):
            if isinstance(value, torch.Tensor):
                yield f"{prefix}.{name}" if prefix else name, value


def _keys(tensor: torch.Tensor) -> tuple[int, ...]:
    """Return by what a tensor is known: itself, and the memory that it lies in (none on the meta device)."""
    try:
        address = tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):  # a class around other tensors
        address = 0
    return (id(tensor), -address) if address else (id(tensor),)


def _leads_to(value: Any) -> Iterable[Any]:
    """Return what can be reached from a value in one step."""
    if isinstance(value, dict):
        return (*cast("dict[Any, Any]", value).values(), *_attributes(value))
    if isinstance(value, _CONTAINERS):
        return (*cast("Iterable[Any]", value), *_attributes(value))
    if isinstance(value, functools.partial):
        return value.func, value.args, value.keywords, *_attributes(value)
    if isinstance(value, types.MethodType):
        return value.__self__, value.__func__
    if isinstance(value, types.BuiltinMethodType):
        return (value.__self__,)
    if isinstance(value, types.FunctionType):
        return _leads_from(value)
    if isinstance(value, type):  # what a class holds is shared by all its instances, of whichever model
        return ()
    if isinstance(value, weakref.ref):
        held = cast("Any", value)()
        return () if isinstance(held, torch.Tensor) else (held,)  # torch's RNNs hold weak references to weights
    return _attributes(value)


def _attributes(value: Any) -> tuple[Any, ...]:
    held = getattr(value, "__dict__", None)
    return tuple(cast("dict[str, Any]", held).values()) if isinstance(held, dict) else ()


def _leads_from(function: types.FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue
    yield function.__defaults__
    yield function.__kwdefaults__
    yield from vars(function).values()
    if str(function.__module__).partition(".")[0] not in _LIBRARIES:
        for name in _globals_read(function.__code__):
            yield function.__globals__.get(name)


@functools.lru_cache(maxsize=1024)
def _globals_read(code: types.CodeType) -> tuple[str, ...]:
    """Return the names of globals that a function's code reads, and the functions inside it."""
    names = [step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
    inner = [name for one in code.co_consts if isinstance(one, types.CodeType) for name in _globals_read(one)]
    return tuple(dict.fromkeys((*names, *inner)))
