"""Whether taking up a run depends on its past: a long ledger against a short one.

`python -m benchmarks.resume DIR` makes two ledgers in DIR, if they are not there: 10,000 actors
with 1,000,000 records, and 100 actors with 10,000. Then it resumes each several times, each time in
a process of its own, on a copy, with the file out of the page cache if the system lets it; one
message waits, and the clock stops when its turn is durable. Printed are the medians and their
ratio, and for each what was read: bytes of rows, records and blobs that the store gave out, and
pages of the file that the process had in memory at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.ring import MAKER, PAD, WAIT_SECONDS_MAX, Build, Go, Maker, Token, settle
from perdure import Child, Run, SupervisorSpec
from perdure.ledger import walk as pages
from perdure.ledger.store import open_store
from perdure.runtime.program import Program


class Size(NamedTuple):
    """How large a ledger is made: an actor is born, started, and handles a message at each hop."""

    name: str
    actors: int
    records: int


ROOT = Path(__file__).parent.parent
SIZES = (Size("short", 100, 10_000), Size("long", 10_000, 1_000_000))
RATIO_MAX = 1.5
HOPS_MAX = 500  # at once: a wait for them is bounded


def program() -> Program:
    return Program.of(Child("ring", supervisor=SupervisorSpec(children=[Child("maker", Maker)])))


def make(directory: Path, actors: int, records: int) -> None:
    """Make a ledger of a ring that went round until it had that many records, then was drained."""
    store = open_store(directory, create=True)
    with Run(program(), directory, store=store, seed=1) as run:
        run.tell(MAKER, Build(actors)).get(timeout=WAIT_SECONDS_MAX)
        settle(run, 1)
        lengthen(run, actors, records)


def lengthen(run: Run, actors: int, records: int) -> None:
    """Have the ring of a run go round until the journal has that many records."""
    while (left := records - run.kernel.book.seq) > 0:
        turns = run.figures()["turns"]
        hops = min(max(1, left // actors), HOPS_MAX)
        run.tell(MAKER, Go(hops, actors)).get(timeout=WAIT_SECONDS_MAX)
        settle(run, turns + 1 + hops * actors)


class Reads:
    """Counts the bytes that a store gives out."""

    def __init__(self, store: Any) -> None:
        self.rows = self.records = self.blobs = 0
        get, record, blob, scan = store.get, store.record, store.blob, store.scan

        def counted_get(key: bytes) -> bytes | None:
            value: bytes | None = get(key)
            self.rows += len(value or b"")
            return value

        def counted_scan(*args: Any) -> Any:
            for key, value in scan(*args):
                self.rows += len(key) + len(value)
                yield key, value

        def counted_record(seq: int) -> Any:
            found = record(seq)
            self.records += len(found.payload) if found else 0
            return found

        def counted_blob(digest: bytes) -> bytes | None:
            data: bytes | None = blob(digest)
            self.blobs += len(data or b"")
            return data

        store.get, store.scan = counted_get, counted_scan
        store.record, store.blob = counted_record, counted_blob

    @property
    def total(self) -> int:
        return self.rows + self.records + self.blobs


def mapped_bytes(file: Path) -> int:
    """How much of a file's map this process has touched."""
    total, is_it = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head = line.split()
        if "-" in head[0] and len(head) >= 5:
            is_it = head[-1] == str(file)
        elif is_it and head[0] == "Rss:":
            total += int(head[1]) * 1024
    return total


def resume(directory: Path, *, walk: bool) -> dict[str, Any]:
    """Take a ledger up, and have its first turn closed and durable."""
    if not walk:
        pages.OPEN_WALK_BYTES_MAX = 0
    data = (directory / "ledger" / "data.mdb").resolve()
    with data.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    team, node = program(), f"{MAKER}/n0"
    start = time.perf_counter()
    store = open_store(directory)
    opened = time.perf_counter() - start
    reads = Reads(store)
    with Run.resume(directory, store=store, program=team) as run:
        run.tell(node, Token(1, PAD)).get(timeout=WAIT_SECONDS_MAX)
        settle_one(run)
        seconds = time.perf_counter() - start
        figures = {"seconds": seconds, "opened": opened, "read": reads.total}
        figures |= {"rows": reads.rows, "records": reads.records, "mapped": mapped_bytes(data)}
        return figures | {"seq": run.kernel.book.seq, "cells": len(run.kernel.book.cells)}


def settle_one(run: Run) -> None:
    """Wait until a turn was closed in this process, and is durable."""
    while not run.figures()["turns"]:
        time.sleep(0)
    barrier = run.kernel.barrier
    while not barrier.is_clean:
        time.sleep(0)


def on_a_copy(directory: Path, scratch: Path, program: str, *words: object) -> dict[str, Any]:
    """The figures of a program, in a process of its own, that takes up a copy of a ledger."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(directory, scratch)
    subprocess.run(["sync", "-d", str(scratch / "ledger" / "data.mdb")], check=True)
    command = [sys.executable, "-m", program, str(scratch.absolute()), *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    shutil.rmtree(scratch)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def compare(directory: Path, times: int, tell: Callable[[str], object]) -> dict[str, Any]:
    """Resume both ledgers in turn, that often, with and without the walk of a small file."""
    for name, actors, records in SIZES:
        if not (directory / name).exists():
            tell(f"making {name}: {actors:,} actors, {records:,} records")
            make(directory / name, actors, records)
    report: dict[str, Any] = {}
    for walk in (False, True):
        runs: dict[str, list[dict[str, Any]]] = {size.name: [] for size in SIZES}
        for _ in range(times):
            for name, many in runs.items():
                words = ["--once"] + ["--no-walk"] * (not walk)
                copy = directory / "copy"
                many.append(on_a_copy(directory / name, copy, "benchmarks.resume", *words))
        found = {
            name: {key: statistics.median(run[key] for run in many) for key in many[0]}
            for name, many in runs.items()
        }
        ratios = {
            key: found["long"][key] / found["short"][key] for key in ("seconds", "read", "mapped")
        }
        ratios["after_open"] = (found["long"]["seconds"] - found["long"]["opened"]) / (
            found["short"]["seconds"] - found["short"]["opened"]
        )
        report["walked" if walk else "not walked"] = found | {"ratios": ratios}
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--once", action="store_true", help="resume the ledger DIR itself, once")
    parser.add_argument("--no-walk", action="store_true", help="with --once: as a large file is")
    args = parser.parse_args()
    if args.once:
        print(json.dumps(resume(args.directory, walk=not args.no_walk)))
        return
    report = compare(args.directory, args.times, lambda text: print(text, file=sys.stderr))
    print(json.dumps(report, indent=1))
    if report["not walked"]["ratios"]["seconds"] > RATIO_MAX:
        raise SystemExit(f"a long past costs more than {RATIO_MAX} times what a short one does")


if __name__ == "__main__":
    main()
