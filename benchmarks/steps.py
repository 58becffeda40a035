"""What many steps in one turn cost: the turn itself, and its retry after a crash.

`python -m benchmarks.steps` runs turns of 2,500, 5,000 and 10,000 steps, each to its crash, then
the retry of each, which finds all steps in the journal; then the retry of another process, which
loads them from the tables first. It prints the CPU seconds of each (of all
threads: a busy machine does not change them much), and the slope of their logarithms
over that of the steps: 1 is a cost in proportion to the steps. With DIR, the ledgers are there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.slopes import slope
from perdure import Actor, Backoff, Child, Run, SupervisorSpec
from perdure.runtime.program import Program

SIZES = (2_500, 5_000, 10_000)
REPEATS = 3  # the best of them counts: what disturbs a run only makes it slower
WAIT_SECONDS_MAX = 300.0
LONG = "/steps/long"
STAMPS: list[float] = []
BEFORE_END = threading.Event()


def look(n: int) -> int:
    return n


async def quick(n: int) -> int:
    return look(n)


class Long(Actor):
    """Takes as many steps as its message says; its first two attempts fail after the last."""

    async def on_receive(self, message: int) -> int:
        STAMPS.append(time.process_time())
        total = 0
        for n in range(message):
            total += await self.once(quick, n)
        STAMPS.append(time.process_time())
        if len(STAMPS) == 2:
            raise ValueError("again, with all steps in the journal")
        if len(STAMPS) == 4:
            BEFORE_END.set()
            await asyncio.Event().wait()  # until the run is drained, which is no attempt
        return total


def program() -> Program:
    backoff = Backoff(first=0.0, factor=1.0, max=0.0)
    children = [Child("long", Long, backoff=backoff)]
    return Program.of(Child("steps", supervisor=SupervisorSpec(children=children)))


def measure(directory: Path, steps: int) -> dict[str, float]:
    """The seconds of a turn of that many steps, of its retry, and of a resume and its retry."""
    STAMPS.clear()
    BEFORE_END.clear()
    with Run(program(), directory, seed=1) as run:
        run.tell(LONG, steps)
        if not BEFORE_END.wait(WAIT_SECONDS_MAX):
            raise SystemExit(f"{steps} steps are not done after {WAIT_SECONDS_MAX:g} s")
        run.kernel.ask_kernel(end_turn, run)
    began = time.process_time()
    with Run.resume(directory, program=program()) as run:
        run.wait(WAIT_SECONDS_MAX)
    first, crashed, again, met, _, resumed = STAMPS
    return {"first": crashed - first, "retry": met - again, "resume": resumed - began}


def end_turn(run: Run) -> None:
    """Fence the turn, as a drain would after a while."""
    for turn in list(run.kernel.dispatch.running):
        run.kernel.dispatch.is_stopping = True
        run.kernel.lifecycle.fence(turn)


def compare(scratch: Path, sizes: Sequence[int], repeats: int) -> dict[str, Any]:
    """The best of each size, and the slopes."""
    best: dict[str, list[float]] = {}
    for size in sizes:
        runs = [measure(scratch / f"{size}-{n}", size) for n in range(repeats)]
        for name in runs[0]:
            best.setdefault(name, []).append(min(run[name] for run in runs))
    slopes = {name: slope(sizes, seconds) for name, seconds in best.items()}
    return {"steps": list(sizes), "seconds": best, "slopes": slopes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, nargs="?")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--repeats", type=int, default=REPEATS)
    args = parser.parse_args()
    scratch = args.directory or Path(tempfile.mkdtemp(prefix="perdure-steps-"))
    try:
        print(json.dumps(compare(scratch, args.sizes, args.repeats)))
    finally:
        if args.directory is None:
            shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
