"""A campaign, or a run of faults, that is killed at any instant; several workers: the report is that of one run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import genewright as gw
from tests.mutation_testing.nets import blobs, mlp, trained

COUNT = 260

SCRIPT = """
import sys, time
from tests.mutation_testing import test_killed
getattr(test_killed, sys.argv[1])(sys.argv[2], progress=lambda done, of: time.sleep(0.1))
"""


def campaign(store: str | Path | None = None, **options: Any) -> gw.MutationReport:
    """Run the campaign, or go on with it."""
    net = trained(mlp(), blobs(200, 1), steps=30)
    before = gw.fingerprint(net)
    report = gw.mutation_score(net, blobs(), count=COUNT, seed=1, store=store, **options)
    assert gw.fingerprint(net) == before
    return report


def faults(store: str | Path | None = None, **options: Any) -> gw.FaultRate:
    """Run faults, or go on with them."""
    net = trained(mlp(), blobs(200, 1), steps=30)
    before = gw.fingerprint(net)
    rate = gw.fault_rate(net, blobs(), margin=0.02, confidence=0.95, seed=1, store=store, **options)
    assert gw.fingerprint(net) == before
    return rate


def rows_of(store: Path) -> int:
    rows = store / "rows.jsonl"
    return rows.read_bytes().count(b"\n") if rows.exists() else 0


def killed_after(store: Path, rows: int, seconds: float, run: str = "campaign") -> bool:
    """Go on with a run in a process of its own; kill that a while after it has written so many more rows."""
    had, environment = rows_of(store), os.environ | {"OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, run, str(store)], env=environment)
    while child.poll() is None and rows_of(store) < had + rows:
        time.sleep(0.002)
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    return child.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_a_campaign_that_is_killed_three_times_gives_the_report_of_one_that_was_not(tmp_path: Path) -> None:
    chances = random.Random(1)
    kills = [killed_after(tmp_path / "a", rows, chances.uniform(0, 0.15)) for rows in (1, 16, 16)]
    assert all(kills), "a process ended before it was killed"
    assert 32 < rows_of(tmp_path / "a") < COUNT
    assert campaign(tmp_path / "a").to_json() == campaign().to_json()


@pytest.mark.slow
def test_two_workers_give_the_report_of_one_and_go_on_with_its_store(tmp_path: Path) -> None:
    whole = campaign()
    assert campaign(executor=gw.Processes(2)).to_json() == whole.to_json()
    assert killed_after(tmp_path / "a", 16, 0.0)
    assert campaign(tmp_path / "a", executor=gw.Processes(2)).to_json() == whole.to_json()


@pytest.mark.slow
def test_faults_that_are_killed_three_times_give_the_rate_of_a_run_that_was_not(tmp_path: Path) -> None:
    chances = random.Random(2)
    kills = [killed_after(tmp_path / "a", 1, chances.uniform(0, 0.15), "faults") for _ in range(3)]
    assert all(kills), "a process ended before it was killed"
    assert rows_of(tmp_path / "a") >= 3
    assert faults(tmp_path / "a").to_json() == faults().to_json()


@pytest.mark.slow
def test_two_workers_inject_the_faults_of_one_and_go_on_with_its_store(tmp_path: Path) -> None:
    whole = faults()
    assert faults(executor=gw.Processes(2)).to_json() == whole.to_json()
    assert killed_after(tmp_path / "a", 1, 0.0, "faults")
    assert faults(tmp_path / "a", executor=gw.Processes(2)).to_json() == whole.to_json()
