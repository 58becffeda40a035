"""How many actors Pykka starts, each a thread, and what a restart by hand costs there.

`python -m benchmarks.pykka_lives --work start --actors 25000` starts actors until the system gives
no more threads, and tells each one message. `--work falls` crashes an actor again and again: its
`on_failure` tells a supervisor, which starts the next; the time is from the crash to the end of
the new one's `on_start`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import pykka

from benchmarks.memory import resident

WAIT_SECONDS_MAX = 250.0


class Agent(pykka.ThreadingActor):
    """Handles one message."""

    use_daemon_thread = True

    def __init__(self) -> None:
        super().__init__()
        self.done, self.last = 0, ""

    def on_receive(self, message: str) -> None:
        self.done += 1
        self.last = message


def start(actors: int) -> dict[str, Any]:
    """Start that many actors, or as many as there can be, and touch each once."""
    before, began, refs, refused = resident(), time.perf_counter(), [], ""
    try:
        for n in range(actors):
            refs.append(ref := Agent.start())
            ref.tell(f"the one message of agent {n}")
    except RuntimeError as error:  # no more threads
        refused = str(error)
    seconds = time.perf_counter() - began
    growth = resident()["rss"] - before["rss"]
    for ref in refs:
        ref.stop(block=False)
    return {"agents": len(refs), "seconds": seconds, "rss": growth, "refused": refused}


class Fell(Exception):
    """What the actors here crash with."""


class Falls:
    """When the last one fell, and how long each took to be back."""

    def __init__(self, number: int) -> None:
        self.number, self.fell = number, 0.0
        self.latencies: list[float] = []
        self.done = threading.Event()


class Keeper(pykka.ThreadingActor):
    """Starts the next one whenever one fell."""

    use_daemon_thread = True

    def __init__(self, falls: Falls) -> None:
        super().__init__()
        self.falls = falls

    def on_receive(self, message: object) -> None:
        Faller.start(self.falls, self.actor_ref).tell("fall")


class Faller(pykka.ThreadingActor):
    """Crashes on every message."""

    use_daemon_thread = True

    def __init__(self, falls: Falls, keeper: pykka.ActorRef[Keeper]) -> None:
        super().__init__()
        self.falls, self.keeper = falls, keeper

    def on_start(self) -> None:
        if self.falls.fell:
            self.falls.latencies.append(time.perf_counter() - self.falls.fell)
        if len(self.falls.latencies) >= self.falls.number:
            self.falls.done.set()

    def on_receive(self, message: object) -> None:
        self.falls.fell = time.perf_counter()
        raise Fell

    def on_failure(self, *details: object) -> None:
        if not self.falls.done.is_set():
            self.keeper.tell("it fell")


def fall(number: int) -> dict[str, Any]:
    """Have that many fall, one after the other: microseconds from the crash to the new start."""
    log = logging.getLogger("pykka")
    log.propagate, log.disabled = False, True  # a traceback on the terminal is no restart
    falls = Falls(number)
    keeper = Keeper.start(falls)
    keeper.tell("begin")
    if not falls.done.wait(WAIT_SECONDS_MAX):
        raise SystemExit(f"{len(falls.latencies)} of {number} falls")
    keeper.stop(block=False)
    late = sorted(falls.latencies[number // 6 :])
    return {"us": 1e6 * statistics.median(late), "p99_us": 1e6 * late[int(0.99 * len(late))]}


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", choices=("start", "falls"), default="start")
    parser.add_argument("--actors", type=int, default=1_000)
    args = parser.parse_args(argv)
    return fall(args.actors) if args.work == "falls" else start(args.actors)


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])), flush=True)
    os._exit(0)  # nobody waits for thousands of threads to end one by one
