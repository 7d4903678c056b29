"""How objects show themselves: few lines at a prompt, tables, bars and histograms in a notebook, all by `details()`."""

from genewright.showing.bars import AFTER, BEFORE, QUIET, Bar, bars
from genewright.showing.histogram import histogram
from genewright.showing.html import cost_bars, fragment, more_line, table
from genewright.showing.meter import Line, Meter, clock, open_line
from genewright.showing.shown import LINES, Shown, shortened

__all__ = [
    "AFTER",
    "BEFORE",
    "LINES",
    "QUIET",
    "Bar",
    "Line",
    "Meter",
    "Shown",
    "bars",
    "clock",
    "cost_bars",
    "fragment",
    "histogram",
    "more_line",
    "open_line",
    "shortened",
    "table",
]
