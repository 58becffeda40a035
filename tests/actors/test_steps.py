"""Steps are journaled, never redone (G4), and asks are steps whose answer comes from inside."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from perdure import Actor, Child, Reject, field
from perdure.actors import steps as step_module
from perdure.actors.book import Book
from perdure.actors.cell import Step
from perdure.errors import Crashed
from perdure.ledger import records
from perdure.ledger.keys import Table
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, Disk, Gate, of, program, resumed, rows, running, settle


class Echo(Actor, name="tests.steps.echo"):
    """Answers with what it got, and remembers it."""

    got: list[Any] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "got":
            return list(self.got)
        self.got.append(message)
        if message == "crash":
            raise ValueError("echo")
        if message == "reject":
            raise Reject("not that")
        return message


def asking(verdict: dict[str, Any], **options: Any) -> type[Actor]:
    """An actor that asks `/r/echo` what it is told to ask, and says how it ended."""

    class Asking(Actor, name="tests.steps.asking"):
        async def on_receive(self, message: Any) -> Any:
            to = options.get("to", "/r/echo")
            try:
                return await self.ask(to, message, timeout=options.get("timeout"))
            except Exception as error:  # noqa: BLE001 - which one is what is tested
                verdict["error"] = error
                return f"{type(error).__name__}: {error}"

    return Asking


# --- once


def test_a_step_that_succeeded_is_not_done_again_by_a_retry() -> None:
    calls: list[str] = []

    class Reader(Actor, name="tests.steps.reader"):
        async def on_receive(self, message: str) -> list[str]:
            found = [await self.once(read, f"{message}{n}") for n in range(3)]
            if self.attempt < 3:
                raise ValueError(message)
            return found

    def read(path: str) -> str:
        calls.append(path)
        return path.upper()

    with running(program(Child("a", Reader))) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == ["X0", "X1", "X2"]
    assert calls == ["x0", "x1", "x2"]


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_step_that_succeeded_is_not_done_again_after_the_process_died(kind: str) -> None:
    calls: list[str] = []
    gate, disk = Gate(), Disk()

    def read(path: str) -> str:
        calls.append(path)
        return path.upper()

    class Waits(Actor, name="tests.steps.waits"):
        async def on_receive(self, message: str) -> str:
            found = await self.once(read, message)
            await gate.passed()
            return found

    class Blocks(Actor, name="tests.steps.blocks"):
        def on_receive(self, message: str) -> str:
            found = self.once(read, message).get()
            self.ask("/r/echo", "x").get()  # waits until what came before is in the journal
            gate.wait()
            return found

    tree = program(Child("a", Waits if kind == "async def" else Blocks), Child("echo", Echo))
    with running(tree, disk) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        gate.reached()
        run.ask("/r/echo", "later", timeout=SECONDS)  # durable, so all before it is
        twin = disk.reopened()
        gate.open()
    with resumed(tree, twin) as run:
        settle(run)
    assert calls == ["x"]
    assert of(twin, records.Turn)[-1].attempt == 1  # the death of the process was no attempt


def test_a_step_that_failed_once_is_done_again_on_the_next_attempt() -> None:
    calls: list[int] = []

    def read() -> int:
        calls.append(len(calls))
        if len(calls) < 3:
            raise OSError("not yet")
        return len(calls)

    class Reader(Actor, name="tests.steps.again"):
        async def on_receive(self, message: str) -> int:
            return await self.once(read)

    store = MemoryStore()
    with running(program(Child("a", Reader)), store) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == 3
    assert [result.ok for result in of(store, records.Result)] == [False, False, True]


def test_a_handler_gets_a_copy_of_a_steps_result_as_a_retry_would() -> None:
    kept: list[int] = [1]

    class Reader(Actor, name="tests.steps.copies"):
        async def on_receive(self, message: str) -> bool:
            found = await self.once(lambda: kept)
            return found == kept and found is not kept

    with running(program(Child("a", Reader))) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) is True


def test_a_result_that_cannot_be_stored_fails_the_step() -> None:
    class Reader(Actor, name="tests.steps.unstorable"):
        async def on_receive(self, message: str) -> Any:
            return await self.once(threading.Lock)

    with (
        running(program(Child("a", Reader, attempts_max=1))) as run,
        pytest.raises(Crashed, match="NotEncodable"),
    ):
        run.ask("/r/a", "x", timeout=SECONDS)


@pytest.mark.parametrize("kind", ["async def", "def", "nonblocking def"])
def test_a_step_that_nobody_awaits_is_still_done_before_the_turn_closes(kind: str) -> None:
    calls: list[str] = []

    class Async(Actor, name="tests.steps.dropped1"):
        async def on_receive(self, message: str) -> None:
            self.once(calls.append, "step")

    class Plain(Actor, name="tests.steps.dropped2"):
        def on_receive(self, message: str) -> None:
            self.once(calls.append, "step")

    class Nonblocking(Actor, name="tests.steps.dropped3"):
        def on_receive(self, message: str) -> None:
            self.once(calls.append, "step")

        on_receive.__nonblocking__ = True  # type: ignore[attr-defined]

    cls = {"async def": Async, "def": Plain, "nonblocking def": Nonblocking}[kind]
    store = MemoryStore()
    with running(program(Child("a", cls)), store) as run:
        run.ask("/r/a", "x", timeout=SECONDS)
        assert calls == ["step"]
    assert of(store, records.Late) == []
    assert [result.ok for result in of(store, records.Result)] == [True]


def test_another_question_under_a_recorded_key_parks_the_actor() -> None:
    fickle = iter("abc")

    class Fickle(Actor, name="tests.steps.fickle"):
        async def on_receive(self, message: str) -> None:
            await self.once(str.upper, next(fickle))
            raise ValueError("again")

    store = MemoryStore()
    with running(program(Child("a", Fickle)), store) as run:
        run.tell("/r/a", "x")
        assert settle(run)  # somebody has to look at it
    assert "other arguments" in of(store, records.Stall)[0].reason
    assert len(of(store, records.Crash)) == 1


def test_an_async_function_is_a_step_too_in_either_kind_of_handler() -> None:
    async def fetch(page: str) -> str:
        await asyncio.sleep(0)
        return page.upper()

    class Async(Actor, name="tests.steps.fetch1"):
        async def on_receive(self, message: str) -> str:
            return await self.once(fetch, message)

    class Plain(Actor, name="tests.steps.fetch2"):
        def on_receive(self, message: str) -> str:
            return self.once(fetch, message).get()

    with running(program(Child("a", Async), Child("b", Plain, attempts_max=1))) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "X"
        assert run.ask("/r/b", "y", timeout=SECONDS) == "Y"


def test_three_blocking_steps_of_one_gather_overlap() -> None:
    together = threading.Barrier(3)

    def slow(n: int) -> int:
        together.wait(SECONDS)  # passes only when all three are in here at once
        return n

    class Reader(Actor, name="tests.steps.overlap"):
        async def on_receive(self, message: str) -> tuple[int, ...]:
            return await self.gather(*(self.once(slow, n) for n in range(3)))

    with running(program(Child("a", Reader, attempts_max=1))) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == (0, 1, 2)


# --- what a failure means


def failing(calls: list[str], errors: int, then: Any) -> type[Actor]:
    """An actor whose first step fails that often; `then(self, error)` is what it makes of that."""

    def read(what: str) -> str:
        calls.append(what)
        if calls.count("first") <= errors and what == "first":
            raise Missing("not there")
        return what

    class Failing(Actor, name="tests.steps.failing"):
        async def on_receive(self, message: str) -> Any:
            try:
                found = await self.once(read, "first")
            except Missing as error:
                found = await then(self, error, read)
            if self.attempt == 1:
                raise ValueError("again")
            return found

    return Failing


class Missing(Exception):
    """Raised by a step."""


def test_a_failure_after_which_the_handler_went_on_is_final() -> None:
    calls: list[str] = []

    async def go_on(self: Any, error: Missing, read: Any) -> str:
        return f"{type(error).__name__} {error}, {await self.once(read, 'second')}"

    with running(program(Child("a", failing(calls, 1, go_on)))) as run:
        answer = run.ask("/r/a", "x", timeout=SECONDS)
    assert calls == ["first", "second"]
    assert answer == "Missing not there, second"  # still of the class that was raised


def test_a_failure_that_a_crash_followed_is_executed_again() -> None:
    calls: list[str] = []

    async def give_up(self: Any, error: Missing, read: Any) -> str:
        raise error

    with running(program(Child("a", failing(calls, 2, give_up)))) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "first"
    assert calls == ["first"] * 3


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_final_failure_is_final_for_another_process_too(kind: str) -> None:
    calls: list[str] = []
    gate, disk = Gate(), Disk()

    def read(what: str) -> str:
        calls.append(what)
        if what == "first":
            raise Missing("not there")
        return what

    class Async(Actor, name="tests.steps.final1"):
        async def on_receive(self, message: str) -> str:
            try:
                return await self.once(read, "first")
            except Missing:
                found = await self.once(read, "second")
                await gate.passed()
                return found

    class Plain(Actor, name="tests.steps.final2"):
        def on_receive(self, message: str) -> str:
            try:
                return self.once(read, "first").get()
            except Missing:
                found = self.once(read, "second").get()
                self.ask("/r/echo", "x").get()
                gate.wait()
                return found

    tree = program(Child("a", Async if kind == "async def" else Plain), Child("echo", Echo))
    with running(tree, disk) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        gate.reached()
        run.ask("/r/echo", "later", timeout=SECONDS)
        twin = disk.reopened()
        gate.open()
    with resumed(tree, twin) as run:
        settle(run)
    assert calls == ["first", "second"]


def test_looking_at_the_clock_is_no_going_on() -> None:
    calls: list[str] = []

    async def note(self: Any, error: Missing, read: Any) -> str:
        self.now()
        raise error

    with running(program(Child("a", failing(calls, 1, note)))) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "first"
    assert calls == ["first", "first"]


# --- time and chance


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_retry_sees_the_time_that_the_first_attempt_saw(kind: str) -> None:
    seen: list[list[datetime]] = []

    def look(self: Any) -> None:
        self_clock = self._turn.kernel.book.clock.clock
        times = [self.now()]
        self_clock.advance(60.0)
        times.append(self.now())
        seen.append(times)
        if self.attempt == 1:
            raise ValueError("again")

    class Async(Actor, name="tests.steps.clock1"):
        async def on_receive(self, message: str) -> None:
            look(self)

    class Plain(Actor, name="tests.steps.clock2"):
        def on_receive(self, message: str) -> None:
            look(self)

    store = MemoryStore()
    with running(program(Child("a", Async if kind == "async def" else Plain)), store) as run:
        run.ask("/r/a", "x", timeout=SECONDS)
    (first, second) = seen
    assert first == second
    assert first[1] - first[0] >= timedelta(seconds=60)
    assert [result.key for result in of(store, records.Result)] == ["now#1", "now#2"]


def test_chance_is_fresh_with_each_attempt_until_a_step_is_journaled() -> None:
    drawn: list[tuple[float, ...]] = []

    class Drawing(Actor, name="tests.steps.drawing"):
        async def on_receive(self, message: str) -> None:
            before = self.random.random()
            if self.attempt > 1:
                await self.once(len, "x")
            drawn.append((before, self.random.random()))
            if len(drawn) < 4:
                raise ValueError("again")

    with running(program(Child("a", Drawing, attempts_max=9))) as run:
        run.ask("/r/a", "x", timeout=SECONDS)
    first, second, third, fourth = drawn
    assert first != second
    assert second == third == fourth


def test_chance_stays_that_of_the_first_step_in_another_process() -> None:
    drawn: list[float] = []
    gate, disk = Gate(), Disk()

    class Drawing(Actor, name="tests.steps.drawing2"):
        async def on_receive(self, message: str) -> None:
            drawn.append(self.random.random())
            if self.attempt == 1 and len(drawn) == 1:
                raise ValueError("nothing is journaled yet")
            await self.once(len, "x")
            await gate.passed()

    tree = program(Child("a", Drawing), Child("echo", Echo))
    with running(tree, disk) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        gate.reached()
        run.ask("/r/echo", "later", timeout=SECONDS)
        twin = disk.reopened()
        gate.open()
    with resumed(tree, twin) as run:
        settle(run)
    assert len(drawn) == 3
    assert drawn[0] != drawn[1] == drawn[2]


def test_ten_thousand_steps_are_each_looked_up_written_and_deleted_once() -> None:
    steps, calls = 10_000, [0]
    store = MemoryStore()

    def read(n: int) -> int:
        calls[0] += 1
        return n

    class Long(Actor, name="tests.steps.long"):
        async def on_receive(self, message: str) -> int:
            total = 0
            for n in range(steps):
                total += await self.once(read, n)
            if self.attempt == 1:
                raise ValueError("again")
            return total

    with running(program(Child("a", Long)), store) as run, counting() as counted:
        assert run.ask("/r/a", "x", timeout=60.0) == sum(range(steps))
    assert calls == [steps]
    assert counted["keep_step"] == steps
    assert counted["last_begun"] == 0
    assert counted["step rows"] <= steps
    assert rows(store, Table.STEP) == []


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """How often is done what would be quadratic if it were done for each step again."""
    counted: Counter[str] = Counter()
    keep, row, begun = Book.keep_step, Step.row, step_module.last_begun

    def count(what: str, function: Any) -> Any:
        def counting(*args: Any) -> Any:
            counted[what] += 1
            return function(*args)

        return counting

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Book, "keep_step", count("keep_step", keep))
        patch.setattr(Step, "row", count("step rows", row))
        patch.setattr(step_module, "last_begun", count("last_begun", begun))
        yield counted


# --- ask


def test_a_coroutine_that_exits_ends_nothing_but_its_own_step() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    class Caller(Actor, name="tests.steps.leaver"):
        async def on_receive(self, message: str) -> str:
            try:
                await self.once(leave)
            except Exception as error:  # noqa: BLE001 - its text is looked at
                return str(error)
            return "went on"

    with running(program(Child("a", Caller))) as run:
        assert "SystemExit" in run.ask("/r/a", "x", timeout=SECONDS)
