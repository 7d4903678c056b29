"""The store: what is kept survives a kill at any instant; what is wrong with it is said, and nothing is lost."""

from __future__ import annotations

import dataclasses
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import genewright as gw
from genewright.evolution.individual import Genome, Individual
from genewright.evolution.stores.opening import existing_store, new_store, store_to_read
from tests.evolution import killing
from tests.evolution.problems import NOISE, SMALL, evolved, loss, network, story, weights

pytest.importorskip("sqlalchemy")


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "run.db")


def test_a_run_in_a_store_is_the_run_in_memory(store: str) -> None:
    settings: Any = {
        "strategy": gw.GeneticAlgorithm(population=8, parents=3, crossover=0.5, strength=gw.SelfAdaptive())
    }
    kept, held = evolved(store=store, **settings), evolved(**settings)
    assert story(kept) == story(held)
    assert gw.fingerprint(kept.best_model) == gw.fingerprint(held.best_model)
    assert kept.generations()[2].best == held.generations()[2].best
    kept.close()
    again = gw.resume(store, model=network(), fitness=loss)
    assert story(again) == story(held)
    assert gw.fingerprint(again.best_model) == gw.fingerprint(held.best_model)


def test_values_of_every_form_come_back_as_they_were(store: str) -> None:
    forms: list[Any] = [0.1, (1.0, -2.5e-300), {"fitness": 1 / 3, "size": 4.0}, None]
    genome = Genome(parents=(3, 1), operator=NOISE, seed=2**63 - 1, strength=1 / 3)
    individuals = [
        Individual(number=at, generation=2, genome=genome, fitness=form, worker="w", mutation="m", seconds=0.25)
        for at, form in enumerate(forms)
    ]
    individuals[3] = dataclasses.replace(individuals[3], status="failed", error="a\0b")
    individuals.append(Individual(number=4, generation=0, genome=Genome(parents=())))
    with new_store(store) as kept:
        kept.begin({"seed": 1})
        kept.write(individuals)
    with existing_store(store) as kept:
        found = list(kept.individuals())
        assert found[:3] == individuals[:3]
        assert found[3].error == "a\\0b"
        assert found[4] == individuals[4]
        assert list(kept.individuals(3)) == found[3:]
        assert kept.about() == {"seed": 1}
        with pytest.raises(gw.UnknownNameError, match="no individual 9"):
            kept.individual(9)


