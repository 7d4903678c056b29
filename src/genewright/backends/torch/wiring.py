"""The few layers of our own that a mutant may hold: plain, importable modules, so that it pickles and exports.

Unpickling a mutant that holds one of them needs genewright; every other mutant is pickled without a trace of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn

from genewright.backends.torch import wiring_in_script as script
from genewright.backends.torch.wiring_in_script import in_script
from genewright.errors import RunError
from genewright.journal import Journal

GRAFT = "graft"
TAP = "tap"
_HOOK = "genewright"  # a word, not a number: torch numbers its own hooks anew in every process


class Gated(nn.Module):
    """x + gate * layer(x): with a gate of zero the identity, and the gate learns.

    Attributes:
        layer: What is added.
        gate: A trainable scalar.
    """

    def __init__(self, layer: nn.Module, gate: float = 0.0) -> None:
        super().__init__()
        self.layer = layer
        self.gate = nn.Parameter(torch.tensor(float(gate)))

    @in_script(script.gated)
    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return x + gate * layer(x)."""
        return x + self.gate * _main(self.layer(x, *args, **kwargs))

    def __prepare_scriptable__(self) -> Gated:
        """Refuse a layer that takes more than x: torch calls this before it compiles anything.

        Raises:
            UnsupportedError: It does.
        """
        if not script.takes_one(self.layer):
            raise script.refuse("a gated layer that takes several inputs")
        return self


