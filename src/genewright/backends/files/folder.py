"""Checkpoints in folders as Hugging Face has them: one file or shards with an index, config and tokenizer beside."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from genewright.backends.files.bounds import read_json
from genewright.backends.files.checkpoint import RECIPE, TIES, Checkpoint, ties_of
from genewright.backends.files.pickled import read_pickled
from genewright.backends.files.safetensors import read_safetensors, write_safetensors
from genewright.errors import FileError
from genewright.storage import Overwrite, read_file

RECIPE_FILE = "recipe.json"
CARD_FILE = "README.md"
CONFIG_FILE = "config.json"
_WEIGHTS = (".safetensors", ".bin", ".index.json", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".gguf")
_KNOWN = (
    ("model.safetensors", read_safetensors),
    ("pytorch_model.bin", read_pickled),
)


@dataclass(frozen=True)
class Folder:
    """Where a checkpoint was read from: what lies beside its tensors is written beside the mutant's.

    Attributes:
        path: The folder.
        shards: The file of every tensor, where there is an index.
    """

    path: Path
    shards: dict[str, str]


def read_folder(path: Path) -> Checkpoint:
    """Read the tensors of a folder, and the recipe that lies beside them; nothing in it is executed.

    Args:
        path: A folder with model.safetensors, pytorch_model.bin, or shards of these and their index.

    Raises:
        FileError: It holds no such file, or one that is damaged, missing or not of the index.
    """
    for name, read in _KNOWN:
        index = path / f"{name}.index.json"
        if index.is_file():
            checkpoint = _sharded(path, index, read)
        elif (path / name).is_file():
            checkpoint = read(path / name)
            checkpoint.container = Folder(path, {})
        else:
            continue
        if (path / RECIPE_FILE).is_file():
            checkpoint.metadata[RECIPE] = read_file(path / RECIPE_FILE).decode("utf-8", "replace")
        return checkpoint
    held = ", ".join(sorted(entry.name for entry in path.iterdir())[:6]) or "nothing"
    raise FileError(
        f"{path}: is a folder without model.safetensors, pytorch_model.bin, or shards of these with their index; it "
        f"holds {held}. Name the file that you mean."
    )


def _sharded(path: Path, index: Path, read: Callable[[Path], Checkpoint]) -> Checkpoint:
    told = read_json(read_file(index), f"{index}: the index")
    listed: Any = cast("dict[str, Any]", told).get("weight_map") if isinstance(told, dict) else None
    if not isinstance(listed, dict) or not listed:
        raise FileError(f"{index}: has no weight_map, which says where each tensor lies.")
    shards = {str(name): str(file) for name, file in cast("dict[Any, Any]", listed).items()}
    whole = Checkpoint({}, container=Folder(path, shards))
    for file in sorted(set(shards.values())):
        if Path(file).name != file:
            raise FileError(f"{index}: names {file!r}, which is no file of this folder. Refused.")
        if not (path / file).is_file():
            raise FileError(f"{path}: the shard {file} is missing, which {index.name} names. Download it again.")
        part = read(path / file)
        wrong = sorted(part.entries.keys() ^ {name for name, of in shards.items() if of == file})
        if wrong:
            raise FileError(
                f"{path / file}: {wrong[0]!r} is only in one of it and {index.name}; they do not belong together."
            )
        whole.entries |= part.entries
        whole.metadata |= {key: value for key, value in part.metadata.items() if key not in (TIES, RECIPE)}
        whole.state |= part.state
    whole.entries = dict(sorted(whole.entries.items()))
    return whole


def write_folder(checkpoint: Checkpoint, path: Path, *, overwrite: Overwrite, card: str = "") -> None:
    """Write a checkpoint that came from a folder as another one: tensors, recipe, and what lay beside them.

    Args:
        checkpoint: The checkpoint.
        path: The folder to make.
        overwrite: Whether an old folder of a model may be replaced.
        card: The model card; "" keeps the one that was there.

    Raises:
        FileError: It exists, or cannot be written; an old one is then as it was.
    """
    source = checkpoint.container
    assert isinstance(source, Folder)
    with new_folder(path, overwrite=overwrite) as folder:
        for file in sorted(source.path.iterdir()):
            if file.is_file() and file.name != RECIPE_FILE and not file.name.endswith(_WEIGHTS):
                shutil.copyfile(file, folder / file.name)
        about = {key: value for key, value in checkpoint.metadata.items() if key not in (RECIPE, TIES)}
        shards = {name: _as_safetensors(file) for name, file in source.shards.items()}
        beside = dict(shards)
        for alias, name in ties_of(checkpoint).items():
            beside[alias] = shards.get(name, "model.safetensors")  # tied names lie in one file
        files = sorted(set(shards.values())) or ["model.safetensors"]
        for file in files:
            names = [name for name in checkpoint.entries if beside.get(name, files[0]) == file]
            part = Checkpoint({name: checkpoint.entries[name] for name in names}, dict(about))
            part.state = checkpoint.state if file == files[0] else {}
            write_safetensors(part, folder / file, overwrite=False)
        if shards:
            total = sum(entry.data.nbytes for entry in checkpoint.entries.values())
            weight_map = {name: beside.get(name, files[0]) for name in sorted(checkpoint.entries)}
            index = {"metadata": {"total_size": total}, "weight_map": weight_map}
            (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
        write_beside(folder, checkpoint.metadata.get(RECIPE), card)


def write_beside(folder: Path, recipe: str | None, card: str) -> None:
    """Write the recipe and the model card of a mutant into its folder."""
    if recipe is not None:
        (folder / RECIPE_FILE).write_text(recipe + "\n")
    if card:
        (folder / CARD_FILE).write_text(card)


@contextmanager
def new_folder(path: Path, *, overwrite: Overwrite) -> Generator[Path]:
    """Make a folder, whole or not at all: what is written in the block lies beside it until the block ends.

    Raises:
        FileError: It exists and `overwrite` is false, is no folder of a model, or cannot be written.
    """
    refuse_folder(path, overwrite=overwrite)
    path = path.absolute()
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        made.mkdir()
        yield made
        if path.exists():
            old = made.with_name(made.name + ".old")
            path.rename(old)
            made.rename(path)
            shutil.rmtree(old)
        else:
            made.rename(path)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{path}: cannot be written ({error.strerror or error}).") from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(made)


def refuse_folder(path: Path, *, overwrite: Overwrite) -> None:
    """Refuse a path that cannot become the folder of a model, before any work is done.

    Raises:
        FileError: It exists and `overwrite` is false, or is no folder of a model; or its parent does not exist.
    """
    if path.exists() and not overwrite:
        raise FileError(f"{path}: exists. Choose another folder, or replace it (overwrite=True, --force).")
    if path.exists() and not (path.is_dir() and ((path / CONFIG_FILE).is_file() or not any(path.iterdir()))):
        raise FileError(f"{path}: is no folder of a model ({CONFIG_FILE} is not in it), so it is not replaced.")
    if not path.absolute().parent.is_dir():
        raise FileError(f"{path}: the folder {path.absolute().parent} does not exist. Make it first.")


def _as_safetensors(file: str) -> str:
    return (
        file.removesuffix(".bin").replace("pytorch_model", "model") + ".safetensors" if file.endswith(".bin") else file
    )
