"""Steps that a `@nonblocking` function takes are done where they are asked for."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from perdure import Actor, Backoff, Child, field, nonblocking, tool
from perdure.errors import Crashed
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.limits import STEPS_AT_ONCE_MAX
from tests.kit import SECONDS, of, program, running
from tests.replaying import assert_identical, lived_by

CALLS: list[Any] = []
THREADS: list[int] = []


@pytest.fixture(autouse=True)
def _nothing_yet() -> None:
    CALLS.clear()
    THREADS.clear()


@nonblocking
def look(n: int) -> int:
    CALLS.append(n)
    THREADS.append(threading.get_ident())
    if n < 0:
        raise ValueError(f"below zero: {n}")
    return 2 * n


@nonblocking
def disguised(n: int) -> Any:
    async def inner() -> int:
        return n

    return inner()


@nonblocking
@tool("tests.flaky", effect="read", retries=2, backoff=Backoff(first=0.0, factor=1.0, max=0.0))
def flaky() -> int:
    CALLS.append("flaky")
    if len(CALLS) < 3:
        raise OSError("not yet")
    return 7


class Looker(Actor, name="tests.instant.looker"):
    async def on_receive(self, message: Any) -> Any:
        if message == "flaky":
            return await self.call(flaky)
        if message == "disguised":
            return await self.once(disguised, 1)
        total = 0
        for n in message:
            total += await self.once(look, n)
        if self.attempt == 1 and message[0] == 1:
            raise ValueError("again")
        return total


def test_it_runs_on_the_kernel_thread_and_a_retry_is_given_what_it_found() -> None:
    with running(program(Child("a", Looker))) as run:
        assert run.ask("/r/a", [1, 2, 3], timeout=SECONDS) == 12
        assert set(THREADS) == {run.kernel.thread_id}
    assert CALLS == [1, 2, 3]


def test_what_it_raises_is_raised_where_it_was_asked_for() -> None:
    class Careful(Actor, name="tests.instant.careful"):
        async def on_receive(self, message: int) -> str:
            try:
                return str(await self.once(look, message))
            except ValueError as error:
                return str(error)

    with running(program(Child("a", Careful))) as run:
        assert run.ask("/r/a", -1, timeout=SECONDS) == "below zero: -1"


def test_one_with_retries_is_tried_again_as_any_other() -> None:
    with running(program(Child("a", Looker))) as run:
        assert run.ask("/r/a", "flaky", timeout=SECONDS) == 7
    assert len(CALLS) == 3


def test_a_coroutine_in_disguise_is_refused_and_holds_nobody_up() -> None:
    options = {"attempts_max": 1}
    with running(program(Child("a", Looker, **options))) as run, pytest.raises(Crashed) as caught:
        run.ask("/r/a", "disguised", timeout=SECONDS)
    assert "is @nonblocking and gives back a coroutine" in str(caught.value)


class Two(Actor, name="tests.instant.two"):
    seen: list[str] = field(default_factory=list)

    async def on_receive(self, message: int) -> None:
        async def walk(name: str) -> None:
            for n in range(message):
                await self.once(look, n)
            self.seen.append(name)

        await asyncio.gather(walk("first"), walk("second"))


def test_after_a_hundred_of_them_others_have_their_turn_and_a_replay_does_the_same() -> None:
    few, many = STEPS_AT_ONCE_MAX // 2 - 1, STEPS_AT_ONCE_MAX + 1
    tree, store = lived_by(few, many, a=Two)
    keys = [body.key.partition(".")[0] for body in of(store, records.Result)]
    a_few, of_many = keys[: 2 * few], keys[2 * few :]
    assert a_few == sorted(a_few)  # one task after the other
    assert of_many != sorted(of_many)
    CALLS.clear()
    assert_identical(tree, store)
    assert CALLS == []


class Ordered(Actor, name="tests.instant.ordered"):
    async def on_receive(self, message: str) -> None:
        async def looks() -> None:
            await self.once(look, 1)
            self.tell("/r/b", "first")

        async def only_tells() -> None:
            self.tell("/r/b", "second")

        await asyncio.gather(looks(), only_tells())


class Sink(Actor, name="tests.instant.sink"):
    async def on_receive(self, message: str) -> None:
        pass


def test_tasks_tell_in_the_same_order_when_they_are_replayed() -> None:
    tree, store = lived_by("go", a=Ordered, b=Sink)
    assert_identical(tree, store)


def test_a_def_handler_takes_them_in_its_own_thread() -> None:
    class Threaded(Actor, name="tests.instant.threaded"):
        def on_receive(self, message: int) -> int:
            return self.once(look, message).get()

    store = MemoryStore()
    with running(program(Child("a", Threaded)), store) as run:
        assert run.ask("/r/a", 4, timeout=SECONDS) == 8
        assert set(THREADS).isdisjoint({run.kernel.thread_id})
