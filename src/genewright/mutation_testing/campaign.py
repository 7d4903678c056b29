"""campaign: many mutants of one model, or of several, run on data and kept; and the score that they give it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from genewright.errors import SettingError
from genewright.fingerprint import form_of
from genewright.mutation_testing.bench import Bench
from genewright.mutation_testing.counting import Counted, Progress, counting
from genewright.mutation_testing.crew import Crew, Team
from genewright.mutation_testing.criteria.criterion import Criterion, as_criterion, check_level
from genewright.mutation_testing.data_fingerprint import data_fingerprint
from genewright.mutation_testing.mutants import Mutants
from genewright.mutation_testing.record import Record, label_of
from genewright.mutation_testing.report import MutationReport
from genewright.mutation_testing.store import CampaignStore
from genewright.operator import AnyOperator
from genewright.seeding import Seed, seed_required, seed_to_json
from genewright.settings import check_integer

_CALL = "gw.{}(model, (x_test, y_test), {}seed=1)"


@seed_required(_CALL.format("campaign", "mutants, "))
def campaign(
    model: Any,
    data: Any,
    mutants: Mutants | AnyOperator,
    *,
    seed: Seed,
    count: int | None = None,
    criterion: str | Criterion | None = None,
    alpha: float = 0.05,
    train: Any = None,
    store: str | Path | None = None,
    executor: Any = None,
    shard: tuple[int, int] | None = None,
    batch_size: int | None = None,
    progress: Progress = None,
) -> MutationReport:
    """Run many mutants of a model on data, each beside the original, and judge them.

    The model is mutated in place and taken back after each mutant; every byte is as it was at the end.

    Args:
        model: A torch module or a Keras model; or a list of several trainings of one architecture, which are mutated
            alike, for criteria that compare trainings.
        data: Samples, and their targets: as `gw.compare` takes them.
        mutants: Which mutants; an operator alone, its name, or several in a list stand for ``gw.Mutants(operators)``.
        seed: The seed; mutant i depends on it, on `mutants` and on the model alone.
        count: How many; 200 by default, all of them where the mutants are exhaustive.
        criterion: When a mutant is killed: a name or a criterion. "mcnemar" by default for one model, "paired" for
            several; "output" where the data has no classes.
        alpha: Level of the test, after the correction of Benjamini and Hochberg for the number of mutants.
        train: Training data: mutants that survive there too are named in `likely_equivalent`.
        store: A folder that keeps every row. Called again with the same arguments, the campaign goes on where it was
            killed; with a larger `count`, it is extended, and no earlier row changes.
        executor: `gw.Serial()`, the default, or `gw.Processes(n, threads=t)`: the report is the same where torch
            computes with t threads here too (`torch.set_num_threads(t)`, at first); else last bits of sums differ.
        shard: (k, n): only the mutants i with i % n == k, to share a campaign out among machines;
            `MutationReport.merged` puts the reports together.
        batch_size: Samples a batch; by default as many as keep what is kept of a batch small. Outputs of float models
            depend on it in their last bits, so a store holds it.
        progress: Show a line of progress; by default where standard error is a terminal. Or a function, called with
            how many mutants are done, and of how many.

    Returns:
        The report.

    Raises:
        SettingError: A setting is out of its range, or the criterion does not fit models or data.
        DataError: The data holds no samples, or does not fit the model.
        SelectionError: No operator has a site in this network.
        StoreError: The store holds another campaign, or another process has it.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> data = torch.randn(50, 4), torch.randint(0, 3, (50,))
        >>> report = gw.campaign(net, data, gw.Mutants(gw.Zero(rate=0.5)), count=10, criterion="any", seed=1)
        >>> len(report.rows)
        10

    References:
        Jahangirova and Tonella, "An Empirical Evaluation of Mutation Operators for Deep Learning Systems", ICST 2020,
        for what a killed mutant is; Panichella and Liem, "What Are We Really Testing in Mutation Testing for Machine
        Learning? A Critical Reflection", ICSE-NIER 2021, for what it is not.
    """
    mutants = mutants if isinstance(mutants, Mutants) else Mutants(cast("Any", mutants))
    models: list[Any] = list(cast("Sequence[Any]", model)) if isinstance(model, list | tuple) else [model]
    if not models:
        raise SettingError("model: expected a model, or several in a list; received an empty list.")
    check_level("alpha", alpha)
    chosen = None if criterion is None else as_criterion(criterion, len(models))
    data, train = _kept(data), _kept(train)
    setup = Setup(models, mutants, seed, batch_size, float(getattr(chosen, "tolerance", 0.0)))
    team = setup.team(data)
    if chosen is None:
        values = team.benches[0].original.targets not in ("classes", "binary")
        chosen = as_criterion("output" if values else None, len(models))
        setup = dataclasses.replace(setup, tolerance=float(getattr(chosen, "tolerance", 0.0)))
        team = setup.team(data) if setup.tolerance else team
    originals = tuple(bench.original for bench in team.benches)
    _check_alike(team)
    chosen.check(originals)
    numbers = _numbers(team, mutants, count, shard)
    about = {
        "models": [original.fingerprint for original in originals],
        "data": data_fingerprint(models[0], data),
        "mutants": mutants.to_json(),
        "seed": seed_to_json(seed),
        "batch_size": team.benches[0].batch_size,
        "tolerance": setup.tolerance,
    }
    setup = dataclasses.replace(setup, batch_size=team.benches[0].batch_size)  # as other processes cut the batches
    with (
        Crew(team, (Setup.team, (setup, data)), executor) as crew,
        counting("campaign", progress) as told,
    ):
        records = _run(crew, numbers, about, store, told)
    notes = list(team.benches[0].planned.left_out.values())
    report = MutationReport.judged(records, originals, chosen, alpha, about, tuple(notes))
    if train is None:
        return report
    todo = [row.number for row in report.rows if row.outcome == "survived"]
    setup = dataclasses.replace(setup, batch_size=batch_size)
    team = setup.team(train)
    setup = dataclasses.replace(setup, batch_size=team.benches[0].batch_size)
    with (
        Crew(team, (Setup.team, (setup, train)), executor) as crew,
        counting("campaign", progress) as told,
    ):
        records = _run(crew, todo, {}, None, told)
    originals = tuple(bench.original for bench in team.benches)
    return report.with_training(MutationReport.judged(records, originals, chosen, alpha, {}, ()))


@dataclass(frozen=True)
class Setup:
    """What decides what every mutant does on data.

    Attributes:
        models: The originals.
        mutants: Which mutants.
        seed: The campaign's seed.
        batch_size: Samples a batch; None for what fits.
        tolerance: By how much an output may change and count as unmoved.
    """

    models: list[Any]
    mutants: Mutants
    seed: Seed
    batch_size: int | None
    tolerance: float

    def team(self, data: Any) -> Team:
        """Return what runs the mutants on data, in whichever process."""
        benches = [
            Bench(one, self.mutants, data, seed=self.seed, batch_size=self.batch_size, tolerance=self.tolerance)
            for one in self.models
        ]
        return Team(benches, [label_of(operator) for operator in self.mutants.operators])


def _run(
    crew: Crew[list[Record]], numbers: list[int], about: dict[str, Any], store: str | Path | None, told: Counted
) -> list[Record]:
    with contextlib.ExitStack() as stack:
        kept = None
        known: dict[int, Record] = {}
        if store is not None:
            kept = stack.enter_context(CampaignStore(store, Record.from_json, Record.to_json))
            kept.open(about)
            known.update((record.number, record) for record in kept.kept)
        todo = [number for number in numbers if number not in known]
        done = len(numbers) - len(todo)
        for share in crew.shares(todo):
            known.update((record.number, record) for record in share)
            if kept is not None:
                kept.add(share)
            done += len(share)
            told(done, len(numbers))
    return [known[number] for number in numbers]


def _numbers(team: Team, mutants: Mutants, count: int | None, shard: tuple[int, int] | None) -> list[int]:
    if mutants.exhaustive:
        if count is not None:
            raise SettingError("count: exhaustive mutants are all there are; leave out count, or exhaustive=True.")
        total = len(team.benches[0].planned)
    else:
        check_integer("campaign", "count", 200 if count is None else count, low=1)
        total = 200 if count is None else count
    if shard is None:
        return list(range(total))
    if not isinstance(shard, tuple) or len(shard) != 2:  # pyright: ignore[reportUnnecessaryIsInstance, reportUnnecessaryComparison]
        raise SettingError(f"campaign: shard is (k, n), the mutants i with i % n == k; received {shard!r}.")
    first, step = shard
    check_integer("campaign", "shard[1]", step, low=1)
    check_integer("campaign", "shard[0]", first, low=0, high=step - 1)
    return list(range(first, total, step))


def _check_alike(team: Team) -> None:
    """Refuse models of several architectures: mutant i would be another one on each.

    Raises:
        SettingError: They are such.
    """
    first, *others = (form_of(bench.network) for bench in team.benches)
    for at, form in enumerate(others, 1):
        if form != first:
            raise SettingError(
                f"model: several trainings have one architecture; model {at} has other tensors than model 0 (names, "
                "shapes or dtypes differ). Run one campaign for each architecture."
            )


def _kept(data: Any) -> Any:
    """Return data that can be gone through again."""
    return list(cast("Iterator[Any]", data)) if isinstance(data, Iterator) else data
