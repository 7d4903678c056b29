"""Coverage of the operators at a model's ends: classes, image channels and words that grow, and shrink back.

    python benchmarks/architecture/ends.py torchvision timm transformers [--every K] [--only GLOB] [--all]

Every model is built at random init and randomized, so that differences show. Tried are:

classes     GrowOutputs by two, at the layer that writes the model's scores, found here by a hook and given by name.
labels      The same on the model for classification of a configuration type (transformers).
channels    GrowInputs by one, init="zero": the image has one channel more, of drawn values.
vocabulary  ResizeVocabulary by three. A model whose example has no words must be refused.

"kept" means that an input that the operator has not seen, of another batch size, gives the same outputs in float64 as
before, less than 1e-9 of the largest one apart (1e-5 where the model itself computes in float32), compared here; that
the end is longer; and that shrinking gives the first fingerprint back, or is refused, which is noted. Everything else
but a refusal by the library is WRONG, another exception too.

One line of JSON a model goes to results/ends-LIBRARY.jsonl; models that are there already are left out, so that a run
can be stopped and gone on with. `table.py` renders them.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import fnmatch
import re
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from end_layers import classifier_of, table_of_words, tensors_of
from judging import EXACT, LIMIT, SINGLE, TooLongError, change_of_old_part, limited, lines_of
from torch import nn
from zoo import CASES, Case, first_line, flat

import genewright as gw
from genewright.backends.torch.float64_outputs import Precision

RESULTS = Path(__file__).parent / "results"
_NO_END = "none"  # the model has no such end


def outputs(model: nn.Module, given: Any) -> tuple[list[Any], bool]:
    """Return the outputs of a float64 copy as arrays, and whether nothing was computed in less than that."""
    for kind in (torch.float64, torch.float32):  # some insist on their own dtype, or give NaN in another
        try:
            shadow, watch = copy.deepcopy(model).to(kind).eval(), Precision()
            cast = mapped(given, lambda value, kind=kind: value.to(kind) if value.is_floating_point() else value)
            with torch.no_grad(), torch.random.fork_rng(devices=[]), watch:
                torch.manual_seed(0)  # some models draw in their forward
                out = list(flat(shadow(**cast) if isinstance(cast, dict) else shadow(cast)))
            if all(bool(torch.isfinite(tensor).all()) for tensor in out if tensor.is_floating_point()):
                return [tensor.detach().numpy() for tensor in out], kind is torch.float64 and not watch.single
        except Exception:
            if kind is torch.float32:
                raise
    raise ValueError("the outputs are not finite")


def mapped(example: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Return an example with every tensor changed."""
    return {name: change(value) for name, value in example.items()} if isinstance(example, dict) else change(example)


def unseen(example: Any, channels: int = 0) -> Any:
    """Return an input of twice the batch size that is not the example, its images with more channels."""
    generator = torch.Generator().manual_seed(2)

    def drawn(value: torch.Tensor) -> torch.Tensor:
        size, second, *rest = value.shape
        if value.is_floating_point():
            return torch.randn((2 * size, second + channels, *rest), generator=generator)
        return torch.randint(3, 60, (2 * size, second, *rest), generator=generator)

    return mapped(example, drawn)


def judged(before: tuple[list[Any], bool], after: tuple[list[Any], bool], added: int) -> str:
    """Return "kept: change" or "WRONG: why" for the outputs of a model and of its mutant."""
    change, grown = change_of_old_part(before[0], after[0], added)
    exact = before[1] and after[1]
    if not change <= (EXACT if exact else SINGLE):
        return f"WRONG: the outputs change by {change:.2g}"
    if added and not grown:
        return "WRONG: no output is longer"
    return f"kept{'' if change <= EXACT else ' (float32)'}: {change:.2g}"


def back(model: nn.Module, mutant: nn.Module, operator: Any, example: Any) -> str:
    """Say whether shrinking gives the first fingerprint back."""
    try:
        shrunk = gw.mutate(mutant, operator, seed=2, example=example)
    except gw.GenewrightError as error:
        return f"; back refused: {error}"
    return "" if gw.fingerprint(shrunk) == gw.fingerprint(model) else "; WRONG: other bytes after shrinking"


def classes(model: nn.Module, example: Any) -> str:
    """Grow the classes by two."""
    layer = classifier_of(model, example)
    if layer is None:
        return _NO_END
    mutant = gw.mutate(model, gw.GrowOutputs(layer, num_units=2), seed=1, example=example)
    size = dict(model.named_modules())[layer].weight.shape[0]
    said = judged(outputs(model, unseen(example)), outputs(mutant, unseen(example)), 2)
    return said + back(model, mutant, gw.ShrinkOutputs(layer, units=(size, size + 1)), example)


