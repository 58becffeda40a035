"""A handler that hangs is a crash like any other, once its actor's deadline has passed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from perdure import Actor, Backoff, Child, FakeClock, field
from perdure.errors import TurnClosed
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, Gate, advance, dead_letters, of, program, running, settle, until
from tests.replaying import replayed

DEADLINE = 2.0
NOW = Backoff(first=0.0)
LOG: list[str] = []
gate = Gate()


@pytest.fixture(autouse=True)
def _new_gate() -> Any:
    global gate  # noqa: PLW0603 - actors are built by the kernel, and reach nothing else
    gate = Gate()
    LOG.clear()
    yield
    gate.open()


class Hung(Actor, name="tests.wedged.hung"):
    """Hangs in its first attempt at "hang"; swallows its cancellation at "deaf"."""

    got: list[str] = field(default_factory=list)

    async def on_receive(self, message: str) -> Any:
        if message == "got":
            return list(self.got)
        self.got.append(message)
        if message in ("hang", "deaf") and self.attempt == 1:
            if message == "deaf":
                with contextlib.suppress(asyncio.CancelledError):
                    await gate.passed()
            await gate.passed()
        if message == "ask":
            return await self.ask("/r/slow", "sleep")
        return None


class Blocked(Actor, name="tests.wedged.blocked"):
    """Blocks its thread at "hang", in its first attempt, and goes on when nobody waits for it."""

    got: list[str] = field(default_factory=list)

    def on_receive(self, message: str) -> Any:
        if message == "got":
            return list(self.got)
        self.got.append(message)
        if message == "hang" and self.attempt == 1:
            gate.wait()
            try:
                self.tell("/r/a", "too late")
            except TurnClosed as error:
                LOG.append(type(error).__name__)
        return None


class Slow(Actor, name="tests.wedged.slow"):
    async def on_receive(self, message: str) -> str:
        await self.sleep(10 * DEADLINE)
        return "slept"


class SlowStart(Actor, name="tests.wedged.slow-start"):
    async def on_start(self) -> None:
        LOG.append("start")
        if len(LOG) == 2:
            await gate.passed()

    def on_receive(self, message: str) -> str:
        return message


def hung(cls: type[Actor] = Hung, **options: Any) -> Child:
    options.setdefault("deadline", DEADLINE)
    return Child("a", cls, **options)


@pytest.mark.parametrize("message", ["hang", "deaf"])
def test_a_coroutine_past_its_deadline_is_cancelled_and_its_message_tried_again(
    message: str,
) -> None:
    store, clock = MemoryStore(), FakeClock(jumps=False)
    with running(program(hung(backoff=NOW)), store, clock=clock) as run:
        run.tell("/r/a", message)
        gate.reached()
        advance(run, DEADLINE)
        assert run.ask("/r/a", "got", timeout=SECONDS) == [message]
    (crash,) = of(store, records.Crash)
    assert crash.cut
    assert crash.reason.startswith("DeadlineExceeded: /r/a took more than 2 s")
    assert crash.counted


def test_a_thread_past_its_deadline_is_left_and_changes_nothing_any_more() -> None:
    store, clock = MemoryStore(), FakeClock(jumps=False)
    with running(program(hung(Blocked, backoff=NOW)), store, clock=clock) as run:
        run.tell("/r/a", "hang")
        gate.reached()
        advance(run, DEADLINE)
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["hang"]
        until(run, lambda: run.kernel.pool._load == 0)  # the one that hangs is none of the pool's
        gate.open()
        until(run, lambda: LOG)
    assert LOG == ["TurnClosed"]
    assert len(of(store, records.Crash)) == 1


def test_a_message_that_hangs_at_every_attempt_is_a_dead_letter_and_the_next_is_handled() -> None:
    store, clock = MemoryStore(), FakeClock(jumps=False)
    with running(program(hung(redelivery="none")), store, clock=clock) as run:
        run.tell("/r/a", "hang")
        gate.reached()
        run.tell("/r/a", "next")
        advance(run, DEADLINE)
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["next"]
    ((to, reason),) = dead_letters(store)
    assert to == "/r/a"
    assert "took more than 2 s" in reason


def test_a_turn_that_waits_for_an_answer_or_a_time_is_not_wedged() -> None:
    with running(program(hung(), Child("slow", Slow, deadline=DEADLINE))) as run:
        assert run.ask("/r/a", "ask", timeout=SECONDS) == "slept"
        assert run.figures()["crashed"] == 0


def test_a_turn_that_ends_in_time_leaves_no_timer_that_a_run_would_wait_for() -> None:
    clock = FakeClock()
    with running(program(hung()), clock=clock) as run:
        run.tell("/r/a", "quick").get(timeout=SECONDS)
        assert settle(run) is False
        assert clock.monotonic_ns() == 0


def test_a_start_past_its_deadline_is_a_failed_start_and_tried_again() -> None:
    clock = FakeClock(jumps=False)
    fuse = Child("fuse", Hung, redelivery="none", deadline=DEADLINE)
    tree = program(fuse, Child("late", SlowStart, deadline=DEADLINE), strategy="one_for_all")
    with running(tree, clock=clock) as run:
        assert run.ask("/r/late", "up", timeout=SECONDS) == "up"
        run.tell("/r/fuse", "hang")  # takes /r/late along, which hangs in its next start
        gate.reached()
        advance(run, DEADLINE)
        gate.reached()
        advance(run, DEADLINE)
        assert run.ask("/r/late", "up", timeout=SECONDS) == "up"
    assert LOG == ["start", "start", "start"]


def test_a_deadline_that_passed_is_replayed_as_it_is_recorded() -> None:
    store, clock = MemoryStore(), FakeClock(jumps=False)
    tree = program(hung(backoff=NOW))
    with running(tree, store, clock=clock) as run:
        run.tell("/r/a", "hang")
        gate.reached()
        advance(run, DEADLINE)
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["hang"]
    found = replayed(tree, store)
    assert found.differences == []
    (skipped,) = found.skipped
    assert "took more than 2 s" in skipped
