"""The kernels as machine code: read from a file, or compiled by Numba the first time and kept there.

A file holds the object code of one kernel for one processor, behind its checksum. It is loaded by llvmlite, which comes
with Numba, without importing Numba itself: that would cost each process half a second. The name of the file has a hash
of all that decides what is in it, so nothing stale is ever loaded.
"""

import ctypes
import hashlib
import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Final

from genewright.errors import RunError
from genewright.noise.backends import LOGGER, patiently

llvm: Any = import_module("llvmlite.binding")  # it has no types
HERE: Final = Path(__file__).parent
KERNEL: Final = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
CHECKSUM_BYTES: Final = 32
_LOCK: Final = Lock()


_KERNELS: Final[dict[str, Callable[[int], None]]] = {}


def kernel(name: str) -> Callable[[int], None]:
    """Return a kernel that takes the address of its words (`call.py`); it lets other threads run meanwhile.

    Args:
        name: One of `kernels.entries.ENTRIES`.
    """
    found = _KERNELS.get(name)
    if found is None:
        with _LOCK:  # two threads that miss it load it once
            found = _KERNELS[name] = _KERNELS.get(name) or _loaded(name)
    return found


def _loaded(name: str) -> Callable[[int], None]:
    code = _read(name) or _compile(name)
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    function = KERNEL(engine.get_function_address(f"genewright_{name}"))
    nothing = (ctypes.c_uint64 * 2)()
    result, error = ctypes.addressof(nothing), ctypes.addressof(nothing) + 8

    def call(words: int, keep: Any = nothing) -> None:
        if status := function(result, error, words):
            raise RunError(f"the noise kernel {name!r} returned status {status}")

    return call


def folders() -> list[Path]:
    """Return where machine code may be kept: ``$GENEWRIGHT_CACHE`` alone, else beside the source, the user's cache."""
    if chosen := os.environ.get("GENEWRIGHT_CACHE"):
        return [Path(chosen)]
    caches = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return [HERE / "__pycache__", Path(caches) / "genewright"]


@cache
def _stamp() -> str:
    """Return a hash of the kernels' sources and tables, of the compiler and of the processor."""
    noise = HERE.parent
    sources = [*(HERE / "kernels").glob("*.py"), HERE / "call.py", noise / "philox.py", noise / "lognormal.py"]
    digest = hashlib.sha256()
    for path in sorted([*sources, *(noise / "data").glob("*.bin")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(repr((import_module("llvmlite").__version__, llvm.llvm_version_info, _processor())).encode())
    return digest.hexdigest()[:24]


@cache
def _processor() -> tuple[str, str, str]:
    return llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


@cache
def _machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple, cpu, features = _processor()
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=3, codemodel="jitdefault", jit=True
    )


@cache
def _engine() -> Any:
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())


def _read(name: str) -> bytes | None:
    """Return the kept code, or None where there is none, or none that is whole."""
    for folder in folders():
        try:
            kept = (folder / _file(name)).read_bytes()
        except OSError:
            continue
        checksum, code = kept[:CHECKSUM_BYTES], kept[CHECKSUM_BYTES:]
        if hashlib.sha256(code).digest() == checksum:
            return code
    return None


def _compile(name: str) -> bytes:
    def compiled() -> bytes:
        from genewright.noise.compiled.kernels.entries import code_of

        module = llvm.parse_assembly(code_of(name))
        called = sorted(f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm."))
        if called:
            raise RunError(f"the noise kernel {name!r} calls {', '.join(called)}: it must stand alone")
        return _machine().emit_object(module)

    code, reason = patiently(compiled), OSError()
    for folder in folders():
        try:
            return _kept(folder / _file(name), code)
        except OSError as error:
            reason = error
    LOGGER.warning(
        "The compiled noise kernels cannot be kept (%s): every process will compile them. "
        "Name a folder that can be written to: GENEWRIGHT_CACHE=...",
        reason,
    )
    return code


def _kept(path: Path, code: bytes) -> bytes:
    """Write a file that is there whole, or not at all; return the code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    try:
        partial.write_bytes(hashlib.sha256(code).digest() + code)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return code


def _file(name: str) -> str:
    return f"{name}-{_stamp()}.object"
