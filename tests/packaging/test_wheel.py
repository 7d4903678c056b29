"""The wheel that users get, without extras. `make test-matrix` runs it on other Pythons and beside each framework."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging import matrix
from tests.packaging.environments import UnavailableError, build_wheel, oldest


def test_the_wheel_works_without_extras(tmp_path: Path) -> None:
    try:
        matrix.without_extras(build_wheel(tmp_path))
    except UnavailableError as reason:
        pytest.skip(str(reason))


def test_oldest_releases_are_read_from_the_lower_bounds() -> None:
    assert "numpy==1.26" in oldest()
    assert not any(">" in pin for pin in oldest("torch", "fast"))
    assert oldest("torch")[-1].startswith("torch==")
