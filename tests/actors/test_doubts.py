"""A handler that does not ask for what is recorded stops its actor, which says what to do then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from perdure import Actor, Child, Reject, tool
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.limits import CALL_CHARS_MAX
from tests.actors.test_steps import Echo
from tests.kit import SECONDS, Disk, of, program, resumed, running, settle

PAID: list[int] = []


@tool("bank.pay", effect="financial")
def pay(amount: int, note: str = "") -> str:
    PAID.append(amount)
    return f"paid {amount}"


def changing(first: Callable[[Any], Any], then: Callable[[Any], Any]) -> type[Actor]:
    """An actor whose first attempt does one thing and crashes, and whose second does another."""

    class Changing(Actor, name="tests.doubts.changing"):
        async def on_receive(self, message: str) -> Any:
            if self._turn.cell.crashes == 0:  # type: ignore[union-attr]
                await first(self)
                raise ValueError("edited meanwhile")
            return await then(self)

    return Changing


def stall(first: Callable[[Any], Any], then: Callable[[Any], Any]) -> str:
    """The reason why such an actor stalls; it does so once, and its message stays."""
    PAID.clear()
    store = MemoryStore()
    with running(program(Child("a", changing(first, then)), Child("echo", Echo)), store) as run:
        run.tell("/r/a", "x")
        assert settle(run)  # somebody has to look at it
        cell = run.kernel.book.cell_at("/r/a")
        assert cell.waiting == 1
    (stalled,) = of(store, records.Stall)
    assert len(of(store, records.Crash)) == 1
    return stalled.reason


def test_another_call_under_a_recorded_key_shows_both_and_the_verbs_that_repair_it() -> None:
    reason = stall(
        lambda self: self.call(pay, amount=3),
        lambda self: self.call(pay, amount=4),
    )
    assert "step bank.pay#1" in reason
    assert "is recorded as bank.pay(amount=3)" in reason
    assert "now it asks for bank.pay(amount=4)" in reason
    for verb in ("perdure resume RUN", "perdure clear RUN /r/a --forget", "--dead"):
        assert verb in reason
    assert PAID == [3]


def stall_of_the_next_process(cls: type[Actor], edit: Callable[[], object]) -> str:
    """The reason why such an actor stalls once its process has died in its turn, and it is edited.

    The process dies when a step of the turn is journaled.
    """
    PAID.clear()
    disk = Disk()
    tree = program(Child("a", cls), Child("echo", Echo))
    with running(tree, disk) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        while not of(disk, records.Result):
            run.ask("/r/echo", "later", timeout=SECONDS)
        twin = disk.reopened()
        edit()
        fence(run)
    with resumed(tree, twin) as run:
        assert settle(run)
    return str(of(twin, records.Stall)[0].reason)


def test_the_recorded_call_is_shown_from_the_journal_in_another_process() -> None:
    kept = {"amount": 3}

    class Edited(Actor, name="tests.doubts.edited"):
        async def on_receive(self, message: str) -> None:
            await self.call(pay, **kept)
            await asyncio.Event().wait()

    reason = stall_of_the_next_process(Edited, lambda: kept.update(amount=4))
    assert "recorded as bank.pay(amount=3)" in reason
    assert "asks for bank.pay(amount=4)" in reason


def test_an_effect_of_another_process_that_is_not_asked_for_any_more_stops_the_first_attempt() -> (
    None
):
    pays = [True]

    class Forgetful(Actor, name="tests.doubts.forgetful"):
        async def on_receive(self, message: str) -> None:
            if pays:
                await self.call(pay, amount=3)
                await asyncio.Event().wait()

    reason = stall_of_the_next_process(Forgetful, pays.clear)
    assert "was handled without asking for bank.pay(amount=3)" in reason


def fence(run: Any) -> None:
    """End a turn that waits for nothing the kernel knows of."""
    cell = run.kernel.book.cell_at("/r/a")
    run.kernel.ask_kernel(run.kernel.lifecycle.fence, cell.turn)


def test_long_arguments_are_shown_as_their_start() -> None:
    reason = stall(
        lambda self: self.call(pay, amount=3, note="x" * 100_000),
        lambda self: self.call(pay, amount=3, note="y" * 100_000),
    )
    assert len(reason) < 4 * CALL_CHARS_MAX
    assert "note='xxx" in reason
    assert "note='yyy" in reason


def test_another_message_in_an_ask_shows_both() -> None:
    reason = stall(
        lambda self: self.ask("/r/echo", "before"),
        lambda self: self.ask("/r/echo", "after"),
    )
    assert "recorded as ask /r/echo" in reason
    assert "asks for ask /r/echo('after')" in reason


def test_another_large_message_in_an_ask_shows_the_start_of_both() -> None:
    reason = stall(
        lambda self: self.ask("/r/echo", "x" * 100_000),
        lambda self: self.ask("/r/echo", "y" * 100_000),
    )
    assert len(reason) < 4 * CALL_CHARS_MAX
    assert "recorded as ask /r/echo('xxx" in reason
    assert "asks for ask /r/echo('yyy" in reason


async def nothing(self: Any) -> None:
    return None


async def rejecting(self: Any) -> None:
    raise Reject("not any more")


@pytest.mark.parametrize("then", [nothing, rejecting])
def test_an_effect_that_happened_and_is_not_asked_for_any_more_stops_the_turn_from_closing(
    then: Callable[[Any], Any],
) -> None:
    reason = stall(lambda self: self.call(pay, amount=3), then)
    assert "was handled without asking for bank.pay(amount=3)" in reason
    assert "as done" in reason


def test_a_read_that_is_not_asked_for_any_more_is_no_matter() -> None:
    tree = program(Child("a", changing(lambda self: self.once(len, "x"), nothing)))
    with running(tree) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) is None


async def swallowing(self: Any) -> str:
    try:
        await self.call(pay, amount=4)
    except BaseException:  # noqa: BLE001 - this is the test
        return "as if nothing were"
    return "paid"


async def leaving_it_to_a_task(self: Any) -> str:
    async def child() -> None:
        await self.call(pay, amount=4)

    self._task = asyncio.create_task(child())
    await asyncio.sleep(0)
    return "as if nothing were"


@pytest.mark.parametrize("then", [swallowing, leaving_it_to_a_task])
def test_a_handler_cannot_catch_the_need_for_a_repair(then: Callable[[Any], Any]) -> None:
    def first(self: Any) -> Any:
        if then is swallowing:
            return self.call(pay, amount=3)
        return asyncio.create_task(in_a_task(self))

    async def in_a_task(self: Any) -> None:
        await self.call(pay, amount=3)

    assert "now it asks for bank.pay(amount=4)" in stall(first, then)


def test_a_stalled_actor_is_looked_at_once_more_by_each_process_and_no_more() -> None:
    PAID.clear()
    store = MemoryStore()
    actor = changing(lambda self: self.call(pay, amount=3), lambda self: self.call(pay, amount=4))
    tree = program(Child("a", actor))
    with running(tree, store) as run:
        run.tell("/r/a", "x")
        assert settle(run)
    for processes in (2, 3):
        store = store.reopened()
        with resumed(tree, store) as run:
            assert settle(run)
        assert len(of(store, records.Stall)) == processes
        assert [verdict.verdict for verdict in of(store, records.Verdict)] == ["again"] * (
            processes - 1
        )
