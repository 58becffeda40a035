"""How figures come about: parts run one after the other, lap after lap, each in a fresh process.

Machines differ, and are shared: so a figure is compared with what ran beside it in the same lap,
and the median of the laps counts.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PART_SECONDS_MAX = 1_000.0  # a million agents on a busy machine; most parts give up sooner
END_SECONDS_MAX = 5.0  # from SIGTERM to SIGKILL
VOLATILE = ("tmpfs", "ramfs")  # where fsync costs nothing

Figures = dict[str, Any]
Laps = list[dict[str, Figures]]


def say(text: str) -> None:
    """Tell the one who waits."""
    print(text, file=sys.stderr, flush=True)


class Part(NamedTuple):
    """One program of this folder with its arguments; `{}` in them is a fresh folder for it."""

    name: str
    program: str
    args: tuple[object, ...] = ()
    python: str = sys.executable


class Contest(NamedTuple):
    """What is measured together: in each lap every part, in this order."""

    name: str
    laps: int
    parts: tuple[Part, ...]


class Spread(NamedTuple):
    """The median of some measurements, and how far they lie apart."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """The median of `values` with the least and the greatest."""
    return Spread(statistics.median(values), min(values), max(values))


def hold(
    contests: Sequence[Contest], scratch: Path, *, inside: bool, seconds: float
) -> dict[str, Laps]:
    """A lap of each contest, then the next of each, as many as are planned and fit into `seconds`.

    Each has one at least; a lap in which a part fails is told, and does not count. `inside` this
    process, which is quick, or each part in one of its own.
    """
    began, laps_max = time.monotonic(), max(contest.laps for contest in contests)
    held: dict[str, Laps] = {contest.name: [] for contest in contests}
    took = dict.fromkeys(held, 0.0)
    for number, contest in product(range(laps_max), contests):
        start = time.monotonic()
        is_late = number and start - began + took[contest.name] > seconds
        if number >= contest.laps or is_late:
            continue
        try:
            lap = {
                part.name: run(part, scratch / contest.name / part.name, inside=inside)
                for part in contest.parts
            }
        except (SystemExit, subprocess.TimeoutExpired) as error:
            say(f"{contest.name} {number + 1} of {contest.laps} does not count: {error}")
            continue
        held[contest.name].append(lap)
        took[contest.name] = time.monotonic() - start
        heads = ", ".join(f"{name} {head(figures)}" for name, figures in lap.items())
        about = f"{contest.name} {number + 1} of {contest.laps}, {took[contest.name]:.0f} s"
        say(f"{about}: {heads}")
    return {name: laps for name, laps in held.items() if laps}


def counts(held: dict[str, Laps]) -> str:
    """How many laps each contest had, in words."""
    return ", ".join(f"{name} {len(laps)}" for name, laps in held.items())


def head(figures: Figures) -> str:
    """The first figure, for the one who waits."""
    name, value = next(iter(figures.items()))
    return f"{value:,.0f} {name}" if isinstance(value, int | float) else f"{name}: {value}"


def run(part: Part, home: Path, *, inside: bool) -> Figures:
    """Run one part; its figures. Its folder is made for it, and goes with it."""
    home.mkdir(parents=True)
    args = [str(home / "run") if arg == "{}" else str(arg) for arg in part.args]
    try:
        if inside:
            module = importlib.import_module(f"benchmarks.{part.program}")
            found: Figures = module.figures(args)
            return found
        return in_a_process([part.python, "-m", f"benchmarks.{part.program}", *args])
    finally:
        shutil.rmtree(home)


def in_a_process(command: Sequence[str]) -> Figures:
    """Run a program of this folder; what the last line that it prints says."""
    code, output, _ = finish(command, PART_SECONDS_MAX, errors=None)
    if code:
        raise SystemExit(f"failed with {code}: {' '.join(command)}")
    figures: Figures = json.loads(output.splitlines()[-1])
    return figures


def finish(
    command: Sequence[str], seconds: float, errors: int | None = subprocess.PIPE
) -> tuple[int, str, str]:
    """Run a command to its end: its code and what it said; past `seconds` all of it is ended."""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        try:
            output, said = process.communicate(timeout=seconds)
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)  # one that has started others ends them
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS_MAX)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output, said or ""


# --- the machine


def machine(scratch: Path) -> dict[str, Any]:
    """Where this was measured."""
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "file_system": file_system(scratch),
        "load": round(os.getloadavg()[0], 2),
        **{name: version(name) for name in ("lmdb", "msgpack", "pykka")},
    }


def file_system(path: Path) -> str:
    """The kind of file system that `path` is on; 'unknown' where there is no /proc."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    over = [(where, kind) for _, where, kind, *_ in mounts if path.is_relative_to(where)]
    return max(over, key=lambda mount: len(mount[0]))[1]
