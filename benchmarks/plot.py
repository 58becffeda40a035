"""The picture of what a turn costs as a ledger grows: an SVG that reads on light and on dark."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

INK = "#7d8590"  # of text and axes: grey enough for white paper, light enough for black
COLOURS = ("#2f81f7", "#d29922", "#3fb950")
SIZE_INCHES = (7.2, 2.7)
LEAST, MOST = 2.0, 2.0  # how far the axis goes below the lowest cost and above the highest
STYLE = {
    "font.size": 9,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "perdure",  # the same figures make the same file
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


class Line(NamedTuple):
    """What one work cost at each size, in microseconds: the best lap, and the median of all."""

    title: str
    sizes: Sequence[int]
    best: Sequence[float]
    median: Sequence[float]


class Panel(NamedTuple):
    """Some lines over one axis of sizes."""

    unit: str
    lines: Sequence[Line]


def needs_matplotlib() -> None:
    """Raise `SystemExit` with the way out if there is nothing to draw with."""
    if find_spec("matplotlib") is None:
        raise SystemExit(
            "the picture is drawn by matplotlib, which is not installed: "
            "`python -m pip install 'perdure[bench]'`, or leave out --write."
        )


def draw(panels: Sequence[Panel], to: Path) -> None:
    """Draw the panels side by side, over one scale of costs."""
    from matplotlib import rc_context  # noqa: PLC0415 - only who draws needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context(STYLE):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True)
        costs = [cost for panel in panels for line in panel.lines for cost in line.median]
        for panel, ax in zip(panels, axes, strict=True):
            _panel(panel, ax)
            ax.set_ylim(min(costs) / LEAST, max(costs) * MOST)
        axes[0].set_ylabel("CPU time per turn, µs")
        to.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(to, format="svg", transparent=True, metadata={"Date": None, "Creator": None})


def _panel(panel: Panel, ax: Any) -> None:
    from matplotlib.ticker import LogLocator  # noqa: PLC0415

    ax.set_xscale("log")
    ax.set_yscale("log")
    for line, colour in zip(panel.lines, COLOURS, strict=False):
        above = [median - best for best, median in zip(line.best, line.median, strict=True)]
        spread = ([0.0] * len(above), above)
        ax.errorbar(line.sizes, line.best, yerr=spread, color=colour, marker="o", ms=4, lw=1.5)
        last, below = (line.sizes[-1], line.best[-1]), line is not panel.lines[-1]
        ax.annotate(
            line.title, last, (4, -27 if below else 10), textcoords="offset points", ha="right",
            color=colour,
        )  # fmt: skip
    ax.set_xlabel(panel.unit)
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")
    ax.grid(color=INK, alpha=0.25, lw=0.5)
