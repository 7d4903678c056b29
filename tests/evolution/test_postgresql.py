"""A store in PostgreSQL: a real server, which the test starts where one is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import genewright as gw
from genewright.evolution.stores.opening import store_to_read
from tests.evolution.problems import evolved, loss, network, story, weights

for package in ("sqlalchemy", "pg8000"):
    pytest.importorskip(package)


def _programs() -> Path | None:
    """Return the folder of the newest server's programs."""
    found = [Path(shutil.which("initdb") or "/nowhere").resolve().parent, *Path("/usr/lib/postgresql").glob("*/bin")]
    return max((folder for folder in found if (folder / "postgres").exists()), default=None)


PROGRAMS = _programs()
pytestmark = pytest.mark.skipif(
    PROGRAMS is None, reason="no PostgreSQL server is installed: apt-get install postgresql"
)
USER = "nobody"  # root may not run the server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a server of our own, which listens on a port that was free."""
    import socket

    assert PROGRAMS is not None
    folder = Path(f"/tmp/genewright-postgresql-{os.getpid()}")  # pytest's own folders are root's alone
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    as_user: list[str] = []
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        shutil.chown(folder, USER)
        as_user = ["setpriv", f"--reuid={USER}", "--clear-groups"]
    data = str(folder / "data")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    try:
        subprocess.run(
            [*as_user, str(PROGRAMS / "initdb"), "-D", data, "-U", "evolver", "-A", "trust", "--no-sync"],
            check=True, capture_output=True, cwd=folder,
        )  # fmt: skip
        control = [*as_user, str(PROGRAMS / "pg_ctl"), "-D", data]
        subprocess.run(
            [*control, "-l", str(folder / "log"), "-o", options, "-w", "start"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
        try:
            yield f"postgresql+pg8000://evolver@127.0.0.1:{port}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd=folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database."""
    import sqlalchemy

    name = f"run_of_{request.node.name.partition('_')[2][:40]}"
    engine = sqlalchemy.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{server}/{name}"


def test_a_run_is_the_run_in_memory_and_goes_on(database: str) -> None:
    settings: Any = {"strategy": gw.GeneticAlgorithm(population=8, parents=3, crossover=0.5)}
    first = evolved(store=database, **settings, generations=2)
    with pytest.raises(gw.StoreError, match="another process goes on with this run"):
        gw.resume(database, model=network(), fitness=loss)
    with store_to_read(database) as reading:
        assert len(reading.columns()["number"]) == 17
    first.close()
    run = gw.resume(database, model=network(), fitness=loss, generations=4)
    held = evolved(**settings)
    assert story(run) == story(held)
    assert gw.fingerprint(run.best_model) == gw.fingerprint(held.best_model)
    run.close()
    with pytest.raises(gw.StoreError, match="holds a run already"):
        evolved(store=database)
    with pytest.raises(gw.StoreError, match="was judged by loss"):
        gw.resume(database, model=network(), fitness=weights)


def test_a_process_that_is_killed_lets_go_of_its_run(database: str) -> None:
    program = (
        "import os\n"
        "from tests.evolution.problems import *\n"
        "def stop(report):\n"
        "    if report.generation == 2: os.kill(os.getpid(), 9)\n"
        f"evolved(store={database!r}, callbacks=[stop])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == -9
    run = gw.resume(database, model=network(), fitness=loss)
    assert story(run) == story(evolved())
    run.close()


def test_no_database_is_said(server: str) -> None:
    with pytest.raises(gw.StoreError, match="nothing_here"):
        gw.resume(f"{server}/nothing_here", model=network(), fitness=loss)
    with pytest.raises(gw.StoreError, match="127"):
        evolved(store="postgresql+pg8000://evolver@127.0.0.1:1/nowhere")
