"""Options are made from the fields of any dataclass that is an operator, those of others too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

import genewright as gw
from genewright.cli.arguments import UsageError
from genewright.cli.setting_options import operator_from_options, parameters, settings_of
from genewright.edits import Edit
from genewright.network import Network
from genewright.operator import AnyOperator, Operator
from genewright.seeding import Noise


@dataclass(frozen=True, kw_only=True)
class OptionsProbe(Operator):
    """Try every kind of setting.

    It proposes nothing.

    Args:
        scale: A number
            on two lines.
        count: An integer.
        weights: Collides with an option of the command.
        parts: Operators.
    """

    scale: float = 0.5
    count: int | None = None
    loud: bool = False
    mode: Literal["one", "two"] = "one"
    label: str = "x"
    weights: tuple[float, ...] = (1.0, 2.0)
    bits: tuple[int | str, ...] = (0,)
    parts: tuple[AnyOperator, ...] = ()

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        yield from ()


def _made(**typed: Any) -> AnyOperator:
    nothing = {parameter.name: None for parameter in parameters(OptionsProbe)}
    assert not typed.keys() - nothing.keys()
    return operator_from_options(OptionsProbe, nothing | typed)


def test_what_is_not_typed_keeps_its_default() -> None:
    assert _made() == OptionsProbe()


def test_the_docstring_gives_the_help() -> None:
    about = {setting.name: setting.about for setting in settings_of(OptionsProbe)}
    assert about["scale"] == "A number on two lines."
    assert about["count"] == "An integer."
    assert about["label"] == ""


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({"scale": 2.0, "count": 3, "loud": True}, {"scale": 2.0, "count": 3, "loud": True}),
        ({"mode": "two", "label": "[not json"}, {"mode": "two", "label": "[not json"}),
        ({"setting_weights": "3,1"}, {"weights": (3, 1)}),
        ({"setting_weights": "[3, 1.5]"}, {"weights": (3, 1.5)}),
        ({"bits": "sign"}, {"bits": ("sign",)}),
        ({"bits": "sign,3"}, {"bits": ("sign", 3)}),
        ({"parts": '[{"operator": "gaussian_noise"}]'}, {"parts": (gw.GaussianNoise(),)}),
        (
            {"parts": '[{"operator": "gaussian_noise", "settings": {"std": 2, "where": ["a.*"]}}]'},
            {"parts": (gw.GaussianNoise(std=2, where="a.*"),)},
        ),
    ],
)
def test_values_are_read_by_their_kind(typed: dict[str, Any], expected: dict[str, Any]) -> None:
    assert _made(**typed) == OptionsProbe(**expected)


def test_json_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "operators.json"
    path.write_text('[{"operator": "gaussian_noise", "settings": {"rate": 0.5}}]')
    assert _made(parts=f"@{path}") == OptionsProbe(parts=(gw.GaussianNoise(rate=0.5),))
    with pytest.raises(UsageError, match="cannot be read"):
        _made(parts=f"@{path}.missing")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"parts": "[{"}, "--parts: this is not JSON"),
        ({"parts": '[{"operator": "gausian_noise"}]'}, "Did you mean 'gaussian_noise'"),
        ({"parts": '[{"operator": "gaussian_noise", "settings": {"srd": 1}}]'}, "Did you mean 'std'"),
        ({"parts": '[{"operator": "gaussian_noise", "settings": {"rate": 7}}]'}, "from 0 to 1"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(typed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        _made(**typed)
