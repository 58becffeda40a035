"""An ask or a sleep that its handler gave up: the cancellation is the outcome, as for any step."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock
from perdure.errors import StepCancelled
from perdure.ledger import records
from perdure.ledger.keys import Table
from perdure.ledger.memory import MemoryStore
from perdure.runtime.run import Run
from tests.kit import (
    SECONDS,
    Disk,
    Gate,
    advance,
    of,
    program,
    resumed,
    rows,
    running,
    settle,
    until,
)
from tests.replaying import assert_identical

GATES: dict[str, Gate] = {}
HEARD: list[str] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    HEARD.clear()
    GATES.clear()
    GATES.update({name: Gate() for name in ("answer", "crash")})


class Slow(Actor, name="tests.cancelled_waits.slow"):
    """Answers when a gate opens."""

    async def on_receive(self, message: str) -> str:
        HEARD.append(message)
        await GATES["answer"].passed()
        return f"answer to {message}"


class Echo(Actor, name="tests.cancelled_waits.echo"):
    async def on_receive(self, message: str) -> str:
        HEARD.append(message)
        return message


class Hasty(Actor, name="tests.cancelled_waits.hasty"):
    """Gives up an ask or a sleep, goes on with another step, and then crashes or hangs."""

    met: str = ""

    async def on_receive(self, message: str) -> str:
        wait = self.sleep(3_600.0) if "sleep" in message else self.ask("/r/slow", "q", timeout=60.0)
        try:
            async with asyncio.timeout(0.0):
                self.met = await wait
        except TimeoutError:
            self.met = "too late"
        went_on = await self.ask("/r/echo", self.met)
        if "late" in message and self.attempt == 1:
            GATES["answer"].open()
        if "crash" in message and self.attempt == 1:
            raise ValueError("again")
        if "nap" in message:
            await self.sleep(60.0)
        if "hang" in message:
            await GATES["crash"].passed()
        return went_on


def cancelled(store: MemoryStore) -> list[str]:
    """The keys of the steps that were cancelled, by their records."""
    return [result.key for result in of(store, records.Result) if not result.ok]


def answered(store: MemoryStore) -> list[bytes]:
    """What actors answered to asks of `/r/slow`."""
    answers = [turn.answer for turn in of(store, records.Turn) if turn.answer is not None]
    return [value for reply, _, value in answers if "slow" in reply[3]]


def timers(store: MemoryStore) -> int:
    return len(rows(store, Table.TIMER))


def crashed(run: Run, store: MemoryStore) -> None:
    """Wait for a crash, and let the pause after it go by."""
    until(run, lambda: of(store, records.Crash))
    advance(run, 1.0)


TREE = program(Child("a", Hasty), Child("slow", Slow), Child("echo", Echo))


@pytest.mark.parametrize("kind", ["ask", "sleep"])
def test_a_timeout_around_a_wait_is_its_outcome_and_its_timer_goes_along(kind: str) -> None:
    store = MemoryStore()
    with running(TREE, store, clock=FakeClock(jumps=False)) as run:
        assert run.ask("/r/a", kind, timeout=SECONDS) == "too late"
        assert run.kernel.waits.open == {}
        GATES["answer"].open()
        settle(run)
    assert cancelled(store) == ["ask /r/slow#1" if kind == "ask" else "sleep#1"]
    assert timers(store) == 0
    assert_identical(TREE, store)


@pytest.mark.parametrize("kind", ["ask", "sleep"])
def test_a_retry_goes_the_way_that_the_timeout_sent_the_first_attempt(kind: str) -> None:
    store = MemoryStore()
    with running(TREE, store, clock=FakeClock(jumps=False)) as run:
        answer = run.kernel.outside.ask("/r/a", f"{kind}, late, crash")
        if kind == "ask":
            until(run, lambda: answered(store))
        crashed(run, store)
        assert answer.get(timeout=SECONDS) == "too late"
        settle(run)
    assert [name for name in HEARD if name != "q"] == ["too late"]  # asked once, by the first
    assert len(cancelled(store)) == 1
    assert_identical(TREE, store)


def test_a_turn_that_is_suspended_afterwards_goes_the_same_way_when_it_is_begun_anew() -> None:
    store = MemoryStore()
    with running(TREE, store, clock=FakeClock(jumps=False)) as run:
        answer = run.kernel.outside.ask("/r/a", "ask, nap")
        until(run, lambda: run.kernel.waits.suspension.waiting)
        until(run, lambda: len(of(store, records.Ask)) == 3)
        GATES["answer"].open()
        until(run, lambda: answered(store))
        advance(run, 11.0)
        until(run, lambda: run.kernel.waits.suspension.asleep)
        advance(run, 60.0)
        assert answer.get(timeout=SECONDS) == "too late"
    assert HEARD == ["q", "too late"]
    assert cancelled(store) == ["ask /r/slow#1"]
    assert_identical(TREE, store)


def test_another_process_goes_the_way_that_the_timeout_sent_the_first_one() -> None:
    disk = Disk()
    with running(TREE, disk, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "ask, hang").get(timeout=SECONDS)
        GATES["crash"].reached()
        run.ask("/r/echo", "durable", timeout=SECONDS)
        twin = disk.reopened()
        GATES["answer"].open()
        GATES["crash"].open()
    with resumed(TREE, twin) as run:
        settle(run)
    assert HEARD.count("too late") == 1
    assert len(cancelled(twin)) == 1
    assert_identical(TREE, twin)


def test_an_answer_to_an_ask_that_was_given_up_reaches_nobody() -> None:
    store = MemoryStore()
    with running(TREE, store, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "ask, hang").get(timeout=SECONDS)
        GATES["crash"].reached()
        GATES["answer"].open()
        until(run, lambda: answered(store))
        GATES["crash"].open()
        settle(run)
    (step,) = [r for r in of(store, records.Result) if r.key == "ask /r/slow#1"]
    assert not step.ok
    assert_identical(TREE, store)


class Grouped(Actor, name="tests.cancelled_waits.grouped"):
    """Asks beside something that fails once, so that the task group gives the ask up."""

    async def on_receive(self, message: str) -> str:
        self.tell("/r/slow", "told before")
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(self._ask(message))
            group.create_task(self._fail())
        return asked.result()

    async def _ask(self, message: str) -> str:
        timeout = 60.0 if "bounded" in message else None
        return str(await self.ask("/r/slow", "q", timeout=timeout))

    async def _fail(self) -> None:
        if self.attempt == 1:
            raise ValueError("beside it")


@pytest.mark.parametrize("message", ["ask", "ask bounded"])
def test_an_ask_whose_cancellation_crashed_the_turn_waits_anew_and_is_not_sent_again(
    message: str,
) -> None:
    tree, store = program(Child("a", Grouped), Child("slow", Slow)), MemoryStore()
    with running(tree, store, clock=FakeClock(jumps=False)) as run:
        answer = run.kernel.outside.ask("/r/a", message)
        crashed(run, store)
        until(run, lambda: len(of(store, records.Ask)) == 2)
        GATES["answer"].open()
        assert answer.get(timeout=SECONDS) == "answer to q"
        settle(run)
    assert HEARD == ["told before", "q"]
    assert cancelled(store) == ["1.ask /r/slow#1"]
    assert timers(store) == 0
    assert_identical(tree, store)


class Second(Actor, name="tests.cancelled_waits.second"):
    """Gives its ask up, and crashes on that when the answer has come."""

    async def on_receive(self, message: str) -> str:
        self.tell("/r/slow", "told before")
        if self.attempt > 1:
            return str(await self.ask("/r/slow", "q", timeout=60.0))
        try:
            async with asyncio.timeout(0.0):
                await self.ask("/r/slow", "q")
        finally:
            await GATES["crash"].passed()
        return "never"


def test_an_ask_that_was_answered_when_nobody_waited_any_more_is_sent_again_by_the_retry() -> None:
    tree, store = program(Child("a", Second), Child("slow", Slow)), MemoryStore()
    with running(tree, store, clock=FakeClock(jumps=False)) as run:
        answer = run.kernel.outside.ask("/r/a", "x")
        GATES["crash"].reached()
        GATES["answer"].open()
        until(run, lambda: answered(store))
        GATES["crash"].open()
        crashed(run, store)
        assert answer.get(timeout=SECONDS) == "answer to q"
        settle(run)
    assert HEARD == ["told before", "q", "q"]
    assert timers(store) == 0
    assert_identical(tree, store)


class Napper(Actor, name="tests.cancelled_waits.napper"):
    """Crashes on the cancellation of its sleep."""

    async def on_receive(self, message: str) -> str:
        async with asyncio.timeout(0.0 if self.attempt == 1 else None):
            await self.sleep(5.0)
        return "slept"


def test_a_sleep_whose_cancellation_crashed_the_turn_is_slept_anew() -> None:
    tree, store = program(Child("a", Napper)), MemoryStore()
    with running(tree, store, clock=FakeClock(jumps=False)) as run:
        answer = run.kernel.outside.ask("/r/a", "x")
        crashed(run, store)
        until(run, lambda: len(of(store, records.Ask)) == 2)
        advance(run, 5.0)
        assert answer.get(timeout=SECONDS) == "slept"
    _, again = of(store, records.Ask)
    *_, slept = of(store, records.Result)
    assert again.attempt == 2
    assert slept.time - again.time == 5 * 10**9
    assert timers(store) == 0
    assert_identical(tree, store)


def test_a_future_that_was_given_up_says_so_to_whoever_asks_it_again() -> None:
    class Twice(Actor, name="tests.cancelled_waits.twice"):
        async def on_receive(self, message: str) -> str:
            future = self.ask("/r/slow", "q")
            try:
                async with asyncio.timeout(0.0):
                    await future
            except TimeoutError:
                with pytest.raises(StepCancelled):
                    await future
            return "told"

    store = MemoryStore()
    tree = program(Child("a", Twice), Child("slow", Slow))
    with running(tree, store) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "told"
        GATES["answer"].open()
        settle(run)


def test_a_wait_that_another_task_awaits_too_is_not_cancelled() -> None:
    class Sharing(Actor, name="tests.cancelled_waits.sharing"):
        async def on_receive(self, message: str) -> str:
            step = self.ask("/r/slow", "q")
            first, second = asyncio.ensure_future(step), asyncio.ensure_future(step)
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.wait([first])
            GATES["answer"].open()
            return str(await second)

    store = MemoryStore()
    tree = program(Child("a", Sharing), Child("slow", Slow))
    with running(tree, store) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "answer to q"
    assert cancelled(store) == []
    assert_identical(tree, store)


class Patient(Actor, name="tests.cancelled_waits.patient"):
    async def on_receive(self, message: str) -> Any:
        if message == "leave":
            task = asyncio.create_task(self._ask())
            await asyncio.sleep(0)
            return "left" if not task.done() else "done"
        if message == "raise" and self.attempt == 1:
            self._task = asyncio.create_task(self._ask())
            await asyncio.sleep(0)
            raise ValueError("beside it")
        return await self._ask()

    async def _ask(self) -> Any:
        return await self.ask("/r/slow", "q")


@pytest.mark.parametrize("message", ["leave", "raise"])
def test_a_wait_in_a_task_that_the_handler_left_is_no_step_cancelled(message: str) -> None:
    tree, store = program(Child("a", Patient), Child("slow", Slow)), MemoryStore()
    with running(tree, store) as run:
        answer = run.kernel.outside.ask("/r/a", message)
        until(run, lambda: HEARD)
        GATES["answer"].open()
        answer.get(timeout=SECONDS)
        settle(run)
    assert cancelled(store) == []
    assert_identical(tree, store)


def test_a_suspended_turn_a_drain_and_a_stop_leave_their_waits_open() -> None:
    tree, disk = program(Child("a", Patient), Child("slow", Slow)), Disk()
    with running(tree, disk, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "wait").get(timeout=SECONDS)
        until(run, lambda: run.kernel.waits.suspension.waiting)
        advance(run, 11.0)
        until(run, lambda: run.kernel.waits.suspension.asleep)
        GATES["answer"].open()
        settle(run)
        run.tell("/r/a", "wait").get(timeout=SECONDS)
        settle(run)
    assert cancelled(disk) == []
    assert [result.ok for result in of(disk, records.Result)] == []
    assert_identical(tree, disk)
