"""gw.save and gw.load: a mutant to a safetensors file with its recipe inside, and back."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

from genewright.backends import Backend, backend_of
from genewright.backends.files import read_checkpoint
from genewright.backends.files.checkpoint import RECIPE
from genewright.calls import answered
from genewright.errors import EditError, FileError, RecipeError, SettingError, UnknownNameError, UnsupportedError
from genewright.folders import described, is_folder, load_folder, save_folder, saves_as_folder
from genewright.recipe import Recipe, history_of, history_to_json, no_path, step_text
from genewright.references import is_layer, said
from genewright.reshape import MOST_TIMES, reshape
from genewright.settings import check_choice
from genewright.storage import Overwrite, found_at

Model = TypeVar("Model")

RecipeLike = Recipe | str | Path | None
WHOLE_MODELS = (".keras", ".h5", ".hdf5")


@answered("gw.save(model, path)")
def save(
    model: Any,
    path: str | Path,
    *,
    overwrite: Overwrite = False,
    format: Literal["peft"] | None = None,  # noqa: A002  # as pandas and Pillow call it
) -> None:
    """Write a model's tensors to a safetensors file, with its recipe inside where it is a mutant.

    With ``format="peft"``, a mutant by noise of low rank (`LowRankNoise`, or `EvolutionNoise` with a rank) becomes a
    LoRA adapter, which ``peft.PeftModel.from_pretrained(base, path)`` loads: the outputs are the mutant's, to the
    rounding of one product more; of halves, to that of their weights. Biases go along; any other change is refused.

    Args:
        model: A torch module, a Keras model or a checkpoint. A checkpoint may also be written as the kind of file that
            it was read from; a Keras model as .keras, .weights.h5 or .h5, too.
        path: The file to write, atomically; of an adapter its folder; or a folder, for a model of transformers, of timm
            or of a class with huggingface_hub's `PyTorchModelHubMixin` (config, tensors, recipe.json and a model card,
            which the library reads where the config can say what has changed, and ``gw.load(path)`` always; of the
            mixin ``gw.load(Net, path)``) and for a checkpoint that was read from one.
        overwrite: Whether an old file may be replaced; it keeps its permissions. "force" also replaces a read-only one,
            and makes the file that a dangling link stands for.
        format: "peft" for a LoRA adapter; None for what the path's end says.

    Raises:
        SettingError: There is no such format.
        UnsupportedError: An adapter cannot hold the mutation; what it cannot hold is named.
        RecipeError: An adapter of a model that is no mutant, or has changed since.
        FileError: The file exists and `overwrite` is false, or it cannot be written; an old file stays as it was.

    Example:
        >>> import tempfile, pathlib, torch, genewright as gw
        >>> mutant = gw.mutate(torch.nn.Linear(3, 2), gw.GaussianNoise(std=0.1), seed=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "mutant.safetensors")
        ...     gw.save(mutant, path)
        ...     again = gw.load(lambda: torch.nn.Linear(3, 2), path)
        >>> gw.fingerprint(again) == gw.fingerprint(mutant)
        True
    """
    if isinstance(model, str | Path):
        raise SettingError(f"gw.save: the model comes first, then the path. Write gw.save(model, {str(model)!r}).")
    backend = backend_of(model)
    if format is None and is_folder(Path(path)) and saves_as_folder(model):
        save_folder(model, Path(path), overwrite=overwrite)
        return
    history = backend.history(model)
    metadata = {RECIPE: history_to_json(history)} if history else {}
    if format is not None:
        _save_as(format, model, backend, Path(path), metadata, overwrite)
        return
    backend.save(model, Path(path), metadata, overwrite=overwrite)


def _save_as(
    form: str, model: Any, backend: Backend, path: Path, metadata: dict[str, str], overwrite: Overwrite
) -> None:
    check_choice("gw.save", "format", form, ("peft",))
    if backend.name != "torch":
        raise UnsupportedError(f"PEFT adapts torch modules, and a {type(model).__name__} is of {backend.name}.")
    if not metadata:
        raise RecipeError("A LoRA adapter holds what a mutation added, and this model has no recipe: it is no mutant.")
    peft: Any = importlib.import_module("genewright.integrations.peft")
    peft.save_adapter(model, Recipe.from_json(metadata[RECIPE]), path, metadata, overwrite=overwrite)


@overload
def load(factory: Callable[[], Model], path: str | Path, *, recipe: RecipeLike = None) -> Model: ...


@overload
def load(factory: str | Path) -> Any: ...


@answered("gw.load(factory, path)")
def load(factory: Callable[..., Any] | str | Path, path: str | Path | None = None, *, recipe: RecipeLike = None) -> Any:
    """Make a model and read into it the tensors, and the recipe, that `save` wrote.

    A file that holds a whole Keras model (.keras, or .h5) needs no factory: ``gw.load("mutant.keras")`` loads it in
    safe mode. So does a folder of transformers, with shards or without, and one of timm: ``gw.load("mutant")``.

    Args:
        factory: Makes the model, as the base was made; its weights do not matter. Where the recipe changed layers or
            widths, they are changed again from what the recipe says, without the base's weights or an example. A model
            instead of a factory is copied, and stays as it is. A class with huggingface_hub's mixin is made with the
            settings of the folder's config.
        path: A file that `save` wrote, or for a Keras model one that Keras wrote; with `recipe`, also what
            ``torch.save(mutant.state_dict(), path)`` wrote.
        recipe: The recipe, or the path of its file, where the tensors' file does not hold it.

    Returns:
        The model; `gw.recipe` works on it where the file holds a recipe.

    Raises:
        FileError: The file cannot be read or does not fit the model.
    """
    if isinstance(factory, str | Path):
        return _whole(Path(factory), path)
    if path is None:
        raise FileError("gw.load(factory, path): the path is missing.")
    if not callable(factory):
        raise SettingError(
            f"gw.load(factory, path): the factory is what makes the model, or a model; received {said(factory)}."
        )
    checkpoint = read_checkpoint(path)
    text = checkpoint.metadata.get(RECIPE)
    if recipe is not None:
        given = read_recipe(recipe) if isinstance(recipe, str | Path) else recipe
        text = history_to_json(tuple(map(step_text, given.nodes)))
    made = None if text is None else Recipe.from_json(text)
    backend, model = _base(described(factory, Path(path)))
    if made is not None and saves_as_folder(model):
        model = backend.copy(model)  # its config may be that of the factory's next model
    if made is not None:
        limit = MOST_TIMES * sum(e.data.nbytes for e in checkpoint.entries.values())
        try:
            model = reshape(backend, model, made.all_steps(), limit=limit)
        except (EditError, UnknownNameError, UnsupportedError) as error:
            raise FileError(
                f"{path}: the model that factory() made is not as the recipe's base was: {error} Make it as that one "
                "was made; its weights do not matter."
            ) from error
    try:
        model = backend.load(model, Path(path))
    except FileError as error:
        if text is None and "shape" in str(error):
            raise FileError(
                f"{error} If it is a mutant's, its layers are made again from its recipe, which this file does not "
                "hold. Write gw.load(factory, path, recipe='r.json') after gw.recipe(mutant).save('r.json'), or save "
                "mutants with gw.save(mutant, path)."
            ) from error
        raise
    return model if text is None else backend.sign(model, history_of(text))


def _base(factory: Any) -> tuple[Backend, Any]:
    """Return the model that a factory makes; of a model, a copy: it stays as it is."""
    if isinstance(factory, type) or not is_layer(factory):
        model = factory()
        return backend_of(model), model
    backend = backend_of(factory)
    return backend, backend.copy(factory)


def _whole(file: Path, rest: object) -> Any:
    if rest is None and found_at(file) == "folder":
        return load_folder(file)
    if rest is not None and not isinstance(rest, str | Path):
        raise FileError(f"gw.load: the model comes first, then the path. Write gw.load(model, {str(file)!r}).")
    if rest is not None or file.suffix.lower() not in WHOLE_MODELS:
        raise FileError(
            f"{file}: holds no whole model that could be loaded without its class. Write gw.load(factory, path), where "
            "factory() makes the model as the base was made."
        )
    return importlib.import_module("genewright.backends.keras.model_files").read_model(file)


@answered("gw.read_recipe(path)")
def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe from a JSON file, or from inside a checkpoint file.

    Raises:
        FileError: The file cannot be read.
        RecipeError: It holds no recipe, or a damaged one.
    """
    if not isinstance(path, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise no_path("gw.read_recipe(path)", path, "A mutant carries its recipe: gw.recipe(mutant).")
    path = Path(path)
    if path.suffix.lower() == ".json":
        return Recipe.load(path)
    text = read_checkpoint(path).metadata.get(RECIPE)
    if text is None:
        raise RecipeError(f"{path}: holds no recipe; it was not written by gw.save of a mutant.")
    return Recipe.from_json(text)
