"""What each workload costs, counted; beside its bounds.

    python -m tests.structure.counts [--write] [--json] [WORKLOAD …]

`--write` makes today's figures the bounds, in the file and in docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from benchmarks.page import PAGE, with_table
from perdure.simulation.disk import Platter, at_once, open_platter
from tests.sources import ROOT
from tests.structure import bounds
from tests.structure.bounds import COLUMNS, FILE, PLACE, VERSION, WRITE, Bounds, Figures
from tests.structure.flushes import flushes
from tests.structure.meters import Calls, Groups, Rows
from tests.structure.stage import Stage
from tests.structure.workloads import WORKLOADS

OTHER_PYTHON = (
    "the bounds are of Python {0}, and on later ones fewer calls are counted: write them there. "
    "If {0} is no longer supported, remove {1} first."
)


class Counted(NamedTuple):
    """What a workload has cost; `calls` has every function."""

    figures: dict[str, int]
    calls: Calls


def count(name: str) -> Counted:
    """Do a workload on a simulated disk, and count all but fsyncs."""
    store = open_platter(Platter(), at_once())
    groups, rows, calls = Groups(store), Rows(store), Calls()
    found: dict[str, int] = {}

    @contextmanager
    def meter() -> Iterator[None]:
        groups.figures.clear()
        rows.figures.clear()
        calls.begin()
        yield
        calls.end()
        for figures in (groups.figures, rows.figures, calls.figures()):
            found.update(figures)

    with calls:
        Stage(name, store).play(meter())
    return Counted({what: found.get(what, 0) for what in COLUMNS if what != "fsyncs"}, calls)


def count_all(names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Everything that has a bound, fsyncs on a real disk too."""
    flushed = flushes(names)
    return {name: count(name).figures | {"fsyncs": flushed[name].fsyncs} for name in names}


def write(found: dict[str, dict[str, int]], before: Bounds | None) -> None:
    """Have today's figures be the bounds."""
    of = ({} if before is None else dict(before.of)) | found
    new = Bounds(VERSION, {name: of[name] for name in WORKLOADS if name in of})
    page = with_table(PAGE.read_text(encoding="utf-8"), bounds.table(new), PLACE)
    PAGE.write_text(page, encoding="utf-8")
    FILE.write_text(bounds.text_of(new), encoding="utf-8")


def report(found: dict[str, dict[str, int]], before: Bounds | None) -> Iterator[str]:
    """The figures, each with its bound where that is another."""
    for name, figures in found.items():
        work = WORKLOADS[name]
        known: Figures = {} if before is None else before.of.get(name, {})
        yield f"{name}: {work.what}; {work.number:,}"
        for what, label in COLUMNS.items():
            figure, bound = figures[what], known.get(what)
            said = "" if bound in (None, figure) else f"; its bound is {bound:,}"
            yield f"  {figure:>10,}  {figure / work.number:>9.4g} a {work.unit}  {label}{said}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="WORKLOAD", help=", ".join(WORKLOADS))
    parser.add_argument("--write", action="store_true", help="make them the bounds")
    parser.add_argument("--json", action="store_true", help="without fsyncs, to be compared")
    options = parser.parse_args()
    if unknown := set(options.names) - set(WORKLOADS):
        parser.error(f"there is no workload {', '.join(sorted(unknown))}: {', '.join(WORKLOADS)}")
    names = options.names or list(WORKLOADS)
    if options.json:
        print(json.dumps({name: count(name).figures for name in names}))
        return 0
    before = bounds.read_if_any()
    if options.write and before is not None and before.python != VERSION:
        parser.error(OTHER_PYTHON.format(before.python, FILE.relative_to(ROOT)))
    if options.write and options.names and before is None:
        parser.error(f"there are no other bounds to go with these: `{WRITE}` writes all.")
    found = count_all(names)
    print("\n".join(report(found, before)))
    if options.write:
        write(found, before)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
