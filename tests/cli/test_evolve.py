"""genewright evolve and genewright resume: a run from a file."""

from __future__ import annotations

import csv
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genewright as gw
from genewright.cli.evolve import RUN_FILE
from genewright.cli.run_file import RunFile

pytest.importorskip("sqlalchemy")

JUDGES = """
import torch


class Tiny(torch.nn.Linear):
    def __init__(self):
        super().__init__(4, 2)


def small(model):
    return -float(sum(p.detach().double().abs().sum() for p in model.parameters()))


class Deep(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))


def decay(model, trial):
    for parameter in model.parameters():
        parameter.data *= 1 - trial.settings["decay"]


def share(outputs, targets):
    return float((outputs.argmax(1) == targets).mean())
"""

LEARNING = """
model = "judges:Deep"
weights = "deep.safetensors"
example = "2x4"
store = "learning.db"
out = "learnt.safetensors"
seed = 246
generations = 2
executor = "batched"
train = {function = "judges:decay", settings = {decay = 0.1}}

[fitness.named.fitness]
sum = [
    {supervised = {data = "data.npz", metric = "cross_entropy"}},
    {penalty = {cost = "macs", weight = 1e-4}},
    "judges:small",
]

[fitness.named]
size = {penalty = {cost = "size"}}
share = {supervised = {data = "data.npz", metric = "judges:share"}}

[mutation.either]
operator = "one_of"
operators = [{operator = "widen", layer = "0", num_units = 1}, {operator = "zero", rate = 0.1}]

[mutation.drawn]
operator = "draw_settings"
settings = {operator = {operator = "gaussian_noise"}, ranges = {std = [0.01, 0.1]}}

[strategy]
name = "MAPElites"
batch = 4
measures = {size = [-40, -20, 4], share = [0, 1, 4]}
"""

FILE = """
model = "judges:Tiny"
weights = "tiny.safetensors"
fitness = "judges:small"
store = "run.db"
out = "champion.safetensors"
seed = 246
generations = 3

[mutation.noise]
operator = "gaussian-noise"
std = 0.05

[mutation.zero]
operator = "zero"
rate = 0.1

[strategy]
name = "GeneticAlgorithm"
population = 8
parents = 3
strength = {name = "SelfAdaptive", factor = 2.0}
"""


@pytest.fixture(autouse=True)
def run_file(folder: Path) -> Iterator[Path]:
    """The files of a run, in the command's folder."""
    (folder / "judges.py").write_text(JUDGES)
    (folder / "run.toml").write_text(FILE)
    gw.save(torch.nn.Linear(4, 2), folder / "tiny.safetensors")
    deep = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    gw.save(deep, folder / "deep.safetensors")
    rng = np.random.default_rng(0)
    np.savez(folder / "data.npz", X=rng.normal(size=(20, 4)).astype(np.float32), y=rng.integers(0, 2, 20))
    sys.modules.pop("judges", None)
    yield folder / "run.toml"
    sys.modules.pop("judges", None)


def test_a_run_from_a_file_writes_its_champion_and_goes_on(genewright: Any, folder: Path) -> None:
    done = genewright("evolve", "run.toml", "--json").json()
    assert done["individuals"] == 25
    assert done["reason"] == "generations"
    champion = gw.read_checkpoint(folder / "champion.safetensors")
    assert gw.fingerprint(champion) == done["champion"]["result"]
    base = gw.read_checkpoint(folder / "tiny.safetensors")
    assert gw.fingerprint(gw.replay(gw.read_recipe(folder / "champion.safetensors"), base)) == gw.fingerprint(champion)
    refused = genewright("resume", "run.db")
    assert refused.code == 1
    assert "exists already" in refused.err
    further = genewright("resume", "run.db", "--generations", "5", "--force", "--json").json()
    assert further["individuals"] == 41
    assert further["champion"]["fitness"] >= done["champion"]["fitness"]
    assert "5 generations" in genewright("resume", "run.db", "--generations", "5", "--force").out


