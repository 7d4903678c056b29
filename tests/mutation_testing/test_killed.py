"""A campaign that is killed at any instant, and several workers: the report is that of one run in one process."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import genewright as gw
from tests.mutation_testing.nets import blobs, mlp, trained

COUNT = 260

SCRIPT = """
import sys, time
import genewright as gw
from tests.mutation_testing.test_killed import campaign
campaign(sys.argv[1], progress=lambda done, of: time.sleep(0.1))
"""


def campaign(store: str | Path | None = None, **options: object) -> gw.MutationReport:
    """Run the campaign, or go on with it."""
    net = trained(mlp(), blobs(200, 1), steps=30)
    before = gw.fingerprint(net)
    report = gw.mutation_score(net, blobs(), count=COUNT, seed=1, store=store, **options)
    assert gw.fingerprint(net) == before
    return report


def rows_of(store: Path) -> int:
    rows = store / "rows.jsonl"
    return rows.read_bytes().count(b"\n") if rows.exists() else 0


def killed_after(store: Path, rows: int, seconds: float) -> bool:
    """Go on with the campaign in a process of its own; kill that a while after it has written so many more rows."""
    had, environment = rows_of(store), os.environ | {"OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(store)], env=environment)
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
