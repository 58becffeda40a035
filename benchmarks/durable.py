"""Durable steps, one actor or many: each adds a line to a log and gives back its count and a pad.

`python -m benchmarks.durable DIR --kind turns --agents 1 --steps 2000` runs it, with its ledger in
DIR, which must not exist yet. A step is, by kind:

turns    a turn of its own: the actor tells itself; the line is written by the handler
reads    `once` of an `async def` function, all in one turn
instant  `once` of a `@nonblocking` function, all in one turn
effects  `call` of a tool with an outside effect, all in one turn: each waits for its own commit
acts     a turn of its own with such a call in it: likewise

The clock runs from the first message until an answer is out that depends on the last step, and so
waits for it to be durable.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.account import Account
from perdure import Actor, Child, Run, SupervisorSpec, message, nonblocking, tool
from perdure.ledger.store import open_store
from perdure.runtime.program import Program

PAD = "x" * 100
WAIT_SECONDS_MAX = 250.0
KINDS = ("turns", "reads", "instant", "effects", "acts")


class Log:
    """The line that every step leaves, in a file or nowhere, and who is not done yet."""

    def __init__(self) -> None:
        self.file = -1
        self.left = 0
        self.until_the_end = -1  # steps until whoever takes the next one is to be killed in it
        self.first_step = 0.0
        self.done = threading.Event()

    def open(self, path: Path, agents: int) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.left, self.first_step = agents, 0.0
        self.done.clear()

    def add(self, who: str, count: int) -> tuple[int, str]:
        """One step: its line, and what it gives back."""
        if not self.first_step:
            self.first_step = time.monotonic()
        if not self.until_the_end:
            threading.Event().wait(WAIT_SECONDS_MAX)
        self.until_the_end -= 1
        os.write(self.file, b"%b %d\n" % (who.encode(), count))
        return count + 1, PAD

    def end(self) -> None:
        """An agent took its last step; they all do so on one thread."""
        self.left -= 1
        if not self.left:
            self.done.set()


LOG = Log()


async def read(who: str, count: int) -> tuple[int, str]:
    return LOG.add(who, count)


@nonblocking
def look(who: str, count: int) -> tuple[int, str]:
    return LOG.add(who, count)


@tool("durable.act", effect="external", idempotent=True)
async def act(who: str, count: int) -> tuple[int, str]:
    return LOG.add(who, count)


@message("durable.go")
class Go:
    steps: int
    count: int
    pad: str


@message("durable.report")
class Report:
    pass


class Worker(Actor, name="durable.worker"):
    """Takes steps the way its kind says."""

    kind: str = ""
    count: int = 0
    pad: str = ""

    async def on_receive(self, message: Go | Report) -> int:
        if isinstance(message, Report):
            return self.count
        who = self.address
        if self.kind in {"turns", "acts"}:
            if self.kind == "turns":
                self.count, self.pad = LOG.add(who, message.count)
            else:
                self.count, self.pad = await self.call(act, who, message.count)
            if self.count < message.steps:
                self.tell(who, Go(message.steps, self.count, self.pad))
                return self.count
        else:
            await self.all_at_once(who, message.steps)
        LOG.end()
        return self.count

    async def all_at_once(self, who: str, steps: int) -> None:
        for n in range(steps):
            if self.kind == "reads":
                self.count, self.pad = await self.once(read, who, n)
            elif self.kind == "instant":
                self.count, self.pad = await self.once(look, who, n)
            else:
                self.count, self.pad = await self.call(act, who, n)


def program(kind: str, agents: int, *others: Child) -> Program:
    """A supervisor with that many workers, and `others`."""
    children = [Child(f"a{n}", Worker, init={"kind": kind}) for n in range(agents)]
    return Program.of(Child("durable", supervisor=SupervisorSpec(children=[*children, *others])))


def measure(
    directory: Path, kind: str, agents: int, steps: int, durability: str = "group"
) -> dict[str, Any]:
    """All steps of all agents, durable: steps per second, and what was written for each."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    log = directory.with_name("steps.log")
    LOG.open(log, agents)
    store = open_store(directory, create=True)
    books = Account(store)
    tree = program(kind, agents)
    with Run(tree, directory, store=store, seed=1, durability=durability) as run:
        run.ask("/durable/a0", Report(), timeout=WAIT_SECONDS_MAX)
        books.clear()
        start = time.perf_counter()
        for n in range(agents):
            run.tell(f"/durable/a{n}", Go(steps, 0, PAD))
        if not LOG.done.wait(WAIT_SECONDS_MAX):
            raise SystemExit(f"{LOG.left} of {agents} agents are not done")
        last = run.ask(f"/durable/a{agents - 1}", Report(), timeout=WAIT_SECONDS_MAX)
        seconds = time.perf_counter() - start
    lines = log.read_bytes().count(b"\n")
    os.close(LOG.file)
    if last != steps or lines != agents * steps:
        raise SystemExit(f"{lines} lines of {agents * steps}, and the last agent counts {last}")
    written = {"groups": books.groups, "records_per_step": books.records / lines}
    return {"rate": lines / seconds, "seconds": seconds, **written}


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--kind", choices=KINDS, default="turns")
    parser.add_argument("--agents", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2_000)
    args = parser.parse_args(argv)
    return measure(args.directory, args.kind, args.agents, args.steps)


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])))
