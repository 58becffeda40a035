"""Figures as the Markdown that stands in docs/performance.md, and the place where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from benchmarks.contest import ROOT, Laps, Spread, counts
from benchmarks.goals import Goal, Outcome

PAGE = ROOT / "docs" / "performance.md"
HEAD = (
    "| | what | perdure | beside it, in the same lap | ratio, median (spread) | goal | |\n"
    "|---|---|--:|---|--:|---|---|"
)
WROTE = (
    "A turn of the ring wrote a journal row of {journal_bytes:.0f} bytes, {state_rows:.2f} state "
    "rows of {state_bytes:.0f} bytes, {inbox_rows:.2f} inbox rows and {inbox_deletes:.2f} "
    "deletions. A group held {turns_per_group:,.0f} turns."
)
TWICE = (
    "Lines that stand twice in the log after kill -9, at most: {turns:,} of steps that are turns "
    "and write it themselves, {effects} of calls with an effect."
)
MEASURED = (
    "Measured on {cpus} CPUs, {system}, {file_system}, Python {python}, lmdb {lmdb}; the load was "
    "{load} at the start."
)


class Place(NamedTuple):
    """The two lines of a page between which figures stand."""

    begin: str
    end: str


FIGURES = Place(
    "<!-- figures: `make bench` writes what is between these lines -->", "<!-- end of figures -->"
)
PEERS = Place(
    "<!-- peers: `make bench-peers` writes what is between these lines -->", "<!-- end of peers -->"
)


def table(found: Iterable[Outcome]) -> str:
    """The lines of a table, one for each outcome."""
    return "\n".join([HEAD, *map(line, found)])


def line(found: Outcome) -> str:
    row, unit = found.row, found.row.unit
    beside = ""
    if found.other is not None:
        beside = f"{row.beside}: {number(found.other.median)}{unit}"
    verdict = {None: "", True: "met", False: "**not met**"}[found.is_met]
    share = "" if found.ratio is None else times(found.ratio)
    what = row.what or "the same"
    cells = (row.name, what, f"{number(found.mine.median)}{unit}", beside, share)
    return "| " + " | ".join([*cells, goal(row.goal, unit), verdict]) + " |"


def goal(wanted: Goal | None, unit: str) -> str:
    """A goal in words.

    >>> goal(Goal(0.8), "/s"), goal(Goal(300, at_least=False, of_ratio=False), " us")
    ('>= 0.80x', '<= 300 us')
    """
    if wanted is None:
        return ""
    sign = ">=" if wanted.at_least else "<="
    return f"{sign} {number(wanted.limit)}{'x' if wanted.of_ratio else unit}"


def number(value: float) -> str:
    """Three digits or more, as a person writes them.

    >>> number(23326.4), number(300), number(12.34), number(0.8), number(4.0)
    ('23,326', '300', '12.3', '0.80', '4.0')
    """
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 2 else f"{value:.2f}"


def times(ratio: Spread) -> str:
    """A ratio with its spread.

    >>> times(Spread(0.31, 0.28, 0.4))
    '0.31x (0.28-0.40)'
    """
    return f"{number(ratio.median)}x ({number(ratio.low)}-{number(ratio.high)})"


def notes(results: dict[str, Any]) -> str:
    """What else there is to say, as a list."""
    flushes = results["flushes"]
    if isinstance(flushes, dict):
        calls = " + ".join(f"{n} {name}" for name, n in sorted(flushes.items()))
        flushes = f"{calls}, for {results['groups']} groups and the making of the ledger"
    held = results["contests"]
    lines = [
        f"Laps: {counts(results['contests'])}; {results['seconds']:,} seconds in all.",
        WROTE.format(**results["writes"]),
        f"Flushes of that run: {flushes}.",
        *(twice(held["killed"]) if "killed" in held else ()),
        *(crowd(lap) for lap in held.get("crowd", ())),
        *(f"**Failed, and left out**: {name}." for name in results["failed"]),
        MEASURED.format(**results["machine"]),
    ]
    return "\n".join(f"- {text}" for text in lines)


def twice(laps: Laps) -> list[str]:
    """What was done a second time after a kill, in words."""
    most = {kind: max(lap[kind]["twice"] for lap in laps) for kind in ("turns", "effects")}
    return [TWICE.format(**most)]


def crowd(lap: dict[str, dict[str, Any]]) -> str:
    """Where the memory of the largest crowd is, and what stopped Pykka, in words."""
    pykka = lap["pykka"]
    largest = max((figures for name, figures in lap.items() if name != "pykka"),
                  key=lambda figures: figures["agents"])  # fmt: skip
    grown = {name: size / 1e6 for name, size in largest["growth"].items()}
    refused = f"; then: {pykka['refused']}" if pykka["refused"] else ""
    return (
        f"{largest['agents']:,} agents: {largest['loaded']:,} cells stay loaded; resident memory "
        f"grew by {grown['anon']:.1f} MB of the process's own and {grown['file']:.1f} MB of pages "
        f"of files, by {grown['peak']:.1f} MB at its peak, before collections. Pykka started "
        f"{pykka['agents']:,} in {pykka['seconds']:.0f} s and {pykka['rss'] / 1e6:.0f} MB{refused}."
    )


def with_table(page: str, figures: str, place: Place = FIGURES) -> str:
    """`page` with its figures replaced; raises `SystemExit` for one that has no place for them."""
    before, found_begin, rest = page.partition(place.begin)
    _, found_end, after = rest.partition(place.end)
    if not (found_begin and found_end):
        raise SystemExit(f"{PAGE.name} has lost {place.begin!r} and {place.end!r}: put them back.")
    return f"{before}{place.begin}\n\n{figures}\n\n{place.end}{after}"


def paragraphs(*parts: str) -> str:
    return "\n\n".join(parts)


def missed(found: Sequence[Outcome]) -> list[str]:
    """The goals that are not met, by name."""
    return [
        f"{row.name} {row.what or row.beside}".strip()
        for row in (each.row for each in found if each.is_met is False)
    ]
