"""The examples in the docstrings run; every public function and class has one or is shown in another's."""

import doctest
import importlib
import pkgutil

import pytest

from genewright import noise

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(noise.__path__, "genewright.noise.")
    if not module.ispkg and ".cuda" not in module.name and ".compiled" not in module.name
)


@pytest.mark.parametrize("name", ["genewright.noise", *MODULES])
def test_examples_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_every_public_name_has_a_docstring():
    for name in noise.__all__:
        assert name in ("SPEC", "DISTRIBUTIONS") or getattr(noise, name).__doc__
    assert list(noise.__all__) == sorted(noise.__all__, key=lambda n: (not n.isupper(), not n[0].isupper(), n))
