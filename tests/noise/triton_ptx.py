"""Run by test_cuda.py: compile the kernel for a GPU that need not be there, and count what it is made of."""

import json
import re
import sys

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from genewright.noise.cuda.kernel import kernel
from genewright.noise.cuda.launch import UNSIGNED
from genewright.noise.cuda.sum_kernel import sum_kernel

WIDTH = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2}


CASES = (
    ("float32", "add", False, False, "normal"),
    ("float64", "add_relative", False, False, "uniform"),
    ("float32", "add_relative", True, False, "uniform"),
    ("float64", "add", True, False, "cauchy"),
    ("bfloat16", "add", False, True, "normal"),
    ("float16", "add", True, False, "normal"),
)


@triton.jit
def contractible(w_, z_, s):
    """What people write: the control that shows that contraction would be seen."""
    i = tl.arange(0, 128)
    tl.store(w_ + i, tl.load(w_ + i) + s * tl.load(z_ + i))


def ptx(function, signature, constants):
    signature = signature | dict.fromkeys(constants, "constexpr")
    places = {(function.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=function, signature=signature, constexprs=places)
    target = GPUTarget("cuda", 90, 32)
    return triton.compile(source, target=target, options={"enable_fp_fusion": True}).asm["ptx"]


def ours(dtype, combine, masked, stochastic, distribution):
    pointer = f"*i{8 * WIDTH[dtype]}"
    signature = {
        "values": pointer,
        "size": "i64",
        "start": "i64",
        "first_block": "i64",
        "blocks": "i32",
        "streams": "*i32",
        "unit_": "*fp64",
        "multiplier_": "*i64",
        "table": "*i64",
        "exp2": "*i64",
        "flips": pointer,
        "thresholds": "*i64",
        "below": "i32",
        "length": "i32",
        "scratch": "*i32",
    }
    constants = {
        "combine": combine,
        "distribution": distribution,
        "dtype": dtype,
        "randomly": stochastic,
        "choices": 1,
        "unsigned": UNSIGNED[WIDTH[dtype]],
        "masked": masked,
        "complement": False,
        "group": 128,
    }
    return ptx(kernel, signature, constants)


def of_a_sum(dtype, stochastic):
    signature = {
        "values": f"*i{8 * WIDTH[dtype]}",
        "size": "i64",
        "start": "i64",
        "first_block": "i64",
        "streams": "*i32",
        "units": "*fp64",
        "count": "i32",
        "addend": "*fp64" if dtype == "float64" else "*fp32",
        "rounding": "*i32",
        "table": "*i64",
    }
    constants = {"added": True, "dtype": dtype, "randomly": stochastic, "unsigned": UNSIGNED[WIDTH[dtype]]}
    return ptx(sum_kernel, signature, constants)


def count(text):
    return {
        "fma": len(re.findall(r"\bfma\.", text)),
        "products": len(re.findall(r"\bmul(?:\.rn)?\.f(?:32|64)", text)),
        "sums": len(re.findall(r"\badd(?:\.rn)?\.f(?:32|64)", text)),
        "flushes": text.count(".ftz"),
    }


def main():
    made = {"control": count(ptx(contractible, {"w_": "*fp32", "z_": "*fp32", "s": "fp32"}, {}))}
    for case in CASES if sys.argv[1] == "all" else CASES[:2]:
        made["-".join(map(str, case))] = count(ours(*case))
    for dtype in ("float64", "float32", "bfloat16") if sys.argv[1] == "all" else ("bfloat16",):
        made[f"sum-{dtype}"] = count(of_a_sum(dtype, stochastic=True))
    print(json.dumps(made))


if __name__ == "__main__":
    main()
