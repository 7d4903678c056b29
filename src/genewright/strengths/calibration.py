"""What a calibration saw: the effect at every strength that was tried, the operator that it chose, and a picture."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from pathlib import Path

from genewright.calls import Answering
from genewright.operator import AnyOperator
from genewright.storage import write_atomically

_WIDTH, _HEIGHT, _EDGE = 460, 260, 46


@dataclass(frozen=True)
class Calibration(metaclass=Answering):
    """The curve that a calibration saw; made by `gw.calibration`.

    Attributes:
        operator: The operator at the strength that was chosen, or a `Sequence` of one for each layer.
        setting: Name of the setting that was changed; "factor" where several were, all by the same factor.
        strength: Its value.
        effect: The mean effect of mutants at that strength.
        target: The effect that was asked for.
        measure: What the effect is.
        points: (strength, effect) of all that was tried, by strength.
    """

    operator: AnyOperator
    setting: str
    strength: float
    effect: float
    target: float
    measure: str
    points: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        head = f"{self.measure} {self.effect:.4g} (asked: {self.target:.4g}) at {self.setting}={self.strength:.4g}"
        return f"{head}\n{curve_text(self.points, self.setting, self.target)}"

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def to_svg(self) -> str:
        """Return the curve as a picture: the effect over the strength, which is on a logarithmic axis."""
        shown = [(math.log10(x), y) for x, y in self.points if x > 0 and math.isfinite(y)]
        low, high = min(x for x, _ in shown), max(x for x, _ in shown)
        top = max(*(y for _, y in shown), self.target) or 1.0

        def at(x: float, y: float) -> tuple[float, float]:
            across = (x - low) / (high - low or 1)
            return _EDGE + across * (_WIDTH - 2 * _EDGE), _HEIGHT - _EDGE - y / top * (_HEIGHT - 2 * _EDGE)

        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in shown))
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in (at(*point) for point in shown))
        _, level = at(low, self.target)
        chosen_x, chosen_y = at(math.log10(self.strength), min(self.effect, top))
        names = html.escape(f"{self.measure} over {self.setting}: {self.effect:.3g} at {self.strength:.3g}")
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
            f'font-family="sans-serif" font-size="12"><title>{names}</title>'
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>'
            f'<text x="{_EDGE}" y="24">{names}</text>'
            f'<line x1="{_EDGE}" x2="{_WIDTH - _EDGE}" y1="{level:.1f}" y2="{level:.1f}" stroke="#b40" '
            f'stroke-dasharray="4 3"/><text x="{_WIDTH - _EDGE + 4}" y="{level + 4:.1f}" fill="#b40">'
            f'{self.target:.3g}</text><g fill="#246"><polyline points="{line}" fill="none" stroke="#246"/>{dots}</g>'
            f'<circle cx="{chosen_x:.1f}" cy="{chosen_y:.1f}" r="5" fill="none" stroke="#b40" stroke-width="2"/>'
            f'<text x="{_EDGE}" y="{_HEIGHT - 18}">{10**low:.3g}</text>'
            f'<text x="{_WIDTH - _EDGE}" y="{_HEIGHT - 18}" text-anchor="end">{10**high:.3g}</text></svg>'
        )

    def draw(self, path: str | Path) -> None:
        """Write the picture.

        Args:
            path: An SVG file.

        Raises:
            FileError: It cannot be written.
        """
        write_atomically(Path(path), [self.to_svg().encode()])


def curve_text(points: tuple[tuple[float, float], ...], setting: str, target: float) -> str:
    """Return the curve as lines of text: strength, effect, and a bar, with a mark at the target."""
    finite = [effect for _, effect in points if math.isfinite(effect)]
    top = max([*finite, target])
    rows: list[str] = []
    for strength, effect in points:
        length = 30 if not math.isfinite(effect) else round(30 * effect / top) if top else 0
        bar = list("#" * length + " " * (31 - length))
        bar[round(30 * target / top) if top else 0] = "|"
        rows.append(f"  {setting} {strength:<10.4g} {effect:<10.4g} {''.join(bar).rstrip()}")
    return "\n".join(rows)
