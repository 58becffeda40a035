"""Verdicts are records, and leave everything that hangs on a message in order."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Run
from perdure.actors.recovery import load
from perdure.actors.verdicts import Verdicts
from perdure.ledger import records
from perdure.ledger.audit import audit_store
from perdure.ledger.keys import Table, step_id
from perdure.ledger.memory import MemoryStore
from perdure.limits import BACKOFF_SECONDS_MAX
from perdure.runtime.program import Program
from tests.actors.test_doubts import PAID, pay
from tests.actors.test_steps import Echo
from tests.kit import (
    SECONDS,
    advance,
    dead_letters,
    of,
    program,
    resumed,
    rows,
    running,
    settle,
    until,
)

AMOUNT = {"asked": 3}


class Kid(Actor, name="tests.verdicts.kid"):
    async def on_receive(self, message: str) -> None: ...


class Hub(Actor, name="tests.verdicts.hub"):
    """Has a child, a question, a sleeper and a payment under way when its handler is edited."""

    done: int = 0

    async def on_receive(self, message: str) -> Any:
        self.spawn(Kid, "kid")
        self.ask("/r/silent", "anybody?", timeout=3_600.0)
        await self.call(pay, amount=AMOUNT["asked"])
        if AMOUNT["asked"] == 3:
            raise ValueError("edited meanwhile")
        self.done += 1
        return self.stop() if message == "stop" else None


class Silent(Actor, name="tests.verdicts.silent"):
    async def on_receive(self, message: str) -> None:
        await self.sleep(1e7)


@pytest.fixture
def stalled() -> tuple[Program, MemoryStore]:
    """What a process finds whose predecessor stalled on a message that has led to things."""
    PAID.clear()
    AMOUNT["asked"] = 3
    tree = program(Child("hub", Hub), Child("silent", Silent), Child("echo", Echo))
    store = MemoryStore()
    with running(tree, store, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/hub", "x")
        until(run, lambda: of(store, records.Crash))
        AMOUNT["asked"] = 4  # before it is tried again
        advance(run, BACKOFF_SECONDS_MAX)
        until(run, lambda: of(store, records.Stall))
        settle(run)
    return tree, store.reopened()


def repair(tree: Program, store: MemoryStore, verb: str) -> MemoryStore:
    """A process that records a verdict on the hub and lets go; what it leaves."""
    run = Run.resume(None, store=store, program=tree, clock=FakeClock(jumps=False))

    def begin() -> None:
        run.kernel.dispatch.is_stopping = True
        load(run.kernel)
        options = {"redo": True} if verb == "forget" else {}  # it has paid
        getattr(Verdicts(run.kernel), verb)(run.kernel.book.cell_at("/r/hub"), **options)
        run.kernel.outside.is_up.set()
        run.kernel.ending.begin("interrupted", verb)

    run.begin_with(begin)
    with run:
        run.kernel.ended.wait(SECONDS)
    run.report()
    twin = store.reopened()
    assert audit_store(twin) == []
    return store.reopened()


def timers_of_asks(store: MemoryStore) -> int:
    return len(rows(store, Table.TIMER))


@pytest.mark.parametrize("verb", ["forget", "dead"])
def test_what_a_message_led_to_ends_with_it(
    stalled: tuple[Program, MemoryStore], verb: str
) -> None:
    tree, store = stalled
    before = timers_of_asks(store)
    left = repair(tree, store, verb)
    assert timers_of_asks(left) == before - 1  # nobody waits for that answer any more
    (verdict,) = of(left, records.Verdict)
    assert verdict.actor not in {step_id(key)[0] for key, _ in rows(left, Table.STEP)}
    assert [life for _, _, life in verdict.lives] == [records.Life.ENDED]
    assert bool(dead_letters(left)) == (verb == "dead")


def test_a_forgotten_message_is_handled_anew_and_may_spawn_the_same_child(
    stalled: tuple[Program, MemoryStore],
) -> None:
    tree, store = stalled
    left = repair(tree, store, "forget")
    with resumed(tree, left) as run:
        settle(run)
        assert run.kernel.book.cell_at("/r/hub/kid").life == records.Life.RUNNING
        run.drain()
    assert PAID == [3, 4]
