"""Kernels as machine code: read from a file, or compiled by Numba the first time and kept there.

A file holds the object code of one kernel for one processor, behind its checksum. It is loaded by llvmlite, which comes
with Numba, without importing Numba itself: that would cost each process half a second. The name of the file has a hash
of all that decides what is in it, so nothing stale is ever loaded.
"""

import ctypes
import hashlib
import logging
import os
from collections.abc import Callable, Iterable
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from threading import Lock, Timer
from typing import Any, Final

from genewright.errors import RunError
from genewright.process_state import Here, StandIn, warnings_ignored

llvm: Any = import_module("llvmlite.binding")  # it has no types
KERNEL: Final = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
CHECKSUM_BYTES: Final = 32
_LOCK: Final = Lock()

Kernel = Callable[[int], None]


class Library:
    """The kernels of one purpose.

    Args:
        purpose: What they are for, in a word; messages go to the logger ``genewright.<purpose>``.
        beside: The folder whose ``__pycache__`` keeps them, where it can be written to.
        code_of: Compiles a kernel by name to LLVM's code; in it the function is called ``genewright_<name>``.
        sources: The files that decide what is in them, beside those of this room.
    """

    def __init__(self, purpose: str, beside: Path, code_of: Callable[[str], str], sources: Iterable[Path]) -> None:
        self._purpose, self._beside, self._code_of, self._sources = purpose, beside, code_of, tuple(sources)
        self._logger = logging.getLogger(f"genewright.{purpose}")
        self._kernels: dict[str, Kernel] = {}
        self._warned = False

    def kernel(self, name: str) -> Kernel:
        """Return a kernel that takes the address of its words; it lets other threads run meanwhile."""
        found = self._kernels.get(name)
        if found is None:
            with _LOCK:  # two threads that miss it load it once
                found = self._kernels[name] = self._kernels.get(name) or self._loaded(name)
        return found

    def _loaded(self, name: str) -> Kernel:
        code = self.read(name) or self._compile(name)
        engine = _engine()
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        function = KERNEL(engine.get_function_address(f"genewright_{name}"))
        nothing = (ctypes.c_uint64 * 2)()
        result, error = ctypes.addressof(nothing), ctypes.addressof(nothing) + 8

        def call(words: int, keep: Any = nothing) -> None:
            if status := function(result, error, words):
                raise RunError(f"the {self._purpose} kernel {name!r} returned status {status}")

        return call

    def folders(self) -> list[Path]:
        """Return where code may be kept: ``$GENEWRIGHT_CACHE`` alone, else beside the source, the user's cache."""
        if chosen := os.environ.get("GENEWRIGHT_CACHE"):
            return [Path(chosen)]
        caches = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return [self._beside / "__pycache__", Path(caches) / "genewright"]

    @cached_property
    def _stamp(self) -> str:
        return self.stamp()

    def stamp(self) -> str:
        """Return a hash of the kernels' sources and tables, of the compiler and of the processor."""
        digest = hashlib.sha256()
        for path in sorted([*self._sources, Path(__file__).with_name("bits.py")]):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        digest.update(repr((import_module("llvmlite").__version__, llvm.llvm_version_info, processor())).encode())
        return digest.hexdigest()[:24]

    def read(self, name: str) -> bytes | None:
        """Return the kept code, or None where there is none, or none that is whole."""
        for folder in self.folders():
            try:
                kept = (folder / self._file(name)).read_bytes()
            except OSError:
                continue
            checksum, code = kept[:CHECKSUM_BYTES], kept[CHECKSUM_BYTES:]
            if hashlib.sha256(code).digest() == checksum:
                return code
        return None

    def _compile(self, name: str) -> bytes:
        timer = Timer(1.0, self._say_compiling)
        timer.daemon = True
        timer.start()
        try:
            with _warnings_of_numba().inside():
                module = llvm.parse_assembly(self._code_of(name))
            called = sorted(f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm."))
            if called:
                raise RunError(f"the {self._purpose} kernel {name!r} calls {', '.join(called)}: it must stand alone")
            code: bytes = _machine().emit_object(module)
        finally:
            timer.cancel()
        reason = OSError()
        for folder in self.folders():
            try:
                return _kept(folder / self._file(name), code)
            except OSError as error:
                reason = error
        self._logger.warning(
            "The compiled %s kernels cannot be kept (%s): every process will compile them. "
            "Name a folder that can be written to: GENEWRIGHT_CACHE=...",
            self._purpose,
            reason,
        )
        return code

    def _say_compiling(self) -> None:
        if not self._warned:
            self._warned = True
            self._logger.warning(
                "Compiling the %s kernels, once per machine: this takes several seconds ...", self._purpose
            )

    def _file(self, name: str) -> str:
        return f"{name}-{self._stamp}.object"


@cache
def processor() -> tuple[str, str, str]:
    """Return for which processor code is made."""
    return llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


@cache
def _machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple, cpu, features = processor()
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=3, codemodel="jitdefault", jit=True
    )


@cache
def _engine() -> Any:
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())


@cache
def _warnings_of_numba() -> StandIn:
    """Return what lets a thread compile without Numba's change of the warnings of all, at every step of its typing."""

    def make(numbas: Any, here: Here) -> Callable[..., Any]:
        def caught(fixer: Any, filename: Any = None, lineno: Any = None) -> Any:
            return warnings_ignored() if here else numbas(fixer, filename, lineno)

        return caught

    return StandIn(import_module("numba.core.errors").WarningsFixer, "catch_warnings", make)


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
