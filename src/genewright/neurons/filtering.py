"""Conditions on the rows of a table, as text: what pandas' `query` understands, without pandas and without `eval`."""

from __future__ import annotations

import ast
import io
import operator
import tokenize
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genewright.errors import SettingError, UnknownNameError
from genewright.names import did_you_mean

_WORDS = {"&": "and", "|": "or", "~": "not"}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda column, values: np.isin(column, list(values)),
    ast.NotIn: lambda column, values: ~np.isin(column, list(values)),
}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.true_divide,
    ast.Pow: np.power,
}
_OF_TEXT = ("startswith", "endswith", "contains")
_OF_NUMBERS: Mapping[str, Callable[[Any], Any]] = {"abs": np.abs, "isnan": np.isnan, "log": np.log, "sqrt": np.sqrt}
_MOST = 10_000  # characters of a condition


def rows_that(condition: str, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Return which rows meet a condition.

    Args:
        condition: Comparisons of columns with numbers and with each other, joined by ``&``, ``|``, ``~`` (or and, or,
            not), with arithmetic, ``abs``, ``isnan``, ``log``, ``sqrt``, ``in [...]``, and for the column of layers
            ``layer.str.startswith('...')``, ``endswith`` and ``contains``. NaN meets no comparison but ``!=``.
        columns: The columns by name.

    Raises:
        SettingError: It is no such condition.
        UnknownNameError: It names no column; the message lists near names.

    >>> rows_that("a < 2 & name.str.startswith('x')", {"a": np.array([1, 1, 3]), "name": np.array(["x", "y", "x"])})
    array([ True, False, False])
    """
    length = len(next(iter(columns.values()), ()))
    if len(condition) > _MOST:
        raise _not_understood(condition[:80])
    try:
        tree = ast.parse(_words(condition), mode="eval").body
    except (SyntaxError, tokenize.TokenError, ValueError, RecursionError, MemoryError):
        raise _not_understood(condition) from None
    with np.errstate(all="ignore"):
        found = _Reader(condition, columns).read(tree)
    if np.asarray(found).dtype.kind != "b":
        raise _not_understood(condition)
    return np.broadcast_to(np.asarray(found), (length,)).copy()


def _words(condition: str) -> str:
    """Write ``&`` as `and`: it is to bind less than comparisons do, as in pandas' `query`."""
    tokens = tokenize.generate_tokens(io.StringIO(condition.strip()).readline)
    return " ".join(_WORDS.get(token.string, token.string) for token in tokens).strip()


class _Reader:
    def __init__(self, condition: str, columns: Mapping[str, NDArray[Any]]) -> None:
        self._condition, self._columns = condition, columns

    def read(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float, str, bool):
            return node.value
        if isinstance(node, ast.Name):
            if node.id not in self._columns:
                raise UnknownNameError(
                    f"filter: no column is called {node.id!r}. {did_you_mean(node.id, self._columns)}"
                )
            return self._columns[node.id]
        if isinstance(node, ast.List | ast.Tuple):
            return [self.read(entry) for entry in node.elts]
        if isinstance(node, ast.BoolOp):
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return join.reduce([self._truth(part) for part in node.values])
        if isinstance(node, ast.UnaryOp):
            if isinstance(node.op, ast.Not):
                return ~self._truth(node.operand)
            value = self.read(node.operand)
            return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, ast.Compare):
            return self._compared(node)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return self._tried(_ARITHMETIC[type(node.op)], self.read(node.left), self.read(node.right))
        if isinstance(node, ast.Call) and not node.keywords:
            return self._called(node)
        raise _not_understood(self._condition)

    def _truth(self, node: ast.AST) -> NDArray[np.bool_]:
        value = np.asarray(self.read(node))
        if value.dtype.kind != "b":
            raise _not_understood(self._condition)
        length = len(next(iter(self._columns.values()), ()))
        return np.broadcast_to(value, (length,))

    def _compared(self, node: ast.Compare) -> Any:
        left = self.read(node.left)
        out: Any = True
        for sign, right in zip(node.ops, node.comparators, strict=True):
            if type(sign) not in _COMPARE:
                raise _not_understood(self._condition)
            value = self.read(right)
            out = out & np.asarray(self._tried(_COMPARE[type(sign)], left, value))
            left = value
        return out

    def _called(self, node: ast.Call) -> Any:
        function, args = node.func, [self.read(arg) for arg in node.args]
        if isinstance(function, ast.Name) and function.id in _OF_NUMBERS and len(args) == 1:
            return self._tried(lambda value, _: _OF_NUMBERS[function.id](value), args[0], None)
        if not (isinstance(function, ast.Attribute) and function.attr in _OF_TEXT and len(args) == 1):
            raise _not_understood(self._condition)
        text, holder = args[0], function.value
        if not (isinstance(text, str) and isinstance(holder, ast.Attribute) and holder.attr == "str"):
            raise _not_understood(self._condition)
        column = np.asarray(self.read(holder.value))
        if column.dtype.kind != "U":
            raise _not_understood(self._condition)
        tests: dict[str, Callable[[str], bool]] = {
            "startswith": lambda value: value.startswith(text),
            "endswith": lambda value: value.endswith(text),
            "contains": lambda value: text in value,
        }
        return np.array([tests[function.attr](str(value)) for value in column.tolist()], bool)

    def _tried(self, function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        try:
            return function(left, right)
        except (TypeError, ValueError, OverflowError, ZeroDivisionError):
            raise _not_understood(self._condition) from None


def _not_understood(condition: str) -> SettingError:
    return SettingError(
        f"filter: cannot read the condition {condition[:200]!r}. Write comparisons of columns, such as "
        "\"active_fraction < 0.01 & layer.str.startswith('layer3')\"."
    )
