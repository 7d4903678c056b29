"""What the kernels need of the compiler beyond Python: memory by address, bit casts, the widest vectors."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from numba import njit, types
from numba.extending import intrinsic as _intrinsic
from numba.np import arrayobj as _arrayobj

arrayobj: Any = _arrayobj
ir: Any = import_module("llvmlite.ir")
intrinsic: Any = _intrinsic  # it changes the signature of what it decorates, which its source does not say

OPTIONS: Final[Any] = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Nothing of Numba's or Python's runtime: the machine code calls nobody, so it runs without them."""


def kernel(function: Any = None, **options: Any) -> Any:
    """Compile a function for the other kernels; none of them takes memory or can raise."""
    made: Any = njit(**OPTIONS, **options)
    return made if function is None else made(function)


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


def _array_at(item: Any) -> Any:
    array = types.Array(item, 1, "C")

    @intrinsic
    def array_at(context: Any, address: Any, size: Any) -> Any:
        def generate(target_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = builder.inttoptr(arguments[0], target_context.get_data_type(item).as_pointer())
            width = target_context.get_constant(types.intp, item.bitwidth // 8)
            made = target_context.make_array(array)(target_context, builder)
            arrayobj.populate_array(
                made, data=place, shape=[arguments[1]], strides=[width], itemsize=width, meminfo=None
            )
            return made._getvalue()

        return array(types.uint64, types.int64), generate

    return array_at


array_of_u16 = _array_at(types.uint16)
array_of_u32 = _array_at(types.uint32)
array_of_u64 = _array_at(types.uint64)
array_of_i64 = _array_at(types.int64)
array_of_floats = _array_at(types.float32)
array_of_doubles = _array_at(types.float64)


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


@intrinsic
def apart(context: Any) -> Any:
    """Mark the function that calls it: none of its arrays shares memory with another."""

    def generate(target_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for argument in builder.function.args:
            if isinstance(argument.type, ir.PointerType):
                argument.add_attribute("noalias")
        return target_context.get_dummy_value()

    return types.void(), generate


SIGNATURE: Final = types.void(types.CPointer(types.uint64))


def standing_alone(name: str, entry: Callable[[Any], None]) -> str:
    """Compile a function of the address of words; return its LLVM code, with the function as ``genewright_<name>``.

    It takes (result, error, words), three addresses, and returns 0.
    """
    dispatcher = kernel(entry)
    dispatcher.compile(SIGNATURE)
    (signature,) = dispatcher.signatures
    mangled = dispatcher.overloads[signature].fndesc.llvm_func_name
    return dispatcher.inspect_llvm(signature).replace(mangled, f"genewright_{name}")
