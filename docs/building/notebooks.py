"""The notebooks: run from a fresh kernel, kept with their outputs, and shown as pages.

python -m docs.building.notebooks          # runs each again, and keeps what it puts out
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from nbformat.v4 import new_code_cell

FOLDER = Path(__file__).parents[1] / "notebooks"
TITLES = {
    "snippet_to_safe": "what the blog's snippet lacks: a plan, a seed, a recipe, an undo",
    "digits_evolved": "a network learns digits without a gradient, and grows",
    "grow_a_resnet": "wider and deeper in the middle of training; the loss goes on where it was",
    "transformer": "`from_pretrained`, grow, `save_pretrained`",
    "keras": "noise, growth and dead units of a Keras model",
}
"""The notebooks in the order of the site, and what each shows."""


def read(name: str) -> Any:
    """Return a notebook as it is kept."""
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)  # pyright: ignore[reportUnknownMemberType]


def executed(notebook: Any, folder: Path) -> Any:
    """Return a notebook with the outputs of a run in a fresh kernel, in a folder of its own.

    Raises:
        CellExecutionError: A cell raises; the message has the cell and the traceback.
    """
    fresh = copy.deepcopy(notebook)
    hidden = (
        [new_code_cell(_READY)]
        if any("import transformers" in c.source or _FROM in c.source for c in fresh.cells)
        else []
    )
    fresh.cells[:0] = hidden
    place = {"metadata": {"path": str(folder)}}
    client = NotebookClient(fresh, timeout=1800, resources=place, record_timing=False, extra_arguments=_QUIET)
    client.execute()
    del fresh.cells[: len(hidden)]
    for number, cell in enumerate((one for one in fresh.cells if one.cell_type == "code"), start=1):
        cell.execution_count = number
        for output in cell.outputs:
            if "execution_count" in output:
                output["execution_count"] = number
        # What frameworks say to stderr when they start names this machine's paths and processes.
        cell.outputs = _joined(output for output in cell.outputs if output.get("name") != "stderr")
    return fresh


def _joined(outputs: Iterable[Any]) -> list[Any]:
    """Return outputs with what was printed one after the other as one: in how many parts it comes is left to chance."""
    found: list[Any] = []
    for output in outputs:
        if found and output.output_type == found[-1].output_type == "stream":
            found[-1].text += output.text
        else:
            found.append(output)
    return found


def index() -> str:
    """Return the list of the notebooks."""
    kept = {name: read(name).cells[0].source.splitlines()[0].removeprefix("# ") for name in TITLES}
    lines = [f"- [{title}]({name}.md): {TITLES[name]}" for name, title in kept.items()]
    about = "Each runs from top to bottom in a fresh kernel, in the tests; outputs are kept as they came."
    files = "The files lie in [docs/notebooks](https://github.com/genewright/genewright/tree/main/docs/notebooks)."
    return "\n".join(["# Notebooks", "", f"{about} {files}", "", *lines, ""])


def as_page(name: str) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and its pictures by name."""
    exporter = MarkdownExporter(config={"NbConvertBase": {"display_data_priority": _SHOWN}})
    text, resources = exporter.from_notebook_node(read(name), resources={"unique_key": name})
    pictures = {Path(path).name: content for path, content in resources.get("outputs", {}).items()}
    return text, pictures


_QUIET = ["--IPKernelApp.log_level=40"]  # it warns of its ports, which only this machine can reach
_FROM = "from transformers import"
_READY = """
import torch
try:
    import torchvision
except ImportError:
    pass
except RuntimeError:  # its build for CUDA beside a torch without: transformers cannot be imported then
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
_SHOWN = ["text/html", "image/svg+xml", "image/png", "text/plain"]


def main() -> None:
    """Run the notebooks that are named, or all, and keep their outputs."""
    for name in sys.argv[1:] or TITLES:
        print(name, flush=True)
        nbformat.write(executed(read(name), FOLDER), FOLDER / f"{name}.ipynb")  # pyright: ignore[reportUnknownMemberType]


if __name__ == "__main__":
    main()
