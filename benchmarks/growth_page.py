"""The costs of a growing ledger as docs/performance.md has them: tables, and a picture."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.axes import AXES, Axis
from benchmarks.page import Place
from benchmarks.plot import Line, Panel
from benchmarks.slopes import per_tenfold, slope

Results = dict[str, Any]

PLACE = Place(
    "<!-- growth: `make bench-growth` writes what is between these lines -->",
    "<!-- end of growth -->",
)
EVIDENCE = (  # of each work: what explains its cost, in words, with so many digits
    ("system", "of it in the system, us", 1),
    ("loads", "objects built from the ledger, per turn", 2),
    ("pages", "bytes of pages written, per turn", 0),
    ("calls", "calls that write them, per turn", 2),
    ("faults", "page faults, per turn", 2),
    ("reads", "page faults that read the disk, per turn", 3),
)
OF_ALL = (  # of the ledger: figure, words, digits, unit
    ("resume.open", "opening the ledger, CPU ms", 1, 1e-3),
    ("resume.up", "resuming to the first turn, CPU ms", 1, 1e-3),
    ("bare.read", "bare LMDB: one row read, us", 1, 1),
    ("bare.write", "bare LMDB: one row written, 2,000 to a commit, us", 1, 1),
    ("file.journal", "levels of pages: journal", 0, 1),
    ("file.tables", "levels of pages: tables", 0, 1),
    ("file.bytes", "file, MB", 0, 1e6),
)


def series(results: Results, axis: str, job: str, figure: str) -> tuple[list[float], list[float]]:
    """A figure at each size: the least of the laps, and their median."""
    many = [[lap[job][figure] for lap in laps] for laps in results[axis]["laps"]]
    return [min(each) for each in many], [statistics.median(each) for each in many]


def panels(results: Results) -> list[Panel]:
    """What is drawn."""
    return [
        Panel(
            axis.unit,
            [
                Line(
                    job.title,
                    results[axis.name]["sizes"],
                    *series(results, axis.name, job.name, "cpu"),
                )
                for job in axis.jobs
            ],
        )
        for axis in AXES
    ]


def table(results: Results) -> str:
    """The figures as Markdown: a table for each axis."""
    return "\n\n".join(_table(results, axis) for axis in AXES)


def _table(results: Results, axis: Axis) -> str:
    sizes = results[axis.name]["sizes"]
    lines = [
        f"| {axis.unit} | " + " | ".join(f"{size:,}" for size in sizes) + " | slope | tenfold |",
        "|---" + "|--:" * (len(sizes) + 2) + "|",
    ]
    for job in axis.jobs:
        best, median = series(results, axis.name, job.name, "cpu")
        cells = [f"{low:.1f} ({mid:.1f})" for low, mid in zip(best, median, strict=True)]
        cells += [f"{slope(sizes, best):+.2f}", f"{per_tenfold(sizes, best):+.1f}"]
        lines.append(_row(f"{job.title}, us", cells))
        for name, words, digits in EVIDENCE:
            _, each = series(results, axis.name, job.name, name)
            if any(round(value, digits) for value in each):
                lines.append(
                    _row(f"- {words}", [f"{value:,.{digits}f}" for value in each] + ["", ""])
                )
    for name, words, digits, unit in OF_ALL:
        group, figure = name.split(".")
        if group not in results[axis.name]["laps"][0][0]:
            continue
        _, each = series(results, axis.name, group, figure)
        lines.append(_row(words, [f"{value / unit:,.{digits}f}" for value in each] + ["", ""]))
    return "\n".join(lines)


def _row(title: str, cells: Sequence[str]) -> str:
    return f"| {title} | " + " | ".join(cells) + " |"
