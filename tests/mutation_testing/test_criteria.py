"""Criteria: each against its formula written out, their false positives, and the published moments of PMT."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

import genewright as gw
from genewright.mutation_testing.criteria.criterion import as_criterion, criteria, criterion_from_json
from genewright.mutation_testing.criteria.paired import permutation_p
from genewright.mutation_testing.smallest import smallest_cover
from genewright.mutation_testing.trial import Original, Trial
from genewright.testing import (
    PMT,
    AnySample,
    ClassKills,
    DeepCrime,
    Drop,
    McNemar,
    Paired,
    benjamini_hochberg,
    clopper_pearson,
    sequential_test,
    wilson,
)
from tests.mutation_testing.nets import blobs, mlp, trained

RIGHT = np.array([True] * 18 + [False] * 2)
CLASSES = np.arange(20) % 4


def pair(wrong: np.ndarray) -> tuple[list[Trial], list[Original]]:
    original = Original(
        fingerprint="b3:",
        right=RIGHT,
        classes=CLASSES,
        confidence=np.ones(20, np.float32),
        score=0.9,
        targets="classes",
    )
    difference = (~wrong).astype(float) - RIGHT.astype(float)
    trial = Trial(
        wrong=wrong,
        changed=wrong,
        moved=wrong,
        score=float((~wrong).mean()),
        difference=float(difference.mean()),
        spread=float(difference.std(ddof=1)),
        largest_change=0.1,
    )
    return [trial], [original]


def broken(number: int) -> np.ndarray:
    return np.array([at < number for at in range(20)]) | ~RIGHT


def test_mcnemar_is_the_exact_test_of_discordant_pairs() -> None:
    for number in range(9):
        verdict = McNemar().judge(*pair(broken(number)), 0.05)
        assert verdict.p == pytest.approx(
            stats.binomtest(number, number, 0.5, alternative="greater").pvalue if number else 1
        )
        assert (verdict.p is not None and verdict.p <= 0.05) == (number >= 5), number  # 5 against 0 is the least
        assert verdict.effect == pytest.approx(number / 20)
    mended = broken(5) & RIGHT  # five broken, both errors mended
    assert McNemar().judge(*pair(mended), 0.05).p == pytest.approx(stats.binom.sf(4, 7, 0.5))
    assert McNemar().smallest_drop(pair(RIGHT)[1][0], 0.05) == 5 / 20


def test_any_and_class_count_what_is_broken() -> None:
    assert not AnySample().judge(*pair(broken(0)), 0.05).killed
    assert AnySample().judge(*pair(broken(1)), 0.05).killed
    for number in range(6):
        verdict = ClassKills().judge(*pair(broken(number)), 0.05)
        assert verdict.effect == min(number, 4) / 4
        assert verdict.killed == (number > 0)


def test_drop_is_the_paired_t_test() -> None:
    wrong = broken(6)
    losses = RIGHT.astype(float) - (~wrong).astype(float)
    for points in (0.0, 10.0):
        verdict = Drop(points=points).judge(*pair(wrong), 0.05)
        found = stats.ttest_1samp(losses, points / 100, alternative="greater")
        assert verdict.p == pytest.approx(found.pvalue)
    assert verdict.interval == pytest.approx(tuple(stats.ttest_1samp(losses, 0).confidence_interval(0.9)))


def test_paired_is_the_sign_flip_test_up_to_twelve_and_wilcoxon_beyond() -> None:
    draw = np.random.default_rng(1)
    few = draw.normal(0.3, 1, 9)
    found = stats.permutation_test(
        (few,), np.sum, permutation_type="samples", alternative="greater", n_resamples=1 << 10
    )
    assert permutation_p(few) == pytest.approx(found.pvalue)
    many = draw.normal(0.3, 1, 30)
    verdict = Paired().compare(np.zeros(30), -many, 0.05)
    assert verdict.p == pytest.approx(stats.wilcoxon(many, alternative="greater").pvalue)
    assert Paired().compare(np.ones(5), np.zeros(5), 0.05).p == 2**-5


def test_deepcrime_is_a_linear_model_with_a_normal_p() -> None:
    draw = np.random.default_rng(2)
    before, after = draw.normal(0.98, 0.002, 20), draw.normal(0.979, 0.002, 20)
    verdict = DeepCrime().compare(before, after)
    x = np.column_stack([np.ones(40), np.repeat([0.0, 1.0], 20)])
    y = np.concatenate([before, after])
    beta, residual, *_ = np.linalg.lstsq(x, y, rcond=None)
    error = math.sqrt(residual[0] / 38 * np.linalg.inv(x.T @ x)[1, 1])
    assert verdict.p == round(2 * stats.norm.sf(abs(beta[1] / error)), 3)
    assert verdict.effect == pytest.approx(-beta[1] / math.sqrt((before.var(ddof=1) + after.var(ddof=1)) / 2))


# The accuracies that Tambon et al. published (FlowSs/PMT) carry no licence, so they are not here: what follows has
# their moments and quantiles (200 networks on MNIST, 10,000 images) and the authors' own results, from the README.
HEALTHY = (0.991514, 0.000633)  # mean and standard deviation of the accuracies
DELETED = {  # share of the training data in %: moments, and the authors' estimate of the probability of being killed
    "none": (HEALTHY, 0.0637),
    "3.10": ((0.991298, 0.000854), 0.1402),
    "9.29": ((0.991072, 0.000835), 0.4763),
    "12.38": ((0.991094, 0.000761), 0.4732),
    "18.57": ((0.990908, 0.000713), 0.7968),
    "30.93": ((0.990360, 0.000737), 0.9901),
}
FROZEN = (0.991195, 0.000870)  # units frozen 1 %
FROZEN_LOSSES = (-12, -4, -3, -2, -1, -1, 0, 0, 1, 1.55, 2, 3, 3, 4, 4, 5, 6, 8, 10.1, 19, 27)
# Quantiles, in steps of 5 %, of what each of the 200 networks loses by it, in images.


def _with_moments(mean: float, deviation: float, number: int) -> np.ndarray:
    scores = stats.norm.ppf((np.arange(number) + 0.5) / number)
    return mean + deviation * scores / scores.std(ddof=1)


@pytest.mark.parametrize(
    ("d", "p", "killed"),
    [
        (0.03689417305183907, 0.907, False),
        (0.6241987215473714, 0.048, True),
        (0.2735018636400621, 0.387, False),
        (1.0074392666953291, 0.001, True),
        (1.6320878597970647, 0.0, True),
    ],
)
def test_deepcrime_gives_the_published_p_and_verdict(d: float, p: float, killed: bool) -> None:
    """Twenty networks of DeepCrime's own against twenty mutants, training data deleted; effects as published."""
    before = _with_moments(0.99, 0.001, 20)
    verdict = DeepCrime().compare(before, before - d * 0.001)
    assert verdict.effect == pytest.approx(d)
    assert verdict.p == p
    assert (verdict.killed and p < 0.05) == killed