@pytest.mark.parametrize("kills", [6, pytest.param(200, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_at_any_instant_gets_to_the_same_champion(store: str, kills: int) -> None:
    command = [sys.executable, "-m", "tests.evolution.killing", store, str(kills), "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    counted, champion, uninterrupted = done.stdout.splitlines()[-1].split()
    assert int(counted) == kills
    assert champion == uninterrupted == gw.fingerprint(evolved(generations=12).best_model)
    for file in Path(store).parent.glob("run.db.*"):
        if file.suffix[1:].isdigit():  # runs that got through in the meantime
            ended = gw.resume(file, model=network(), fitness=killing.slow)
            assert gw.fingerprint(ended.best_model) == uninterrupted


def test_what_was_evaluated_is_not_evaluated_again(store: str) -> None:
    calls: list[int] = []

    def counting(model: nn.Module) -> float:
        calls.append(1)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return loss(model)

    with pytest.raises(KeyboardInterrupt):
        evolved(fitness=counting, store=store)
    run = gw.resume(store, model=network(), fitness=counting)
    assert len(calls) == 33 + 1  # the one that was interrupted comes again
    assert story(run) == story(evolved())


def test_a_run_goes_further_than_it_was_to(store: str) -> None:
    evolved(generations=2, store=store).close()
    run = gw.resume(store, model=network(), fitness=loss, generations=4)
    assert story(run) == story(evolved())


class TestRefused:
    def test_another_run_in_the_same_place(self, store: str) -> None:
        evolved(store=store, generations=1).close()
        with pytest.raises(gw.StoreError, match=r"holds a run already.*gw\.resume"):
            evolved(store=store)
        assert len(list(gw.resume(store, model=network(), fitness=loss).individuals())) == 9

    def test_two_at_once(self, store: str) -> None:
        run = evolved(store=store, generations=1)
        with pytest.raises(gw.StoreError, match="another process goes on with this run"):
            gw.resume(store, model=network(), fitness=loss)
        with store_to_read(store) as reading:
            assert len(reading.columns()["number"]) == 9
        run.close()
        gw.resume(store, model=network(), fitness=loss, generations=2).close()

    def test_another_model(self, store: str) -> None:
        evolved(store=store, generations=1).close()
        with pytest.raises(gw.FingerprintError, match=r"run\.db: the run started from the network b3:"):
            gw.resume(store, model=gw.mutate(network(), NOISE, seed=1), fitness=loss)

    def test_another_fitness(self, store: str) -> None:
        evolved(store=store, generations=1).close()
        with pytest.raises(gw.StoreError, match=r"judged by loss#.*the fitness given is weights#"):
            gw.resume(store, model=network(), fitness=weights)

    def test_another_example(self, store: str) -> None:
        evolved(store=store, generations=1, example=[1.0]).close()
        with pytest.raises(gw.FingerprintError, match=r"example is b3:.*none was given"):
            gw.resume(store, model=network(), fitness=loss)
        gw.resume(store, model=network(), fitness=loss, example=[1.0]).close()

    def test_no_run(self, store: str) -> None:
        with pytest.raises(gw.StoreError, match="there is no run here"):
            gw.resume(store, model=network(), fitness=loss)
        sqlite3.connect(store).close()
        Path(store).touch()
        with pytest.raises(gw.StoreError, match="there is no run in it"):
            gw.resume(store, model=network(), fitness=loss)

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(gw.StoreError, match="does not exist"):
            evolved(store=tmp_path / "nowhere" / "run.db")

    @pytest.mark.parametrize("place", ["nonsense://", "mysql+pymysql://me@nowhere/db", "oracle://nowhere"])
    def test_a_database_that_is_none_of_ours(self, place: str) -> None:
        with pytest.raises((gw.StoreError, gw.MissingExtraError)):
            evolved(store=place)

    @pytest.mark.parametrize("where", ["header", "middle", "not a database"])
    def test_a_damaged_file(self, store: str, where: str) -> None:
        evolved(store=store).close()
        data = bytearray(Path(store).read_bytes())
        if where == "not a database":
            data = bytearray(b"epoch,loss\n1,0.5\n" * 100)
        else:
            start = 20 if where == "header" else len(data) // 3
            data[start : start + 8000] = b"\xff" * 8000
        Path(store).write_bytes(data)
        with pytest.raises(gw.StoreError, match=r"run\.db: is damaged"):
            gw.resume(store, model=network(), fitness=loss)
        assert Path(store).read_bytes() == data

    def test_a_strategy_that_nobody_knows(self, store: str) -> None:
        evolved(store=store, generations=1).close()
        with existing_store(store) as kept:
            about = {**kept.about(), "strategy": {"is": "genetic_algoritm"}}
        Path(store).unlink()
        with new_store(store) as kept:
            kept.begin(about)
        with pytest.raises(gw.UnknownNameError, match="Did you mean 'genetic_algorithm'"):
            gw.resume(store, model=network(), fitness=loss)

    def test_a_store_of_another_format(self, store: str) -> None:
        evolved(store=store, generations=1).close()
        with sqlite3.connect(store) as connection:
            connection.execute("UPDATE genewright_run SET value = '1' WHERE name = 'format'")
        with pytest.raises(gw.StoreError, match=r"run\.db: is of the format 1, and this version of genewright reads 2"):
            gw.resume(store, model=network(), fitness=loss)

    def test_what_could_not_start_is_no_run(self, store: str) -> None:
        with pytest.raises(gw.SettingError, match="needs a process that can be ended"):
            evolved(store=store, timeout=5)
        evolved(store=store, generations=1).close()
        assert len(list(gw.resume(store, model=network(), fitness=loss).individuals())) == 9

    def test_individuals_that_another_version_made(self, store: str) -> None:
        evolved(store=store, generations=1).close()
        with existing_store(store) as kept:
            about, found = kept.about(), list(kept.individuals())
        found[5] = dataclasses.replace(found[5], genome=dataclasses.replace(found[5].genome, seed=1))
        Path(store).unlink()
        with new_store(store) as kept:
            kept.begin(about)
            kept.write(found)
        with pytest.raises(gw.StoreError, match="individual 5 was made otherwise"):
            gw.resume(store, model=network(), fitness=loss)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ("UPDATE genewright_individuals SET objective = objective + 1 WHERE number = 5", "individual 5 is not as"),
            ("UPDATE genewright_individuals SET status = 'died' WHERE number = 3", "individual 3 is not as"),
            ("UPDATE genewright_run SET value = '247' WHERE name = 'seed'", "what the run is does not stand there"),
        ],
    )
    def test_a_value_that_is_not_what_was_written(self, store: str, change: str, said: str) -> None:
        evolved(store=store, generations=1).close()
        with sqlite3.connect(store) as connection:
            assert connection.execute(change).rowcount == 1
        with pytest.raises(gw.StoreError, match=rf"run\.db: is damaged, or no run's store \({said}"):
            gw.resume(store, model=network(), fitness=loss)

    def test_a_folder_in_which_no_file_can_be_made(self) -> None:
        with pytest.raises(gw.StoreError, match=r"cannot be locked \(no file can be made in"):
            evolved(store="/proc/run.db", generations=1)


def test_a_full_disk_is_said_and_nothing_that_was_kept_is_lost(store: str) -> None:
    """A limit on the size of files is what a process sees of a full disk."""
    program = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, resource.RLIM_INFINITY))\n"
        "from tests.evolution.problems import *\n"
        f"evolved(generations=400, store={store!r}, strategy=gw.GeneticAlgorithm(population=20, parents=3))\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert "genewright.errors.StoreError" in done.stderr, done.stderr
    assert "cannot be written" in done.stderr
    assert "What was kept is whole: make room, and go on with gw.resume" in done.stderr
    with store_to_read(store) as kept:
        generations = len(set(kept.columns()["generation"])) + 1
    assert generations > 2
    run = gw.resume(store, model=network(), fitness=loss, generations=generations)
    whole = evolved(generations=generations, strategy=gw.GeneticAlgorithm(population=20, parents=3))
    assert story(run) == story(whole)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_million_individuals_stay_usable_by_their_indexes(store: str) -> None:
    """The questions that are asked while a run goes on do not read the table."""
    evolved(store=store, generations=1).close()
    with sqlite3.connect(store) as connection:
        for query in (
            "SELECT * FROM genewright_individuals WHERE number = 5",
            "SELECT * FROM genewright_individuals WHERE number >= 5 ORDER BY number LIMIT 1000",
            "SELECT * FROM genewright_individuals WHERE generation = 1",
            "SELECT * FROM genewright_individuals WHERE parent = 1",
            "SELECT * FROM genewright_individuals ORDER BY objective DESC LIMIT 1",
        ):
            plan = " ".join(row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
            assert "INDEX" in plan or "PRIMARY KEY" in plan, plan
        bytes_each = Path(store).stat().st_size  # of 9: no more than some pages
        assert bytes_each < 100_000


def test_each_operator_is_written_once(store: str) -> None:
    evolved(store=store, strategy=SMALL).close()
    with sqlite3.connect(store) as connection:
        assert connection.execute("SELECT count(*) FROM genewright_operators").fetchone() == (1,)
