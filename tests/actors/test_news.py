"""Who wants dead letters is told of each, in the record that makes it one."""

from __future__ import annotations

from typing import Any

from perdure import (
    Actor,
    Child,
    DeadLetter,
    field,
)
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from tests.kit import (
    SECONDS,
    dead_letters,
    of,
    program,
    running,
    settle,
)


class Keeper(Actor, name="tests.news.keeper"):
    """Remembers what it got."""

    got: list[Any] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "got":
            return list(self.got)
        self.got.append(message)
        return None


class Failing(Actor, name="tests.news.failing"):
    async def on_receive(self, message: Any) -> None:
        raise ValueError(message)


def test_the_actor_that_wants_dead_letters_is_told_in_the_same_record() -> None:
    store = MemoryStore()
    letters = program(Child("a", Failing), Child("keeper", Keeper), dead_letters_to="/r/keeper")
    with running(letters, store) as run:
        id = run.tell("/r/a", "x").get(timeout=SECONDS)
        settle(run)
        found = run.ask("/r/keeper", "got", timeout=SECONDS)
    assert found == [DeadLetter(str(id), "/r/a", "x", "ValueError: x", 3)]
    last = of(store, records.Crash)[-1]
    assert len(last.dead) == 1
    assert len(last.sends) == 2  # the exit, and the letter


def test_a_message_to_nobody_is_a_dead_letter_from_the_start() -> None:
    class Sender(Actor, name="tests.turns.sender"):
        async def on_receive(self, message: str) -> None:
            self.tell(message, "hello")

    store = MemoryStore()
    tree = program(Child("a", Sender), Child("keeper", Keeper), dead_letters_to="/r/keeper")
    with running(tree, store) as run:
        run.tell("/r/a", "/r/nobody")
        run.tell("/r/none", "hi")
        settle(run)
        told = run.ask("/r/keeper", "got", timeout=SECONDS)
    why = "no such actor"  # the order is that of two senders who do not know of each other
    assert sorted(dead_letters(store)) == [("/r/nobody", why), ("/r/none", why)]
    assert sorted((letter.to, letter.message, letter.attempts) for letter in told) == [
        ("/r/nobody", "hello", 0),
        ("/r/none", "hi", 0),
    ]


def test_that_an_actor_is_suspended_is_told_when_nothing_else_happens() -> None:
    told: list[str] = []
    with running(
        program(Child("a", Keeper)), observer=lambda event: told.append(event.reason)
    ) as run:
        run.suspend("/r/a")
        settle(run)
        assert told == ["suspended"]
