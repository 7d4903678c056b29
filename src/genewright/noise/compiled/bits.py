"""What the kernels need of the compiler beyond Python: bit casts, and vectors as wide as the machine's."""

from typing import Any

from numba import types
from numba.extending import intrinsic as _intrinsic

intrinsic: Any = _intrinsic  # it changes the signature of what it decorates, which its source does not say

_add: Any = set[str].add  # llvmlite's own add() refuses attributes that have a value


def _cast(source: Any, target: Any) -> Any:
    @intrinsic
    def cast(context: Any, value: Any) -> Any:
        def generate(target_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], target_context.get_value_type(signature.return_type))

        return target(source), generate

    return cast


float_of_u32 = _cast(types.uint32, types.float32)
u32_of_float = _cast(types.float32, types.uint32)
double_of_u64 = _cast(types.uint64, types.float64)
u64_of_double = _cast(types.float64, types.uint64)


@intrinsic
def trailing_zeros(context: Any, word: Any) -> Any:
    """Return the position of the lowest set bit of a uint64 that is not 0."""

    def generate(target_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], target_context.get_constant(types.boolean, True))

    return types.uint64(types.uint64), generate


@intrinsic
def wide(context: Any) -> Any:
    """Mark the function that calls it: whole vector registers (LLVM prefers half of AVX-512), and no inlining.

    Without inlining, every loop is compiled once, alone, and stays vectorised.
    """

    def generate(target_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        attributes = builder.function.attributes
        _add(attributes, '"prefer-vector-width"="512"')
        attributes.add("noinline")
        return target_context.get_dummy_value()

    return types.void(), generate
