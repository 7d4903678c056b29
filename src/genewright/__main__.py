"""`python -m genewright`: the command."""

from __future__ import annotations

from genewright.cli import main

raise SystemExit(main())
