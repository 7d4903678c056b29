"""A pickle read without making anything of it: what it would call, and how much memory it would ask for.

`torch.load(weights_only=True)` executes no code, but believes sizes: a storage of a terabyte, a bytearray of
any length, elements that are repeated without end. So the pickle is walked through first,
by a machine that knows numbers, texts, tuples and names, and of anything else only that it is there.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from genewright.backends.files.bounds import check_parts

_MARK, _THING = object(), object()
_WIDTHS = {
    "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1, "ComplexFloatStorage": 8,
    "ComplexDoubleStorage": 16, "UntypedStorage": 1, "QInt8Storage": 1, "QUInt8Storage": 1, "QInt32Storage": 4,
}  # fmt: skip
# What state dicts are made with, called with any arguments: none of them makes room for more than it receives.
_CALLED = {
    "collections OrderedDict", "collections Counter", "builtins set", "_codecs encode", "torch Size", "torch device",
    "torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor_v3",
    "torch._utils _rebuild_parameter", "torch._utils _rebuild_parameter_with_state",
    "torch._utils _rebuild_sparse_tensor", "torch._utils _rebuild_qtensor", "torch.serialization _get_layout",
    "torch._tensor _rebuild_from_type_v2",
}  # fmt: skip


@dataclass(frozen=True)
class Name:
    """A name that the pickle imports."""

    text: str


@dataclass
class Scan:
    """What a stream of pickles asks for.

    Attributes:
        held: The size of the file that it is in.
        place: What to call the file in messages.
        storages: The bytes of each storage, by its key.
        steps: How many steps have been walked through.
    """

    held: int
    place: str
    storages: dict[str, int] = field(default_factory=dict[str, int])
    steps: int = 0
    _stack: list[Any] = field(default_factory=list[Any])
    _memo: dict[int, Any] = field(default_factory=dict[int, Any])

    def read(self, stream: io.BytesIO) -> None:
        """Walk through one pickle; the stream stands behind it afterwards.

        Raises:
            ValueError: It is damaged, or does what no state dict needs.
            FileError: It has too many parts for a file of this size.
        """
        self._stack, self._memo = [], {}
        try:
            for operation, argument, _ in pickletools.genops(stream):
                self.steps += 1
                if self.steps % 4096 == 0:
                    check_parts(self.steps, self.held, self.place)
                self._step(operation.name, argument)
        except (IndexError, KeyError, TypeError, AttributeError, UnicodeError) as error:
            raise ValueError(f"a damaged pickle ({type(error).__name__})") from None
        check_parts(self.steps, self.held, self.place)

    def _step(self, name: str, argument: Any) -> None:
        if name in _PUSHED:
            self._stack.append(_PUSHED[name])
        elif name in _ARGUMENTS:
            self._stack.append(argument)
        elif name == "GLOBAL":
            self._stack.append(Name(str(argument)))
        elif name in ("BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._stack[-1]
        elif name in _ACTIONS:
            _ACTIONS[name](self)
        elif name not in ("PROTO", "STOP"):
            raise ValueError(f"a step {name!r}, which torch does not write")

    def _tuple(self, count: int) -> None:
        parts = tuple(self._stack[len(self._stack) - count :])
        if len(parts) != count or _MARK in parts:
            raise IndexError(count)
        del self._stack[len(self._stack) - count :]
        self._stack.append(parts)

    def _marked(self) -> list[Any]:
        place = len(self._stack) - 1
        while self._stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise IndexError(place)
        parts = self._stack[place + 1 :]
        del self._stack[place:]
        return parts

    def _from_mark(self) -> None:
        self._stack.append(tuple(self._marked()))

    def _many_from_mark(self) -> None:
        self._marked()
        self._stack.append(_THING)

    def _into(self) -> None:
        self._marked()

    def _drop(self, count: int) -> None:
        for _ in range(count):
            self._stack.pop()

    def _call(self) -> None:
        arguments, called = self._stack.pop(), self._stack.pop()
        if not isinstance(called, Name) or called.text not in _CALLED:
            raise ValueError(self._said(called))
        self._stack.append(_THING)
        if called.text in ("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor") and (
            not isinstance(arguments, tuple)
        ):
            raise TypeError(arguments)

    def _new(self) -> None:
        arguments, called = self._stack.pop(), self._stack.pop()
        if not isinstance(called, Name) or called.text != "collections OrderedDict" or arguments != ():
            raise ValueError(self._said(called))
        self._stack.append(_THING)

    def _said(self, called: Any) -> str:
        """Say what it would make of what is called last, and where that is: under the last key that was read."""
        above: list[Name] = [called] if isinstance(called, Name) else []
        place = ""
        for entry in reversed(self._stack):
            if isinstance(entry, Name):
                above.append(entry)  # that, and not its part, is what stands there
            elif isinstance(entry, str):
                place = f" under {entry[:60]!r}"
                break
        made = above[-1].text.replace(" ", ".") if above else "what it has made"
        kind, advice = next((said for name, said in _KINDS.items() if made.endswith(name)), _OBJECT)
        return f"it holds {kind}{place}: {made:.60}{advice}"

    def _storage(self) -> None:
        """Note a storage: ("storage", class, key, device, number of elements, ...)."""
        saved = self._stack.pop()
        tag, kind, key, _, number = saved[:5]
        if tag != "storage" or not isinstance(kind, Name) or type(number) is not int or number < 0:
            raise ValueError("a storage without a size")
        width = _WIDTHS.get(kind.text.rpartition(" ")[2])
        if width is None or type(key) is not str:
            raise ValueError(f"a storage of kind {kind.text:.60}")
        size = number * width
        if self.storages.setdefault(key, size) != size:
            raise ValueError(f"a storage {key[:60]!r} of two sizes")
        self._stack.append(_THING)


_KINDS = {
    "multiarray.scalar": ("a NumPy scalar", "; write x.item() in its place"),
    "multiarray._reconstruct": ("a NumPy array", "; write torch.from_numpy(x) or x.tolist() in its place"),
    "numpy.dtype": ("a dtype of NumPy", "; write str(x) in its place"),
}
_OBJECT = ("an object or a call of Python", "")
_PUSHED: dict[str, Any] = {
    "MARK": _MARK, "NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), "EMPTY_LIST": _THING,
    "EMPTY_DICT": _THING, "EMPTY_SET": _THING,
}  # fmt: skip
_ARGUMENTS = frozenset(
    ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING", "BINSTRING")
)
_ACTIONS: dict[str, Callable[[Any], None]] = {
    "TUPLE": lambda scan: scan._from_mark(),
    "TUPLE1": lambda scan: scan._tuple(1),
    "TUPLE2": lambda scan: scan._tuple(2),
    "TUPLE3": lambda scan: scan._tuple(3),
    "APPEND": lambda scan: scan._drop(1),
    "SETITEM": lambda scan: scan._drop(2),
    "BUILD": lambda scan: scan._drop(1),
    "APPENDS": lambda scan: scan._into(),
    "SETITEMS": lambda scan: scan._into(),
    "REDUCE": lambda scan: scan._call(),
    "NEWOBJ": lambda scan: scan._new(),
    "BINPERSID": lambda scan: scan._storage(),
}
