"""The power goes, at any moment: what is on the disk then is whole, and has all that was let out.

    python tests/crashes/powercut.py [--n N] [--workload NAME] [--seed SEED]

A workload is driven once, in processes under tests/crashes/powercut.c, which notes what they do to
their files; some are killed on the way, so that the next one goes on. Then the power is cut, as
often as is asked for: after any entry of that log, with as much of what was not synced yet as
chance lets survive (tests/crashes/disk.py has the rules). What is left must satisfy the workload's
`check`, and be driven on to the same end as if nothing had been.
"""

from __future__ import annotations

import sys
from os.path import dirname

if __name__ == "__main__":  # a program's own folder is the first place that imports look in
    sys.path[0] = dirname(dirname(dirname(__file__)))

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.crashes.disk import Disk, Entry, Fate, read_log
from tests.crashes.workloads import MODULES, Workload, workload

ROOT = Path(__file__).resolve().parents[2]
KILLS = 2
RECORD_SECONDS_MAX = 120.0
CUTS_A_RECORDING = 60
SHARES = [0.0, 1.0, 0.5, 0.5, 0.9, 0.1]  # what survives of what was not synced: all, none, some


class Recording:
    """A workload that was driven to its end, with the log of what its processes did on the way."""

    def __init__(self, name: str, folder: Path, kills: Sequence[str] = ()) -> None:
        self.workload: Workload = workload(name)
        self.folder = folder
        folder.mkdir()
        self.scenario = self.workload.scenario(folder / "scenario")
        self.whole = folder / "disk"
        self.whole.mkdir()
        places = {
            "LD_PRELOAD": str(built(folder)),
            "POWERCUT_DIR": str(self.whole),
            "POWERCUT_LOG": str(folder / "log"),
        }
        command = [sys.executable, "-m", "tests.crashes.recorder", name, self.whole, self.scenario]
        subprocess.run(
            [*map(str, command), *kills],
            cwd=ROOT,
            env={**os.environ, **places},
            timeout=RECORD_SECONDS_MAX,
            check=True,
        )
        self.entries = list(read_log(folder / "log"))
        self.end = self.workload.end(self.whole)

    def moments_of_note(self, op: str = "M") -> list[int]:
        """How many entries there are when something has just been let out, or done."""
        return [n for n, entry in enumerate(self.entries, 1) if entry.op == op]

    def cuts(self, moments: Sequence[int], random: Random) -> Iterator[tuple[str, Path]]:
        """Cut the power after so many entries, each time anew; the disk then is checked, and given.

        With it come some words on which cut it was.
        """
        disk, out, done = Disk(), list[str](), 0
        for number, moment in enumerate(sorted(moments)):
            for entry in self.entries[done:moment]:
                disk.take(entry)
                out += _let_out(entry)
            done = moment
            seed = random.getrandbits(32)
            fates = Random(seed)
            share, is_torn = SHARES[number % len(SHARES)], fates.random() < 0.5
            place = self.folder / "cut"
            disk.lay_out(place, Fate(fates, share, is_torn=is_torn))
            words = f"cut after entry {moment} of {len(self.entries)}, {share:.0%} survive, {seed}"
            try:
                self.workload.check(place, self.whole, out)
            except BaseException as error:
                error.add_note(f"{words}: {place}")
                raise
            yield words, place
            shutil.rmtree(place)

    def finish(self, words: str, place: Path) -> None:
        """Go on after a cut, to the same end as without it."""
        try:
            self.workload.drive(place, self.scenario)
            assert self.workload.end(place) == self.end
        except BaseException as error:
            error.add_note(f"{words}: {place}")
            raise


def _let_out(entry: Entry) -> list[str]:
    """What an entry of the log has let out: what the process said, or a file in its place."""
    if entry.op == "M":
        return [entry.data.decode()]
    _, is_artifact, path = entry.path2.partition("/artifacts/")
    return [f"artifact {path}"] if entry.op == "r" and is_artifact else []


def built(folder: Path) -> Path:
    """The library to be loaded first."""
    library = folder / "powercut.so"
    source = Path(__file__).with_suffix(".c")
    command = [
        "cc",
        "-O1",
        "-shared",
        "-fPIC",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-o",
        library,
        source,
    ]
    subprocess.run([*map(str, command), "-ldl"], check=True)
    return library


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for disks: in memory where there is one, for an fsync is not what is tried here."""
    memory = Path("/dev/shm")
    where = memory if os.access(memory, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="powercut-", dir=where))
    yield folder
    shutil.rmtree(folder)  # not when something is wrong: it is to be looked at


@dataclass
class Tally:
    """What was done to how much."""

    cuts: int = 0
    recordings: int = 0
    kills: int = 0
    entries: int = 0


def explore(name: str, cuts: int, random: Random, folder: Path, tally: Tally, kills: int) -> None:
    """Record a workload, with some kills, and cut the power so many times."""
    shutil.rmtree(folder, ignore_errors=True)
    moments = [
        random.choice([f"y{random.randint(1, 25)}", str(random.randint(1, 250))])
        for _ in range(kills)
    ]
    recording = Recording(name, folder, moments)
    tally.recordings += 1
    tally.kills += kills
    tally.entries += len(recording.entries)
    points = [random.randint(0, len(recording.entries)) for _ in range(cuts)]
    for words, place in recording.cuts(points, random):
        recording.finish(words, place)
        tally.cuts += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--n", type=int, default=500, help="cuts (default 500)")
    parser.add_argument("--workload", choices=[*MODULES, "all"], default="all")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args()
    names = list(MODULES) if options.workload == "all" else [options.workload]
    random, tally, began = Random(options.seed), Tally(), time.monotonic()
    print(f"powercut  seed {options.seed}   {options.n} cuts of {', '.join(names)}", flush=True)
    with scratch() as folder:
        while tally.cuts < options.n:
            name = names[tally.recordings % len(names)]
            cuts = min(CUTS_A_RECORDING, options.n - tally.cuts)
            kills = tally.recordings // len(names) % (KILLS + 1)
            explore(name, cuts, random, folder / "recording", tally, kills)
    print(
        f"{tally.cuts} power cuts in {tally.recordings} recordings of {tally.entries:,} entries, "
        f"with {tally.kills} kills: {time.monotonic() - began:.0f} seconds"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
