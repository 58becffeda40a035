"""One of a thousand agents crashes every second, and the others do not feel it.

Time is virtual, and the kernel is what is scarce: each record that it appends takes a little of it.
So a restart takes the time of its records from everybody, as it would on one processor, and a
strategy that stopped more than it should would take a thousand times as much.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, message
from perdure.actors.book import Book
from perdure.clock import NS
from perdure.ledger.memory import MemoryStore
from tests.kit import program, running

AGENTS = 1_000
BEGIN_SECONDS = 5.0  # all have started by then
LIFETIME_SECONDS = 6.0
BETWEEN_SECONDS = 2.0  # mean time between two calls to one agent
RECORD_NS = 200_000  # of kernel time; 1,000 agents keep a fifth of it busy
TOLERANCE = 0.05
WAIT_SECONDS_MAX = 60.0  # of real time

clock = FakeClock()
latencies: dict[int, list[int]] = {}
"""In ns of virtual time, by agent; the agents' durable state is not where a measurement belongs."""


@message
class Call:
    due: int


@message
class Crash:
    pass


class Agent(Actor, name="tests.isolation.agent"):
    """Is called at random times; one of them crashes in each second."""

    number: int = 0
    crashes: bool = False
    is_told: bool = False

    async def on_start(self) -> None:
        if self.is_told:
            return
        self.is_told = True
        chance = random.Random(self.number)
        at = chance.expovariate(1 / BETWEEN_SECONDS)
        while at < LIFETIME_SECONDS:
            due = int((BEGIN_SECONDS + at) * NS)
            self.tell(self.address, Call(due), delay=(due - clock.monotonic_ns()) / NS)
            at += chance.expovariate(1 / BETWEEN_SECONDS)
        if self.crashes and self.number < LIFETIME_SECONDS:
            due = int((BEGIN_SECONDS + self.number) * NS)
            self.tell(self.address, Crash(), delay=(due - clock.monotonic_ns()) / NS)

    async def on_receive(self, message: Any) -> None:
        if isinstance(message, Crash):
            raise OSError("no line")
        latencies.setdefault(self.number, []).append(clock.monotonic_ns() - message.due)


@pytest.fixture(autouse=True)
def _records_take_time(monkeypatch: pytest.MonkeyPatch) -> None:
    append = Book.append

    def timed(self: Book, kind: int, fields: tuple[Any, ...], *pack: Any) -> int:
        clock.advance(RECORD_NS / NS)
        return append(self, kind, fields, *pack)

    monkeypatch.setattr(Book, "append", timed)


def percentiles(
    *, crashes: bool, strategy: str = "one_for_one", agents: int = AGENTS
) -> tuple[int, int]:
    """The p50 and the p99 of all calls to agents that never crash."""
    global clock  # noqa: PLW0603 - agents are built by the kernel, and reach nothing else
    clock = FakeClock()
    latencies.clear()
    children = [
        Child(f"a{n}", Agent, init={"number": n, "crashes": crashes}, redelivery="none")
        for n in range(agents)
    ]
    with running(program(*children, strategy=strategy), MemoryStore(), clock=clock) as run:
        run.wait(WAIT_SECONDS_MAX)
        restarts = run.figures()["restarts"]
    others = [agent for agent in latencies if agent >= LIFETIME_SECONDS]
    taken = sorted(each for agent in others for each in latencies[agent])
    assert (restarts >= LIFETIME_SECONDS) == crashes
    return taken[len(taken) // 2], taken[len(taken) * 99 // 100]


def test_the_others_wait_no_longer_when_one_of_a_thousand_crashes_every_second() -> None:
    p50, p99 = percentiles(crashes=False)
    p50_with_crashes, p99_with_crashes = percentiles(crashes=True)
    assert p50 < p99
    assert abs(p50_with_crashes - p50) <= TOLERANCE * p50
    assert abs(p99_with_crashes - p99) <= TOLERANCE * p99


def test_a_strategy_that_restarts_all_of_them_is_felt_by_all() -> None:
    _, p99 = percentiles(crashes=False, agents=100)
    _, p99_with_crashes = percentiles(crashes=True, strategy="one_for_all", agents=100)
    assert p99_with_crashes > 10 * p99
