"""What handlers that block cost the others: the latency of cheap ones, with and without them.

`python -m benchmarks.blockers DIR --on perdure` has 100 actors whose `def` handler sleeps 10 ms,
and 1,000 whose handler only looks at the clock. *Steady*: each blocker has its next message at
once, and the cheap ones are told one by one from outside, `--pause` apart. *Burst*: one turn tells
each of them all one message, the blockers first. `--on pykka` does the steady half on threads.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pykka

from benchmarks.memory import wait_for_turns
from perdure import Actor, Child, Run, SupervisorSpec, message

BLOCK_SECONDS = 0.01
BURSTS = 5
WAIT_SECONDS_MAX = 100.0


@message("blockers.block")
class Block:
    again: bool


@message("blockers.ping")
class Ping:
    sent: float


@message("blockers.burst")
class Burst:
    blockers: int
    cheap: int


class Seen:
    """How long each cheap message took to its handler, and whether the blockers go on."""

    def __init__(self) -> None:
        self.is_blocking = False
        self.expect(0)

    def expect(self, messages: int) -> None:
        self.latencies: list[float] = []
        self.messages, self.done = messages, threading.Event()

    def add(self, sent: float) -> None:
        self.latencies.append(time.perf_counter() - sent)
        if len(self.latencies) == self.messages:
            self.done.set()

    def p99_us(self) -> float:
        """Once all are there: the 99th percentile, in microseconds."""
        if not self.done.wait(WAIT_SECONDS_MAX):
            raise SystemExit(
                f"{len(self.latencies)} of {self.messages} cheap messages were handled"
            )
        return 1e6 * sorted(self.latencies)[int(0.99 * self.messages)]


SEEN = Seen()


class Blocker(Actor, name="blockers.blocker"):
    """Blocks its thread, and does so again as long as it is to."""

    def on_receive(self, message: Block) -> None:
        time.sleep(BLOCK_SECONDS)
        if message.again and SEEN.is_blocking:
            self.tell(self.address, message)


class Cheap(Actor, name="blockers.cheap"):
    """Looks at the clock."""

    async def on_receive(self, message: Ping) -> None:
        SEEN.add(message.sent)


class Starter(Actor, name="blockers.starter"):
    """Tells everyone in one turn."""

    async def on_receive(self, message: Burst) -> None:
        for n in range(message.blockers):
            self.tell(f"/blockers/b{n}", Block(False))
        now = time.perf_counter()
        for n in range(message.cheap):
            self.tell(f"/blockers/c{n}", Ping(now))


def steadily(tell: Callable[[int, float], object], cheap: int, pause: float) -> float:
    """Tell the cheap ones one after the other: their p99 in microseconds."""
    SEEN.expect(cheap)
    for n in range(cheap):
        tell(n, time.perf_counter())
        time.sleep(pause)
    return SEEN.p99_us()


def on_perdure(directory: Path, blockers: int, cheap: int, pause: float) -> dict[str, float]:
    """Steady and burst, each without blockers and with."""
    children = [Child(f"b{n}", Blocker) for n in range(blockers)]
    children += [Child(f"c{n}", Cheap) for n in range(cheap)]
    children.append(Child("starter", Starter))
    tree = Child("blockers", supervisor=SupervisorSpec(children=children))
    found = {}
    with Run(tree, directory, seed=1) as run:

        def tell(n: int, sent: float) -> None:
            run.tell(f"/blockers/c{n}", Ping(sent))

        def burst(blockers: int) -> float:
            SEEN.expect(cheap)
            turns = run.figures()["turns"]
            run.tell("/blockers/starter", Burst(blockers, cheap)).get(timeout=WAIT_SECONDS_MAX)
            p99 = SEEN.p99_us()
            wait_for_turns(run, turns + 1 + blockers + cheap)
            return p99

        for blocked in (0, blockers):  # which also has their service times learned
            bursts = [burst(blocked) for _ in range(BURSTS)]
            found["burst_us" if blocked else "burst_alone_us"] = statistics.median(bursts)
        found["steady_alone_us"] = steadily(tell, cheap, pause)
        SEEN.is_blocking = True
        for n in range(blockers):
            run.tell(f"/blockers/b{n}", Block(True)).get(timeout=WAIT_SECONDS_MAX)
        found["steady_us"] = steadily(tell, cheap, pause)
        SEEN.is_blocking = False
    return found


class Thread(pykka.ThreadingActor):
    """Blocks for True, else looks at the clock."""

    use_daemon_thread = True

    def on_receive(self, message: bool | float) -> None:
        if message is not True:
            SEEN.add(message)
            return
        time.sleep(BLOCK_SECONDS)
        if SEEN.is_blocking:
            self.actor_ref.tell(True)


def on_pykka(blockers: int, cheap: int, pause: float) -> dict[str, float]:
    """Steady, without blockers and with."""
    hard, easy = ([Thread.start() for _ in range(many)] for many in (blockers, cheap))

    def tell(n: int, sent: float) -> None:
        easy[n].tell(sent)

    steadily(tell, cheap, 0.0)  # until all threads have come to rest
    found = {"steady_alone_us": steadily(tell, cheap, pause)}
    SEEN.is_blocking = True
    for ref in hard:
        ref.tell(True)
    found["steady_us"] = steadily(tell, cheap, pause)
    SEEN.is_blocking = False
    for ref in hard + easy:
        ref.stop(block=False)
    return found


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--on", choices=("perdure", "pykka"), default="perdure")
    parser.add_argument("--blockers", type=int, default=100)
    parser.add_argument("--cheap", type=int, default=1_000)
    parser.add_argument("--pause", type=float, default=0.0005, metavar="SECONDS")
    args = parser.parse_args(argv)
    if args.on == "pykka":
        return on_pykka(args.blockers, args.cheap, args.pause)
    return on_perdure(args.directory, args.blockers, args.cheap, args.pause)


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])))