@pytest.mark.slow
@pytest.mark.parametrize(("moments", "published"), DELETED.values(), ids=DELETED)
def test_pmt_estimates_what_its_authors_do(moments: tuple[float, float], published: float) -> None:
    verdict = PMT().compare(_with_moments(*HEALTHY, 200), _with_moments(*moments, 200))
    assert verdict.effect == pytest.approx(published, abs=0.03)
    assert verdict.killed == (published > 0.5)
    assert verdict.interval is not None
    assert verdict.interval[0] < published < verdict.interval[1]


def test_pmt_kills_whichever_way_the_scores_differ() -> None:
    scores = _with_moments(0.9, 0.01, 40)
    better, worse = (PMT(draws=20, bootstraps=5).compare(scores, scores + shift) for shift in (0.05, -0.05))
    assert better.killed
    assert better.effect == worse.effect == pytest.approx(21 / 22)


def test_the_paired_test_kills_units_frozen_in_most_draws_and_nothing_in_few() -> None:
    """Draws of 20 pairs at level 0.025; the null has losses of the same sizes that go either way alike."""
    draw = np.random.default_rng(5)
    steps = np.linspace(0, 1, len(FROZEN_LOSSES))
    frozen = np.interp(draw.random((1500, 20)), steps, FROZEN_LOSSES).round() / 10_000
    nothing = np.abs(frozen) * draw.choice([-1, 1], frozen.shape)
    rate = [np.mean([Paired().compare(one, 0 * one, 0.025).p <= 0.025 for one in each]) for each in (frozen, nothing)]
    assert rate[0] >= 0.55
    assert rate[1] <= 0.035


def test_deepcrime_finds_a_quarter_of_them() -> None:
    draw = np.random.default_rng(6)
    before, after = (draw.normal(*moments, (1500, 20)) for moments in (HEALTHY, FROZEN))
    verdicts = [DeepCrime().compare(a, b) for a, b in zip(before, after, strict=True)]
    assert 0.2 <= np.mean([verdict.killed and verdict.p < 0.05 for verdict in verdicts]) <= 0.32


