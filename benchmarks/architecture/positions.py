"""Coverage of `ResizePositions` on models with learned positions: kept, refused with the reason, or WRONG.

    python benchmarks/architecture/positions.py transformers timm torchvision [--every K] [--only GLOB]

A model has learned positions where a parameter is called so (relative ones and biases are not meant), which needs
nothing of genewright. Tried is one position more, along each side of a grid.

text    how="extend": an input that the operator has not seen, of another batch size, gives the same outputs in float64
        (the tolerances of ends.py), every table that changes has one entry more, and old ones keep their values.
images  how="interpolate": the old grid, resampled here by torch's bicubic interpolation, is the new one to 1e-5; what
        stands before it stays; and an image of the new size runs.

Where tables of several lengths hold positions, the operator asks which is meant, and is told one after the other.

One line of JSON a model goes to results/positions-LIBRARY.jsonl; models that are there already are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import math
import re
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from end_layers import tensors_of
from ends import judged, mapped, outputs, unseen
from judging import LIMIT, TooLongError, limited, lines_of
from torch import nn
from zoo import CASES, Case, first_line

import genewright as gw

RESULTS = Path(__file__).parent / "results"
_POSITIONS = re.compile(
    r"(^|[._])(wpe|pos|posemb|pos_?embed\w*|positions?|position\w*embed\w*|absolute_pos\w*)([._]|$)"
)
_OTHER = re.compile(r"rel|bias|dist|pos_proj|conv|norm|linear|fc|query|key|value|dense")


def named_positions(model: nn.Module) -> list[str]:
    """Return the parameters that are called learned positions."""
    called = [name for name, tensor in model.named_parameters() if tensor.dim() > 1 and _POSITIONS.search(name)]
    return [name for name in called if not _OTHER.search(name)]


def tried(model: nn.Module, example: Any, positions: list[str]) -> str:
    """Return "kept", "refused: why" or "WRONG: why"; where several tables are meant, the worst of what each gives."""
    try:
        return tried_on(model, example, None)
    except gw.UnknownNameError:
        said = [tried_on(model, example, name.rpartition(".")[0]) for name in positions]
        return next((one for one in said if not one.startswith("kept")), max(said))


def tried_on(model: nn.Module, example: Any, layer: str | None) -> str:
    """Return what becomes of the tables of one layer; None for all, where these have one length."""
    image = any(tensor.is_floating_point() for tensor in tensors_of(example))
    operator = gw.ResizePositions(how="interpolate" if image else "extend", layer=layer)
    mutant = gw.mutate(model, operator, seed=1, example=example)
    before, after = dict(model.named_parameters()), dict(mutant.named_parameters())
    changed = [name for name in before if before[name].shape != after[name].shape]
    if not changed:
        return "WRONG: nothing has another length"
    if not image:
        for name in changed:
            old, new = before[name], after[name]
            if new.shape[0] != old.shape[0] + 1 or not torch.equal(new[: len(old)], old):
                return f"WRONG: {name} is not what it was, and one entry more"
        return judged(outputs(model, unseen(example)), outputs(mutant, unseen(example)), 0)
    worst = max(_resampling(before[name].detach(), after[name].detach()) for name in changed)
    if not worst <= 1e-5:
        return f"WRONG: a table is {worst:.2g} from bicubic interpolation"
    side = {tensor.shape[-1] for tensor in tensors_of(example)}.pop()
    grids = [_grid(before[name].shape, after[name].shape) for name in changed]
    sides = [round(side * new / old) for _, _, old, new in grids]
    size = sides[0]
    given = mapped(example, lambda value: torch.randn(2, value.shape[1], size, size) if value.dim() == 4 else value)
    outputs(mutant, given)
    return f"kept: {worst:.2g}"


def _grid(old: torch.Size, new: torch.Size) -> tuple[int, int, int, int]:
    """Return (axis, entries before, old side, new side) of a square grid along one axis, or two."""
    axes = [at for at in range(len(old)) if old[at] != new[at]]
    if len(axes) == 2:
        return axes[0], -1, old[axes[0]], new[axes[0]]
    (axis,) = axes
    for first in range(old[axis]):
        sides = math.isqrt(old[axis] - first), math.isqrt(new[axis] - first)
        if sides[0] ** 2 == old[axis] - first and sides[1] ** 2 == new[axis] - first:
            return axis, first, *sides
    raise ValueError(f"no square grid goes from {tuple(old)} to {tuple(new)}")


def _resampling(old: torch.Tensor, new: torch.Tensor) -> float:
    """Return how far a table is from its bicubic interpolation, relative to its largest entry."""
    axis, first, side, wanted = _grid(old.shape, new.shape)
    if first >= 0:
        if not torch.equal(old.narrow(axis, 0, first), new.narrow(axis, 0, first)):
            return math.inf
        old, new = (one.narrow(axis, first, one.shape[axis] - first).movedim(axis, -1) for one in (old, new))
        old, new = old.unflatten(-1, (side, side)), new.unflatten(-1, (wanted, wanted))
    else:
        old, new = (one.movedim((axis, axis + 1), (-2, -1)) for one in (old, new))
    flat = old.reshape(1, -1, side, side).double()
    made = nn.functional.interpolate(flat, (wanted, wanted), mode="bicubic", align_corners=False)
    return float((made.reshape(new.shape) - new).abs().max() / old.abs().max())


def measured(case: Case) -> dict[str, Any]:
    """Return the line of one model."""
    row: dict[str, Any] = {"library": case.library, "name": case.name, "group": case.group, "built": "", "said": ""}
    began = time.process_time()
    try:
        with limited(LIMIT), contextlib.redirect_stdout(sys.stderr):
            model, example = case.make()
            row["positions"] = named_positions(model)
            row["said"] = f"unfinished: {LIMIT:.0f} s of processor time"
            row["said"] = tried(model, example, row["positions"]) if row["positions"] else "none"
    except TooLongError:
        pass
    except gw.GenewrightError as error:
        row["said"] = f"refused: {error}"
    except Exception as error:
        row.update({"said": f"WRONG: {first_line(error)}"} if "positions" in row else {"built": first_line(error)})
    row["seconds"] = round(time.process_time() - began, 1)
    return row


def main() -> None:
    """Run, and write a line a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", nargs="+", choices=CASES)
    parser.add_argument("--every", type=int, default=1, help="one model in K")
    parser.add_argument("--only", default="*", help="a glob on model names")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder for results")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for library in asked.libraries:
        cases = {case.name: case for case in list(CASES[library]())[:: asked.every]}
        names = [name for name in cases if fnmatch.fnmatchcase(name, asked.only)]
        file = asked.out / f"positions-{library}.jsonl"
        lines_of(file, names, lambda name, cases=cases: measured(cases[name]), lambda row: row["built"] or row["said"])


if __name__ == "__main__":
    main()
