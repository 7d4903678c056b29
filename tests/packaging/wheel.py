"""What the built wheel and sdist have to hold, and what they must not."""

from __future__ import annotations

import email
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

from tests.packaging.environments import ROOT


def check_wheel(wheel: Path) -> str:
    """Check what is in a wheel, and return its version.

    Raises:
        AssertionError: A file is missing or too many, or two places name different versions.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = email.message_from_bytes(archive.read(next(n for n in names if n.endswith(".dist-info/METADATA"))))
    source = ROOT / "src"
    shipped = {
        p.relative_to(source).as_posix()
        for p in source.rglob("*")
        if p.suffix in {".py", ".bin", ".typed", ".jinja", ".css"}
    }
    packaged = {name for name in names if ".dist-info/" not in name}
    assert "genewright/py.typed" in packaged
    assert shipped - packaged == set(), "the wheel lacks these"
    assert packaged - shipped == set(), "the wheel holds these, which are no part of the package"
    assert any(name.endswith("/licenses/LICENSE") for name in names), "the wheel has no licence"
    assert str(metadata["Author"]) == "The Genewright authors"
    assert str(metadata["Description-Content-Type"]) == "text/markdown"
    urls = dict(str(line).split(", ", 1) for line in metadata.get_all("Project-URL") or ())
    assert set(urls) == {"Homepage", "Documentation", "Source", "Issues", "Changelog"}
    targets = re.findall(r"\]\(([^)\s]+)\)", str(metadata.get_payload()))
    assert len(targets) > 15
    assert [t for t in targets if not t.startswith("https://")] == [], (
        "links of the README that the index cannot follow"
    )
    version = str(metadata["Version"])
    assert wheel.name == f"genewright-{version}-py3-none-any.whl"
    assert str(metadata["License-Expression"]) == "MIT"
    extras = set(metadata.get_all("Provides-Extra") or ())
    ours = {
        "torch",
        "keras",
        "fast",
        "frames",
        "evolution",
        "strategies",
        "objectives",
        "postgresql",
        "gymnasium",
        "ray",
        "tensorboard",
        "mlflow",
        "wandb",
        "report",
        "demo",
        "matching",
        "testing",
    }
    assert extras == ours
    needed = [line for line in metadata.get_all("Requires-Dist") or () if "extra ==" not in line]
    assert {line.split(">=")[0] for line in needed} == {"numpy", "safetensors", "blake3", "typer", "rich", "numba"}
    return version


def check_sdist(sdist: Path) -> set[str]:
    """Check that an sdist holds what the repository does, and nothing else of the working tree; return its files.

    Raises:
        AssertionError: A file is missing or too many, or it is too large.
    """
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    tracked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    outside = {".ci/run"}
    assert names - {"PKG-INFO"} - set(tracked) == set(), "the sdist holds these, which are not in the repository"
    assert set(tracked) - names - outside == set(), "the sdist lacks these"
    assert sdist.stat().st_size < 5e6
    return names
