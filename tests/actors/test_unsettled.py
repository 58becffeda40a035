"""What a step reserved is not reserved for ever when its message ends and nobody asks for it."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, tool
from perdure.errors import Crashed
from perdure.ledger import records
from perdure.ledger.audit import audit
from perdure.ledger.journal import read_record
from perdure.ledger.memory import MemoryStore
from tests.kit import (
    SECONDS,
    Disk,
    Gate,
    advance,
    budget,
    of,
    on_kernel,
    program,
    resumed,
    running,
    settle,
    until,
)
from tests.replaying import assert_identical

GATE = [Gate()]
IS_LATER: list[bool] = []


@tool("world.page", effect="read", tokens=7)
async def page() -> str:
    await GATE[0].passed()
    return "page"


class Reading(Actor, name="tests.unsettled.reading"):
    """Reads in the first process; in a later one it crashes, or goes another way."""

    async def on_receive(self, message: str) -> str:
        if not IS_LATER:
            await self.call(page)
        if message == "crash":
            raise ValueError("before it came to it")
        return "went another way"


class Echo(Actor, name="tests.unsettled.echo"):
    async def on_receive(self, message: str) -> str:
        return message


@pytest.fixture(autouse=True)
def _fresh() -> None:
    GATE[0] = Gate()
    IS_LATER.clear()


def cut_off(tree: object, message: str) -> Disk:
    """The disk of a process that died in the middle of the step."""
    disk = Disk()
    with running(tree, disk) as run:  # type: ignore[arg-type]
        run.tell("/r/a", message).get(timeout=SECONDS)
        GATE[0].reached()
        run.ask("/r/echo", "durable", timeout=SECONDS)
        twin = disk.reopened()
        GATE[0].open()
    IS_LATER.append(True)
    assert (budget(twin).spent, budget(twin).reserved) == (0, 7)
    return twin


@pytest.mark.parametrize("message", ["close", "crash"])
def test_what_a_step_reserved_is_charged_when_its_message_ends_without_it(message: str) -> None:
    tree = program(Child("a", Reading, attempts_max=2), Child("echo", Echo), tokens=100)
    twin = cut_off(tree, message)
    with resumed(tree, twin) as run:
        settle(run)
    assert (budget(twin).spent, budget(twin).reserved) == (7, 0)
    (given_up,) = [r for r in of(twin, records.Result) if r.reserved]
    assert (given_up.ok, given_up.tokens) == (False, 7)
    assert_identical(tree, twin)


def test_a_crash_that_is_retried_leaves_the_reservation_to_the_next_attempt() -> None:
    tree = program(Child("a", Reading, attempts_max=2), Child("echo", Echo), tokens=100)
    twin = cut_off(tree, "crash")
    with resumed(tree, twin) as run:
        settle(run)
    order = [
        type(record).__name__
        for record in [*of(twin, records.Crash), *of(twin, records.Result)]
        if getattr(record, "reserved", 1)
    ]
    assert order == ["Crash", "Crash", "Result"]
    first, last = of(twin, records.Crash)
    (given_up,) = [r for r in of(twin, records.Result) if r.reserved]
    assert first.time <= given_up.time <= last.time


def test_who_needs_room_that_was_charged_is_refused_and_does_not_wait() -> None:
    class Paying(Actor, name="tests.unsettled.paying"):
        async def on_receive(self, message: str) -> str:
            return await self.call(page)

    tree = program(
        Child("a", Reading), Child("echo", Echo), Child("b", Paying, attempts_max=1), tokens=10
    )
    twin = cut_off(tree, "close")
    with resumed(tree, twin) as run:
        answer = run.kernel.outside.ask("/r/b", "x")
        settle(run)
        assert answer.exception() is not None
    assert (budget(twin).spent, budget(twin).reserved) == (7, 0)


# --- messages that somebody else ends


SPAWNS: list[Any] = [None]


class Spawning(Actor, name="tests.unsettled.spawning"):
    async def on_receive(self, message: str) -> None:
        self.spawn(SPAWNS[0], "child")


def test_a_cancelled_actor_leaves_no_reservation() -> None:
    store = MemoryStore()
    tree = program(Child("a", Reading), Child("echo", Echo), tokens=10)
    with running(tree, store, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "close").get(timeout=SECONDS)
        GATE[0].reached()
        run.cancel("/r/a")
        assert on_kernel(run, lambda: run.kernel.book.budget) == (10, 7, 0)
        GATE[0].open()
        settle(run)
    assert (budget(store).spent, budget(store).reserved) == (7, 0)
    assert len(of(store, records.Late)) == 1  # what it ended with was charged already
    assert_identical(tree, store)


def test_who_waits_for_room_goes_on_when_what_held_it_is_cancelled() -> None:
    store = MemoryStore()
    tree = program(Child("a", Reading), Child("b", Reading, attempts_max=1), tokens=10)
    with running(tree, store, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "close").get(timeout=SECONDS)
        GATE[0].reached()
        waits = run.kernel.outside.ask("/r/b", "close")
        until(run, lambda: run.kernel.budget_waiters)
        run.cancel("/r/a")
        with pytest.raises(Crashed, match="BudgetExhausted"):  # it was spent, so far as is known
            waits.get(timeout=SECONDS)
        GATE[0].open()


def test_a_child_that_ends_with_the_message_that_spawned_it_leaves_none() -> None:
    class Mother(Actor, name="tests.unsettled.mother"):
        async def on_receive(self, message: str) -> None:
            self.spawn(Reading, "child")
            await self.ask("child", "close", timeout=60.0)

    store = MemoryStore()
    tree = program(Child("a", Mother, attempts_max=1), Child("echo", Echo), tokens=100)
    with running(tree, store, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        GATE[0].reached()
        advance(run, 61.0)
        settle(run)
        GATE[0].open()
        until(run, lambda: run.kernel.book.budget.reserved == 0)
    assert (budget(store).spent, budget(store).reserved) == (7, 0)
    assert len([life for crash in of(store, records.Crash) for life in crash.lives]) > 0
    assert_identical(tree, store)


def test_a_start_that_is_killed_in_the_middle_of_a_step_leaves_none() -> None:
    class Starting(Actor, name="tests.unsettled.starting"):
        async def on_start(self) -> None:
            await self.call(page)

    store = MemoryStore()
    tree = program(Child("mother", Spawning), Child("echo", Echo), tokens=100)
    SPAWNS[0] = Starting
    with running(tree, store, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/mother", "x").get(timeout=SECONDS)
        GATE[0].reached()
        run.cancel("/r/mother/child")
        until(run, lambda: run.kernel.book.budget.reserved == 0)
        GATE[0].open()
        settle(run)
    assert (budget(store).spent, budget(store).reserved) == (7, 0)
    assert_identical(tree, store)


def test_the_audit_finds_a_reservation_that_nobody_settles() -> None:
    store = MemoryStore()
    tree = program(Child("a", Reading), Child("echo", Echo), tokens=100)
    GATE[0].open()
    with running(tree, store) as run:
        run.ask("/r/a", "close", timeout=SECONDS)
    whole = [read_record(raw) for raw in store.reopened().records()]
    assert audit(whole, store.reopened().scan(b"")) == []
    (result,) = [record for record in whole if isinstance(record.body, records.Result)]
    at = result.seq - 1
    body: Any = result.body
    kept = result._replace(body=body._replace(tokens=0, reserved=0))
    lost = [*whole[:at], kept, *whole[at + 1 :]]
    assert "7 tokens are reserved, and open steps reserve 0" in str(audit(lost, []))
    late = records.Late(result.body.time, (), whole[0].seq, 1, 1, (1, 0), "nothing")
    gone = [*whole[:at], result._replace(body=late), *whole[at + 1 :]]
    assert "ends, and its world.page#1 still reserves tokens" in str(audit(gone, []))