def test_a_false_alarm_of_mcnemar_is_as_rare_as_its_level() -> None:
    """Null: each discordant pair goes either way alike."""
    draw = np.random.default_rng(4)
    discordant = draw.binomial(40, 0.3, 2000)
    heads = draw.binomial(discordant, 0.5)
    p = stats.binom.sf(heads - 1, discordant, 0.5)
    alarms = int((p <= 0.05).sum())
    assert stats.binomtest(alarms, 2000, 0.05, alternative="greater").pvalue > 1e-3


def test_intervals_and_the_correction_are_those_of_the_textbooks() -> None:
    z = stats.norm.ppf(0.975)
    share, n = 28 / 60, 60
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert wilson(28, 60) == pytest.approx((middle - half, middle + half))
    assert clopper_pearson(28, 60) == pytest.approx((stats.beta.ppf(0.025, 28, 33), stats.beta.ppf(0.975, 29, 32)))
    p = [0.001, 0.02, 0.04, 0.9]
    assert benjamini_hochberg(p).tolist() == pytest.approx([0.004, 0.04, 0.16 / 3, 0.9])


def test_a_smallest_set_kills_all_and_its_bound_holds() -> None:
    draw = np.random.default_rng(6)
    for _ in range(20):
        kills = draw.random((12, 9)) < 0.25
        cover = smallest_cover(kills)
        assert kills[kills.any(axis=1)][:, list(cover.samples)].any(axis=1).all()
        fewest = min(
            chosen.bit_count()
            for chosen in range(1 << 9)
            if kills[kills.any(axis=1)][:, [at for at in range(9) if chosen >> at & 1]].any(axis=1).all()
        )
        assert cover.at_least <= fewest <= len(cover.samples) <= fewest + 1


def test_the_sequential_test_stops_where_wald_stops() -> None:
    low, high = 0.0425 - 0.00425, 0.0425 + 0.00425
    number = math.ceil(math.log(0.05 / 0.95) / math.log((1 - high) / (1 - low)))
    verdict = sequential_test(np.zeros(500), threshold=0.0425, margin=0.00425)
    assert (verdict.decision, verdict.mutants) == ("below", number)
    assert sequential_test(np.ones(500), threshold=0.0425, margin=0.00425).decision == "above"
    with pytest.raises(gw.SettingError, match="between 0 and 1"):
        sequential_test([True], threshold=0.01, margin=0.02)


def test_criteria_are_found_by_name_and_come_back_from_json() -> None:
    assert list(criteria()) == ["any", "class", "deepcrime", "drop", "mcnemar", "output", "paired", "pmt"]
    for name, kind in criteria().items():
        assert criterion_from_json(kind().to_json()) == as_criterion(name, 1)
    assert criterion_from_json(Drop(points=2.0).to_json()) == Drop(points=2.0)
    with pytest.raises(gw.UnknownNameError, match="mcnemar"):
        as_criterion("macnemar", 1)


def test_a_criterion_refuses_models_that_it_cannot_judge() -> None:
    net, data = trained(mlp(), blobs(40), steps=5), blobs(40)
    spec = gw.Mutants(gw.Zero(rate=0.5))
    with pytest.raises(gw.SettingError, match="several models"):
        gw.campaign(net, data, spec, count=2, criterion="paired", seed=1)
    with pytest.raises(gw.SettingError, match="judges one model"):
        gw.campaign([net, mlp(2)], data, spec, count=2, criterion="mcnemar", seed=1)


def test_several_trainings_are_judged_as_pairs() -> None:
    data = blobs()
    nets = [trained(mlp(seed), blobs(200, 1)) for seed in range(6)]
    report = gw.campaign(nets, data, gw.Mutants(gw.Zero(rate=0.9), sites="all"), count=2, seed=1)
    x, y = data
    for row in report.rows:
        losses = []
        for net in nets:
            with gw.mutated(net, gw.Zero(rate=0.9), seed=1):
                pass
            before = float((net(x).argmax(1) == y).double().mean())
            recipe = report.recipe(row.number).steps[0]
            with torch.no_grad():
                mutant = gw.mutate(net, recipe.operator, seed=1)
            losses.append(before - float((mutant(x).argmax(1) == y).double().mean()))
        assert row.outcome is gw.Outcome.KILLED
        assert row.p == 2**-6
        assert row.effect is not None
        assert row.effect > 0.1
        assert min(losses) > 0.1
