"""What kill -9 costs: from the start of the next process to its first step.

`python -m benchmarks.killed DIR --kind turns --steps 2000` has a process of its own take durable
steps, kills it in the middle of the one after the first half, and starts another that takes the run
up. That one says when it had imported everything, and when it took its first step.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contest import ROOT, in_a_process
from benchmarks.durable import KINDS, LOG, PAD, WAIT_SECONDS_MAX, Go, Report, program
from perdure import Actor, Child, Run, tool

IMPORTED = time.monotonic()
LOOK_SECONDS = 0.001


@tool("killed.begin", effect="external", idempotent=True)
async def begin() -> None:
    """Waits, as any effect does, until the message that asked for it is durable."""


class Starter(Actor, name="killed.starter"):
    """Sets the worker off, no sooner than whoever dies then will be remembered."""

    async def on_receive(self, message: Go) -> None:
        await self.call(begin)
        self.tell("/durable/a0", message)


def work(directory: Path, kind: str, steps: int) -> dict[str, Any]:
    """Begin the run or take it up, until all steps are durable; when its first step was taken."""
    is_new, team = not directory.exists(), program(kind, 1, Child("starter", Starter))
    directory.parent.mkdir(parents=True, exist_ok=True)
    LOG.open(directory.with_name("steps.log"), 1)
    LOG.until_the_end = steps // 2 if is_new else -1
    with Run(team, directory, seed=1) if is_new else Run.resume(directory, program=team) as run:
        if is_new:
            run.tell("/durable/starter", Go(steps, 0, PAD))
        if not LOG.done.wait(WAIT_SECONDS_MAX):
            raise SystemExit("the steps came to no end")
        count = run.ask("/durable/a0", Report(), timeout=WAIT_SECONDS_MAX)
    return {"imported": IMPORTED, "first_step": LOG.first_step, "count": count}


def measure(directory: Path, kind: str, steps: int) -> dict[str, Any]:
    """Kill it in the middle, and see how soon it is at work again, and what it did twice."""
    command = [sys.executable, "-m", "benchmarks.killed", str(directory), "--work"]
    command += ["--kind", kind, "--steps", str(steps)]
    log = directory.with_name("steps.log")
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not log.exists() or log.read_bytes().count(b"\n") < steps // 2:
        if first.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the first process did not get half way")
        time.sleep(LOOK_SECONDS)
    first.kill()
    first.wait()
    before = log.read_bytes().count(b"\n")
    began = time.monotonic()
    second = in_a_process(command)
    lines = log.read_text().splitlines()
    if second["count"] != steps or len(set(lines)) != steps:
        raise SystemExit(
            f"{len(set(lines))} of {steps} steps were taken, and {second['count']} say so"
        )
    return {
        "ms": 1e3 * (second["first_step"] - second["imported"]),
        "import_ms": 1e3 * (second["imported"] - began),
        "killed_at": before,
        "twice": len(lines) - steps,
    }


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--kind", choices=KINDS, default="turns")
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--work", action="store_true", help="be the process that takes the steps")
    args = parser.parse_args(argv)
    do = work if args.work else measure
    return do(args.directory, args.kind, args.steps)


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])))
