"""A function of `gw` that is called with what it does not take answers with the call to write."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import genewright as gw

FUNCTIONS = {
    name: value
    for name in gw.__all__
    if inspect.isfunction(value := getattr(gw, name)) and not inspect.isgeneratorfunction(value)
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_call_that_does_not_fit_names_the_call_to_write(name: str) -> None:
    words: dict[str, Any] = {"no_such_setting": 1}
    for given, named in (((), words), (tuple(range(12)), {})):
        with pytest.raises(gw.GenewrightError) as refused:
            FUNCTIONS[name](*given, **named)
        assert name in str(refused.value), str(refused.value)
