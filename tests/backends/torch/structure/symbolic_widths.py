"""An oracle that knows no rule: torch itself says which lengths have to be equal, when every length is a symbol.

Every axis of every parameter and every int attribute gets a symbol of its own; the forward pass is run on fake tensors
once, and what torch's own shape checks had to assume is read off. (`duck_shape=False`: equal numbers are not equal
symbols.)
"""

from __future__ import annotations

import copy
from typing import Any

import sympy
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext


def equal_lengths(model: nn.Module, example: torch.Tensor) -> tuple[dict[tuple[str, int], Any], list[Any]]:
    """Return what torch takes the length of every parameter axis for, and the equations that it had to assume.

    Args:
        model: A module in evaluation mode; its int attributes are made symbols as well.
        example: A tensor; its lengths stay numbers.
    """
    shapes = ShapeEnv(duck_shape=False, specialize_zero_one=False)
    fakes = FakeTensorMode(shape_env=shapes, allow_non_fake_inputs=True)
    memo: dict[int, Any] = {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if not tensor.dim():
            continue
        symbolic = StatelessSymbolicContext([DimDynamic.DYNAMIC] * tensor.dim())
        fake = fakes.from_tensor(
            tensor.detach(),
            symbolic_context=symbolic,
            source=torch._dynamo.source.ConstantSource(name.replace(".", "_")),
        )
        memo[id(tensor)] = nn.Parameter(fake, requires_grad=False) if isinstance(tensor, nn.Parameter) else fake
    shadow = copy.deepcopy(model, memo)
    number = 0
    for module in shadow.modules():
        for attribute, value in vars(module).items():
            if type(value) is int and value > 1 and not attribute.startswith("_"):
                number += 1
                source = torch._dynamo.source.ConstantSource(f"attribute_{number}")
                symbol = shapes.create_symbol(value, source, dynamic_dim=DimDynamic.DYNAMIC)
                setattr(module, attribute, shapes.create_symintnode(symbol, hint=value, source=source))
    with fakes, torch.no_grad():
        shadow(fakes.from_tensor(example, static_shapes=True))
    out: dict[tuple[str, int], Any] = {}
    for name, tensor in (*shadow.named_parameters(), *shadow.named_buffers()):
        for axis, length in enumerate(tensor.shape):
            out[name, axis] = shapes.replace(length.node.expr) if isinstance(length, torch.SymInt) else int(length)
    return out, [guard.expr for guard in shapes.guards if isinstance(guard.expr, sympy.Eq)]
