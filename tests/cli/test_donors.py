"""Weights of another network on the command line: --donors NAME=MODEL, and by fingerprint at a replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

import genewright as gw

OUT = ("--seed", "1", "--out", "mutant.safetensors")


def test_a_child_of_two_files_is_made_and_replayed(folder: Path, genewright: Any) -> None:
    mate = gw.mutate(gw.read_checkpoint("net.pt"), gw.SignFlip(rate=0.5), seed=3)
    gw.save(mate, "mate.safetensors")
    save_file(load_file("mate.safetensors"), "mate.safetensors")  # its recipe would make it again
    said = genewright("mutate", "crossover", "net.pt", "--donors", "mate=mate.safetensors", *OUT)
    assert said.code == 0, said.err
    again = ("replay", "mutant.safetensors", "net.pt", "--out", "again.safetensors")
    refused = genewright(*again)
    assert refused.code == 1
    assert gw.fingerprint(mate) in refused.err
    assert not Path("again.safetensors").exists()
    assert genewright(*again, "--donors", "mate.safetensors").code == 0
    child = gw.mutate(gw.read_checkpoint("net.pt"), gw.Crossover(), seed=1, donors={"mate": mate})
    assert gw.fingerprint(gw.read_checkpoint("again.safetensors")) == gw.fingerprint(child) != gw.fingerprint(mate)


def test_a_donor_without_a_name_is_refused(folder: Path, genewright: Any) -> None:
    said = genewright("mutate", "crossover", "net.pt", "--donors", "net.pt", *OUT)
    assert "--donors mate=other.pt" in said.err
    assert said.code == 2
    said = genewright("mutate", "crossover", "net.pt", "--donors", "a=net.pt", "--donors", "a=net.pt", *OUT)
    assert "called 'a' already" in said.err
