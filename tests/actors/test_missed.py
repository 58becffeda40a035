"""An outcome is journaled, and its handler is cancelled before it gets it: that is journaled too.

An outcome that comes while all slots are taken waits for one; a timeout does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, tool
from perdure.errors import StepCancelled
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.runtime.run import Run
from tests.kit import (
    SECONDS,
    Disk,
    Gate,
    advance,
    of,
    on_kernel,
    program,
    resumed,
    running,
    settle,
    until,
)
from tests.replaying import assert_identical

GATES: dict[str, Gate] = {}
CALLS: list[str] = []
MET: list[tuple[int, str]] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    CALLS.clear()
    MET.clear()
    GATES.clear()
    GATES.update({name: Gate() for name in ("answer", "late", "paid", "hang")})


@tool("missed.pay", effect="financial")
async def pay() -> str:
    CALLS.append("pay")
    await GATES["paid"].passed()
    return "receipt"


class Slow(Actor, name="tests.missed.slow"):
    """Answers when a gate opens."""

    async def on_receive(self, message: str) -> str:
        CALLS.append(message)
        await GATES["answer"].passed()
        return "answer"


class Hasty(Actor, name="tests.missed.hasty"):
    """Has a timeout when a test says so, in its first attempt, and crashes: on that, or later."""

    async def on_receive(self, message: str) -> str:
        try:
            async with asyncio.timeout(None) as limit:
                if self.attempt == 1 or "both" in message:  # tasks wait to be cancelled again
                    self._watch = asyncio.create_task(self._expire(limit))
                met = str(await self._wait(message))
        except TimeoutError:
            MET.append((self.attempt, "too late"))
            if "crash on it" in message and self.attempt == 1:
                raise
            met = "too late"
        else:
            MET.append((self.attempt, met))
        await self.once(str.upper, met)
        if "crash" in message and self.attempt == 1:
            raise ValueError("again")
        if "hang" in message:
            await GATES["hang"].passed()
        return met

    async def _wait(self, message: str) -> Any:
        if "sleep" in message:
            return await self.sleep(5.0)
        if "pay" in message:
            return await self.call(pay)
        if "both" in message:
            return await asyncio.gather(self.sleep(5.0), self.sleep(4.0))
        return await self.ask("/r/slow", "q", timeout=9.0 if "bounded" in message else None)

    async def _expire(self, limit: asyncio.Timeout) -> None:
        await GATES["late"].passed()
        limit.reschedule(asyncio.get_running_loop().time())


TREE = program(Child("a", Hasty), Child("slow", Slow))


@contextmanager
def no_slot(run: Run) -> Iterator[None]:
    """All slots are taken, by others."""
    dispatch = run.kernel.dispatch

    def give(slots: int) -> None:
        dispatch.limit = slots
        dispatch.kick()

    limit = dispatch.limit
    on_kernel(run, give, 0)
    yield
    on_kernel(run, give, limit)


def begun(run: Run, message: str) -> None:
    """Wait until the handler waits for what the message tells it to wait for."""
    if "pay" in message:
        GATES["paid"].reached()
    elif "ask" in message:
        GATES["answer"].reached()
    else:
        until(run, lambda: run.kernel.waits.open)


def come(run: Run, message: str) -> None:
    """Have the outcome come, while there is no slot for who waits for it."""
    if "pay" in message:
        GATES["paid"].open()
    elif "bounded" in message:
        advance(run, 9.0)
    elif "ask" in message:
        GATES["answer"].open()
    else:
        advance(run, 5.0)
    until(run, lambda: run.kernel.dispatch.resumes)


def overtake(run: Run, message: str) -> Any:
    """A turn is cancelled when its outcome is journaled, and has not come; gives its answer."""
    answer = run.kernel.outside.ask("/r/a", message)
    begun(run, message)
    with no_slot(run):
        come(run, message)
        GATES["late"].open()
        until(run, lambda: MET)
    return answer


def crashed(run: Run, store: MemoryStore) -> None:
    """Wait for a crash, and let the pause after it go by."""
    until(run, lambda: of(store, records.Crash))
    advance(run, 1.0)


def said(store: MemoryStore) -> list[tuple[str, bool, bool]]:
    """What results say: key, success, and whether that is of an outcome that is recorded."""
    return [(each.key, each.ok, each.missed > 0) for each in of(store, records.Result)]


@pytest.mark.parametrize("kind", ["sleep", "both", "ask", "ask bounded", "pay"])
def test_a_retry_and_a_replay_meet_the_timeout_that_overtook_an_outcome(kind: str) -> None:
    store = MemoryStore()
    with running(TREE, store, clock=FakeClock(jumps=False)) as run:
        answer = overtake(run, f"{kind}, crash")
        crashed(run, store)
        assert answer.get(timeout=SECONDS) == "too late"
        GATES["answer"].open()
    assert MET == [(1, "too late"), (2, "too late")]
    assert CALLS in ([], ["q"], ["pay"])
    assert of(store, records.Stall) == []
    assert_identical(TREE, store)


@pytest.mark.parametrize(
    ("kind", "met"), [("sleep", "None"), ("ask", "answer"), ("pay", "receipt")]
)
def test_a_retry_of_a_turn_that_crashed_on_the_timeout_gets_the_success_and_makes_no_other(
    kind: str, met: str
) -> None:
    store = MemoryStore()
    with running(TREE, store, clock=FakeClock(jumps=False)) as run:
        answer = overtake(run, f"{kind}, crash on it")
        crashed(run, store)
        assert answer.get(timeout=SECONDS) == met
    assert [(1, "too late"), (2, met)] == MET
    assert CALLS in ([], ["q"], ["pay"])
    key, *_ = {key for key, _, is_of_another in said(store) if is_of_another}
    assert [each[1:] for each in said(store) if each[0] == key][-2:] == [
        (False, True),
        (True, True),
    ]
    assert_identical(TREE, store)


def test_a_retry_of_a_turn_that_crashed_on_the_timeout_waits_anew_for_what_had_failed() -> None:
    store = MemoryStore()
    with running(TREE, store, clock=FakeClock(jumps=False)) as run:
        answer = overtake(run, "ask bounded, crash on it")
        crashed(run, store)
        until(run, lambda: len(of(store, records.Ask)) == 2)
        GATES["answer"].open()
        assert answer.get(timeout=SECONDS) == "answer"
    assert MET == [(1, "too late"), (2, "answer")]
    assert CALLS == ["q"]  # it waited there still
    assert_identical(TREE, store)


@pytest.mark.parametrize("kind", ["sleep", "ask", "pay"])
def test_another_process_meets_the_timeout_too(kind: str) -> None:
    disk = Disk()
    with running(TREE, disk, clock=FakeClock(jumps=False)) as run:
        overtake(run, f"{kind}, hang")
        GATES["hang"].reached()
        until(run, lambda: [r.name for r in of(disk, records.Result)][-1:] == [".str.upper"])
        twin = disk.reopened()
        GATES["hang"].open()
    with resumed(TREE, twin) as run:
        settle(run)
    assert {met for _, met in MET} == {"too late"}
    assert CALLS in ([], ["q"], ["pay"])
    assert_identical(TREE, twin)


def test_another_process_gets_the_success_if_the_handler_had_not_gone_on() -> None:
    disk = Disk()
    with running(TREE, disk, clock=FakeClock(jumps=False)) as run:
        overtake(run, "pay, crash on it")
        until(run, lambda: of(disk, records.Crash))
        twin = disk.reopened()
    with resumed(TREE, twin) as run:
        settle(run)
    assert MET[-1] == (2, "receipt")
    assert CALLS == ["pay"]
    assert_identical(TREE, twin)


def test_another_process_gets_what_a_retry_got_after_all() -> None:
    disk = Disk()
    with running(TREE, disk, clock=FakeClock(jumps=False)) as run:
        overtake(run, "pay, crash on it, hang")
        crashed(run, disk)
        GATES["hang"].reached()
        until(run, lambda: [r.name for r in of(disk, records.Result)][-1:] == [".str.upper"])
        twin = disk.reopened()
        GATES["hang"].open()
    with resumed(TREE, twin) as run:
        settle(run)
    assert MET[0] == (1, "too late")
    assert {met for _, met in MET[1:]} == {"receipt"}
    assert CALLS == ["pay"]
    assert_identical(TREE, twin)


class Group(Actor, name="tests.missed.group"):
    """Cancels a task of its own in the instant in which that would get what it waits for."""

    _done: asyncio.Event

    async def on_receive(self, message: str) -> str:
        task = asyncio.create_task(self._read())
        await self._done.wait()
        await asyncio.sleep(0)
        task.cancel()  # it has not woken up yet
        await asyncio.wait([task])
        met = "given up" if task.cancelled() else task.result()
        MET.append((self.attempt, met))
        await self.once(str.upper, met)
        if self.attempt == 1:
            raise ValueError("again")
        return met

    async def _read(self) -> str:
        return str(await self.once(self._look))

    async def _look(self) -> str:
        CALLS.append("look")
        self._done.set()
        await asyncio.sleep(0)
        return "seen"


def test_what_is_cancelled_in_the_instant_of_its_outcome_is_so_for_a_retry_too() -> None:
    Group._done, store = asyncio.Event(), MemoryStore()
    tree = program(Child("a", Group))
    with running(tree, store) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "given up"
    assert MET == [(1, "given up"), (2, "given up")]
    assert CALLS == ["look"]
    assert [each[1:] for each in said(store)[:2]] == [(True, False), (False, True)]
    assert_identical(tree, store)


class Twice(Actor, name="tests.missed.twice"):
    """Asks again for what it was given up, and leaves a task that was about to get something."""

    async def on_receive(self, message: str) -> str:
        self._left = asyncio.create_task(self._wait())
        slept = self.sleep(5.0)
        try:
            async with asyncio.timeout(None) as limit:
                self._watch = asyncio.create_task(self._expire(limit))
                await slept
        except TimeoutError:
            with pytest.raises(StepCancelled):
                await slept
            return "told"
        return "slept"

    async def _wait(self) -> None:
        await self.sleep(4.0)
        await self.once(CALLS.append, "went on")

    async def _expire(self, limit: asyncio.Timeout) -> None:
        await GATES["late"].passed()
        limit.reschedule(asyncio.get_running_loop().time())


def test_a_future_that_was_overtaken_says_so_and_a_task_that_was_left_goes_no_further() -> None:
    store, tree = MemoryStore(), program(Child("a", Twice))
    with running(tree, store, clock=FakeClock(jumps=False)) as run:
        answer = run.kernel.outside.ask("/r/a", "x")
        until(run, lambda: len(run.kernel.waits.open) == 2)
        with no_slot(run):
            come(run, "sleep")
            GATES["late"].open()
            until(run, lambda: answer.is_done or of(store, records.Turn)[-1].answer)
        assert answer.get(timeout=SECONDS) == "told"
    assert CALLS == []
    assert said(store)[-2:] == [("sleep#1", False, True), ("1.sleep#1", False, True)]
    assert_identical(tree, store)
