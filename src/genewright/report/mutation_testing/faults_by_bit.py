"""Which bits do harm when they flip: a bar for each bit of a number, with its interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from genewright.mutation_testing.fault_population import field_of
from genewright.mutation_testing.fault_report import FaultRate
from genewright.report.picture import write_picture

_COLOURS = {"sign": "#cc79a7", "exponent": "#d55e00", "mantissa": "#0072b2"}  # told apart without red or green


def draw_faults_by_bit(path: Path, rate: FaultRate) -> None:
    """Write a picture of the share of faults that fail, by the bit that they hit, with intervals.

    Args:
        path: The PNG file; an old one is replaced.
        rate: The rate; of an operator that acts on bits.

    Raises:
        SettingError: The operator does not act on bits.
        FileError: The file cannot be written.
    """
    write_picture(faults_figure(rate), path)


def faults_figure(rate: FaultRate) -> Any:
    """Return the picture as a figure of matplotlib."""
    shares = rate.by("bit")
    only = rate.tensors[0].dtype
    figure: Any = Figure(figsize=(8.4, 4.2), layout="constrained")
    axes = figure.subplots()
    used: dict[str, Any] = {}
    for at, (label, one) in enumerate(shares.items()):
        *dtype, bit = label.split()
        field = field_of(int(bit), dtype[0] if dtype else only)
        bar = axes.bar(at, one.share or 0.0, color=_COLOURS[field], width=0.8)
        used.setdefault(field, bar)
        if one.of:
            axes.plot([at, at], [one.low, one.high], color="#333333", linewidth=1.0)
    step = 1 if len(shares) <= 16 else 2
    axes.set_xticks(range(0, len(shares), step), list(shares)[::step], fontsize=9 if len(shares) > 16 else 11)
    axes.set_xlim(-0.7, len(shares) - 0.3)
    axes.set_ylim(0, 1)
    axes.set_xlabel("bit, 0 is the lowest", fontsize=12)
    axes.set_ylabel("share of faults that fail", fontsize=12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(used.values(), used, frameon=False, fontsize=11, loc="upper left")
    axes.set_title(f"{rate.rate.failed:,} of {rate.rate.of:,} flipped bits change what the network says", fontsize=13)
    return figure
