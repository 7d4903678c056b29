"""KerasOn: a way to run a Keras model on another of Keras's backends, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from genewright.calls import Answering
from genewright.errors import SettingError, UnsupportedError

KerasBackend = Literal["jax", "tensorflow", "torch"]

_WORKER = """
import json, sys
said, sys.stdout = sys.stdout, sys.stderr
import keras, numpy as np
for line in sys.stdin:
    try:
        model = keras.saving.load_model(line.strip() + "/model.keras", compile=False)
        held = np.load(line.strip() + "/inputs.npz")
        given = [held[name] for name in held.files]
        made = keras.tree.flatten(model(given[0] if len(given) == 1 else given, training=False))
        made = [keras.ops.convert_to_numpy(one) for one in made]
        np.savez(line.strip() + "/outputs.npz", *made)
        answer = {"outputs": len(made)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), file=said, flush=True)
"""


class KerasOn(metaclass=Answering):
    """Runs Keras models on a backend, whichever one this process has; for `gw.differential`.

    The model travels as a ``.keras`` file, so layers of one's own have to be registered and importable there. The
    process starts at the first run and ends with the block, or with `close`.

    Args:
        backend: "jax", "tensorflow" or "torch".

    Raises:
        SettingError: The backend is none of these.

    Example:
        >>> from genewright.testing import KerasOn
        >>> with KerasOn("jax") as on_jax, KerasOn("torch") as on_torch:
        ...     runs = {"jax": on_jax, "torch": on_torch}  # gw.differential(runs, model, mutants, (x, y), seed=1)
    """

    def __init__(self, backend: KerasBackend) -> None:
        if backend not in ("jax", "tensorflow", "torch"):
            raise SettingError(f"KerasOn: backend is jax, tensorflow or torch; received {backend!r}.")
        self._backend = backend
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, model: Any, inputs: Any) -> list[NDArray[Any]]:
        """Return the model's outputs in evaluation mode.

        Raises:
            UnsupportedError: The other process cannot load or run the model; the message is its own.
        """
        process, folder = self._started()
        model.save(folder / "model.keras")
        given = cast("tuple[Any, ...]", inputs) if isinstance(inputs, tuple | list) else (inputs,)
        np.savez(folder / "inputs.npz", *map(np.asarray, given))
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018  # pipes, as they were asked for
        process.stdin.write(f"{folder}\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            self.close()
            raise UnsupportedError(f"The process that runs Keras on {self._backend} ended.")
        said: dict[str, Any] = json.loads(answer)
        if "error" in said:
            raise UnsupportedError(f"on {self._backend}: {said['error']}")
        with np.load(folder / "outputs.npz") as made:
            return [made[f"arr_{at}"] for at in range(said["outputs"])]

    def close(self) -> None:
        """End the process, and take its files away."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _started(self) -> tuple[subprocess.Popen[str], Path]:
        if self._process is None or self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="genewright-")
            self._process = subprocess.Popen(  # noqa: S603  # our own code, on files of ours
                [sys.executable, "-c", _WORKER],
                env={**os.environ, "KERAS_BACKEND": self._backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        return self._process, Path(self._folder.name)
