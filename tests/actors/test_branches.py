"""Tasks of a turn have branches: their steps have the same keys, whichever is done first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from perdure import Actor, Child, tool
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, Gate, of, program, running

WIDTH = 50


class Relay:
    """Lets steps of one round end in an order of its own: each waits for the one before it."""

    def __init__(self, order: list[int]) -> None:
        self.order = order
        self.done: list[int] = []
        self.events: dict[int, asyncio.Event] = {}

    async def wait(self, n: int) -> None:
        place = self.order.index(n)
        if place:
            await self._event(self.order[place - 1]).wait()
        self.done.append(n)
        self._event(n).set()

    def _event(self, n: int) -> asyncio.Event:
        return self.events.setdefault(n, asyncio.Event())


async def with_gather(self: Any, part: Callable[[int], Any]) -> list[int]:
    return list(await asyncio.gather(*(part(n) for n in range(WIDTH))))


async def with_task_group(self: Any, part: Callable[[int], Any]) -> list[int]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part(n)) for n in range(WIDTH)]
    return [task.result() for task in tasks]


async def with_anyio(self: Any, part: Callable[[int], Any]) -> list[int]:
    found = [0] * WIDTH

    async def keep(n: int) -> None:
        found[n] = await part(n)

    async with anyio.create_task_group() as group:
        for n in range(WIDTH):
            group.start_soon(keep, n)
    return found


def racing(how: Any, relays: list[Relay], calls: list[int]) -> type[Actor]:
    """An actor with `WIDTH` tasks of two steps each, whose first attempt fails after all."""

    async def first(n: int) -> int:
        await relays[0].wait(n)
        calls.append(n)
        return n

    @tool("race.second", effect="external")
    async def second(n: int) -> int:
        await relays[-1].wait(n)
        return n * n

    class Racing(Actor, name="tests.branches.racing"):
        async def on_receive(self, message: str) -> list[int]:
            found = await how(self, self._part)
            if self.attempt == 1:
                raise ValueError("again")
            return found

        async def _part(self, n: int) -> int:
            mine = await self.once(first, n)
            return await self.call(second, n=mine)

    return Racing


WAYS = [with_gather, with_task_group, with_anyio]


@pytest.mark.parametrize("how", WAYS)
def test_fifty_tasks_that_end_in_another_order_get_their_own_steps_back(how: Any) -> None:
    calls: list[int] = []
    backwards, odd_first = list(reversed(range(WIDTH))), [*range(1, WIDTH, 2), *range(0, WIDTH, 2)]
    relays = [Relay(backwards), Relay(odd_first)]
    store = MemoryStore()
    with running(program(Child("a", racing(how, relays, calls))), store) as run:
        assert run.ask("/r/a", "go", timeout=SECONDS) == [n * n for n in range(WIDTH)]
    assert calls == backwards
    assert relays[1].done == odd_first
    assert of(store, records.Stall) == []
    assert len(of(store, records.Crash)) == 1
    keys = [intent.key for intent in of(store, records.Intent)]
    assert sorted(keys) == sorted(f"{n}.race.second#1" for n in range(1, WIDTH + 1))


def test_a_task_of_a_task_has_a_branch_below_it() -> None:
    store = MemoryStore()

    class Nesting(Actor, name="tests.branches.nesting"):
        async def on_receive(self, message: str) -> None:
            await self.once(len, "root")
            await asyncio.gather(self._outer("a"), self._outer("b"))
            await self.once(len, "root")

        async def _outer(self, name: str) -> None:
            await self.once(len, name)
            await asyncio.create_task(self._inner(name))

        async def _inner(self, name: str) -> None:
            await self.once(len, name)

    with running(program(Child("a", Nesting)), store) as run:
        run.ask("/r/a", "go", timeout=SECONDS)
    keys = [result.key for result in of(store, records.Result)]
    assert (keys[0], keys[-1]) == ("builtins.len#1", "builtins.len#2")
    assert sorted(keys[1:-1]) == [
        "1.1.builtins.len#1",
        "1.builtins.len#1",
        "2.1.builtins.len#1",
        "2.builtins.len#1",
    ]


def test_tasks_of_a_tool_take_no_number_from_those_of_the_handler() -> None:
    store = MemoryStore()

    async def fetch(n: int) -> int:
        return sum(await asyncio.gather(*(asyncio.sleep(0, n) for _ in range(3))))

    class Fetching(Actor, name="tests.branches.fetching"):
        async def on_receive(self, message: str) -> list[int]:
            await self.once(fetch, 1)
            return list(await asyncio.gather(self._part(1), self._part(2)))

        async def _part(self, n: int) -> int:
            return await self.once(fetch, n)

    with running(program(Child("a", Fetching)), store) as run:
        assert run.ask("/r/a", "go", timeout=SECONDS) == [3, 6]
    assert [r.key.partition("tests")[0] for r in of(store, records.Result)] == ["", "1.", "2."]


def test_a_failure_among_tasks_is_tried_again_although_others_went_on() -> None:
    calls: list[str] = []
    gate = Gate()

    def read(what: str) -> str:
        calls.append(what)
        if what == "bad" and calls.count("bad") == 1:
            raise OSError("not yet")
        return what

    class Reading(Actor, name="tests.branches.reading"):
        async def on_receive(self, message: str) -> list[str]:
            good = asyncio.create_task(self._several())
            try:
                return [*(await asyncio.create_task(self._one())), *(await good)]
            except OSError:
                await good  # the other task goes on, in its own branch
                raise

        async def _one(self) -> list[str]:
            return [await self.once(read, "bad")]

        async def _several(self) -> list[str]:
            return [await self.once(read, f"good{n}") for n in range(3)]

    gate.open()
    store = MemoryStore()
    with running(program(Child("a", Reading)), store) as run:
        expected = ["bad", "good0", "good1", "good2"]
        assert run.ask("/r/a", "go", timeout=SECONDS) == expected
    assert sorted(calls) == ["bad", *expected]
    assert len(of(store, records.Crash)) == 1
