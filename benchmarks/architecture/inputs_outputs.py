"""Inputs, outputs and vocabularies that grow, on the models of the coverage benchmark: kept, refused, wrong.

    python benchmarks/architecture/inputs_outputs.py --library torchvision --seconds 300 > results.jsonl

One line a model and operator. "kept": the outputs that stay are equal to 1e-5 of the largest one, in float32, as
measured here and not by the library; "refused": with the reason; "wrong": they differ, or another exception came;
"none": the model has no such end.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
import zoo

import genewright as gw
from genewright.backends.torch.predict import predict

OPERATORS = {
    "classes": gw.GrowOutputs(num_units=2),
    "channels": gw.GrowInputs(num_units=1),
    "vocabulary": gw.ResizeVocabulary(),
}
CASES = {"torchvision": zoo.torchvision_cases, "timm": zoo.timm_cases, "transformers": zoo.transformers_cases}
_NONE = ("No layer reads", "No layer writes", "no table of words", "gw.ResizeVocabulary")


def outcome(model: Any, example: Any, operator: Any) -> dict[str, Any]:
    """Return what becomes of one operator on one model."""
    try:
        mutant = gw.mutate(model, operator, seed=1, example=example)
    except gw.GenewrightError as error:
        return {
            "outcome": "none" if any(text in str(error) for text in _NONE) else "refused",
            "why": zoo.first_line(error),
        }
    except Exception as error:
        return {"outcome": "wrong", "why": zoo.first_line(error)}
    given = example
    if isinstance(operator, gw.GrowInputs):
        given = torch.cat([example, torch.randn_like(example[:, :1])], 1) if isinstance(example, torch.Tensor) else None
    if given is None:
        return {"outcome": "kept", "why": "checked by the library alone"}
    difference = 0.0
    for old, new in zip(predict(model, example), predict(mutant, given), strict=True):
        stay = new[tuple(slice(0, size) for size in old.shape)]
        if old.dtype.kind == "f" and old.size:
            difference = max(difference, float(np.abs(stay - old).max() / max(float(np.abs(old).max()), 1e-30)))
    return {"outcome": "kept" if difference <= 1e-5 else "wrong", "why": f"{difference:.2g}"}


def main() -> None:
    """Go through the models of a library until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", choices=list(CASES), default="torchvision")
    parser.add_argument("--seconds", type=float, default=600)
    chosen = parser.parse_args()
    end = time.monotonic() + chosen.seconds
    for case in CASES[chosen.library]():
        if time.monotonic() > end:
            break
        try:
            model, example = case.make()
        except Exception:
            continue
        for name, operator in OPERATORS.items():
            row = {"library": case.library, "model": case.name, "end": name, **outcome(model, example, operator)}
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
