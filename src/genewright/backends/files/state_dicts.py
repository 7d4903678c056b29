"""State dicts in memory: what `model.state_dict()` and `torch.load` return, taken for checkpoints."""

from __future__ import annotations

import copy
import sys
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from genewright.backends.backend import Backend
from genewright.backends.files import write_checkpoint
from genewright.backends.files.checkpoint import Checkpoint, CheckpointNetwork, CheckpointStore, Entry
from genewright.backends.files.pickled import is_dense, place_of, state_dict_in
from genewright.backends.files.unit_axes import AXES
from genewright.companion import Companion
from genewright.edits import Edit, Store
from genewright.errors import UnsupportedError
from genewright.journal import Journal
from genewright.network import Network
from genewright.outputs import Outputs
from genewright.recipe import history_of, history_to_json
from genewright.storage import Overwrite

_RECIPE = "genewright.recipe"  # where a .pt file has it too
_LOAD = "Load it into the model, model.load_state_dict(...), and give the model."


class StateDictsBackend(Backend):
    """State dicts of torch, bare or inside what a trainer saved around them; their tensors are in main memory."""

    name = "state dicts"

    def owns(self, model: object) -> bool:
        torch = sys.modules.get("torch")
        return torch is not None and isinstance(model, dict) and state_dict_in(model, torch) is not None

    def network(self, model: Any, example: Any = None) -> CheckpointNetwork:
        return CheckpointNetwork(_in_place(model))

    def store(self, model: Any, companion: Companion | None = None, network: Network | None = None) -> Store:
        return _Store(model)

    def copy(self, model: Any) -> Any:
        copied = copy.deepcopy(model)
        state = _state(copied)
        about = getattr(state, "_metadata", OrderedDict[str, Any]())
        made: OrderedDict[str, Any] = OrderedDict(state)
        made._metadata = about  # type: ignore[attr-defined]  # where torch keeps versions of modules
        if state is copied:
            return made
        return {key: made if value is state else value for key, value in copied.items()}

    def history(self, model: Any) -> tuple[str, ...]:
        held = cast("Mapping[str, Any]", getattr(_state(model), "_metadata", {})).get(_RECIPE)
        return () if held is None else history_of(held["json"])

    def sign(self, model: Any, history: tuple[str, ...], journal: Journal | None = None) -> Any:
        state = _state(model)
        about = getattr(state, "_metadata", None)
        if about is None:
            raise UnsupportedError("A dict cannot carry its recipe, so it is not changed in place. Leave out inplace=.")
        if journal is not None:
            journal.keep(about)
        about[_RECIPE] = {"json": history_to_json(history)}
        return model

    def run(self, model: Any, batch: Any, *, exactly: bool = False) -> Outputs:
        raise UnsupportedError(f"A state dict has tensors but no forward pass, so it takes no example=. {_LOAD}")

    def save(self, model: Any, path: Path, metadata: Mapping[str, str], *, overwrite: Overwrite) -> None:
        write_checkpoint(Checkpoint(_in_place(model).entries, dict(metadata)), path, overwrite=overwrite)

    def load(self, model: Any, path: Path) -> Any:
        raise UnsupportedError("A state dict is not filled from a file. Write gw.read_checkpoint(path).")


class _Store(CheckpointStore):
    """The tensors of a state dict, for writing."""

    def __init__(self, model: Any) -> None:
        super().__init__(_in_place(model))
        self._model = model

    def restructure(self, edit: Edit) -> None:
        raise UnsupportedError(f"{type(edit).__name__}: a state dict has no layers to change. {_LOAD}")

    def finish(self) -> Any:
        return self._model


def _state(model: Any) -> dict[str, Any]:
    found = state_dict_in(model, sys.modules["torch"])
    assert found is not None  # `owns` has seen it
    return found


def _in_place(model: Any) -> Checkpoint:
    """Return the tensors as a checkpoint whose bytes are the tensors' own memory.

    Raises:
        UnsupportedError: A tensor has no plain memory here: it lies on a device, or is quantised or sparse.
    """
    torch: Any = sys.modules["torch"]
    shared: dict[object, Any] = {}
    entries: dict[str, Entry] = {}
    for name, tensor in _state(model).items():
        if not isinstance(tensor, torch.Tensor):
            continue
        if not is_dense(tensor, torch) or tensor.device.type != "cpu" or not tensor.is_contiguous():
            raise UnsupportedError(f"The state dict's {name!r} is no plain tensor in main memory. {_LOAD}")
        key = place_of(tensor)
        if not tensor.numel() or key not in shared:
            flat = tensor.detach().reshape(-1).view(torch.uint8) if tensor.numel() else None
            shared[key] = np.zeros(0, np.uint8) if flat is None else flat.numpy()
        entries[name] = Entry(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), shared[key])
    about = cast("Mapping[str, Any]", getattr(_state(model), "_metadata", {})).get(AXES)
    return Checkpoint(entries, {} if about is None else {AXES: about["json"]})


BACKEND = StateDictsBackend()
