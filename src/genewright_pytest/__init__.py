"""The pytest plug-in: operators of yours held to the invariants, and test sets to a mutation score.

pytest loads it wherever genewright is installed, so it imports nothing but pytest until a test asks for a fixture.

    def test_shrink(check_operator):
        check_operator(Shrink(factor=0.5))

    @pytest.mark.mutation_score(at_least=0.8, seed=1)
    def test_the_test_set_is_good(mutation_score):
        mutation_score(net, (x_test, y_test))
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

_MARKER: Final = (
    "mutation_score(at_least=None, **settings): what the fixture `mutation_score` passes to gw.mutation_score, and the "
    "score below which the test fails"
)
_PROPERTY: Final = "mutation_score"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def check_operator() -> Callable[..., Any]:
    """Return `gw.check_operator`; a broken invariant fails the test with what to do, and the author's line."""

    def check(operator: Any, networks: Mapping[str, Any] | None = None) -> Any:
        __tracebackhide__ = True
        gw = importlib.import_module("genewright")
        try:
            return gw.check_operator(operator, networks)
        except gw.ConformanceError as error:
            broken = str(error)
        pytest.fail(broken, pytrace=False)

    return check


@pytest.fixture
def mutation_score(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return `gw.mutation_score`, with the settings of the test's marker; a score below `at_least` fails the test.

    The summary at the end of the run lists every score.
    """
    marker = request.node.get_closest_marker("mutation_score")
    marked = {} if marker is None else dict(marker.kwargs)
    if marker is not None and marker.args:
        raise pytest.UsageError("The marker's settings have names: mutation_score(at_least=0.8, seed=1).")

    def measure(model: Any, data: Any, **given: Any) -> Any:
        __tracebackhide__ = True
        settings = marked | given
        least = settings.pop("at_least", None)
        if least is not None and not (isinstance(least, int | float) and 0 <= least <= 1):
            raise pytest.UsageError(f"mutation_score: at_least is a share from 0 to 1; received {least!r}.")
        report = importlib.import_module("genewright").mutation_score(model, data, **settings)
        score = report.score()
        request.node.user_properties.append((_PROPERTY, str(score)))  # with the report, from other processes too
        if not score.of:
            pytest.fail(f"No mutant counts for the score.\n{report}", pytrace=False)
        if least is not None and score.share < least:
            pytest.fail(f"The mutation score is {score}, below {least:.1%}.\n{report}", pytrace=False)
        return report

    return measure


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List the mutation scores of this run."""
    finished = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    scores = [
        f"{report.nodeid}: {value}"
        for report in finished
        if report.when == "call"
        for name, value in report.user_properties
        if name == _PROPERTY
    ]
    if scores:
        terminalreporter.section("mutation scores")
        for line in scores:
            terminalreporter.write_line(line)
