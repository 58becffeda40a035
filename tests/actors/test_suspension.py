"""A turn that only waits has, after a while, no coroutine and no thread; it is begun anew."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Run, field
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.limits import SUSPEND_SECONDS_MAX
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

YEAR = 365 * 86_400.0
SLEEPERS = 1_000
ENDED: list[str] = []


def still() -> FakeClock:
    return FakeClock(jumps=False)


class Sleeper(Actor, name="tests.suspension.sleeper"):
    count: int = 0

    async def on_receive(self, message: Any) -> Any:
        if message == "count":
            return self.count
        self.count += 1  # in memory only, until the turn closes
        await self.sleep(YEAR)
        return None


class Blocker(Actor, name="tests.suspension.blocker"):
    count: int = 0

    def on_receive(self, message: Any) -> Any:
        if message == "count":
            return self.count
        self.count += 1
        try:
            self.sleep(YEAR).get()
        except Exception:  # noqa: BLE001 - what ends the thread passes by
            self.count += 100
        return None


def coroutines(run: Run) -> int:
    """Tasks on the kernel's loop."""
    return int(on_kernel(run, lambda: len(asyncio.all_tasks(run.kernel.loop))))


def threads() -> int:
    return sum(thread.name == "perdure-pool" for thread in threading.enumerate())


def asleep(run: Run) -> int:
    return len(run.kernel.waits.suspension.asleep)


def sleepers(kind: type[Actor], number: int) -> list[Child]:
    return [Child(f"s{n}", kind) for n in range(number)]


@pytest.mark.parametrize(("kind", "number"), [(Sleeper, SLEEPERS), (Blocker, 100)])
def test_a_thousand_sleepers_cost_no_thread_and_no_coroutine_and_wake_once_after_a_kill(
    kind: type[Actor], number: int
) -> None:
    disk, tree = Disk(), program(*sleepers(kind, number))
    with running(tree, disk, clock=still()) as run:
        before, threads_before = coroutines(run), threads()
        for n in range(number):
            run.tell(f"/r/s{n}", "sleep")
        run.tell("/r/s0", "count").get(timeout=SECONDS)
        until(run, lambda: len(run.kernel.waits.delayed._set) == number)
        until(run, lambda: asleep(run) + run.kernel.waits.suspension.waiting == number)
        advance(run, SUSPEND_SECONDS_MAX)
        until(run, lambda: asleep(run) == number)
        until(run, lambda: threads() <= threads_before)
        assert coroutines(run) <= before + run.kernel.dispatch.limit
        assert not run.kernel.dispatch.running
        run.tell("/r/s0", "count").get(timeout=SECONDS)
        twin = disk.reopened()
    with resumed(tree, twin.reopened(), clock=still()) as run:  # it finds out who sleeps
        until(run, lambda: asleep(run) + run.kernel.waits.suspension.waiting == number)
        advance(run, SUSPEND_SECONDS_MAX)
        until(run, lambda: asleep(run) == number)
        assert coroutines(run) <= before + run.kernel.dispatch.limit
    with resumed(tree, twin) as run:  # time leaps to what comes next
        settle(run)
        assert [run.ask(f"/r/s{n}", "count", timeout=SECONDS) for n in range(number)] == [
            1
        ] * number
    assert len(of(twin, records.Result)) == number
    assert of(twin, records.Crash) == []
    assert {turn.attempt for turn in of(twin, records.Turn)} == {1}


def test_past_the_bound_the_longest_wait_is_suspended_at_once() -> None:
    number = 300
    with running(program(*sleepers(Sleeper, number)), clock=still()) as run:
        for n in range(number):
            run.tell(f"/r/s{n}", "sleep")
        until(run, lambda: asleep(run) + run.kernel.waits.suspension.waiting == number)
        until(run, lambda: asleep(run) == number - 256)
        assert run.kernel.book.cell_at("/r/s0").asleep == {"sleep#1": 0}


class Cleaner(Actor, name="tests.suspension.cleaner"):
    """Tries to change what it can while it is dropped."""

    seen: list[str] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "seen":
            return list(self.seen)
        self.seen.append(message)
        try:
            await self.sleep(60.0)
        finally:
            self.seen.append("cleaned up")
            ENDED.append(message)
            self.tell("/r/b", "from the finally")
        return None


def test_what_a_dropped_turn_does_while_it_goes_changes_nothing() -> None:
    ENDED.clear()
    store = MemoryStore()
    with running(program(Child("a", Cleaner), Child("b", Sleeper)), store, clock=still()) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        until(run, lambda: run.kernel.waits.open)
        advance(run, SUSPEND_SECONDS_MAX)
        until(run, lambda: ENDED)
        settle(run)
        assert run.kernel.book.cell_at("/r/a").actor is None
        assert run.ask("/r/b", "count", timeout=SECONDS) == 0
        advance(run, 60.0)
        settle(run)
        assert run.ask("/r/a", "seen", timeout=SECONDS) == ["x", "cleaned up"]
    assert of(store, records.Crash) == []


