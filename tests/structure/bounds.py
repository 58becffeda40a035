"""Bounds of what work may cost, how they stand in their file, and what breaks them."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.page import Place
from tests.structure.workloads import WORKLOADS

FILE = Path(__file__).with_name("bounds.toml")
WRITE = "python -m tests.structure.counts --write"
LOW_SHARE = 0.9  # a figure below that much of its bound makes the bound useless
COLUMNS = {
    "transactions": "transactions",
    "fsyncs": "fsyncs",
    "records": "records",
    "rows": "rows put or deleted",
    "journal_bytes": "bytes of the journal",
    "table_bytes": "bytes of tables",
    "calls": "calls of perdure's functions",
    "library_calls": "calls of Python's functions",
    "builtins": "calls of builtins by perdure's",
}
OF_A_VERSION = {"library_calls", "builtins"}  # in another Python, these are others
CALLS = OF_A_VERSION | {"calls"}
PLACE = Place(
    f"<!-- bounds: `{WRITE}` writes what is between these lines -->", "<!-- end of bounds -->"
)
HEADER = (
    f"# What each workload of tests/structure/workloads.py may cost, in all: `{WRITE}` writes it.\n"
)
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"

Figures = Mapping[str, int]


class Bounds(NamedTuple):
    """What was counted once, and on which Python."""

    python: str
    of: Mapping[str, Figures]


def read() -> Bounds:
    """The bounds that hold."""
    found = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return Bounds(found.pop("python"), found)


def read_if_any() -> Bounds | None:
    """The same; None when there is no such file, or none that can be read: after a merge, say."""
    try:
        return read()
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return None


def text_of(bounds: Bounds) -> str:
    """The file that says so."""
    parts = [HEADER, f'python = "{bounds.python}"\n']
    for name, figures in bounds.of.items():
        lines = "".join(f"{what} = {figures[what]}\n" for what in COLUMNS if what in figures)
        parts.append(f"\n[{name}]\n{lines}")
    return "".join(parts)


def broken(name: str, figures: Figures, bounds: Bounds, version: str = VERSION) -> Iterator[str]:
    """What is wrong with the figures of a workload, and what to do about it."""
    if name not in bounds.of:
        yield f"{name} has no bounds: `{WRITE}` takes what it costs today."
        return
    same = version == bounds.python
    for what, figure in figures.items():
        bound = bounds.of[name].get(what, 0)
        if figure > bound and (same or what not in OF_A_VERSION):
            yield _above(name, what, figure, bound)
        if figure < bound * LOW_SHARE and (same or what not in CALLS):
            yield (
                f"{name}: {figure:,} {COLUMNS[what]}, {1 - figure / bound:.0%} below the bound of "
                f"{bound:,}, which holds nothing any more. Lower it: `{WRITE}`."
            )


def _above(name: str, what: str, figure: int, bound: int) -> str:
    work = WORKLOADS[name]
    more = figure - bound
    way = (
        f"`python -m tests.structure.profile {name}` shows what is called how often. "
        if what in CALLS
        else ""
    )
    return (
        f"{name}: {figure:,} {COLUMNS[what]}, and its bound is {bound:,}: {more:,} more, "
        f"{more / work.number:.3g} a {work.unit} ({work.what}). {way}"
        f"If it is worth that: `{WRITE}`, and say why in the commit."
    )


def table(bounds: Bounds) -> str:
    """The bounds per unit of work, in Markdown."""
    head = "| work | counted over | " + " | ".join(COLUMNS.values()) + " |"
    lines = [head, "|---|---|" + "--:|" * len(COLUMNS)]
    for name, figures in bounds.of.items():
        work = WORKLOADS[name]
        cells = [_number(figures.get(what, 0) / work.number) for what in COLUMNS]
        lines.append(f"| {work.what} | {work.number:,} x {work.unit} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _number(value: float) -> str:
    """Three digits, or all there are before the point."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
