"""Whether a run stays as fast: what a turn costs with many agents, and with many records behind it.

`python -m benchmarks.growth DIR` grows ledgers in DIR, of 1,000 to 1,000,000 agents and of 10,000
to 10,000,000 records, each from the one before it; those that are there are taken as they are, and
one whose growth was cut short goes on. Then it resumes a copy of each several times, in turn, in
processes of their own, and measures a fixed work (axes.py). A cost is CPU time of the process, all
threads: a busy machine changes it little. The best of the laps counts, since what disturbs a lap
only makes it dearer; the median stands beside it. With `--write` the figures go into
benchmarks/growth.json, the table into docs/performance.md, the picture into docs/img/growth.svg.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.axes import AXES, Axis
from benchmarks.contest import ROOT
from benchmarks.growth_page import PLACE, panels, table
from benchmarks.history import system_bytes
from benchmarks.page import PAGE, with_table
from benchmarks.plot import draw, needs_matplotlib
from benchmarks.resume import on_a_copy
from benchmarks.ring import WAIT_SECONDS_MAX
from perdure import Run
from perdure.ledger.store import LmdbStore, open_store

RESULTS = ROOT / "benchmarks" / "growth.json"
PICTURE = ROOT / "docs" / "img" / "growth.svg"
AGENTS = (1_000, 10_000, 100_000, 1_000_000)
RECORDS = (10_000, 100_000, 1_000_000, 10_000_000)
REPEATS = 5

Tell = Callable[[str], object]
Figures = dict[str, Any]


def grown(directory: Path, axis: Axis, sizes: Sequence[int], tell: Tell) -> Iterator[Path]:
    """The ledger of each size, the smallest first; those that are not there yet are grown."""
    before: Path | None = None
    for size in sizes:
        wanted = directory / f"{axis.name}-{size}"
        unfinished = wanted.with_suffix(".unfinished")
        if not wanted.exists():
            begun = time.monotonic()
            if before is not None and not unfinished.exists():
                shutil.copytree(before, copy := wanted.with_suffix(".copy"), dirs_exist_ok=True)
                copy.rename(unfinished)
            grow(unfinished, axis, size)
            unfinished.rename(wanted)
            tell(f"{wanted.name} grown in {time.monotonic() - begun:.0f} s")
        before = wanted
        yield wanted


def grow(directory: Path, axis: Axis, size: int) -> None:
    """Grow a ledger, new or not, to a size."""
    program = axis.program()
    is_there = (directory / "ledger").exists()
    take = Run.resume(directory, program=program) if is_there else Run(program, directory, seed=1)
    with take as run:
        axis.grow(run, size)


class Lap:
    """What the process took since it was made, by kind."""

    def __init__(self, loads: list[int]) -> None:
        self._loads = loads
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        usage, written = resource.getrusage(resource.RUSAGE_SELF), system_bytes()
        return {
            "cpu": time.process_time(),
            "system": usage.ru_stime,
            "faults": usage.ru_minflt,
            "reads": usage.ru_majflt,
            "pages": written["pages"],
            "calls": written["calls"],
            "loads": self._loads[0],
        }

    def per_turn(self, turns: int) -> Figures:
        """Per turn: CPU and system time in microseconds, the rest in numbers and bytes."""
        now = self._now()
        each = {name: (now[name] - self._before[name]) / turns for name in now}
        return each | {"cpu": each["cpu"] * 1e6, "system": each["system"] * 1e6}


def once(directory: Path, axis: Axis, size: int) -> Figures:
    """Take a ledger up in this process, and do the works of its axis."""
    begun = time.process_time()
    store = open_store(directory)
    opened = time.process_time()
    with Run.resume(directory, store=store, program=axis.program()) as run:
        _settle(run, axis)
        up = time.process_time()
        figures: Figures = {"resume": {"open": opened - begun, "up": up - opened}}
        figures["file"] = tree(store)
        with counted_loads(run) as loads:
            for job in axis.jobs:
                job.do(run, size, job.warm)
                _settle(run, axis)
                lap = Lap(loads)
                turns = job.do(run, size, job.turns)
                _settle(run, axis)
                figures[job.name] = lap.per_turn(turns)
    if axis.bare is not None:
        figures["bare"] = axis.bare(directory, size)
    return figures


def _settle(run: Run, axis: Axis) -> None:
    """Wait until all that was done is durable: an answer leaves no sooner."""
    run.ask(*axis.first, timeout=WAIT_SECONDS_MAX)


@contextmanager
def counted_loads(run: Run) -> Iterator[list[int]]:
    """How many objects were built from the ledger."""
    turns, count = run.kernel.turns, [0]
    load = turns.load

    def counted(cell: Any) -> Any:
        count[0] += 1
        return load(cell)

    turns.load = counted  # type: ignore[method-assign]
    yield count
    turns.load = load  # type: ignore[method-assign]


def tree(store: LmdbStore) -> Figures:
    """The size of a ledger's file, and the levels of pages from the root of a tree to its rows."""
    file = store.file
    bytes_ = (file.path / "ledger" / "data.mdb").stat().st_size
    levels = file.view(lambda txn: [txn.stat(db)["depth"] for db in (file.journal, file.tables)])
    return {"bytes": bytes_, "journal": levels[0], "tables": levels[1]}


def measure(
    directory: Path, sizes: dict[str, Sequence[int]], repeats: int, tell: Tell
) -> dict[str, Any]:
    """The laps of every size of every axis, the sizes in turn."""
    results: dict[str, Any] = {}
    for axis in AXES:
        ledgers = list(grown(directory, axis, sizes[axis.name], tell))
        laps: list[list[Figures]] = [[] for _ in ledgers]
        for n in range(repeats):
            for size, ledger, many in zip(sizes[axis.name], ledgers, laps, strict=True):
                words = ("--once", axis.name, size)
                many.append(on_a_copy(ledger, directory / "copy", "benchmarks.growth", *words))
                tell(f"{ledger.name}, lap {n + 1} of {repeats}: {said(axis, many[-1])}")
        results[axis.name] = {"sizes": list(sizes[axis.name]), "laps": laps}
    return results


def said(axis: Axis, lap: Figures) -> str:
    return ", ".join(f"{job.name} {lap[job.name]['cpu']:.1f} us" for job in axis.jobs)


def write(results: Figures) -> None:
    """Put the figures, the table and the picture where they stand."""
    draw(panels(results), PICTURE)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(with_table(PAGE.read_text(), table(results), PLACE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--agents", type=int, nargs="+", default=list(AGENTS))
    parser.add_argument("--records", type=int, nargs="+", default=list(RECORDS))
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--once", nargs=2, metavar=("AXIS", "SIZE"), help="one lap in DIR itself")
    parser.add_argument("--write", action="store_true", help="write figures, table and picture")
    args = parser.parse_args()
    if args.once:
        axis = next(axis for axis in AXES if axis.name == args.once[0])
        print(json.dumps(once(args.directory, axis, int(args.once[1]))))
        return
    if args.write:
        needs_matplotlib()
    args.directory.mkdir(parents=True, exist_ok=True)
    sizes = {"agents": sorted(args.agents), "records": sorted(args.records)}
    results = measure(
        args.directory, sizes, args.repeats, lambda text: print(text, file=sys.stderr)
    )
    print(table(results))
    if args.write:
        write(results)


if __name__ == "__main__":
    main()
