"""The badges of the README, drawn from what pyproject.toml says: no other host is asked when a reader opens a page.

python -m docs.pictures.badges          # draws them again
"""

from __future__ import annotations

import tomllib
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
_CHARACTER, _PAD = 6.6, 7.0


def badges() -> dict[str, str]:
    """Return the badges as SVG, by file name."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    kinds: list[str] = project["classifiers"]
    pythons = [kind.rsplit(" ", 1)[1] for kind in kinds if kind.startswith("Programming Language :: Python :: 3.")]
    return {
        "badge_python.svg": badge("Python", " | ".join(pythons), "#2563a8"),
        "badge_frameworks.svg": badge("models", "PyTorch | Keras 3 | files", "#b4470f"),
        "badge_typed.svg": badge("types", "strict" if "Typing :: Typed" in kinds else "none", "#0f766e"),
        "badge_license.svg": badge("license", project["license"], "#4d7c0f"),
    }


def badge(name: str, value: str, colour: str) -> str:
    """Return two words beside each other as SVG.

    Args:
        name: The left one, on grey.
        value: The right one.
        colour: What the right one stands on.
    """
    left, right = (len(text) * _CHARACTER + 2 * _PAD for text in (name, value))
    words = "".join(
        f'<text x="{x:.1f}" y="14" text-anchor="middle" textLength="{len(text) * _CHARACTER:.1f}">{escape(text)}</text>'
        for x, text in ((left / 2, name), (left + right / 2, value))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right:.1f}" height="20" role="img" '
        f'aria-label="{escape(name)}: {escape(value)}"><clipPath id="r">'
        f'<rect width="{left + right:.1f}" height="20" rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left:.1f}" height="20" fill="#4b5563"/>'
        f'<rect x="{left:.1f}" width="{right:.1f}" height="20" fill="{colour}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{words}</g></svg>\n'
    )


if __name__ == "__main__":
    for file, text in badges().items():
        (FOLDER / file).write_text(text)
