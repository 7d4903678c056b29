"""The command `genewright`: one subcommand a file; those for operators come from the registry."""

from __future__ import annotations

from genewright.cli.app import main as main
