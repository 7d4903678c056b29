"""Blocks that can be copied without changing the function: which tensors of the copy have to be zero.

A residual block returns x + f(x). A copy that is inserted behind it is the identity as soon as the last tensors of
its f are zero. Which ones they are is found by trying, with no knowledge of operators. In a block that is trained in
part (by adapters, say) only what training moves may be zero: a frozen zero would stay one, and nothing before it would
ever get a gradient.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast

import torch
from torch import nn

from genewright.backends.torch.float64_outputs import Precision
from genewright.backends.torch.predict import predict
from genewright.backends.torch.structure.calls import first_tensor, main_output, padded, watching
from genewright.backends.torch.tensors import named_layers
from genewright.interrupts import shielded

_LEFT = "_genewright_left"  # marks parameters of the replica, which is thrown away
_TOLERANCE = 1e-11  # float64, relative to the largest value
_TOLERANCE_SINGLE = 1e-6  # where the block computes in float32 whatever it receives


def zero_init_tensors(model: nn.Module, example: Any, block: str, *, once: bool) -> tuple[str, ...] | None:
    """Return the fewest last tensors of a copy of `block` that are to be zero so that copy(y) = y.

    Whole layers in the order of their calls are zeroed from the last one backwards until copy(y) equals y, the block's
    recorded output; then those that need not be zero are given back, the first ones first, and then single tensors.
    Frozen tensors are left alone, unless the whole block is frozen.

    Args:
        model: A model in evaluation mode, its constant parameters randomized.
        example: An input.
        block: Name of a layer that returns the shape of its input.
        once: The block is called once in a run.

    Returns:
        Names relative to the block; None if no zeros make it the identity.
    """
    original = model.get_submodule(block)
    call = _last_call(model, example, original, once=once)
    if call is None:
        return None
    replica = copy.deepcopy(original)
    _leave_frozen(replica)
    run = _Run(replica, *call)
    order = _owners_in_order(replica, run)
    if order is None:
        return None
    tensors = [(f"{name}.{key}" if name else key, p) for name, module in order for key, p in _own(module)]
    kept = {name: p.detach().clone() for name, p in tensors}
    zeroed: list[tuple[str, nn.Module]] = []
    if not run() and not _hopeless(order, run, kept):
        for owner in reversed(order):
            zeroed.insert(0, owner)
            _fill_zero(owner[1])
            if run():
                break
    if not run():
        return None
    for name, module in list(zeroed):
        _restore(name, module, kept)
        if run():
            zeroed.remove((name, module))
        else:
            _fill_zero(module)
    needed = [(f"{name}.{key}" if name else key, p) for name, module in zeroed for key, p in _own(module)]
    for name, parameter in list(needed):
        _put(parameter, kept[name])
        if run():
            needed.remove((name, parameter))
        else:
            _put(parameter, torch.zeros_like(parameter))
    return tuple(name for name, _ in needed)


def _hopeless(order: list[tuple[str, nn.Module]], run: _Run, kept: dict[str, torch.Tensor]) -> bool:
    """Whether even a copy with zeros everywhere returns something else than y: then nothing is added to anything."""
    for _, module in order:
        _fill_zero(module)
    same = run()
    for name, module in order:
        _restore(name, module, kept)
    return not same and not run.undefined


class _Enough(Exception):  # noqa: N818  # nobody's error: it ends a run whose rest is of no use
    """Raised when the block has been called."""


def _last_call(
    model: nn.Module, example: Any, block: nn.Module, *, once: bool
) -> tuple[tuple[Any, ...], dict[str, Any], torch.Tensor] | None:
    """Return (args, kwargs, output) of the block's last call."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any], torch.Tensor]] = []

    def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        tensor = main_output(output)
        if tensor is not None:
            calls.append((args, kwargs, tensor.detach().clone()))
            if once:
                raise _Enough

    with watching([block], note):
        try:
            with suppress(_Enough), _no_caches(model):
                predict(model, example)
        except Exception:  # it cannot do without
            calls.clear()
            with suppress(Exception):  # a model that remembers its last run may fail here: then there is no call
                predict(model, example)
    return calls[-1] if calls else None


@contextmanager
def _no_caches(model: nn.Module) -> Generator[None]:
    """Have a model keep no cache of keys and values: a second call of a block would find what the first one left."""
    found = [vars(module).get("config") for module in model.modules()]
    configs = {id(c): cast(Any, c) for c in found if getattr(c, "use_cache", False) is True}
    try:
        for config in configs.values():
            config.use_cache = False
        yield
    finally:
        for config in configs.values():
            config.use_cache = True


class _Run:
    """Says whether the replica, given y in the place of its input, returns y.

    Attributes:
        undefined: The last run failed or gave NaN.
    """

    undefined = False

    def __init__(self, replica: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], y: torch.Tensor) -> None:
        self._replica, self._args, self._kwargs, self._y = replica, args, kwargs, y
        self._given = first_tensor((args, kwargs))
        self._expected = padded(y)
        self._largest = float(self._expected.abs().max()) if y.numel() else 0.0
        self._watch = Precision()

    @shielded
    def __call__(self) -> bool:
        fresh, given = self._y.clone(), self._given
        args = [fresh if value is given else value for value in self._args]
        kwargs = {key: fresh if value is given else value for key, value in self._kwargs.items()}
        self.undefined = True
        try:
            with self._watch, torch.no_grad():
                output = main_output(self._replica(*args, **kwargs))
                tensor = None if output is None else padded(output)
        except Exception:  # the block does not take its own output: it is no block of a chain
            return False
        if tensor is None or tensor.shape != self._expected.shape or not self._largest > 0:
            return False
        change = float((tensor - self._expected).abs().max()) / self._largest
        self.undefined = change != change
        single = self._watch.single or self._y.dtype != torch.float64
        return change <= (_TOLERANCE_SINGLE if single else _TOLERANCE)


def _owners_in_order(replica: nn.Module, run: _Run) -> list[tuple[str, nn.Module]] | None:
    """Return the modules with tensors of their own in the order in which their calls ended; None if none is called."""
    names = {id(module): name for name, module in named_layers(replica)}
    ended: dict[str, nn.Module] = {}

    def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        ended.pop(names[id(module)], None)
        ended[names[id(module)]] = module

    owners = [module for _, module in named_layers(replica) if _own(module)]
    with watching(owners, note):
        run()
    if not ended:
        return None
    uncalled = [(names[id(m)], m) for m in owners if names[id(m)] not in ended]
    return [*uncalled, *ended.items()]


def _own(module: nn.Module) -> Sequence[tuple[str, nn.Parameter]]:
    """Return the tensors of a module's own that may be zero."""
    floating = [(key, p) for key, p in module.named_parameters(recurse=False) if p.is_floating_point()]
    return [(key, p) for key, p in floating if not hasattr(p, _LEFT)]


def _leave_frozen(replica: nn.Module) -> None:
    if any(p.requires_grad for p in replica.parameters()):
        for parameter in replica.parameters():
            if not parameter.requires_grad:
                setattr(parameter, _LEFT, True)


def _fill_zero(module: nn.Module) -> None:
    for _, parameter in _own(module):
        _put(parameter, torch.zeros_like(parameter))


def _restore(name: str, module: nn.Module, kept: dict[str, torch.Tensor]) -> None:
    for key, parameter in _own(module):
        _put(parameter, kept[f"{name}.{key}" if name else key])


def _put(parameter: nn.Parameter, values: torch.Tensor) -> None:
    with torch.no_grad():
        parameter.copy_(values)
