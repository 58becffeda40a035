"""What a step reserved is not reserved for ever when its message ends and nobody asks for it."""

from __future__ import annotations

import pytest

from perdure import Actor, Child, tool
from perdure.ledger import records
from tests.kit import SECONDS, Disk, Gate, budget, of, program, resumed, running, settle
from tests.replaying import assert_identical

GATE = [Gate()]
IS_LATER: list[bool] = []


@tool("world.page", effect="read", tokens=7)
async def page() -> str:
    await GATE[0].passed()
    return "page"


class Reading(Actor, name="tests.unsettled.reading"):
    """Reads in the first process; in a later one it crashes, or goes another way."""

    async def on_receive(self, message: str) -> str:
        if not IS_LATER:
            await self.call(page)
        if message == "crash":
            raise ValueError("before it came to it")
        return "went another way"


class Echo(Actor, name="tests.unsettled.echo"):
    async def on_receive(self, message: str) -> str:
        return message


@pytest.fixture(autouse=True)
def _fresh() -> None:
    GATE[0] = Gate()
    IS_LATER.clear()


def cut_off(tree: object, message: str) -> Disk:
    """The disk of a process that died in the middle of the step."""
    disk = Disk()
    with running(tree, disk) as run:  # type: ignore[arg-type]
        run.tell("/r/a", message).get(timeout=SECONDS)
        GATE[0].reached()
        run.ask("/r/echo", "durable", timeout=SECONDS)
        twin = disk.reopened()
        GATE[0].open()
    IS_LATER.append(True)
    assert (budget(twin).spent, budget(twin).reserved) == (0, 7)
    return twin


@pytest.mark.parametrize("message", ["close", "crash"])
def test_what_a_step_reserved_is_charged_when_its_message_ends_without_it(message: str) -> None:
    tree = program(Child("a", Reading, attempts_max=2), Child("echo", Echo), tokens=100)
    twin = cut_off(tree, message)
    with resumed(tree, twin) as run:
        settle(run)
    assert (budget(twin).spent, budget(twin).reserved) == (7, 0)
    (given_up,) = [r for r in of(twin, records.Result) if r.reserved]
    assert (given_up.ok, given_up.tokens) == (False, 7)
    assert_identical(tree, twin)


def test_a_crash_that_is_retried_leaves_the_reservation_to_the_next_attempt() -> None:
    tree = program(Child("a", Reading, attempts_max=2), Child("echo", Echo), tokens=100)
    twin = cut_off(tree, "crash")
    with resumed(tree, twin) as run:
        settle(run)
    order = [
        type(record).__name__
        for record in [*of(twin, records.Crash), *of(twin, records.Result)]
        if getattr(record, "reserved", 1)
    ]
    assert order == ["Crash", "Crash", "Result"]
    first, last = of(twin, records.Crash)
    (given_up,) = [r for r in of(twin, records.Result) if r.reserved]
    assert first.time <= given_up.time <= last.time


def test_who_needs_room_that_was_charged_is_refused_and_does_not_wait() -> None:
    class Paying(Actor, name="tests.unsettled.paying"):
        async def on_receive(self, message: str) -> str:
            return await self.call(page)

    tree = program(
        Child("a", Reading), Child("echo", Echo), Child("b", Paying, attempts_max=1), tokens=10
    )
    twin = cut_off(tree, "close")
    with resumed(tree, twin) as run:
        answer = run.kernel.outside.ask("/r/b", "x")
        settle(run)
        assert answer.exception() is not None
    assert (budget(twin).spent, budget(twin).reserved) == (7, 0)