def channels(model: nn.Module, example: Any) -> str:
    """Grow the channels of the image by one, which is drawn."""
    image = next((tensor for tensor in tensors_of(example) if tensor.dim() == 4), None)
    if image is None:
        return _NO_END
    name, mutant = _with_channel(model, example, image.shape[1])
    more = unseen(example, channels=1)
    said = judged(outputs(model, mapped(more, lambda value: value[:, :-1])), outputs(mutant, more), 0)
    operator = gw.ShrinkInputs(name, units=(image.shape[1],))
    return said + back(model, mutant, operator, mapped(example, lambda value: torch.cat([value, value[:, :1]], 1)))


def _with_channel(model: nn.Module, example: Any, size: int) -> tuple[str | None, nn.Module]:
    """Return a mutant; where the library asks which length is meant, the one that it lists with as many units is."""
    try:
        return None, gw.mutate(model, gw.GrowInputs(num_units=1, init="zero"), seed=1, example=example)
    except gw.UnknownNameError as error:
        listed = [name for name, units in re.findall(r"'([^']*)' \((\d+)\)", str(error)) if int(units) == size]
        if len(listed) != 1:
            raise
        name = listed[0]
    return name, gw.mutate(model, gw.GrowInputs(name, num_units=1, init="zero"), seed=1, example=example)


def vocabulary(model: nn.Module, example: Any) -> str:
    """Grow the words by three; a model without words must be refused."""
    table = table_of_words(model, example) if any(not one.is_floating_point() for one in tensors_of(example)) else None
    if table is None:
        try:
            gw.mutate(model, gw.ResizeVocabulary(), seed=1, example=example)
        except gw.GenewrightError:
            return _NO_END
        return "WRONG: this model has no words"
    size = model.get_submodule(table).weight.shape[0]
    mutant = gw.mutate(model, gw.ResizeVocabulary(size + 3), seed=1, example=example)
    if (made := mutant.get_submodule(table).weight.shape[0]) != size + 3:
        return f"WRONG: {made} words instead of {size + 3}"
    given = unseen(example)
    before = outputs(model, given)
    scored = any(tensor.shape[-1] == size for tensor in before[0] if tensor.dtype.kind == "f")
    said = judged(before, outputs(mutant, given), 3 if scored else 0)
    outputs(mutant, mapped(given, lambda value: torch.where(value < 10, size + value % 3, value)))  # the new words run
    return said + back(model, mutant, gw.ResizeVocabulary(size), example)


def attempted(trial: Callable[[nn.Module, Any], str], model: nn.Module, example: Any) -> str:
    """Return what is said of one end."""
    try:
        return trial(model, example)
    except gw.GenewrightError as error:
        return f"refused: {error}"
    except Exception as error:
        return f"WRONG: {first_line(error)}"


def measured(case: Case) -> dict[str, Any]:
    """Return the line of one model."""
    row: dict[str, Any] = {"library": case.library, "name": case.name, "group": case.group, "built": "", "ends": {}}
    began = time.process_time()
    trials: list[tuple[str, Any, Any]] = [
        (trial.__name__, trial, case.make) for trial in (classes, channels, vocabulary)
    ]
    if case.labelled is not None:
        trials.append(("labels", classes, case.labelled))
    made: dict[Any, Any] = {}
    try:
        with limited(LIMIT), contextlib.redirect_stdout(sys.stderr):
            for end, trial, make in trials:
                if make not in made:
                    try:
                        made[make] = make()
                    except Exception as error:
                        made[make] = None
                        row["built"] = first_line(error) if make is case.make else row["built"]
                if made[make] is not None:
                    row["ends"][end] = attempted(trial, *made[make])
    except TooLongError:
        row["ends"][end] = f"unfinished: {LIMIT:.0f} s of processor time"
    row["seconds"] = round(time.process_time() - began, 1)
    return row


def main() -> None:
    """Run, and write a line a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", nargs="+", choices=CASES)
    parser.add_argument("--all", action="store_true", help="every model up to a size, not the smallest of each family")
    parser.add_argument("--every", type=int, default=1, help="one model in K")
    parser.add_argument("--only", default="*", help="a glob on model names")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder for results")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for library in asked.libraries:
        cases = {case.name: case for case in list(CASES[library](whole=asked.all))[:: asked.every]}
        names = [name for name in cases if fnmatch.fnmatchcase(name, asked.only)]
        lines_of(asked.out / f"ends-{library}.jsonl", names, lambda name, cases=cases: measured(cases[name]), words)


def words(row: dict[str, Any]) -> str:
    """Return a row in words."""
    said = [f"{end}={verdict if ';' in verdict else verdict.split(': 0')[0]}" for end, verdict in row["ends"].items()]
    return f"{row['seconds']:6.1f} s  {row['built']}  {'  '.join(said)[:500]}"


if __name__ == "__main__":
    main()
