"""The restore ladder: an actor that keeps crashing goes on from a mark, then from a new state."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Backoff, Child, SupervisorSpec, field
from perdure.errors import UsageError
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, Disk, dead_letters, of, on_kernel, program, resumed, running, settle

LADDER = ("committed", "mark:good", "fresh")
QUICK = Backoff(first=0.0)


class Sums(Actor, name="tests.restores.sums"):
    """Adds up numbers; cannot work once the sum is more than its limit."""

    limit: int = 10
    total: int = 0
    words: list[str] = field(default_factory=list)
    started: int = 0

    async def on_start(self) -> None:
        self.started += 1

    async def on_receive(self, message: Any) -> Any:
        if message == "mark":
            self.mark("good")
        elif message == "work":
            if self.total > self.limit:
                raise ValueError(f"{self.total} is too much")
            self.words.append("worked")
        elif message == "poison":
            raise ValueError("poison")
        elif isinstance(message, int):
            self.total += message
            self.words.append(f"add {message}")
        return (self.total, list(self.words))


def sums(restore: tuple[str, ...] = LADDER, after: int = 2, **options: Any) -> Child:
    given = {"attempts_max": 9, "backoff": QUICK, **options}
    return Child("a", Sums, restore=restore, restore_after=after, **given)


def tell(run: Any, *messages: Any) -> Any:
    """Send messages, and give back what the actor has then."""
    for message in messages:
        run.tell("/r/a", message).get(timeout=SECONDS)
    settle(run)
    return run.ask("/r/a", "show", timeout=SECONDS)


def test_after_so_many_crashes_in_a_row_a_restart_goes_on_from_the_mark() -> None:
    store = MemoryStore()
    with running(program(sums()), store) as run:
        total, words = tell(run, 5, "mark", 6, 7, "work")
        id = on_kernel(run, run.kernel.book.find, "/r/a")
    assert (total, words) == (5, ["add 5", "worked"])
    restored = of(store, records.Restore)
    assert [(each.actor, each.rung, each.undone, each.incarnation) for each in restored] == [
        (id, "mark:good", 2 + 1, 3)  # two additions, and the start of the second life
    ]
    assert [crash.attempt for crash in of(store, records.Crash)] == [1, 2]
    assert dead_letters(store) == []  # the message is tried again, with another state


def test_when_the_mark_does_not_help_the_actor_starts_over() -> None:
    store = MemoryStore()
    with running(program(sums()), store) as run:
        total, words = tell(run, 11, "mark", 6, "work")
    assert (total, words) == (0, ["worked"])
    assert [each.rung for each in of(store, records.Restore)] == ["mark:good", "fresh"]
    assert [each.as_of for each in of(store, records.Restore)][1] == 0
    assert len(of(store, records.Crash)) == 4


def test_a_mark_that_was_never_set_is_passed_over() -> None:
    store = MemoryStore()
    with running(program(sums(after=1)), store) as run:
        assert tell(run, 11, "work") == (0, ["worked"])
    assert [each.rung for each in of(store, records.Restore)] == ["fresh"]


def test_a_mark_of_the_run_serves_who_has_none_of_that_name() -> None:
    store = MemoryStore()
    with running(program(sums(after=1), Child("b", Sums)), store) as run:
        tell(run, 4)
        run.ask("/r/b", "mark", timeout=SECONDS)
        assert tell(run, 11, "work") == (4, ["add 4", "worked"])
    assert [each.rung for each in of(store, records.Restore)] == ["mark:good"]


def test_crashes_with_a_handled_message_between_them_are_not_in_a_row() -> None:
    store = MemoryStore()
    with running(program(sums(attempts_max=1)), store) as run:
        tell(run, 5, "mark", 6, "poison", 1, "poison", 1, "poison")
        assert run.ask("/r/a", "show", timeout=SECONDS)[0] == 13
    assert of(store, records.Restore) == []


def test_messages_that_die_one_after_the_other_are_crashes_in_a_row() -> None:
    store = MemoryStore()
    with running(program(sums(attempts_max=1)), store) as run:
        assert tell(run, 5, "mark", 6, "poison", "poison")[0] == 5
    assert [reason for _, reason in dead_letters(store)] == ["ValueError: poison"] * 2


def test_without_a_ladder_state_stays_what_was_committed() -> None:
    store = MemoryStore()
    with running(program(sums(("committed",), 1, attempts_max=3)), store) as run:
        assert tell(run, 11, "mark", 6, "work")[0] == 17
    assert of(store, records.Restore) == []


def test_the_ladder_is_climbed_once_whatever_instant_the_process_dies_at() -> None:
    disk, tree = Disk(), program(sums())
    with running(tree, disk) as run:
        first = tell(run, 5, "mark", 6, 7, "work")
    moments = [m for m in disk.moments if len(of(m, records.Post)) > 6]
    assert moments
    for moment in moments:
        with resumed(tree, moment) as run:
            settle(run)
            assert run.ask("/r/a", "show", timeout=SECONDS) == first
        assert [each.rung for each in of(moment, records.Restore)] == ["mark:good"]


def test_a_spawned_child_has_a_ladder_too() -> None:
    class Parent(Actor, name="tests.restores.parent"):
        async def on_receive(self, message: Any) -> None:
            options: Any = {"restore": ["committed", "fresh"], "restore_after": 1}
            self.spawn(Sums, "a", attempts_max=3, backoff=QUICK, **options)
            for each in message:
                self.tell("a", each)

    store = MemoryStore()
    with running(program(Child("p", Parent)), store) as run:
        run.tell("/r/p", [11, "work"]).get(timeout=SECONDS)
        settle(run)
        assert run.ask("/r/p/a", "show", timeout=SECONDS) == (0, ["worked"])


def test_a_supervisor_is_never_set_back() -> None:
    with pytest.raises(UsageError, match="a supervisor is never set back"):
        Child("s", supervisor=SupervisorSpec(), restore=("committed", "fresh"))
