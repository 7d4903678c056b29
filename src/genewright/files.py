"""gw.save and gw.load: a mutant to a safetensors file with its recipe inside, and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from genewright.backends import backend_of
from genewright.backends.files import read_checkpoint
from genewright.backends.files.checkpoint import RECIPE
from genewright.errors import RecipeError
from genewright.recipe import Recipe

Model = TypeVar("Model")


def save(model: Any, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a model's tensors to a safetensors file, with its recipe inside where it is a mutant.

    Args:
        model: A module or a checkpoint (a checkpoint may also be written as .pt or .pth).
        path: The file to write, atomically.
        overwrite: Whether an old file may be replaced.

    Raises:
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
    backend = backend_of(model)
    text = backend.recipe_text(model)
    backend.save(model, Path(path), {} if text is None else {RECIPE: text}, overwrite=overwrite)


def load(factory: Callable[[], Model], path: str | Path) -> Model:
    """Make a model and read into it the tensors, and the recipe, that `save` wrote.

    Args:
        factory: Makes the model, as the base was made; its weights do not matter. Where the recipe changed layers or
            widths, they are changed again from what the recipe says, without the base's weights or an example.
        path: A file that `save` wrote.

    Returns:
        The model; `gw.recipe` works on it where the file holds a recipe.

    Raises:
        FileError: The file cannot be read or does not fit the model.
    """
    text = read_checkpoint(path).metadata.get(RECIPE)
    model = factory()
    backend = backend_of(model)
    reshape = False
    if text is not None:
        made = Recipe.from_json(text)
        store = backend.store(model)
        for step in made.all_steps():
            for edit in step.structure:
                store.restructure(edit)
            reshape = reshape or "shape" not in step.operator.claims()
    backend.load(model, Path(path), reshape=reshape)
    if text is not None:
        backend.set_recipe_text(model, text)
    return model


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe from a JSON file, or from inside a checkpoint file.

    Raises:
        FileError: The file cannot be read.
        RecipeError: It holds no recipe, or a damaged one.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        return Recipe.load(path)
    text = read_checkpoint(path).metadata.get(RECIPE)
    if text is None:
        raise RecipeError(f"{path}: holds no recipe; it was not written by gw.save of a mutant.")
    return Recipe.from_json(text)
