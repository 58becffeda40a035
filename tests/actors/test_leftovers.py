"""Tasks that a handler starts end with its turn."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from perdure import Actor, Child, field
from tests.kit import SECONDS, program, running

ENDED: list[str] = []


class Starter(Actor, name="tests.leftovers.starter"):
    """Starts tasks that would go on after the turn, in every way there is."""

    heard: list[Any] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "leave":
            self._task = asyncio.create_task(self._late("task"))
            await asyncio.sleep(0)
        elif message == "nest":
            self._task = asyncio.create_task(self._nest())
            await asyncio.sleep(0)  # it starts, and makes the inner one
            await asyncio.sleep(0)  # the inner one starts
        elif message == "crash":
            self._task = asyncio.create_task(self._late("crashed"))
            await asyncio.sleep(0)
            raise ValueError("a crash with a task left")
        elif message == "group":
            async with asyncio.TaskGroup() as group:
                parts = [group.create_task(asyncio.sleep(0, n)) for n in range(3)]
            return [part.result() for part in parts]
        self.heard.append(message)
        return list(self.heard)

    async def _late(self, who: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ENDED.append(who)

    async def _nest(self) -> None:
        self._inner = asyncio.create_task(self._late("inner"))
        await self._late("outer")


def answers(*messages: Any, attempts_max: int = 3) -> Any:
    ENDED.clear()
    with running(program(Child("a", Starter, attempts_max=attempts_max))) as run:
        return [run.ask("/r/a", message, timeout=SECONDS) for message in messages]


def test_a_task_left_behind_is_cancelled_before_its_turn_closes() -> None:
    assert answers("leave", "next") == [["leave"], ["leave", "next"]]
    assert ENDED == ["task"]


def test_a_task_of_a_task_is_cancelled_too() -> None:
    answers("nest")
    assert sorted(ENDED) == ["inner", "outer"]


def test_a_task_of_a_handler_that_crashed_is_cancelled() -> None:
    ENDED.clear()
    with running(program(Child("a", Starter, attempts_max=1))) as run:
        run.tell("/r/a", "crash").get(timeout=SECONDS)
        run.ask("/r/a", "next", timeout=SECONDS)
    assert ENDED == ["crashed"]


class Careless(Actor, name="tests.leftovers.careless"):
    """Has tasks that fail, and asks none of them for what it came to."""

    async def on_receive(self, message: str) -> str:
        if message == "task":
            self._failing = asyncio.create_task(self._fail())
        elif message == "wait":
            await asyncio.wait([asyncio.create_task(self._fail())])
        elif message == "future":
            asyncio.get_running_loop().create_future().set_exception(ValueError("dropped"))
        for _ in range(3):
            await asyncio.sleep(0)  # it fails, and who waits for it hears that
        self._failing = None
        gc.collect()  # of what nobody asked for, asyncio tells when it goes
        return message

    async def _fail(self) -> None:
        raise ValueError("dropped")


@pytest.mark.parametrize("how", ["task", "wait", "future"])
def test_a_failure_that_nobody_asked_for_is_logged_and_ends_nothing(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running(program(Child("a", Careless))) as run:
        assert run.ask("/r/a", how, timeout=SECONDS) == how
        assert run.ask("/r/a", "next", timeout=SECONDS) == "next"
    assert "never retrieved" in caplog.text


def test_tasks_that_are_awaited_end_as_they_would() -> None:
    assert answers("group") == [[0, 1, 2]]
