"""What `torch.jit.script` reads in the place of our wiring: the same, for layers that take and return one tensor.

TorchScript compiles neither `*args` nor hooks that take whatever their host takes. It reads the source of a function
through `__wrapped__`, as `inspect` does, and never runs it in Python. Types stand in full: it evaluates them itself.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn

from genewright.errors import UnsupportedError

Function = TypeVar("Function", bound=Callable[..., Any])


def in_script(read: Callable[..., Any]) -> Callable[[Function], Function]:
    """Return a decorator: TorchScript reads `read` in the place of the function."""

    def mark(run: Function) -> Function:
        run.__wrapped__ = read  # pyright: ignore[reportFunctionMemberAccess]
        return run

    return mark


def new_box() -> Any:
    """Return where compiled code keeps what passes from the start of a path to its end.

    TorchScript copies a module for each place that holds it, but a list of its own is held once, by all. (Freezing
    does not look into hooks: `torch.jit.freeze` drops the list, and the frozen model raises.)
    """
    compiled: Any = torch.jit
    kept = compiled.script([torch.empty(0)])  # of one tensor: the type of an empty list is nobody's guess
    kept.clear()
    return compiled.Attribute(kept, list[torch.Tensor])


def gated(self: Any, x: torch.Tensor) -> torch.Tensor:
    """Return x + gate * layer(x)."""
    return x + self.gate * self.layer(x)


def path(self: Any, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return y + gate * layer(x)."""
    source = x
    if self.tap is not None:
        source = self.tap.box.pop()
    return y + self.gate * self.layer(source)


def graft(self: Any, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return what the layers make of the host's output `y`."""
    for layer in self:
        y = layer(y, x) if hasattr(layer, "reads_host") else layer(y)
    return y


def run_graft(self: Any, given: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
    """Apply a host's graft to its output."""
    return self.graft(output, given[0])


def run_tap(self: Any, given: tuple[torch.Tensor]) -> None:
    """Note what a layer receives."""
    self.tap.box.clear()  # what no end has taken
    self.tap.box.append(given[0])


def takes_one(layer: nn.Module) -> bool:
    """Whether a layer's `forward` takes one input, whatever it is called with."""
    return _takes_one(type(layer))


@functools.cache
def _takes_one(kind: type[nn.Module]) -> bool:
    _, *taken = inspect.signature(kind.forward).parameters.values()
    return [one.kind for one in taken] == [inspect.Parameter.POSITIONAL_OR_KEYWORD]


def refuse(what: str) -> UnsupportedError:
    """Return the error for wiring that TorchScript cannot read."""
    return UnsupportedError(
        f"This model has {what}: torch.jit.script cannot read it. Use torch.jit.trace(model, example), "
        "torch.export.export(model, (example,)) or torch.compile(model)."
    )
