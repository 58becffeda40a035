"""Waits are steps: they outlive attempts and processes, and each is settled once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, field
from perdure.errors import AskTimeout, UsageError
from perdure.ledger import records
from perdure.ledger.keys import Table
from perdure.ledger.memory import MemoryStore
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

YEAR = 365 * 86_400.0


class Sleeper(Actor, name="tests.waits.sleeper"):
    """Sleeps as long as it is told, and then crashes as often as it is told."""

    woken: list[str] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "woken":
            return list(self.woken)
        seconds, crashes = message
        await self.sleep(seconds)
        if self.attempt <= crashes:
            raise ValueError("again")
        self.woken.append(f"attempt {self.attempt}")
        return None


class Blocker(Actor, name="tests.waits.blocker"):
    woken: list[str] = field(default_factory=list)

    def on_receive(self, message: Any) -> Any:
        if message == "woken":
            return list(self.woken)
        seconds, _ = message
        self.sleep(seconds).get()
        self.woken.append("awake")
        return None


class Mute(Actor, name="tests.waits.mute"):
    """Answers when a gate opens."""

    async def on_receive(self, message: Any) -> Any:
        await GATES[message].passed()
        return f"answer to {message}"


GATES: dict[str, Gate] = {}


class Asker(Actor, name="tests.waits.asker"):
    ended: list[str] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "ended":
            return list(self.ended)
        try:
            self.ended.append(await self.ask("/r/mute", message, timeout=60.0))
        except AskTimeout as error:
            self.ended.append(str(error))
        return None


def still() -> FakeClock:
    """Time that stands until a test moves it."""
    return FakeClock(jumps=False)


def timers(store: MemoryStore) -> int:
    return len(rows(store, Table.TIMER))


# --- sleep


def test_a_sleep_ends_at_the_time_that_the_first_attempt_fixed() -> None:
    store = MemoryStore()
    with running(program(Child("a", Sleeper)), store, clock=FakeClock()) as run:
        run.tell("/r/a", (60.0, 2)).get(timeout=SECONDS)
        settle(run)
        assert run.ask("/r/a", "woken", timeout=SECONDS) == ["attempt 3"]
    asked, slept = of(store, records.Ask), of(store, records.Result)
    assert [(len(asked), len(slept)), slept[0].time - asked[0].time] == [(1, 1), 60 * 10**9]
    assert timers(store) == 0


def test_a_sleep_of_no_time_is_no_step() -> None:
    store = MemoryStore()
    with running(program(Child("a", Sleeper)), store) as run:
        run.tell("/r/a", (0.0, 0))
        settle(run)
    assert of(store, records.Ask) == []


def test_a_sleep_past_the_end_of_ledger_time_is_refused() -> None:
    class Eternal(Actor, name="tests.waits.eternal"):
        async def on_receive(self, message: Any) -> str:
            with pytest.raises(UsageError, match="a hundred years"):
                self.sleep(float("inf"))
            with pytest.raises(UsageError, match="ask without a timeout"):
                self.ask("/r/a", "x", timeout=1e12)
            return "refused"

    with running(program(Child("a", Eternal))) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "refused"


@pytest.mark.parametrize("kind", [Sleeper, Blocker])
def test_a_sleep_outlives_the_process_and_fires_once(kind: type[Actor]) -> None:
    disk, tree, clock = Disk(), program(Child("a", kind)), still()
    with running(tree, disk, clock=clock) as run:
        run.tell("/r/a", (YEAR, 0)).get(timeout=SECONDS)
        until(run, lambda: run.kernel.waits.open)
        run.tell("/r/a", "woken").get(timeout=SECONDS)  # durable, so all before it is
        twin = disk.reopened()
    assert timers(twin) == 1
    with resumed(tree, twin, clock=FakeClock(jumps=True)) as run:
        settle(run)
        assert len(run.ask("/r/a", "woken", timeout=SECONDS)) == 1
    assert len([each for each in of(twin, records.Result) if each.name == "sleep"]) == 1
    assert timers(twin) == 0


def test_a_sleep_that_was_over_while_no_process_ran_ends_at_start() -> None:
    disk, tree = Disk(), program(Child("a", Sleeper))
    with running(tree, disk, clock=still()) as run:
        run.tell("/r/a", (60.0, 0)).get(timeout=SECONDS)
        until(run, lambda: run.kernel.waits.open)
        run.tell("/r/a", "woken").get(timeout=SECONDS)
        twin = disk.reopened()
    later = FakeClock(wall_seconds=1_700_000_000.0 + YEAR, jumps=False)
    with resumed(tree, twin, clock=later) as run:
        assert run.ask("/r/a", "woken", timeout=SECONDS) == ["attempt 1"]


def test_a_sleep_that_nobody_awaits_is_over_before_the_turn_closes() -> None:
    class Dropper(Actor, name="tests.waits.dropper"):
        async def on_receive(self, message: Any) -> None:
            self.sleep(5.0)

    store = MemoryStore()
    with running(program(Child("a", Dropper)), store) as run:
        run.ask("/r/a", "x", timeout=SECONDS)
    turn = of(store, records.Turn)[-1]
    assert turn.time - of(store, records.Ask)[0].time == 5 * 10**9


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_turn_that_is_stopped_while_it_waits_leaves_nothing_behind(kind: str) -> None:
    class Plain(Actor, name="tests.waits.plain"):
        def on_receive(self, message: Any) -> None:
            self.sleep(YEAR).get()

    class Async(Actor, name="tests.waits.async"):
        async def on_receive(self, message: Any) -> None:
            await self.sleep(YEAR)

    store = MemoryStore()
    cls = Plain if kind == "def" else Async
    with running(program(Child("a", cls)), store, clock=still()) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        until(run, lambda: run.kernel.waits.suspension.waiting)
        run.cancel("/r/a")
        assert run.wait(SECONDS).status == "finished"
        assert run.kernel.waits.suspension.waiting == 0


def test_a_wait_that_asyncio_gave_up_does_not_keep_its_turn_open() -> None:
    class Impatient(Actor, name="tests.waits.impatient"):
        async def on_receive(self, message: Any) -> str:
            try:
                async with asyncio.timeout(0.0):
                    await self.sleep(YEAR)
            except TimeoutError:
                return "it gave up"
            return "it slept"

    store = MemoryStore()
    with running(program(Child("a", Impatient)), store, clock=still()) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "it gave up"
    assert timers(store) == 0


# --- timers


def test_a_delayed_message_outlives_the_process_and_is_sent_once() -> None:
    class Echo(Actor, name="tests.waits.echo"):
        heard: list[Any] = field(default_factory=list)

        async def on_receive(self, message: Any) -> Any:
            if message == "set":
                self.send_after(60.0, "/r/a", "ring")
                return None
            if message == "heard":
                return list(self.heard)
            self.heard.append(message)
            return None

    disk, tree = Disk(), program(Child("a", Echo))
    with running(tree, disk, clock=still()) as run:
        run.ask("/r/a", "set", timeout=SECONDS)
        twin = disk.reopened()
    again = twin.reopened()
    later = FakeClock(wall_seconds=1_700_000_000.0 + YEAR, jumps=False)
    for store, clock in ((twin, FakeClock()), (again, later)):
        with resumed(tree, store, clock=clock) as run:
            until(run, lambda store=store: timers(store) == 0)
            assert run.ask("/r/a", "heard", timeout=SECONDS) == ["ring"]
        with resumed(tree, store.reopened()) as run:
            settle(run)
            assert run.ask("/r/a", "heard", timeout=SECONDS) == ["ring"]
        assert len(of(store, records.Timer)) == 1


# --- ask


def asking(store: MemoryStore, clock: FakeClock) -> Any:
    GATES["x"] = Gate()
    tree = program(Child("a", Asker), Child("mute", Mute))
    return running(tree, store, clock=clock), tree


def test_the_timeout_of_an_ask_runs_on_while_no_process_does() -> None:
    disk = Disk()
    begun, tree = asking(disk, still())
    with begun as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        GATES["x"].reached()
        advance(run, 45.0)
        run.tell("/r/mute", "x").get(timeout=SECONDS)
        twin = disk.reopened()
        GATES["x"].open()
    GATES["x"] = Gate()
    with resumed(tree, twin, clock=FakeClock(jumps=False, wall_seconds=1_700_000_050.0)) as run:
        GATES["x"].reached()
        advance(run, 9.0)
        assert timers(twin) == 1
        advance(run, 2.0)
        assert run.ask("/r/a", "ended", timeout=SECONDS) == [
            "/r/mute did not answer /r/a within 60 s"
        ]
        GATES["x"].open()
    assert len(of(twin, records.Ask)) == 1


def test_an_answer_takes_the_timer_of_the_ask_along() -> None:
    store = MemoryStore()
    begun, _ = asking(store, still())
    with begun as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        GATES["x"].reached()
        until(run, lambda: timers(store) == 1)
        GATES["x"].open()
        assert run.ask("/r/a", "ended", timeout=SECONDS) == ["answer to x"]
        assert run.wait(SECONDS).status == "finished"  # nothing is left to wait for
    assert timers(store) == 0


def test_an_answer_that_comes_after_the_timeout_changes_nothing() -> None:
    class Goes(Actor, name="tests.waits.goes"):
        """Goes on after the timeout, and is tried again after the answer."""

        async def on_receive(self, message: Any) -> str:
            try:
                answer = await self.ask("/r/mute", message, timeout=60.0)
            except AskTimeout:
                answer = "nothing"
            await GATES["then"].passed()
            if self.attempt == 1:
                raise ValueError("again")
            return str(answer)

    GATES.update(x=Gate(), then=Gate())
    tree = program(Child("a", Goes), Child("mute", Mute))
    with running(tree, clock=still()) as run:
        answer = run.kernel.outside.ask("/r/a", "x")
        GATES["x"].reached()
        advance(run, 61.0)
        GATES["then"].reached()
        GATES["x"].open()
        settle_turn_of(run, "/r/mute")
        GATES["then"].open()
        until(run, lambda: run.kernel.crashing.crashed)
        advance(run, 1.0)  # the back-off
        assert answer.get(timeout=SECONDS) == "nothing"


def settle_turn_of(run: Any, address: str) -> None:
    """Wait until an actor has no more to do."""
    until(run, lambda: run.kernel.book.cell_at(address).idle)


def test_the_open_asks_of_a_dead_letter_are_over() -> None:
    class Hasty(Actor, name="tests.waits.hasty"):
        async def on_receive(self, message: Any) -> None:
            self.ask("/r/mute", message, timeout=60.0)
            self.sleep(60.0)
            raise ValueError("it does not wait")

    GATES["x"] = Gate()
    store = MemoryStore()
    tree = program(Child("a", Hasty, attempts_max=1), Child("mute", Mute))
    with running(tree, store, clock=still()) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        GATES["x"].reached()
        until(run, lambda: run.kernel.book.dead_letters)
        assert run.kernel.waits.open == {}
        GATES["x"].open()
        assert run.wait(SECONDS).status == "finished"
    assert (timers(store), rows(store, Table.STEP)) == (0, [])


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e300])
def test_a_delay_that_never_comes_is_refused_in_words(seconds: float) -> None:
    class Hopeful(Actor, name="tests.waits.hopeful"):
        async def on_receive(self, message: Any) -> str:
            try:
                self.send_after(seconds, self.address, "later")
            except UsageError as error:
                return str(error)
            return "sent"

    with running(program(Child("a", Hopeful))) as run:
        assert "a hundred years" in run.ask("/r/a", "go", timeout=SECONDS)
