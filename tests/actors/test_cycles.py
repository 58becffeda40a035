"""Actors that wait for each other in a circle are told so, at once, by name."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from perdure import Actor, Child, Deadlock, FakeClock, field
from perdure.actors.cycles import closed_by
from perdure.ledger import records
from perdure.ledger.audit import audit_store
from perdure.ledger.memory import MemoryStore
from perdure.limits import SUSPEND_SECONDS_MAX
from tests.kit import SECONDS, Disk, Gate, advance, of, program, resumed, running, settle, until


def text_of(error: Exception) -> str:
    return str(error).partition(": ")[2].partition(". ")[0]


class Async(Actor, name="tests.cycles.async"):
    """Asks the next one what it is asked; the last one closes the circle."""

    next: str
    heard: list[str] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "heard":
            return list(self.heard)
        try:
            return await self.ask(self.next, message)
        except Deadlock as error:
            self.heard.append(str(error))
            return text_of(error)


class Plain(Actor, name="tests.cycles.plain"):
    next: str
    heard: list[str] = field(default_factory=list)

    def on_receive(self, message: Any) -> Any:
        if message == "heard":
            return list(self.heard)
        try:
            return self.ask(self.next, message).get()
        except Deadlock as error:
            self.heard.append(str(error))
            return text_of(error)


def circle(kind: type[Actor], length: int) -> Any:
    return program(
        *(Child(f"{n}", kind, init={"next": f"/r/{(n + 1) % length}"}) for n in range(length))
    )


@pytest.mark.parametrize("length", [1, 2, 3, 50])
@pytest.mark.parametrize("kind", [Async, Plain])
def test_an_ask_that_closes_a_cycle_fails_at_once_and_names_it(
    kind: type[Actor], length: int
) -> None:
    store = MemoryStore()
    with running(circle(kind, length), store, clock=FakeClock(jumps=False)) as run:
        named = run.ask("/r/0", "x", timeout=SECONDS)
        last = f"/r/{length - 1}"
        assert len(run.ask(last, "heard", timeout=SECONDS)) == 1
    order = [length - 1, *range(length)]
    assert named == " -> ".join(f"/r/{n}" for n in order)
    assert [result.ok for result in of(store, records.Result)] == [False]
    assert len(of(store, records.Ask)) == length - 1


class Late(Actor, name="tests.cycles.late"):
    """Stops at a gate before it asks the next one."""

    next: str
    gate: str

    async def on_receive(self, message: Any) -> Any:
        await GATES[self.gate].passed()
        try:
            return await self.ask(self.next, message)
        except Deadlock as error:
            return text_of(error)


GATES: dict[str, Gate] = {}


@pytest.mark.parametrize("suspends", [False, True])
def test_a_cycle_is_found_that_closes_after_the_process_died(suspends: bool) -> None:
    GATES["b"] = Gate()
    disk = Disk()
    tree = program(
        Child("a", Async, init={"next": "/r/b"}),
        Child("b", Late, init={"next": "/r/a", "gate": "b"}),
    )
    with running(tree, disk, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        GATES["b"].reached()
        run.tell("/r/a", "heard").get(timeout=SECONDS)
        twin = disk.reopened()
        GATES["b"].open()
    gate = GATES["b"] = Gate()
    with resumed(tree, twin, clock=FakeClock(jumps=False)) as run:
        gate.reached()
        if suspends:
            until(run, lambda: run.kernel.waits.open)
            advance(run, SUSPEND_SECONDS_MAX)
            until(run, lambda: run.kernel.waits.suspension.asleep)
        gate.open()
        settle(run)
    answers = [turn.answer for turn in of(twin, records.Turn) if turn.answer]
    assert b"/r/b -> /r/a -> /r/b" in answers[0][2]


def test_a_cycle_that_was_asked_but_not_noticed_is_found_when_its_turns_are_begun_again() -> None:
    """Both asks are journaled; which of the two turns comes to its own last finds the cycle."""
    disk = Disk()
    tree = circle(Async, 2)
    with running(tree, disk, clock=FakeClock(jumps=False)) as run:
        run.kernel.asks._waits_for = lambda id: ()  # type: ignore[method-assign]
        run.tell("/r/0", "x").get(timeout=SECONDS)
        until(run, lambda: len(run.kernel.waits.open) == 2 or len(of(disk, records.Ask)) == 2)
        run.tell("/r/0", "heard").get(timeout=SECONDS)
        twin = disk.reopened()
    with resumed(tree, twin, clock=FakeClock(jumps=False)) as run:
        settle(run)
        (named, *_) = run.ask("/r/1", "heard", timeout=SECONDS)
    assert "/r/1 -> /r/0 -> /r/1" in named or "/r/0 -> /r/1 -> /r/0" in named


def test_who_waits_for_several_is_in_the_cycle_of_each() -> None:
    class Gathers(Actor, name="tests.cycles.gathers"):
        async def on_receive(self, message: Any) -> Any:
            return await self.gather(self.ask("/r/free", message), self.ask("/r/b", message))

    class Free(Actor, name="tests.cycles.free"):
        async def on_receive(self, message: Any) -> Any:
            return "free"

    tree = program(
        Child("a", Gathers), Child("free", Free), Child("b", Async, init={"next": "/r/a"})
    )
    with running(tree) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == ("free", "/r/b -> /r/a -> /r/b")


def test_a_chain_that_meets_itself_is_no_cycle() -> None:
    facts = {1: [2, 3], 2: [4], 3: [4], 4: [5], 5: []}
    assert closed_by(6, 1, facts.__getitem__) == []
    assert closed_by(5, 1, facts.__getitem__)[0::4] == [5, 5]


def test_the_asker_after_an_answer_is_in_no_cycle() -> None:
    class Twice(Actor, name="tests.cycles.twice"):
        async def on_receive(self, message: Any) -> Any:
            if message == "back":
                return "answered"
            return [await self.ask("/r/b", "x"), await self.ask("/r/b", "y")]

    class Echo(Actor, name="tests.cycles.echo"):
        async def on_receive(self, message: Any) -> Any:
            return message

    with running(program(Child("a", Twice), Child("b", Echo))) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == ["x", "y"]


def test_what_the_ledger_says_of_a_cycle_is_whole_while_its_turn_goes_on() -> None:
    class Lonely(Actor, name="tests.cycles.lonely"):
        async def on_receive(self, message: str) -> None:
            with contextlib.suppress(Deadlock):
                await self.ask(self.address, message)
            await self.sleep(1.0)

    disk = Disk()
    with running(program(Child("a", Lonely)), disk) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        settle(run)
    assert [audit_store(moment) for moment in disk.moments] == [[]] * len(disk.moments)