def test_a_ready_fitness_and_other_strategies(genewright: Any, folder: Path) -> None:
    text = FILE.replace('fitness = "judges:small"', 'fitness = {supervised = {data = "data.npz", metric = "accuracy"}}')
    text = text[: text.index("[mutation.noise]")] + (
        '[strategy]\nname = "islands"\nislands = 2\nstrategy = {name = "EvolutionStrategy", population = 4}\n'
    )
    (folder / "run.toml").write_text(text)
    assert genewright("evolve", "run.toml", "--json").json()["individuals"] == 1 + 3 * 8 + 2 * 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed = 246", "", "seed is missing"),
        ("generations = 3", "generation = 3", "Did you mean 'generations'"),
        ("generations = 3", 'generations = "3"', "generations cannot be '3'. Write generations = 100"),
        ("generations = 3", "generations = 0", "generations must be"),
        ("generations = 3", "", "A run needs an end"),
        ("gaussian-noise", "gausian-noise", "gaussian_noise"),
        ("std = 0.05", "sdt = 0.05", "has no setting 'sdt'"),
        ("population = 8", "population = 1", "population must be"),
        ('"GeneticAlgorithm"', '"GeneticAlgoritm"', "genetic_algorithm"),
        ("judges:small", "judges:smal", "Did you mean 'small'"),
        ("judges:Tiny", "judge:Tiny", "no module is called 'judge'"),
        (
            'fitness = "judges:small"',
            'fitness = {superwised = {data = "d.npz"}}',
            "a table with one entry, function or supervised",
        ),
        ("seed = 246", "seed = 246\nexecutor = {threads = 3}", "received threads"),
        ("seed = 246", 'seed = 246\nexecutor = "batch"', "one entry, serial or batched"),
        ("seed = 246", "seed = 246\nexecutor = {serial = 3}", 'executor = "serial"'),
        ("seed = 246", "seed = 246\nexecutor = {processes = {numbr = 3}}", "Did you mean 'number'"),
        ("seed = 246", "seed = 246\ntrain = {settings = {lr = 0.1}}", "with it as function"),
        ("seed = 246", 'seed = 246\ntrain = {function = "judges:small", lr = 0.1}', "no setting 'lr'"),
        ('fitness = "judges:small"', 'fitness = {penalty = {cost = "macs"}}', "macs needs a sample input"),
        ('fitness = "judges:small"', "fitness = {penalty = {weight = 2}}", "Penalty: the setting 'cost' is missing"),
        ('fitness = "judges:small"', 'fitness = {sum = "judges:small"}', "a list of fitnesses"),
        ('fitness = "judges:small"', "fitness = {named = {}}", "fitness.named is a table"),
        ('fitness = "judges:small"', 'fitness = {sum = [{penalty = {cost = "sise"}}]}', "sise"),
        ("[strategy]", "[strategy", "is no TOML file"),
        ("[strategy]", '[loggers]\ncvs = "run.csv"\n[strategy]', "none called 'cvs'. Did you mean 'csv'"),
        ("[strategy]", "[loggers]\ncsv = true\n[strategy]", 'such as csv = {path = "..."}; received True'),
        ("[strategy]", '[loggers]\ncsv = {file = "run.csv"}\n[strategy]', "CSVLog has no setting 'file'"),
        ("[strategy]", "[loggers]\ncsv = {}\n[strategy]", "CSVLog: the setting 'path' is missing"),
        ("[strategy]", '[loggers]\ncsv = "run.toml"\n[strategy]', "run.toml: exists already"),
        ("[strategy]", '[loggers]\nmlflow = {url = "runs"}\n[strategy]', "Did you mean 'uri'"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(genewright: Any, folder: Path, old: str, new: str, said: str) -> None:
    assert old in FILE
    (folder / "run.toml").write_text(FILE.replace(old, new))
    refused = genewright("evolve", "run.toml")
    assert refused.code in (1, 2)
    assert said in refused.err
    assert not (folder / "champion.safetensors").exists()


ALONE = FILE[: FILE.index("[mutation.noise]")]


def test_a_name_alone_is_a_mutation_and_a_strategy(genewright: Any, folder: Path) -> None:
    (folder / "run.toml").write_text(ALONE + 'mutation = "sign-flip"\nstrategy = "hill_climb"\n')
    assert genewright("evolve", "run.toml", "--json").json()["individuals"] == 4
    assert b"sign_flip" in (folder / "run.db").read_bytes()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("strategy = 3", 'Write strategy = {name = "GeneticAlgorithm", population = 50}'),
        ('strategy = "hill_clim"', "Did you mean 'hill_climb'"),
        ("strategy = {population = 4}", "strategy: its name is missing. Write strategy = {name ="),
        ('strategy = "hill_climb"\nmutation = "sign_flop"', "Did you mean 'sign_flip'"),
        ("mutation = 'zero'", "strategy is missing. Write strategy = {name ="),
    ],
)
def test_a_strategy_that_is_none_is_answered_with_what_to_write(
    genewright: Any, folder: Path, entry: str, said: str
) -> None:
    (folder / "run.toml").write_text(f"{ALONE}{entry}\n")
    refused = genewright("evolve", "run.toml")
    assert refused.code in (1, 2)
    assert said in refused.err


