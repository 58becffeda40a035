"""A step that nobody waits for any more: its cancellation is its outcome."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from perdure import Actor, Child, tool
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from tests.actors.test_steps import Echo
from tests.kit import (
    SECONDS,
    Disk,
    Gate,
    budget,
    of,
    on_kernel,
    program,
    resumed,
    running,
    settle,
    until,
)


class Hanging:
    """A call that says when it has begun, and ends when a test says so."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.calls = 0
        self.open = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.release = asyncio.Event()

    async def call(self) -> str:
        self.calls += 1
        self.loop = asyncio.get_running_loop()
        self.begun.set()
        await self.release.wait()
        return "done"

    def end(self) -> None:
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.release.set)


def hasty(hanging: Hanging, crashes: int = 0, **options: Any) -> type[Actor]:
    """An actor that waits for a call until it has begun, then has a timeout, and goes on."""

    @tool("world.hang", **options)
    async def hang() -> str:
        return await hanging.call()

    class Hasty(Actor, name="tests.cancelled.hasty"):
        async def on_receive(self, message: str) -> str:
            try:
                async with asyncio.timeout(None) as limit:
                    self._watch = asyncio.create_task(self._expire(limit))
                    found = await self.call(hang)
            except TimeoutError:
                if message == "crash" and self.attempt <= crashes:
                    raise
                found = await self.once(str.upper, "too late")
            if self.attempt <= crashes:
                raise ValueError("again")
            return found

        async def _expire(self, limit: asyncio.Timeout) -> None:
            await hanging.begun.wait()
            limit.reschedule(asyncio.get_running_loop().time())

    return Hasty


@pytest.mark.parametrize("effect", ["read", "financial"])
def test_a_retry_meets_a_cancelled_step_as_a_timeout_and_does_not_begin_it_again(
    effect: str,
) -> None:
    hanging, store = Hanging(), MemoryStore()
    tree = program(Child("a", hasty(hanging, crashes=1, effect=effect, tokens=7)), tokens=100)
    with running(tree, store) as run:
        assert run.ask("/r/a", "go", timeout=SECONDS) == "TOO LATE"
        hanging.end()
    assert hanging.calls == 1
    (cancelled, _) = of(store, records.Result)
    assert not cancelled.ok
    assert (budget(store).spent, budget(store).reserved) == (7, 0)


def test_a_read_whose_cancellation_crashed_the_turn_is_begun_again() -> None:
    hanging = Hanging()
    with running(program(Child("a", hasty(hanging, crashes=1, effect="read")))) as run:
        assert run.ask("/r/a", "crash", timeout=SECONDS) == "TOO LATE"
        hanging.end()
    assert hanging.calls == 2


def test_an_effect_that_was_under_way_is_waited_for_by_the_next_attempt_not_made_again() -> None:
    hanging, store = Hanging(), MemoryStore()

    @tool("world.wire", effect="financial", tokens=5)
    async def wire() -> str:
        return await hanging.call()

    class Wiring(Actor, name="tests.cancelled.wiring"):
        async def on_receive(self, message: str) -> str:
            task = asyncio.create_task(self._wire())
            if self.attempt == 1:
                await hanging.begun.wait()
                task.cancel()
                await asyncio.wait([task])
                raise ValueError("a crash while it is under way")
            hanging.release.set()
            await task
            return "it was done once"

        async def _wire(self) -> None:
            await self.call(wire)

    with running(program(Child("a", Wiring), tokens=50), store) as run:
        assert run.ask("/r/a", "go", timeout=SECONDS) == "it was done once"
    assert hanging.calls == 1
    assert [(r.ok, r.tries) for r in of(store, records.Result)] == [(False, 1), (True, 2)]
    assert (budget(store).spent, budget(store).reserved) == (5, 0)


