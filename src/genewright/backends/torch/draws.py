"""Forward passes that draw at random, without torch's global generators: these belong to the process."""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from genewright.process_state import LOCK

_SEED = 0x67656E65  # any number: the same draws in every run, so that outputs before and after can be compared
_NO_DRAW = ("dropout_p", "dropout")  # at zero an operation that could draw does not


class OwnDraws(TorchDispatchMode):
    """Lets the operations of this thread draw from generators of its own, which start alike every time.

    Most operations take a generator. Few do not (dropout on a GPU): for them the global generator is lent for the
    length of that operation, under the lock of the process, and put back.
    """

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._own: dict[torch.device, torch.Generator] = {}

    @property
    def drew(self) -> bool:
        """Whether anything has been drawn."""
        return bool(self._own)

    def begin_again(self) -> None:
        """Let the next draws be the first ones."""
        for generator in self._own.values():
            generator.manual_seed(_SEED)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not _may_draw(func) or kwargs.get("generator") is not None or _silent(func, args, kwargs):
            return func(*args, **kwargs)
        device = _device(args, kwargs)
        if device.type == "meta":
            return func(*args, **kwargs)
        taking = _with_generator(func)
        if taking is not None and all(type(tensor) in (torch.Tensor, nn.Parameter) for tensor in _tensors(args)):
            return taking(*args, **kwargs, generator=self._generator(device))
        with LOCK, _lent(self._generator(device), device):
            return func(*args, **kwargs)

    def _generator(self, device: torch.device) -> torch.Generator:
        if device not in self._own:
            self._own[device] = torch.Generator(device=device).manual_seed(_SEED)
        return self._own[device]


@contextmanager
def compiled_draws() -> Generator[None]:
    """Put torch's global generator back if it has moved: compiled code draws from it, and runs under no mode."""
    state = torch.random.get_rng_state()
    try:
        yield
    finally:
        if not torch.equal(state, torch.random.get_rng_state()):
            torch.random.set_rng_state(state)


@functools.cache
def _may_draw(func: Any) -> bool:
    return torch.Tag.nondeterministic_seeded in func.tags


@functools.cache
def _with_generator(func: Any) -> Any:
    """Return the form of an operation that takes a generator; None if there is none."""
    if any(argument.name == "generator" for argument in func._schema.arguments):
        return func
    form = "generator" if func._overloadname == "default" else f"{func._overloadname}_generator"
    packet = func.overloadpacket
    return getattr(packet, form) if form in packet.overloads() else None


def _silent(func: Any, args: Any, kwargs: Any) -> bool:
    """Whether an operation that could drop values is told to drop none."""
    for position, argument in enumerate(func._schema.arguments):
        if argument.name in _NO_DRAW:
            given = args[position] if position < len(args) else kwargs.get(argument.name, argument.default_value)
            return not given
    return False


def _device(args: Any, kwargs: Any) -> torch.device:
    if kwargs.get("device") is not None:
        return _numbered(torch.device(kwargs["device"]))
    found = next(_tensors((*args, *kwargs.values())), None)
    return torch.device("cpu") if found is None else found.device


def _numbered(device: torch.device) -> torch.device:
    """Return a device with its number, so that "cuda" and "cuda:0" have one generator."""
    return torch.device("cuda", torch.cuda.current_device()) if device == torch.device("cuda") else device


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    for value in cast("tuple[Any, ...]", values):
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)


@contextmanager
def _lent(own: torch.Generator, device: torch.device) -> Generator[None]:
    """Let the global generator go on from the state of `own`, and `own` from where it is afterwards."""
    shared = _global(device)
    state = shared.get_state()
    shared.set_state(own.get_state())
    try:
        yield
    finally:
        own.set_state(shared.get_state())
        shared.set_state(state)


def _global(device: torch.device) -> torch.Generator:
    if device.type == "cpu":
        return torch.default_generator
    generators: Any = torch.get_device_module(device).default_generators
    return generators[device.index or 0]