def test_a_run_of_python_is_resumed_in_python(genewright: Any, folder: Path) -> None:
    gw.evolve(
        torch.nn.Linear(2, 1),
        lambda model: 1.0,
        mutation=gw.Zero(rate=0.1),
        strategy=gw.HillClimb(),
        generations=1,
        seed=1,
        store="python.db",
    ).close()
    refused = genewright("resume", "python.db")
    assert refused.code == 2
    assert "gw.resume('python.db', model=..., fitness=...)" in refused.err
    missing = genewright("resume", "nowhere.db")
    assert missing.code == 1
    assert "there is no run here" in missing.err


def test_a_page_on_a_run(genewright: Any, folder: Path) -> None:
    genewright("evolve", "run.toml", "--json")
    assert genewright("report", "run.db", "--json").json() == {"store": "run.db", "out": "report.html", "model": True}
    assert "Weights against the original" in (folder / "report.html").read_text()
    assert genewright("report", "run.db").code == 1  # the page is there already
    assert genewright("report", "run.db", "--out", "page.txt").code == 2
    assert genewright("report", "nowhere.db", "--force").code == 1


def test_a_file_says_objectives_sums_penalties_training_and_who_evaluates(genewright: Any, folder: Path) -> None:
    pytest.importorskip("ribs")
    (folder / "learning.toml").write_text(LEARNING)
    done = genewright("evolve", "learning.toml", "--json").json()
    assert sorted(done["champion"]["fitness"]) == ["fitness", "share", "size"]
    assert done["individuals"] == 9
    judges: Any = sys.modules["judges"]
    learnt = gw.load(judges.Deep, folder / "learnt.safetensors")
    assert gw.fingerprint(learnt) == done["champion"]["result"]
    judged = -float(torch.nn.functional.cross_entropy(*(torch.from_numpy(a) for a in _outputs(learnt, folder))))
    macs = sum(layer.weight.numel() for layer in learnt if isinstance(layer, torch.nn.Linear)) * 2  # two samples
    assert done["champion"]["fitness"]["fitness"] == pytest.approx(
        judged - 1e-4 * macs + judges.small(learnt), abs=1e-5
    )
    further = genewright("resume", "learning.db", "--generations", "3", "--force", "--json").json()
    assert further["individuals"] == 13
    assert genewright("report", "learning.db", "--json").json()["model"]


def _outputs(model: torch.nn.Module, folder: Path) -> tuple[Any, Any]:
    data = np.load(folder / "data.npz")
    return model(torch.from_numpy(data["X"])).detach().numpy(), data["y"]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_file_names_its_logs_and_a_resumed_run_goes_on_in_them(genewright: Any, folder: Path) -> None:
    (folder / "run.toml").write_text(FILE.replace("[strategy]", '[loggers]\ncsv = "run.csv"\n\n[strategy]'))
    done = genewright("evolve", "run.toml", "--json").json()
    rows = rows_of(folder / "run.csv")
    assert [row["generation"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["best"]) == done["champion"]["fitness"]
    genewright("resume", "run.db", "--generations", "5", "--force", "--json")
    assert [row["generation"] for row in rows_of(folder / "run.csv")] == ["1", "2", "3", "4", "5"]


@pytest.mark.filterwarnings("ignore")  # those of the libraries
@pytest.mark.parametrize(
    ("module", "said", "written"),
    [
        ("tensorboard.summary", 'tensorboard = "logs"', "logs/*/events*"),
        ("wandb", 'wandb = {project = "mine", mode = "offline", dir = "logs"}', "logs/wandb/offline-run-*/*.wandb"),
        ("mlflow.tracking", 'mlflow = {uri = "logs", experiment = "mine"}', "logs/*/*/metrics/best"),
    ],
)
def test_a_file_names_logs_of_other_tools(
    genewright: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, said: str, written: str
) -> None:
    pytest.importorskip(module)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    (folder / "logs").mkdir()
    (folder / "run.toml").write_text(FILE.replace("[strategy]", f"[loggers]\n{said}\n\n[strategy]"))
    assert genewright("evolve", "run.toml").code == 0
    assert len(list(folder.glob(written))) == 1


def test_the_file_that_help_shows_is_one(genewright: Any) -> None:
    shown = genewright("evolve", "--help").out
    assert all(line.strip() in shown for line in RUN_FILE.splitlines())
    said = RunFile.of(tomllib.loads(RUN_FILE), "run.toml")
    assert said.strategy() == gw.GeneticAlgorithm(population=50)
    assert said.mutation() == gw.GaussianNoise(std=0.02)
    assert said.executor() == gw.Processes(4)
