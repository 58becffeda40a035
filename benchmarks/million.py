"""What keeping a ledger costs: of a million turns, each verb's time and memory, and the run's pace.

`python -m benchmarks.million DIR` makes a ledger of 1,000,000 turns of 1,000 actors in DIR, if it
is not there, and then has the verbs of its keeping work on it, each in a process of its own: first
with nobody at the run, then while it goes on at a steady pace. Of a verb it prints the seconds,
the CPU seconds and the most memory; of the run beside it the turns per second, as a share of those
without the verb, and the longest time between two groups that became durable. At last the run goes
on while its history is dropped again and again: its file must stop growing. With `--write` the
table goes into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.page import PAGE, Place, with_table
from benchmarks.resume import make, program
from benchmarks.ring import MAKER, WAIT_SECONDS_MAX, Go
from perdure import Run
from perdure.ledger.store import open_store

ROOT = Path(__file__).resolve().parent.parent
PERDURE = Path(sys.executable).with_name("perdure")
PLACE = Place(
    "<!-- keeping: `make bench-million` writes what is between these lines -->",
    "<!-- end of keeping -->",
)
ACTORS = 1_000
LOOK_SECONDS = 0.01
TOKENS, HOPS = 10, 5  # each time: some 4,000 turns/s
ALONE_SECONDS = 5.0
ROUNDS = 6  # of dropping history
SETTLED = 1.1  # a file that grew less than this since half of the rounds has stopped growing


class Cost(NamedTuple):
    """What a verb took: wall and CPU seconds, and the most memory in bytes."""

    seconds: float
    cpu: float
    peak: int


class Pace(NamedTuple):
    """How a run went on for a while: turns per second, and the longest wait for a group."""

    rate: float
    longest: float


def verb(*words: object) -> Cost:
    """Run a verb of perdure to its end."""
    command = [str(PERDURE), *map(str, words), "--json"]
    start = time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"perdure {' '.join(map(str, words))} ended with {status}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


class Going:
    """A run that goes on in another process, and says all the time how far it is durable."""

    def __init__(self, directory: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.million", str(directory), "--go"]
        self._child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self._looks: list[tuple[float, int]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        while not self._looks:
            if self._child.poll() is not None:
                raise SystemExit("the run has not begun")
            time.sleep(LOOK_SECONDS)

    def _read(self) -> None:
        for line in self._child.stdout or ():
            when, seq = line.split()
            self._looks.append((float(when), int(seq)))

    def look(self, seconds: float) -> Pace:
        """How it goes on for so long."""
        return self.during(lambda: time.sleep(seconds))

    def during(self, act: Callable[[], object]) -> Pace:
        """How it goes on while something is done."""
        first = len(self._looks)
        act()
        looks = self._looks[first:]
        if self._child.poll() is not None or len(looks) < 2:
            raise SystemExit("the run has ended")
        (begun, seq), (ended, last) = looks[0], looks[-1]
        pairs = pairwise(looks)
        changes = [after[0] for before, after in pairs if before[1] != after[1]]
        gaps = [after - before for before, after in pairwise(changes)]
        return Pace((last - seq) / (ended - begun), max(gaps, default=ended - begun))

    def end(self) -> None:
        """Drain it."""
        self._child.terminate()
        self._reader.join()
        self._child.wait()


def go(directory: Path) -> None:
    """Take the run up, and have tokens go round at a steady pace."""
    store = open_store(directory)
    with Run.resume(directory, store=store, program=program()) as run:
        while True:
            run.tell(MAKER, Go(HOPS, TOKENS)).get(timeout=WAIT_SECONDS_MAX)
            print(time.time(), store.head().seq, flush=True)
            time.sleep(LOOK_SECONDS)


def measure(directory: Path, turns: int) -> dict[str, Any]:
    """All figures."""
    run, scratch = directory / "run", directory / "scratch"
    if not run.exists():
        make(run, ACTORS, turns)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    size = data(run).stat().st_size
    work = scratch / "run"
    shutil.copytree(run, work)
    alone = {
        "verify": verb("verify", work),
        "backup": verb("backup", work, scratch / "backup"),
        "export": verb("export", work, "--to", scratch / "all.jsonl"),
        "compact": verb("compact", work, "--keep-turns", turns // 10),
    }
    compacted = data(work).stat().st_size
    shutil.rmtree(work)
    shutil.copytree(run, work)
    live = beside(work, scratch, turns)
    shutil.rmtree(scratch)
    return {"turns": turns, "bytes": size, "compacted": compacted, "alone": alone, **live}


def beside(work: Path, scratch: Path, turns: int) -> dict[str, Any]:
    """The same verbs while the run goes on, and a file that stops growing."""
    going = Going(work)
    costs: dict[str, Cost] = {}
    paces = {"alone": going.look(ALONE_SECONDS)}
    verbs: dict[str, tuple[object, ...]] = {
        "verify": ("verify", work),
        "backup": ("backup", work, scratch / "live"),
        "export": ("export", work, "--to", scratch / "live.jsonl"),
        "compact": ("compact", work, "--keep-turns", turns // 10),
    }
    for name, words in verbs.items():
        paces[name] = going.during(
            lambda name=name, words=words: costs.update({name: verb(*words)})
        )
    sizes = []
    for _ in range(ROUNDS):
        going.look(ALONE_SECONDS)
        verb("compact", work, "--keep-turns", turns // 10)
        sizes.append(data(work).stat().st_size)
    paces["after"] = going.look(ALONE_SECONDS)
    going.end()
    verb("verify", work)
    return {"live": costs, "paces": paces, "sizes": sizes}


def data(run: Path) -> Path:
    return run / "ledger" / "data.mdb"


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    alone = found["paces"]["alone"]
    base = alone.rate
    lines = [
        "| verb | alone | CPU | most memory | live | CPU | the run's pace | longest wait |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, cost in found["alone"].items():
        live, pace = found["live"][name], found["paces"][name]
        lines.append(
            f"| `{name}` | {cost.seconds:.1f} s | {cost.cpu:.1f} s | {cost.peak / 1e6:,.0f} MB | "
            f"{live.seconds:.1f} s | {live.cpu:.1f} s | {pace.rate / base:.0%} | "
            f"{1e3 * pace.longest:.0f} ms |"
        )
    sizes = ", ".join(f"{size / 1e6:,.0f}" for size in found["sizes"])
    longest, times = 1e3 * alone.longest, len(found["sizes"])
    before, after = found["bytes"] / 1e6, found["compacted"] / 1e6
    lines.append(
        f"\nThe ledger had {found['turns']:,} turns and {before:,.0f} MB; with the last tenth of "
        f"them, {after:,.0f} MB. On its own the run did {base:,.0f} turns/s, and the longest wait "
        f"for a group was {longest:.0f} ms. While it went on, and was compacted {times} times, "
        f"its file had {sizes} MB."
    )
    return "\n".join(lines)


def has_settled(sizes: list[int]) -> bool:
    """Whether a file stopped growing."""
    half = len(sizes) // 2
    return max(sizes[half:]) <= SETTLED * statistics.median(sizes[:half] or sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--turns", type=int, default=1_000_000)
    parser.add_argument("--go", action="store_true", help="be the run that goes on in DIR")
    parser.add_argument("--write", action="store_true", help="write the table into the docs")
    args = parser.parse_args()
    if args.go:
        go(args.directory)
        return
    args.directory.mkdir(parents=True, exist_ok=True)
    found = measure(args.directory, args.turns)
    print(json.dumps(found, indent=1), file=sys.stderr)
    print(table(found))
    if args.write:
        PAGE.write_text(with_table(PAGE.read_text(), table(found), PLACE))
    if not has_settled(found["sizes"]):
        raise SystemExit("the file goes on growing")


if __name__ == "__main__":
    main()