def test_an_effect_that_was_cancelled_under_way_is_in_doubt_for_another_process() -> None:
    hanging, disk, gate = Hanging(), Disk(), Gate()

    @tool("world.send", effect="external")
    async def send() -> str:
        return await hanging.call()

    class Sending(Actor, name="tests.cancelled.sending"):
        async def on_receive(self, message: str) -> None:
            task = asyncio.create_task(self._send())
            await asyncio.sleep(0)  # it asks; another process tells it that it is in doubt
            await hanging.begun.wait()
            task.cancel()
            await asyncio.wait([task])
            if task.cancelled():
                await gate.passed()

        async def _send(self) -> None:
            await self.call(send)

    tree = program(Child("a", Sending), Child("echo", Echo))
    with running(tree, disk) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        gate.reached()
        run.ask("/r/echo", "later", timeout=SECONDS)
        twin = disk.reopened()
        hanging.end()
        gate.open()
    with resumed(tree, twin) as run:
        assert settle(run)
    assert hanging.calls == 1
    assert "world.send() (external) is in doubt" in of(twin, records.Stall)[0].reason


def test_an_effect_that_was_cancelled_before_it_began_never_happens() -> None:
    calls: list[str] = []
    disk, store_is_slow = Disk(), Gate()

    @tool("world.late", effect="irreversible", tokens=3)
    def late() -> None:
        calls.append("late")

    class Late(Actor, name="tests.cancelled.late"):
        async def on_receive(self, message: str) -> str:
            disk.open.clear()  # so that the intent does not become durable
            task = asyncio.create_task(self._late())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            disk.open.set()
            return "done"

        async def _late(self) -> None:
            await self.call(late)

    store_is_slow.open()
    with running(program(Child("a", Late), tokens=9), disk) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "done"
    assert calls == []
    assert (budget(disk).spent, budget(disk).reserved) == (0, 0)


def test_a_step_that_somebody_else_awaits_too_is_not_cancelled() -> None:
    hanging, store = Hanging(), MemoryStore()

    class Sharing(Actor, name="tests.cancelled.sharing"):
        async def on_receive(self, message: str) -> str:
            step = self.once(hanging.call)
            first = asyncio.ensure_future(step)
            second = asyncio.ensure_future(step)
            await hanging.begun.wait()
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.wait([first])
            hanging.release.set()
            return str(await second)

    with running(program(Child("a", Sharing)), store) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "done"
    assert [result.ok for result in of(store, records.Result)] == [True]


def test_a_crash_beside_an_effect_under_way_has_its_outcome_journaled_first() -> None:
    hanging, store = Hanging(), MemoryStore()

    @tool("world.pay", effect="financial")
    async def pay() -> str:
        return await hanging.call()

    class Paying(Actor, name="tests.cancelled.paying"):
        async def on_receive(self, message: str) -> str:
            task = asyncio.create_task(self._pay())
            if self.attempt == 1:
                await hanging.begun.wait()
                asyncio.get_running_loop().call_later(0, hanging.release.set)
                raise ValueError("beside it")
            return await task

        async def _pay(self) -> str:
            return await self.call(pay)

    with running(program(Child("a", Paying)), store) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "done"
    assert hanging.calls == 1
    assert [result.ok for result in of(store, records.Result)] == [True]


def test_a_fenced_turns_effect_is_neither_in_doubt_nor_redone_while_its_process_lives() -> None:
    hanging, store = Hanging(), MemoryStore()

    @tool("world.order", effect="irreversible")
    async def order() -> str:
        return await hanging.call()

    class Ordering(Actor, name="tests.cancelled.ordering"):
        async def on_receive(self, message: str) -> str:
            return await self.call(order)

    class Bad(Actor, name="tests.cancelled.bad"):
        async def on_receive(self, message: str) -> None:
            raise ValueError("it takes its sibling down")

    tree = program(
        Child("a", Ordering, shutdown="brutal_kill"),
        Child("bad", Bad, attempts_max=1),
        strategy="one_for_all",
    )
    with running(tree, store) as run:
        answer = run.kernel.outside.ask("/r/a", "x")
        until(run, hanging.begun.is_set)
        run.tell("/r/bad", "x").get(timeout=SECONDS)
        until(run, lambda: run.kernel.book.cell_at("/r/a").incarnation == 2)
        until(run, lambda: run.kernel.book.cell_at("/r/a").turn is not None)
        on_kernel(run, hanging.release.set)
        assert answer.get(timeout=SECONDS) == "done"
    assert hanging.calls == 1
    assert of(store, records.Stall) == []
    assert [result.incarnation for result in of(store, records.Result)] == [2]
