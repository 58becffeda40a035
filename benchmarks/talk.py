"""How fast durable actors talk: one to one, in round trips, one to many and back.

`python -m benchmarks.talk DIR --work tells --messages 100000` does one of these, with its ledger in
DIR, which must not exist yet; a message is about 100 bytes, encoded:

tells    an actor tells another all messages, 1,000 in a turn
posts    the same, told from outside the run, by `Run.tell`
asks     an actor asks another in one turn, the next question when the answer is there
queries  asked from outside, by `Run.ask`: each answer waits for its own commit
fan      one actor tells each of many `--each` messages, and each of those tells one sink

The clock stops when an answer is out that depends on the last of them, and so waits for it to be
durable.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perdure import Actor, Child, Run, SupervisorSpec, message

PAD = "x" * 75
BATCH = 1_000  # messages, or children, of one turn
WAIT_SECONDS_MAX = 250.0
WORKS = ("tells", "posts", "asks", "queries", "fan")


@message("talk.note")
class Note:
    number: int
    pad: str


@message("talk.more")
class More:
    """To go on with: `first` of `end`."""

    first: int
    end: int


@message("talk.spread")
class SpreadOut:
    first: int
    end: int
    each: int


@message("talk.report")
class Report:
    pass


class Ears:
    """Counts what the sink was told; everyone here is on one thread."""

    def __init__(self) -> None:
        self.left = 0
        self.done = threading.Event()

    def expect(self, messages: int) -> None:
        self.left = messages
        self.done.clear()

    def heard(self) -> None:
        self.left -= 1
        if not self.left:
            self.done.set()


EARS = Ears()


class Sink(Actor, name="talk.sink"):
    """Counts; answers whoever asks with its count."""

    seen: int = 0

    async def on_receive(self, message: Note | Report) -> int:
        if isinstance(message, Note):
            self.seen += 1
            EARS.heard()
        return self.seen


class Echo(Actor, name="talk.echo"):
    """Counts what it is asked."""

    seen: int = 0

    async def on_receive(self, message: Note) -> int:
        self.seen += 1
        return self.seen


class Producer(Actor, name="talk.producer"):
    """Tells the sink, or asks the echo."""

    async def on_receive(self, message: More | Note) -> int:
        if isinstance(message, Note):
            answer = 0
            for n in range(message.number):
                answer = await self.ask("/talk/echo", Note(n, message.pad))
            return answer
        end = min(message.first + BATCH, message.end)
        for n in range(message.first, end):
            self.tell("/talk/sink", Note(n, PAD))
        if end < message.end:
            self.tell(self.address, More(end, message.end))
        return end


class Leaf(Actor, name="talk.leaf"):
    """One of many, which passes on what it is told."""

    seen: int = 0

    async def on_receive(self, message: Note) -> None:
        self.seen += 1
        self.tell("/talk/sink", message)


class Fan(Actor, name="talk.fan"):
    """Has the many as children."""

    async def on_receive(self, message: More | SpreadOut) -> None:
        end = min(message.first + BATCH, message.end)
        for n in range(message.first, end):
            if isinstance(message, More):
                self.spawn(Leaf, f"l{n}")
            else:
                for m in range(message.each):
                    self.tell(f"/talk/fan/l{n}", Note(m, PAD))
        if end < message.end:
            more = (end, message.end)
            is_spawning = isinstance(message, More)
            self.tell(self.address, More(*more) if is_spawning else SpreadOut(*more, message.each))


def measure(directory: Path, work: str, messages: int, each: int) -> dict[str, Any]:
    """Do one of the works: messages, or round trips, per second."""
    kinds = {"sink": Sink, "echo": Echo, "producer": Producer, "fan": Fan}
    children = [Child(name, cls) for name, cls in kinds.items()]
    tree = Child("talk", supervisor=SupervisorSpec(children=children))
    with Run(tree, directory, seed=1) as run:
        if work == "fan":
            grow(run, messages // each)
        run.ask("/talk/sink", Report(), timeout=WAIT_SECONDS_MAX)
        EARS.expect(messages)
        start = time.perf_counter()
        if work == "asks":
            seen = run.ask("/talk/producer", Note(messages, PAD), timeout=WAIT_SECONDS_MAX)
        elif work == "queries":
            for n in range(messages):
                seen = run.ask("/talk/echo", Note(n, PAD), timeout=WAIT_SECONDS_MAX)
        else:
            seen = tell_all(run, work, messages, each)
        seconds = time.perf_counter() - start
    if seen != messages:
        raise SystemExit(f"{seen} of {messages} messages were handled")
    return {"rate": messages / seconds, "messages": messages, "seconds": seconds}


def grow(run: Run, leaves: int) -> None:
    """Have the many spawned, and their starts durable, before the clock runs."""
    run.tell("/talk/fan", More(0, leaves))
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    turns = -(-leaves // BATCH)
    while (figures := run.figures())["turns"] < turns or figures["waiting"]:
        if time.monotonic() > deadline:
            raise SystemExit(f"not all of {leaves} actors are there: {figures}")
        time.sleep(0.01)


def tell_all(run: Run, work: str, messages: int, each: int) -> int:
    """Set it off, and ask the sink when it has heard everything."""
    if work == "posts":
        for n in range(messages):
            run.tell("/talk/sink", Note(n, PAD))
    elif work == "tells":
        run.tell("/talk/producer", More(0, messages))
    else:
        run.tell("/talk/fan", SpreadOut(0, messages // each, each))
    if not EARS.done.wait(WAIT_SECONDS_MAX):
        raise SystemExit(f"{EARS.left} of {messages} messages were not handled")
    seen: int = run.ask("/talk/sink", Report(), timeout=WAIT_SECONDS_MAX)
    return seen


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--work", choices=WORKS, default="tells")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=10)
    args = parser.parse_args(argv)
    return measure(args.directory, args.work, args.messages, args.each)


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])))
