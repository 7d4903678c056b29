"""Models whose config is the arguments that made them: it cannot say what an architecture operator changes.

How many steps of a recipe it says is tried; the others are done again when the folder is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from genewright.backends.torch.draws import OwnDraws
from genewright.backends.torch.integrations import Change, Integration
from genewright.backends.torch.tensors import unwrapped
from genewright.declaration import Declaration
from genewright.integrations.transformers.signature import Signature
from genewright.interrupts import shielded
from genewright.process_state import LOCK

Made = Callable[[Path], nn.Module]


def steps_described(
    model: nn.Module,
    count: int,
    grown: Callable[[nn.Module, int], nn.Module | None],
    describe: Callable[[Path], None],
    made: Made,
) -> int | None:
    """Return how many of a mutant's steps its config says.

    Args:
        model: The mutant.
        count: The number of its steps.
        grown: Does the steps from a number on again, on a model that is made of the config; None where they do not fit.
        describe: Writes the config into a folder.
        made: Makes the model that a folder's config describes.

    Returns:
        The largest number for which the same layers, shapes and numbers come out; None for no number.
    """
    wanted = Signature.of(model)
    with TemporaryDirectory() as folder:
        try:
            describe(Path(folder))
        except Exception:  # whatever a library's writer refuses: nothing is known of such a config
            return None
        for said in range(count, -1, -1):
            base = made_quietly(made, Path(folder))
            again = base if base is None or said == count else grown(base, said)
            if again is not None and Signature.of(again) == wanted:
                return said
    return None


class Unsaid(Integration):
    """What is to be known of a library whose configs no architecture operator can bring up to date.

    Args:
        has_config: Whether a model is one of the library's.
        writer: What would write a folder that does not load.
        load: What loads a folder that gw.save wrote; {name} stands for the model's class.
    """

    def __init__(self, has_config: Callable[[object], bool], writer: str, load: str) -> None:
        self._has_config, self._writer, self._load = has_config, writer, load

    def is_config(self, value: object) -> bool:
        return False

    def layer_count_changes(
        self, model: nn.Module, container: str, before: int, order: Sequence[int]
    ) -> Iterator[Change]:
        return iter(())

    def declared(self, model: nn.Module, example: Any) -> Declaration:
        if not self._has_config(model):
            return Declaration()
        name = type(unwrapped(model)).__name__
        return Declaration(
            note=f"The config of this {name} is what made it, and cannot say so: save the mutant with "
            f"gw.save(mutant, folder) and read it with {self._load.format(name=name)}; {self._writer} would lose what "
            "has changed."
        )


@shielded
def made_quietly(made: Made, folder: Path) -> nn.Module | None:
    """Return the model of a folder's config, drawn from no global generator; None where its constructor refuses."""
    try:
        with LOCK, OwnDraws():
            return made(folder)
    except Exception:  # whatever its constructor refuses
        return None
