"""A full inbox that a handler met is met again: how full it was is no longer to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from perdure import Actor, Child, Run, field
from perdure.errors import InboxFull
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, Gate, of, on_kernel, program, running, settle, until
from tests.replaying import assert_identical, replayed

GATE = [Gate()]


class Busy(Actor, name="tests.refused.busy"):
    """Handles its first message until the gate is open."""

    async def on_receive(self, message: Any) -> Any:
        if message == "first":
            await GATE[0].passed()
        return message


class Sender(Actor, name="tests.refused.sender"):
    """Sends what it is told to, and keeps what came of it."""

    heard: list[str] = field(default_factory=list)

    async def on_receive(self, message: str) -> list[str]:
        said: list[str] = []
        for verb in message.split():
            try:
                await self.do(verb)
                said.append(f"{verb} sent")
            except InboxFull as full:
                said.append(f"{verb}: {full}")
        self.heard = said
        self.tell("/r/echo", said)
        if message.endswith("crash") and self.attempt == 1:
            raise ValueError(str(said))
        return said

    async def do(self, verb: str) -> None:
        match verb:
            case "tell":
                self.tell("../busy", "one more")
            case "ask":
                await self.ask("/r/busy", "one more")
            case "delayed":
                self.tell("/r/busy", "one more", delay=0.001)
            case "echo":
                self.tell("/r/echo", "x")
            case "question":
                await self.ask("/r/echo", "x")


class Plain(Actor, name="tests.refused.plain"):
    def on_receive(self, message: str) -> str:
        try:
            self.tell("/r/busy", message)
        except InboxFull as full:
            message = str(full)
        try:
            self.ask("/r/busy", message).get()
        except InboxFull:
            message += ", twice"
        return message


class Naive(Actor, name="tests.refused.naive"):
    async def on_receive(self, message: str) -> None:
        if self.attempt == 1:
            self.tell("/r/echo", "x")
            self.tell("/r/busy", message)


TREE = program(
    Child("a", Sender, attempts_max=2),
    Child("plain", Plain),
    Child("naive", Naive),
    Child("busy", Busy),
    Child("echo", Busy),
)


@contextmanager
def full(store: MemoryStore, room: int = 0) -> Iterator[Run]:
    """A run in which the inbox of `/r/busy` has that much room left, until the gate is open."""
    GATE[0] = Gate()
    with running(TREE, store) as run:
        on_kernel(run, setattr, run.kernel.pressure, "hard_max", 3)
        run.tell("/r/busy", "first").get(timeout=SECONDS)
        GATE[0].reached()
        for n in range(2 - room):
            run.tell("/r/busy", n).get(timeout=SECONDS)
        yield run
        GATE[0].open()
        settle(run)


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ("tell", [0]),
        ("echo tell echo tell", [1, 2]),
        ("tell tell", [0, 0]),
        ("ask", [0]),
        ("tell ask echo ask", [0, 0, 1]),
        ("question tell", [1]),
        ("echo question tell", [2]),
        ("echo echo question echo tell", [4]),
        ("delayed tell delayed", [1]),
    ],
)
def test_a_refusal_that_a_handler_catches_is_replayed(message: str, refused: list[int]) -> None:
    store = MemoryStore()
    with full(store) as run:
        said = run.ask("/r/a", message, timeout=SECONDS)
    assert sum("3 of 3" in text for text in said) == len(refused)
    (turn,) = [turn for turn in of(store, records.Turn) if turn.refused]
    assert [place for place, _, _ in turn.refused] == refused
    assert {to for _, to, _ in turn.refused} == {"/r/busy"}
    assert_identical(TREE, store)


def test_what_was_let_in_before_it_was_full_is_let_in_again() -> None:
    store = MemoryStore()
    with full(store, room=1) as run:
        said = [run.ask("/r/a", "tell question", timeout=SECONDS) for _ in range(2)]
    assert [texts[0].endswith("sent") for texts in said] == [True, False]
    assert_identical(TREE, store)


def test_a_crash_after_a_refusal_crashes_again() -> None:
    store = MemoryStore()
    with full(store) as run:
        run.tell("/r/a", "tell echo crash").get(timeout=SECONDS)
        until(run, lambda: run.kernel.crashing.crashed)
    (crash,) = of(store, records.Crash)
    assert [place for place, _, _ in crash.refused] == [0]
    assert_identical(TREE, store)


def test_a_refusal_in_a_thread_is_replayed() -> None:
    store = MemoryStore()
    with full(store) as run:
        assert run.ask("/r/plain", "x", timeout=SECONDS).endswith("inbox_hard_max., twice")
    assert_identical(TREE, store)


def test_a_refusal_that_nobody_catches_is_replayed() -> None:
    store = MemoryStore()
    with full(store) as run:
        run.tell("/r/naive", "x").get(timeout=SECONDS)
        until(run, lambda: run.kernel.crashing.crashed)
    assert of(store, records.Crash)[0].reason.startswith("InboxFull")
    assert_identical(TREE, store)


def test_a_handler_that_does_not_come_to_a_refused_send_differs() -> None:
    store = MemoryStore()
    with full(store) as run:
        run.ask("/r/a", "tell", timeout=SECONDS)

    class Other(Sender, name="tests.refused.sender"):
        async def do(self, verb: str) -> None:
            (text,) = [t[2] for turn in of(store, records.Turn) for t in turn.refused]
            raise InboxFull(text)

    tree = program(Child("a", Other), Child("busy", Busy), Child("echo", Busy))
    (difference,) = replayed(tree, store).differences
    assert difference.what == "message 1, to /r/busy"
    assert "3 of 3" in difference.recorded
