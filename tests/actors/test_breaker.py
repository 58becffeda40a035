"""A breaker parks an actor that does nothing but crash, before its whole inbox is dead letters."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Backoff, Child, field
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, dead_letters, of, on_kernel, program, resumed, running, settle
from tests.replaying import assert_identical

is_down = True
"""What the actor depends on is outside of it: a service, the network."""


@pytest.fixture(autouse=True)
def _down() -> Any:
    global is_down  # noqa: PLW0603 - actors are built by the kernel, and reach nothing else
    is_down = True
    yield
    is_down = True


class Client(Actor, name="tests.breaker.client"):
    got: list[int] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "got":
            return list(self.got)
        if is_down:
            raise OSError("no route to host")
        self.got.append(message)
        return None


def tree(**options: Any) -> Any:
    return program(Child("a", Client, redelivery="none", breaker=3, **options))


def stalled(run: Any) -> str:
    text: str = on_kernel(run, lambda: run.kernel.book.cell_at("/r/a").stalled)
    return text


def flooded(store: MemoryStore, messages: int = 10) -> None:
    """A run in which the actor got that many messages while it could handle none."""
    with running(tree(), store) as run:
        for number in range(messages):
            run.tell("/r/a", number).get(timeout=SECONDS)
        settle(run)
        assert "its breaker is open: 3 crashes in a row" in stalled(run)
        assert "OSError: no route to host" in stalled(run)
        assert "perdure clear RUN /r/a --again" in stalled(run)


def test_after_so_many_crashes_in_a_row_the_actor_is_parked_and_its_inbox_stays() -> None:
    store = MemoryStore()
    flooded(store)
    assert len(dead_letters(store)) == 3
    assert len(of(store, records.Stall)) == 1


def test_when_the_cause_is_mended_a_resume_goes_on_with_what_waits() -> None:
    global is_down  # noqa: PLW0603
    store = MemoryStore()
    flooded(store)
    is_down = False
    with resumed(tree(), store := store.reopened()) as run:
        assert run.ask("/r/a", "got", timeout=SECONDS) == [3, 4, 5, 6, 7, 8, 9]
    assert len(dead_letters(store)) == 3


def test_while_it_is_not_mended_each_look_costs_one_message_and_no_more() -> None:
    store = MemoryStore()
    flooded(store)
    with resumed(tree(), store := store.reopened()) as run:
        settle(run)
        assert "4 crashes in a row" in stalled(run)
    assert len(dead_letters(store)) == 4


def test_a_message_handled_in_between_closes_the_breaker() -> None:
    global is_down  # noqa: PLW0603
    with running(tree()) as run:
        for _ in range(5):
            run.tell("/r/a", 1).get(timeout=SECONDS)
            settle(run)
            is_down = False
            run.ask("/r/a", "got", timeout=SECONDS)
            is_down = True
        assert stalled(run) == ""


def test_with_redelivery_the_message_at_the_head_stays_there() -> None:
    store = MemoryStore()
    patient = Child("a", Client, breaker=2, attempts_max=5, backoff=Backoff(first=0.0))
    with running(program(patient), store) as run:
        run.tell("/r/a", 1).get(timeout=SECONDS)
        settle(run)
        assert "2 crashes in a row" in stalled(run)
    assert dead_letters(store) == []


def test_an_open_breaker_is_replayed() -> None:
    store = MemoryStore()
    flooded(store)
    assert_identical(tree(), store)
