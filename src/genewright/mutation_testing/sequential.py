"""The sequential test of Wang et al.: is a sample's label more easily changed by mutants than that of normal ones?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from genewright.calls import answered
from genewright.errors import SettingError


@dataclass(frozen=True)
class SequentialVerdict:
    """What the test says of one sample.

    Attributes:
        decision: "above" where its rate is the higher one, "below" where it is the lower, else "undecided".
        mutants: How many it took.
    """

    decision: Literal["above", "below", "undecided"]
    mutants: int


@answered(who="gw.testing.sequential_test")
def sequential_test(
    changed: Any, *, threshold: float, margin: float, alpha: float = 0.05, beta: float = 0.05
) -> SequentialVerdict:
    """Decide by Wald's test, mutant by mutant, whether a sample's label change rate is above a threshold.

    H1: rate >= threshold + margin, against H0: rate <= threshold - margin. After z changes in n mutants the logarithm
    of the likelihood ratio is z log(p1 / p0) + (n - z) log((1 - p1) / (1 - p0)); at log((1 - beta) / alpha) the answer
    is "above", at log(beta / (1 - alpha)) it is "below". It is looked at after every mutant, as Wald proved it; the
    authors' code looks only after a change. Look at `MutationReport.confidence` first: it often tells as much.

    Args:
        changed: Whether each mutant changes the sample's label, in order: a column of `MutationReport.changes`.
        threshold: The rate in between; in the paper from normal samples.
        margin: Half the width of the region that does not matter.
        alpha: Probability of a wrong "above".
        beta: Probability of a wrong "below".

    Raises:
        SettingError: A number is out of its range.

    Example:
        >>> sequential_test([False] * 500, threshold=0.05, margin=0.005)
        SequentialVerdict(decision='below', mutants=280)

    References:
        Wald, "Sequential Tests of Statistical Hypotheses", Annals of Mathematical Statistics 16(2), 1945; Wang, Dong,
        Sun, Wang and Zhang, "Adversarial Sample Detection for Deep Neural Network through Model Mutation Testing",
        ICSE 2019, algorithm 2.
    """
    low, high = threshold - margin, threshold + margin
    if not 0 < low < high < 1 or not 0 < alpha < 1 or not 0 < beta < 1:
        raise SettingError(
            "sequential_test: threshold - margin and threshold + margin lie between 0 and 1, and so do alpha and beta; "
            f"received threshold={threshold!r}, margin={margin!r}, alpha={alpha!r}, beta={beta!r}."
        )
    hits = np.asarray(changed)
    if hits.ndim != 1 or not np.isin(hits, (0, 1)).all():
        raise SettingError(
            "sequential_test: changed says of each mutant whether it changes the label, such as report.changes[:, 0]; "
            f"received an array of shape {hits.shape} with other values than False and True."
        )
    up, down = math.log(high / low), math.log((1 - high) / (1 - low))
    top, bottom = math.log((1 - beta) / alpha), math.log(beta / (1 - alpha))
    total = 0.0
    for number, hit in enumerate(hits.astype(np.bool_), start=1):
        total += up if hit else down
        if total >= top:
            return SequentialVerdict("above", number)
        if total <= bottom:
            return SequentialVerdict("below", number)
    return SequentialVerdict("undecided", len(np.asarray(changed)))
