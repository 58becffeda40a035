"""The short way of closing a turn leads where the long way does."""

from __future__ import annotations

import pytest

from perdure import Actor, Child, FakeClock, field
from perdure.actors.plain import Plain
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Kind
from tests.kit import SECONDS, program, running

ROUNDS = 20
VARIES = {Kind.RUN, Kind.OPEN}  # run id, process id, wall time


class Passer(Actor, name="tests.plain.passer"):
    """Passes a number on to the next one, counting down; remembers what it saw."""

    next: str = ""
    seen: list[int] = field(default_factory=list)
    last: int | None = None

    async def on_receive(self, message: int) -> int:
        self.seen.append(message)
        self.last = message
        if message:
            self.tell(self.next, message - 1)
            if message % 3 == 0:
                self.tell("/r/nobody", message)
        return len(self.seen)


class Starter(Actor, name="tests.plain.starter"):
    """Sets all of it going in one turn, so that nothing hangs on when the outside speaks."""

    async def on_receive(self, message: int) -> None:
        for n in range(message):
            self.tell(f"/r/{'abc'[n % 3]}", n)
        for n in range(message):
            await self.ask("/r/b", n % 2)


def journal() -> tuple[list[tuple[int, bytes]], dict[bytes, bytes]]:
    """The records and the table rows of one and the same run."""
    store = MemoryStore()
    names = ["a", "b", "c"]
    children = [
        Child(name, Passer, init={"next": f"/r/{names[n - 2]}"}) for n, name in enumerate(names)
    ]
    with running(
        program(Child("s", Starter), *children), store, clock=FakeClock(jumps=False)
    ) as run:
        run.tell("/r/s", ROUNDS)
        run.wait(SECONDS)
    twin = store.reopened()
    records = [(raw.kind, raw.payload) for raw in twin.records() if raw.kind not in VARIES]
    return records, dict(twin.scan(b""))


def test_the_short_and_the_long_way_write_the_same_records_and_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain_turns = []
    short_way = Plain.close

    def counted(self: Plain, *args: object) -> bool:
        plain_turns.append(short_way(self, *args))  # type: ignore[arg-type]
        return plain_turns[-1]

    monkeypatch.setattr(Plain, "close", counted)
    short = journal()
    monkeypatch.setattr(Plain, "close", lambda self, turn, answer: False)
    long = journal()
    assert plain_turns.count(True) > ROUNDS
    assert plain_turns.count(False) > 0
    assert short == long
