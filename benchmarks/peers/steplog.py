"""What all peers share: the line that every step leaves, the arguments, the rate."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PAD = "x" * 100
THREADS = 16  # where many agents need some


class Work(NamedTuple):
    """How many agents take how many steps each, and where their engine keeps its files."""

    directory: Path
    agents: int
    steps: int

    @property
    def log(self) -> Path:
        return self.directory / "steps.log"


class Log:
    """The line that every step leaves; nobody flushes it."""

    def __init__(self, path: Path | str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def add(self, who: str, count: int) -> tuple[int, str]:
        """One step: its line, and what it gives back."""
        os.write(self._file, b"%b %d\n" % (who.encode(), count))
        return count + 1, PAD


def work() -> Work:
    """What the command line asks for; the folder is made."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--agents", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2_000)
    args = parser.parse_args()
    args.directory.mkdir(parents=True)
    return Work(args.directory.resolve(), args.agents, args.steps)


def timed(asked: Work, do: Callable[[], object]) -> None:
    """Have all steps taken, count their lines, and print the rate."""
    start = time.perf_counter()
    do()
    seconds = time.perf_counter() - start
    lines = asked.log.read_bytes().count(b"\n")
    if lines != asked.agents * asked.steps:
        raise SystemExit(f"{lines} lines of {asked.agents * asked.steps}")
    print(json.dumps({"rate": lines / seconds, "seconds": seconds}), flush=True)
