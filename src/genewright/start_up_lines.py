"""TensorFlow's start-up lines, kept from standard error where an import of ours brings them.

TensorFlow tells of its build and of the processor's instructions each time that it starts, before anyone has called it.
Some of these lines come before its own setting of a level is read, and C++ code writes them to the descriptor itself.
So the descriptor is held back for the length of the import; all that is not such a line is written afterwards.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager

from genewright.process_state import LOCK

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_ERRORS = 2
_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|[IWE]\d{4} \d\d:\d\d:[\d.]+ +\d+ (port|cpu_feature_guard|cuda_\w+|computation_placer|util)\.cc:"
    rb"|\d{4}-\d\d-\d\d .*: [IWE] (tensorflow|external)/"
    rb"|To enable the following instructions: "
)


@contextmanager
def held_back() -> Generator[None]:
    """Keep TensorFlow's start-up lines from standard error; every other line follows when the block ends.

    Nothing happens where TensorFlow has been imported already, or where the user has said by TF_CPP_MIN_LOG_LEVEL what
    it shall tell. The environment is as before when the block ends.
    """
    if "tensorflow" in sys.modules or _LEVEL in os.environ:
        yield
        return
    with LOCK:
        try:
            descriptor = os.dup(_ERRORS)
        except OSError:  # a process without standard error
            yield
            return
        os.environ[_LEVEL] = "2"
        with tempfile.TemporaryFile() as kept:
            os.dup2(kept.fileno(), _ERRORS)
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(descriptor, _ERRORS)
                os.close(descriptor)
                os.environ.pop(_LEVEL, None)
                kept.seek(0)
                os.write(_ERRORS, without_chatter(kept.read()))


def without_chatter(text: bytes) -> bytes:
    r"""Return the lines that are not TensorFlow's start-up lines.

    >>> without_chatter(b"mine\nTo enable the following instructions: AVX2 FMA, rebuild\n")
    b'mine\n'
    """
    return b"".join(line for line in text.splitlines(keepends=True) if not _CHATTER.match(line))
