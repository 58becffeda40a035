"""A task group whose failure a handler caught goes the same way on a retry."""

from __future__ import annotations

import asyncio
from typing import Any

from perdure import Actor, Child
from tests.kit import SECONDS, program, running, settle


def test_siblings_that_a_group_cancelled_are_cancelled_again_on_the_retry() -> None:
    calls: list[str] = []

    async def fail() -> None:
        calls.append("fail")
        raise ValueError("flaky")

    async def linger() -> None:
        calls.append("linger")
        await asyncio.get_running_loop().create_future()

    async def read() -> str:
        calls.append("read")
        return "read"

    class Grouped(Actor, name="tests.groups.grouped"):
        async def on_receive(self, message: str) -> Any:
            async def one() -> None:
                await self.once(fail)

            async def two() -> None:
                await self.once(linger)

            seen = ""
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(two())
                    group.create_task(one())
            except* ValueError as errors:
                seen = str(errors.exceptions[0])
            found = await self.once(read)
            if self.attempt == 1:
                raise OSError("again")
            return [seen, found]

    with running(program(Child("a", Grouped))) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == ["flaky", "read"]
        settle(run)
    assert sorted(calls) == ["fail", "linger", "read"]


def test_what_a_handler_made_of_a_failures_text_is_the_same_on_the_retry() -> None:
    async def fail() -> None:
        raise ValueError("flaky")

    async def note(why: str) -> str:
        return why

    class Noting(Actor, name="tests.groups.noting"):
        async def on_receive(self, message: str) -> Any:
            try:
                await self.once(fail)
            except ValueError as error:
                noted = await self.once(note, str(error))
            if self.attempt == 1:
                raise OSError("again")
            return noted

    with running(program(Child("a", Noting))) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "flaky"