def suspended(kind: type[Actor], *others: Child) -> tuple[Run, Any]:
    store = MemoryStore()
    return running(program(Child("a", kind), *others), store, clock=still()), store


GATES: dict[str, Gate] = {}


class Answers(Actor, name="tests.suspension.answers"):
    async def on_receive(self, message: Any) -> Any:
        await GATES[message].passed()
        return message


class Gathers(Actor, name="tests.suspension.gathers"):
    begun: int = 0

    async def on_receive(self, message: Any) -> Any:
        BEGUN.append(message)
        if message == "gather":
            return await asyncio.gather(*(self.ask(f"/r/{n}", n) for n in "bc"))
        if message == "group":
            async with asyncio.TaskGroup() as group:
                parts = [group.create_task(self._ask(n)) for n in "bc"]
            return [part.result() for part in parts]
        if message == "timeout":
            async with asyncio.timeout(3_600):
                return await self.ask("/r/b", "b")
        if message == "beside":
            beside = asyncio.create_task(GATES["beside"].passed())
            answer = await self.ask("/r/b", "b")
            await beside
            return answer
        return None

    async def _ask(self, name: str) -> Any:
        return await self.ask(f"/r/{name}", name)


BEGUN: list[str] = []


@pytest.mark.parametrize("message", ["gather", "group"])
def test_a_turn_whose_tasks_all_wait_is_suspended_and_goes_on_with_each_answer(
    message: str,
) -> None:
    GATES.update(b=Gate(), c=Gate())
    BEGUN.clear()
    begun, store = suspended(Gathers, Child("b", Answers), Child("c", Answers))
    with begun as run:
        answer = run.kernel.outside.ask("/r/a", message)
        for name in "bc":
            GATES[name].reached()
        advance(run, SUSPEND_SECONDS_MAX)
        until(run, lambda: asleep(run) == 1)
        assert sorted(run.kernel.book.cell_at("/r/a").asleep or {}) != []
        for name in "bc":
            GATES[name].open()
        assert list(answer.get(timeout=SECONDS)) == ["b", "c"]
    assert len(BEGUN) >= 2
    assert {turn.attempt for turn in of(store, records.Turn)} == {1}


@pytest.mark.parametrize("message", ["timeout", "beside"])
def test_a_turn_that_does_something_beside_its_waits_is_not_suspended(message: str) -> None:
    GATES.update(b=Gate(), c=Gate(), beside=Gate())
    BEGUN.clear()
    begun, _ = suspended(Gathers, Child("b", Answers))
    with begun as run:
        answer = run.kernel.outside.ask("/r/a", message)
        GATES["b"].reached()
        until(run, lambda: run.kernel.waits.suspension.waiting)
        advance(run, SUSPEND_SECONDS_MAX)
        advance(run, SUSPEND_SECONDS_MAX)
        assert asleep(run) == 0
        GATES["beside"].open()
        GATES["b"].open()
        assert answer.get(timeout=SECONDS) == "b"
    assert len(BEGUN) == 1


def test_a_turn_that_does_nothing_more_beside_its_wait_is_suspended_after_all() -> None:
    GATES.update(b=Gate(), beside=Gate())
    begun, _ = suspended(Gathers, Child("b", Answers))
    with begun as run:
        suspension = run.kernel.waits.suspension
        answer = run.kernel.outside.ask("/r/a", "beside")
        GATES["b"].reached()
        until(run, lambda: suspension.waiting)
        advance(run, SUSPEND_SECONDS_MAX)
        GATES["beside"].open()
        (turn,) = (turn for queue in suspension._queues for turn in queue.busy)
        until(run, lambda: not turn.tasks)
        on_kernel(run, suspension._look_again, suspension._queues[turn.on_loop])
        advance(run, SUSPEND_SECONDS_MAX)
        assert asleep(run) == 1
        GATES["b"].open()
        assert answer.get(timeout=SECONDS) == "b"


def test_a_suspended_actor_can_be_stopped() -> None:
    class Root(Sleeper, name="tests.suspension.stops"):
        async def on_stop(self) -> None:
            ENDED.append("stopped")

    ENDED.clear()
    tree = program(
        Child("a", Root), Child("b", Answers, attempts_max=1), strategy="one_for_all", intensity=9
    )
    store = MemoryStore()
    with running(tree, store, clock=still()) as run:
        run.tell("/r/a", "sleep").get(timeout=SECONDS)
        until(run, lambda: run.kernel.waits.open)
        advance(run, SUSPEND_SECONDS_MAX)
        until(run, lambda: asleep(run) == 1)
        run.tell("/r/b", "no such gate").get(timeout=SECONDS)
        until(run, lambda: run.kernel.book.cell_at("/r/a").incarnation == 2)
        until(run, lambda: run.kernel.book.cell_at("/r/a").is_running)
        assert ENDED == ["stopped"]
        advance(run, YEAR)
        assert run.ask("/r/a", "count", timeout=SECONDS) == 1
