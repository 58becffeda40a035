"""How often a workload has a real disk flush, counted below LMDB.

The workloads are done in a process of their own, each on a ledger on disk, under the library of
tests/crashes/powercut.c, which notes every sync. Otherwise all is as where calls are counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from perdure.ledger.store import open_store
from tests.crashes.disk import read_log
from tests.crashes.marks import mark
from tests.crashes.powercut import ROOT, built, scratch
from tests.structure.meters import Groups
from tests.structure.stage import Stage

SECONDS_MAX = 60.0
SYNCS = ("e", "y")  # an fsync or fdatasync that is done; a write through O_DSYNC


class Flushed(NamedTuple):
    """What became durable, and how often the disk was flushed for it."""

    transactions: int
    fsyncs: int


def flushes(names: Sequence[str]) -> dict[str, Flushed]:
    """What each workload has the disk do."""
    with scratch() as folder:
        disk, log = folder / "disk", folder / "log"
        disk.mkdir()
        env = {"LD_PRELOAD": str(built(folder)), "POWERCUT_DIR": str(disk)}
        subprocess.run(
            [sys.executable, "-m", "tests.structure.flushes", str(disk), *names],
            cwd=ROOT,
            env={**os.environ, **env, "POWERCUT_LOG": str(log)},
            timeout=SECONDS_MAX,
            check=True,
        )
        return dict(_counted(log))


def _counted(log: Path) -> Iterator[tuple[str, Flushed]]:
    fsyncs = 0
    for entry in read_log(log):
        if entry.op == "M":
            name, _, transactions = entry.data.decode().partition(" ")
            if transactions:
                yield name, Flushed(int(transactions), fsyncs)
            fsyncs = 0
        fsyncs += entry.op in SYNCS


def _work(disk: Path, name: str) -> None:
    """Do a workload; marks in the log say when it begins and when all of it is durable."""
    store = open_store(disk / name, create=True)
    groups = Groups(store)

    @contextmanager
    def meter() -> Iterator[None]:
        groups.figures.clear()
        mark(name)
        yield
        mark(f"{name} {groups.figures['transactions']}")

    Stage(name, store).play(meter())


if __name__ == "__main__":
    for each in sys.argv[2:]:
        _work(Path(sys.argv[1]), each)