class Gate(nn.Module):
    """x + gate * y for a host that receives x and returns y: the host, whatever it computes, starts as the identity.

    Attributes:
        gate: A trainable scalar.
        reads_host: It takes the host's input, too.
    """

    __constants__ = ("reads_host",)
    reads_host = True

    def __init__(self, gate: float = 0.0) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.tensor(float(gate)))

    def forward(self, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return x + gate * y."""
        return x + self.gate * y


class Blend(nn.Module):
    """(1 - blend) * old(x) + blend * new(x): a change of activation that starts at the old one.

    Attributes:
        old: The layer at first.
        new: The layer that it may become.
        blend: A trainable scalar.
    """

    def __init__(self, old: nn.Module, new: nn.Module, blend: float = 0.0) -> None:
        super().__init__()
        self.old = old
        self.new = new
        self.blend = nn.Parameter(torch.tensor(float(blend)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the blend of both layers' outputs."""
        kept = x.clone() if getattr(self.old, "inplace", False) else x
        old = self.old(x)
        return old + self.blend * (self.new(kept) - old)


class Tap(nn.Module):
    """Holds what a layer received until the end of a path asks for it, within one forward pass."""

    __jit_ignored_attributes__ = ("seen",)
    seen: torch.Tensor | None = None

    def __prepare_scriptable__(self) -> Tap:
        """Make what holds it in compiled code, where both ends of the path find it."""
        self.__dict__["box"] = script.new_box()
        return self

    def take(self) -> torch.Tensor:
        """Return what was seen and let go of it."""
        seen, self.seen = self.seen, None
        if seen is None:
            raise RunError("The start of this path was not called before its end.")
        return seen

    def __getstate__(self) -> dict[str, Any]:
        """Leave what passes through out of copies and pickles."""
        return {key: value for key, value in self.__dict__.items() if key not in ("seen", "box")}


class Path(nn.Module):
    """gate * layer(x), added to what a host returns; x is what the host, or an earlier layer, received.

    Attributes:
        layer: What the path computes.
        gate: A trainable scalar.
        tap: Where x comes from, or None for the host's own input.
        reads_host: It takes the host's input, too.
    """

    __constants__ = ("reads_host",)
    reads_host = True

    def __init__(self, layer: nn.Module, gate: float = 0.0, tap: Tap | None = None) -> None:
        super().__init__()
        self.layer = layer
        self.gate = nn.Parameter(torch.tensor(float(gate)))
        self.tap = tap

    @in_script(script.path)
    def forward(self, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return y + gate * layer(x)."""
        source = x if self.tap is None else self.tap.take()
        return y + self.gate * _main(self.layer(source))


class Graft(nn.Sequential):
    """Layers that work in order on what their host returns; a forward hook of the host calls them.

    So the host keeps its place, its class and the names of its tensors; what is grafted is called "host.graft.0" on.
    TorchScript compiles no hook that takes whatever its host takes: where that is one tensor, it reads a hook that says
    so; on other hosts `torch.jit.script` is refused by name. Tracing and `torch.export` see what the hooks do.

    Attributes:
        several: The host takes several inputs.
    """

    several = False

    def __prepare_scriptable__(self) -> Graft:
        """Refuse a host that takes several inputs: torch calls this before it compiles anything.

        Raises:
            UnsupportedError: It does.
        """
        if self.several:
            raise script.refuse("a graft (a skip, a branch or a gated copy) on a layer that takes several inputs")
        return self

    @in_script(script.graft)
    def forward(  # type: ignore[override]  # a Sequential takes one input
        self, y: torch.Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any], host: type[nn.Module]
    ) -> torch.Tensor:
        """Return what the layers make of the host's output `y`.

        Paths and gates also take the host's first input, copies of it all others: a copied attention needs its mask.
        """
        x = args[0] if args else next(iter(kwargs.values()), None)
        rest = dict(kwargs) if args else dict(list(kwargs.items())[1:])
        for layer in self:
            if isinstance(layer, Path | Gate):
                y = layer(y, x)
            elif _takes_the_rest(layer, host):
                y = _main(layer(y, *args[1:], **rest))
            else:
                y = _main(layer(y))
        return y


def graft_of(host: nn.Module) -> Graft | None:
    """Return what is grafted on a layer, or None."""
    found = host._modules.get(GRAFT)  # pyright: ignore[reportPrivateUsage]  # an attribute might be in the way
    return found if isinstance(found, Graft) else None


def attach(host: nn.Module, graft: Graft, journal: Journal) -> None:
    """Give a host its graft, called after the host's other hooks."""
    hooks, with_kwargs = _kept(host, _hooks(host), journal)
    if not script.takes_one(host):
        graft.several = True
    host.add_module(GRAFT, graft)
    hooks[_HOOK] = run_graft
    with_kwargs[_HOOK] = True


def gated(layer: nn.Module, gate: float = 0.0) -> nn.Module:
    """Return a layer that starts as the identity: itself with a gate, or within one if it runs over what it holds."""
    if isinstance(layer, nn.Sequential | nn.ModuleList | nn.ModuleDict):
        return Gated(layer, gate)
    graft = graft_of(layer)
    if graft is None:
        attach(layer, Graft(Gate(gate)), Journal())
    else:
        graft.append(Gate(gate))
    return layer


def detach(host: nn.Module, journal: Journal) -> None:
    """Take a host's graft away."""
    tables = _kept(host, _hooks(host), journal)
    del host._modules[GRAFT]  # pyright: ignore[reportPrivateUsage]
    for table in tables:
        table.pop(_HOOK, None)


def tap(start: nn.Module, journal: Journal) -> Tap:
    """Have a layer's input noted before each call; return where."""
    made = Tap()
    hooks, with_kwargs = _kept(start, _pre_hooks(start), journal)
    start.add_module(TAP, made)
    hooks[_HOOK] = run_tap
    with_kwargs[_HOOK] = True
    return made


def untap(start: nn.Module) -> None:
    """Let a copy of a layer note its input no more: the path that asked for it is the original's."""
    del start._modules[TAP]  # pyright: ignore[reportPrivateUsage]
    for table in _pre_hooks(start):
        table.pop(_HOOK, None)


@in_script(script.run_graft)
def run_graft(host: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> Any:
    """Apply a host's graft to its output; of a tuple, to the first entry."""
    graft = cast(Graft, host._modules[GRAFT])  # pyright: ignore[reportPrivateUsage]
    if isinstance(output, tuple):
        first, *rest = cast("tuple[Any, ...]", output)
        return (graft(first, args, kwargs, type(host)), *rest)
    return graft(output, args, kwargs, type(host))


@in_script(script.run_tap)
def run_tap(start: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Note what a layer receives."""
    cast(Tap, start._modules[TAP]).seen = args[0] if args else next(iter(kwargs.values()))  # pyright: ignore[reportPrivateUsage]


def _takes_the_rest(layer: nn.Module, host: type[nn.Module]) -> bool:
    """Whether a grafted layer takes what its host takes beside the first input: copies do, new layers of torch not."""
    inner = layer.layer if isinstance(layer, Gated) else layer
    if type(inner) is host:
        return not script.takes_one(inner)
    return (inner is not layer and not _is_torchs(inner)) or graft_of(layer) is not None


def _is_torchs(layer: nn.Module) -> bool:
    """Whether a layer is of torch's own kinds, which take one input."""
    return type(layer).__module__.startswith("torch.nn.")


def _main(output: Any) -> Any:
    return cast("tuple[Any, ...]", output)[0] if isinstance(output, tuple) else output


def _kept(host: nn.Module, tables: tuple[dict[Any, Any], dict[Any, Any]], journal: Journal) -> Any:
    for each in (host._modules, *tables):  # pyright: ignore[reportPrivateUsage]
        journal.keep(each)
    return tables


def _hooks(host: nn.Module) -> tuple[dict[Any, Any], dict[Any, Any]]:
    return cast(Any, host)._forward_hooks, cast(Any, host)._forward_hooks_with_kwargs


def _pre_hooks(start: nn.Module) -> tuple[dict[Any, Any], dict[Any, Any]]:
    return cast(Any, start)._forward_pre_hooks, cast(Any, start)._forward_pre_hooks_with_kwargs
