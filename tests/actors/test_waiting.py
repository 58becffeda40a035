"""A turn that waits for the kernel: it lends its slot meanwhile, and gets its value after."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child
from tests.kit import SECONDS, program, running


class Sleeper(Actor):
    async def on_receive(self, message: float) -> str:
        await self.sleep(message)
        return "awake"


class BlockedSleeper(Actor):
    def on_receive(self, message: float) -> str:
        self.sleep(message).get()
        return "awake"


class Echo(Actor):
    async def on_receive(self, message: Any) -> Any:
        return message


class Asker(Actor):
    async def on_receive(self, message: Any) -> Any:
        return ("echo says", await self.ask("../echo", message))


class BlockedAsker(Actor):
    def on_receive(self, message: Any) -> Any:
        return ("echo says", self.ask("../echo", message).get())


@pytest.mark.parametrize("kind", [Sleeper, BlockedSleeper])
def test_a_handler_that_sleeps_goes_on_when_its_time_has_come(kind: type[Actor]) -> None:
    with running(program(Child("a", kind))) as run:
        assert run.ask("/r/a", 2.0, timeout=SECONDS) == "awake"


@pytest.mark.parametrize("kind", [Asker, BlockedAsker])
def test_the_only_slot_serves_the_asked_while_the_asker_waits(kind: type[Actor]) -> None:
    with running(program(Child("a", kind), Child("echo", Echo), concurrency=1)) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == ("echo says", "x")
