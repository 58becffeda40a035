"""Steps that wait for room in the budget: each is let go or refused as a reservation is settled."""

from __future__ import annotations

import threading

from perdure import Actor, Child, tool
from perdure.errors import BudgetExhausted
from tests.kit import Gate, program, running, until

ANSWER_SECONDS_MAX = 10.0


def test_all_who_wait_for_room_learn_that_there_will_be_none() -> None:
    gate, refused = Gate(), threading.Semaphore(0)

    @tool("tests.room.big", effect="read", tokens=8)
    async def big() -> None:
        await gate.passed()

    @tool("tests.room.small", effect="read", tokens=5)
    async def small() -> None:
        raise AssertionError

    class Spends(Actor, name="tests.room.spends"):
        async def on_receive(self, message: int) -> None:
            await self.call(big)

    class Waits(Actor, name="tests.room.waits"):
        async def on_receive(self, message: int) -> None:
            try:
                await self.call(small)
            except BudgetExhausted:
                refused.release()

    children = [Child("a", Spends), Child("b", Waits), Child("c", Waits)]
    with running(program(*children, tokens=10)) as run:
        run.tell("/r/a", 1)
        gate.reached()
        run.tell("/r/b", 1)
        run.tell("/r/c", 1)
        until(run, lambda: len(run.kernel.budget_waiters) == 2)
        gate.open()
        assert refused.acquire(timeout=ANSWER_SECONDS_MAX)
        assert refused.acquire(timeout=ANSWER_SECONDS_MAX)
