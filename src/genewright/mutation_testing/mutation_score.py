"""mutation_score: how good is a test set? The share of mutants that it tells from the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genewright.mutation_testing.campaign import campaign
from genewright.mutation_testing.counting import Progress
from genewright.mutation_testing.criteria.criterion import Criterion
from genewright.mutation_testing.mutants import Mutants
from genewright.mutation_testing.presets.standard import STANDARD
from genewright.mutation_testing.report import MutationReport
from genewright.operator import AnyOperator
from genewright.seeding import Seed, seed_required


@seed_required("gw.mutation_score(model, (x_test, y_test), seed=1)")
def mutation_score(
    model: Any,
    data: Any,
    *,
    seed: Seed,
    mutants: Mutants | AnyOperator = STANDARD,
    count: int | None = None,
    criterion: str | Criterion | None = None,
    alpha: float = 0.05,
    train: Any = None,
    store: str | Path | None = None,
    executor: Any = None,
    batch_size: int | None = None,
    progress: Progress = None,
) -> MutationReport:
    """Say how good a test set is: which mutants of a model it tells from the original.

    The result is a property of model, mutants and data together; compare two test sets of one model, or one test set
    before and after it was made larger, with the same mutants and seed.

    Args:
        model: A torch module or a Keras model; or a list of several trainings of one architecture.
        data: The test set, (X, y): as `gw.compare` takes it.
        seed: The seed of the mutants.
        mutants: Which mutants; weights and units of one layer at a time by default.
        count: How many; 200 by default.
        criterion: As in `campaign`.
        alpha: As in `campaign`.
        train: As in `campaign`.
        store: As in `campaign`.
        executor: As in `campaign`.
        batch_size: As in `campaign`.
        progress: As in `campaign`.

    Returns:
        The report; print it to read it.

    Raises:
        GenewrightError: As in `campaign`.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> data = torch.randn(60, 4), torch.randint(0, 3, (60,))
        >>> report = gw.mutation_score(net, data, count=14, seed=1)
        >>> sum(report.outcomes().values())
        14

    References:
        Ma et al., "DeepMutation: Mutation Testing of Deep Learning Systems", arXiv:1805.05206.
    """
    return campaign(
        model,
        data,
        mutants,
        seed=seed,
        count=count,
        criterion=criterion,
        alpha=alpha,
        train=train,
        store=store,
        executor=executor,
        batch_size=batch_size,
        progress=progress,
    )
