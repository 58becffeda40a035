"""Replay: recorded turns run again on recorded outcomes, and do the same, or the difference shows.

Handlers count what they do outside in a list that no replay may add to.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Reject, field, tool, volatile
from perdure.errors import AskTimeout, Crashed
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, Gate, advance, of, program, resumed, running, settle
from tests.lived import Bad, Mixer, lived
from tests.replaying import assert_identical, lived_by

EFFECTS: list[str] = []


def noted(what: str) -> int:
    """A step with an effect that shows."""
    EFFECTS.append(what)
    return len(what)


@tool("replay.effect", effect="external", tokens=3)
def effect(what: str) -> str:
    EFFECTS.append(what)
    return what.upper()


@tool("replay.broken", effect="read")
def broken(what: str) -> None:
    EFFECTS.append(what)
    raise KeyError(what)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    EFFECTS.clear()


# --- all the same


def test_a_run_with_some_of_everything_replays_identically() -> None:
    tree = program(Child("mixer", Mixer), Child("bad", Bad))
    found = assert_identical(tree, lived())
    assert (found.turns, found.crashes) == (4, 2)


def test_no_step_is_executed_again() -> None:
    class Worker(Actor, name="tests.replay.worker"):
        done: list[Any] = field(default_factory=list)

        async def on_receive(self, message: str) -> None:
            self.done.append(await self.once(noted, message))
            self.done.append(await self.call(effect, what=message))
            self.done += [self.now(), self.random.random()]

    tree, store = lived_by("one", "three", a=Worker)
    assert EFFECTS == ["one", "one", "three", "three"]
    assert_identical(tree, store)
    assert len(EFFECTS) == 4


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_handler_meets_a_failed_step_as_the_exception_that_it_was(kind: str) -> None:
    class Async(Actor, name="tests.replay.async"):
        met: str = ""

        async def on_receive(self, message: str) -> None:
            try:
                await self.once(broken, message)
            except KeyError as error:
                self.met = repr(str(error))
            if message == "again":
                await self.once(broken, message)

    class Plain(Actor, name="tests.replay.plain"):
        met: str = ""

        def on_receive(self, message: str) -> None:
            try:
                self.once(broken, message).get()
            except LookupError as error:
                self.met = repr(str(error))

    tree, store = lived_by("page", "again", a=Async if kind == "async def" else Plain)
    assert_identical(tree, store)


@pytest.mark.parametrize("fails", [False, True])
def test_asks_are_answered_from_the_record_of_the_answer(fails: bool) -> None:
    class Asker(Actor, name="tests.replay.asker"):
        heard: list[Any] = field(default_factory=list)

        async def on_receive(self, message: str) -> None:
            self.tell("/r/b", "before")
            try:
                self.heard.append(await self.ask("/r/b", message))
                self.heard.append(await self.ask("/r/nobody", message))
            except (Reject, Crashed) as error:
                self.heard.append(f"{type(error).__name__}: {error}")
            self.tell("/r/b", "after")

    class Answerer(Actor, name="tests.replay.answerer"):
        def on_receive(self, message: str) -> str:
            if fails and message == "fail":
                raise Reject("not today")
            return message * 2

    tree, store = lived_by("fail", a=Asker, b=Answerer)
    assert assert_identical(tree, store).turns == 4


def test_an_ask_that_timed_out_times_out_again() -> None:
    gate = Gate()

    class Impatient(Actor, name="tests.replay.impatient"):
        text: str = ""

        async def on_receive(self, message: str) -> None:
            try:
                await self.ask("/r/b", message, timeout=5.0)
            except TimeoutError as error:
                self.text = str(error)

    class Slow(Actor, name="tests.replay.slow"):
        async def on_receive(self, message: str) -> None:
            await gate.passed()

    tree, store = program(Child("a", Impatient), Child("b", Slow)), MemoryStore()
    with running(tree, store, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "x")
        gate.reached()
        advance(run, 6.0)
        gate.open()
        settle(run)
    assert_identical(tree, store)


def test_crashes_restarts_and_dead_letters_happen_again_in_the_same_words() -> None:
    class Fragile(Actor, name="tests.replay.fragile"):
        lives: list[str] = field(default_factory=list)

        def on_restart(self, reason: str) -> None:
            self.lives.append(reason)

        async def on_receive(self, message: str) -> None:
            self.lives.append(message)
            await self.once(noted, message)
            raise ValueError(f"{message}, attempt {self.attempt}")

    tree, store = lived_by("poison", "more", a=Fragile)
    assert assert_identical(tree, store).crashes > 3


def test_a_rejection_and_a_stop_by_itself_are_no_difference() -> None:
    class Leaver(Actor, name="tests.replay.leaver"):
        count: int = 0

        def on_stop(self) -> None:
            self.count += 100

        def on_receive(self, message: str) -> None:
            self.count += 1
            if message == "no":
                raise Reject("I do not take that")
            if message == "go":
                self.tell("/r/a", "again", delay=2.5, cost=7.0, est=0.5)
                self.stop("enough")

    tree, store = lived_by("no", "go", "more", a=Leaver)
    assert_identical(tree, store)


def test_what_a_process_lost_is_lost_in_the_replay_too() -> None:
    class Cached(Actor, name="tests.replay.cached"):
        seen: list[int] = field(default_factory=list)
        since: int = volatile(default=0)

        async def on_receive(self, message: str) -> None:
            self.since += 1
            self.seen.append(self.since)

    tree, store = program(Child("a", Cached)), MemoryStore()
    with running(tree, store) as run:
        run.tell("/r/a", "x")
        run.tell("/r/a", "x").get(timeout=SECONDS)
        settle(run)
    store = store.reopened()
    with resumed(tree, store) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        settle(run)
    assert assert_identical(tree, store).turns == 3


def test_spawned_children_are_met_again_also_by_a_retry() -> None:
    class Parent(Actor, name="tests.replay.parent"):
        async def on_receive(self, message: str) -> None:
            child = self.spawn(Child_, message, init={"name": message})
            self.tell(child, "hello")
            if self.attempt == 1:
                raise ValueError("once")

    class Child_(Actor, name="tests.replay.child"):  # noqa: N801
        name: str = ""
        heard: int = 0

        def on_start(self) -> None:
            self.heard = 1

        def on_receive(self, message: str) -> None:
            self.heard += 1

    tree, store = lived_by("x", "y", a=Parent)
    tree = program(Child("a", Parent))
    assert assert_identical(tree, store).crashes == 2


# --- whatever finishes first


class Fifty(Actor, name="tests.replay.fifty"):
    order: list[int] = field(default_factory=list)

    async def on_receive(self, message: str) -> list[int]:
        async def one(number: int) -> int:
            got = await self.once(slowly, number)
            self.order.append(number)
            return got

        if message == "gather":
            return list(await asyncio.gather(*(one(n) for n in range(50))))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(n)) for n in range(50)]
        return [task.result() for task in tasks]


GATES: dict[int, asyncio.Event] = {}


async def slowly(number: int) -> int:
    """Fifty of these finish in the opposite order of their beginning."""
    EFFECTS.append(str(number))
    GATES[number] = asyncio.Event()
    if number == 49:
        GATES[number].set()
    await GATES[number].wait()
    if number:
        GATES[number - 1].set()
    return number * number


@pytest.mark.parametrize("message", ["gather", "group"])
def test_fifty_steps_that_finish_in_another_order_are_no_divergence(message: str) -> None:
    tree, store = program(Child("a", Fifty)), MemoryStore()
    with running(tree, store) as run:
        assert run.ask("/r/a", message, timeout=SECONDS) == [n * n for n in range(50)]
        assert run.ask("/r/a", message, timeout=SECONDS)[7] == 49
    assert len(EFFECTS) == 100
    assert_identical(tree, store)
    assert len(EFFECTS) == 100


@pytest.mark.parametrize("verb", ["ask", "call"])
def test_a_retry_of_a_group_that_gave_its_members_up_is_no_divergence(verb: str) -> None:
    class Group(Actor, name="tests.replay.group"):
        done: int = 0

        async def on_receive(self, message: str) -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self.fails())
                    group.create_task(self.waits())
            except* KeyError:
                self.done += 1
            await self.once(noted, message)
            if self.attempt == 1:
                raise ValueError("again")

        async def fails(self) -> None:
            await self.once(broken, "page")

        async def waits(self) -> None:
            if verb == "ask":
                await self.ask("/r/b", "for ever")
            await self.call(endless)

    class Waiter(Actor, name="tests.replay.waiter"):
        async def on_receive(self, message: str) -> None:
            await self.sleep(86_400)

    tree, store = lived_by("one", a=Group, b=Waiter)
    found = assert_identical(tree, store)
    assert found.crashes == 1
    assert EFFECTS == ["page", "one"]


@tool("tests.replay.endless", effect="read")
async def endless() -> None:
    await asyncio.Event().wait()


def test_a_timeout_around_a_slow_step_strikes_again_and_nobody_waits() -> None:
    gate = Gate()

    async def endless() -> int:
        await gate.passed()
        return 1

    class Hasty(Actor, name="tests.replay.hasty"):
        said: str = ""

        async def on_receive(self, message: str) -> None:
            try:
                async with asyncio.timeout(0.05):
                    await self.once(endless)
            except TimeoutError:
                self.said = "too slow"
                gate.open()
            await asyncio.sleep(3_600 if REPLAYING else 0)

    REPLAYING.clear()
    tree, store = program(Child("a", Hasty)), MemoryStore()
    with running(tree, store, clock=None) as run:
        run.tell("/r/a", "x")
        settle(run)
    REPLAYING.append(True)
    began = time.monotonic()
    assert_identical(tree, store)
    assert time.monotonic() - began < SECONDS


def test_a_timeout_that_is_set_late_in_a_busy_kernel_strikes_where_it_struck() -> None:
    class Late(Actor, name="tests.replay.late"):
        total: int = 0

        async def on_receive(self, message: int) -> None:
            await self.once(prompt, 1)
            try:
                async with asyncio.timeout(0.005):
                    self.total += await self.once(prompt, message)
            except TimeoutError:
                self.total -= 1

    class Busy(Actor, name="tests.replay.busy"):
        seen: int = 0

        async def on_receive(self, message: int) -> None:
            self.seen += 1
            if not REPLAYING:
                threading.Event().wait(0.008)  # it computes, and holds the kernel

    REPLAYING.clear()
    tree, store = program(Child("a", Late), Child("b", Busy)), MemoryStore()
    with running(tree, store, clock=None) as run:
        for n in range(5):
            run.tell("/r/a", n)
            run.tell("/r/b", n)
        settle(run)
    REPLAYING.append(True)
    assert_identical(tree, store)


async def prompt(n: int) -> int:
    return n


def test_a_blocking_handler_that_got_over_a_failed_ask_closes_and_is_replayed_so() -> None:
    class Patient(Actor, name="tests.replay.patient"):
        said: str = ""

        def on_receive(self, message: str) -> None:
            try:
                self.ask("/r/mute", message, timeout=5).get()
            except AskTimeout:
                self.said = "nobody answered"

    class Mute(Actor, name="tests.replay.mute"):
        async def on_receive(self, message: str) -> None:
            await self.sleep(60)

    tree, store = lived_by("x", a=Patient, mute=Mute)
    assert of(store, records.Crash) == []
    assert assert_identical(tree, store).turns == 2


REPLAYING: list[bool] = []


# --- how much it takes


def test_a_turn_of_many_steps_is_replayed_in_proportion_to_them() -> None:
    class Stepping(Actor, name="tests.replay.stepping"):
        total: int = 0

        async def on_receive(self, message: int) -> None:
            for _ in range(message):
                self.total += await self.once(noted, "x")

    tree = program(Child("a", Stepping))

    def seconds(steps: int) -> float:
        store = MemoryStore()
        with running(tree, store) as run:
            run.tell("/r/a", steps)
            settle(run)
        began = time.process_time()
        assert_identical(tree, store)
        return time.process_time() - began

    seconds(100)
    assert seconds(4_000) < 8 * max(seconds(1_000), 0.01)


def test_memory_holds_what_is_live_and_pending_not_what_is_past() -> None:
    from perdure.runtime.replay import Cast, Replay
    from perdure.runtime.view import View

    class Counting(Actor, name="tests.replay.counting"):
        total: int = 0

        def on_receive(self, message: int) -> None:
            self.total += message
            if message:
                self.tell("/r/a", message - 1)

    tree, store = lived_by(500, a=Counting)
    with Replay(View(store.reopened()), Cast.of(tree)) as replay:
        assert sum(1 for _ in replay.scenes()) > 500
        past = replay._player.past
        assert (len(past.cells), len(past.messages)) == (2, 0)
        assert past.births.of(3, (0, 0)) == past.births.of(5, (0, 0)) == {}


def test_an_ask_whose_answer_nobody_awaits_times_out_without_a_word_when_the_turn_begins_anew() -> (
    None
):
    class Silent(Actor, name="tests.replay.silent"):
        async def on_receive(self, message: str) -> None:
            await self.sleep(1e6)

    class Hoping(Actor, name="tests.replay.hoping"):
        async def on_receive(self, message: str) -> None:
            self.ask("/r/silent", message, timeout=3_600.0)

    tree, store = program(Child("a", Hoping), Child("silent", Silent)), MemoryStore()
    with running(tree, store) as run:
        run.tell("/r/a", "anybody?").get(timeout=SECONDS)
        settle(run)
    assert_identical(tree, store)
