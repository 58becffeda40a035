"""A turn closes whole or not at all (G1), and every message is handled exactly once (G2)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from perdure import Actor, Backoff, Child, Reject, field, message, nonblocking
from perdure.errors import Crashed, UndeclaredState
from perdure.ledger import records
from perdure.ledger.keys import Table
from perdure.ledger.memory import MemoryStore
from tests.kit import (
    SECONDS,
    Disk,
    Gate,
    dead_letters,
    journal,
    of,
    program,
    resumed,
    rows,
    running,
    settle,
)


@message("tests.turns.gone")
class Gone:
    """A message whose class the code loses."""

    text: str


class Keeper(Actor, name="tests.turns.keeper"):
    """Remembers what it got."""

    got: list[Any] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "got":
            return list(self.got)
        self.got.append(message)
        return None


def failing(until: int) -> type[Actor]:
    """An actor that does all a turn can do, then crashes on the first attempts."""

    class Failing(Actor, name="tests.turns.failing"):
        items: list[str] = field(default_factory=list)
        seen: list[int] = field(default_factory=list)

        async def on_receive(self, message: Any) -> Any:
            if message == "state":
                return [list(self.items), list(self.seen)]
            self.seen.append(len(self.items))
            self.items.append(message)
            self.tell("/r/keeper", f"{message} of attempt {self.attempt}")
            await self.artifact(f"{message}-{self.attempt}.txt", message)
            if self.attempt < until:
                raise ValueError(message)
            return None

    return Failing


def test_a_handler_that_takes_no_message_crashes_its_actor_and_nobody_else() -> None:
    class Deaf(Actor, name="tests.turns.deaf"):
        async def on_receive(self) -> None:  # type: ignore[override]
            return None

    store = MemoryStore()
    with running(program(Child("deaf", Deaf, attempts_max=1), Child("k", Keeper)), store) as run:
        with pytest.raises(Crashed, match="positional argument"):
            run.ask("/r/deaf", "x", timeout=SECONDS)
        assert run.ask("/r/k", "x", timeout=SECONDS) is None
    assert dead_letters(store)[0][0] == "/r/deaf"


def test_a_crash_drops_state_sends_and_artifacts_of_its_attempt_only() -> None:
    store = MemoryStore()
    with running(program(Child("a", failing(3)), Child("keeper", Keeper)), store) as run:
        run.tell("/r/a", "x")
        settle(run)
        assert run.ask("/r/keeper", "got", timeout=SECONDS) == ["x of attempt 3"]
        assert run.ask("/r/a", "state", timeout=SECONDS) == [["x"], [0]]
    assert [key[1:] for key, _ in rows(store, Table.ARTIFACT)] == [b"x-3.txt"]
    assert [crash.attempt for crash in of(store, records.Crash)] == [1, 2]


def test_the_retry_sees_a_list_field_without_the_append_of_the_crashed_attempt() -> None:
    with running(program(Child("a", failing(2)), Child("keeper", Keeper))) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        run.tell("/r/a", "y")
        settle(run)
        assert run.ask("/r/a", "state", timeout=SECONDS) == [["x", "y"], [0, 1]]


def test_a_message_waits_for_its_back_off_before_it_is_tried_again() -> None:
    store = MemoryStore()
    backoff = Backoff(first=2.0, factor=3.0, max=5.0)
    a = Child("a", failing(9), attempts_max=4, backoff=backoff)
    with running(program(a, Child("keeper", Keeper)), store) as run:
        run.tell("/r/a", "x")
        settle(run)
    times = [crash.time / 1e9 for crash in of(store, records.Crash)]
    waits = [round(b - a, 3) for a, b in pairwise(times)]
    assert waits == [2.0, 5.0, 5.0]


def test_a_message_out_of_attempts_is_a_dead_letter_and_its_actor_goes_on() -> None:
    store = MemoryStore()
    with running(program(Child("a", failing(9)), Child("keeper", Keeper)), store) as run:
        with pytest.raises(Crashed, match="ValueError: x"):
            run.ask("/r/a", "x", timeout=SECONDS)
        assert run.ask("/r/a", "state", timeout=SECONDS) == [[], []]
    assert [crash.attempt for crash in of(store, records.Crash)] == [1, 2, 3]
    assert dead_letters(store) == [("/r/a", "ValueError: x")]


def test_without_redelivery_the_first_crash_makes_a_dead_letter() -> None:
    store = MemoryStore()
    a = Child("a", failing(2), redelivery="none")
    with running(program(a, Child("keeper", Keeper)), store) as run:
        run.tell("/r/a", "x")
        settle(run)
    assert [crash.attempt for crash in of(store, records.Crash)] == [1]
    assert dead_letters(store) == [("/r/a", "ValueError: x")]


def test_a_newly_journaled_result_is_progress_and_gives_all_attempts_again() -> None:
    class Slow(Actor, name="tests.turns.slow"):
        done: int = 0

        async def on_receive(self, message: int) -> int:
            for n in range(message):
                is_new: list[int] = []
                await self.once(lambda n=n, is_new=is_new: is_new.append(n) or n)
                if is_new:
                    raise ValueError(f"step {n}")
            return message

    with running(program(Child("a", Slow))) as run:
        assert run.ask("/r/a", 7, timeout=SECONDS) == 7


def test_reject_consumes_the_message_drops_state_and_sends_and_restarts_nothing() -> None:
    class Picky(Actor, name="tests.turns.picky"):
        count: int = 0

        async def on_receive(self, message: str) -> int:
            if message == "count":
                return self.count
            self.count += 1
            self.tell("/r/keeper", message)
            raise Reject(f"no {message}")

    store = MemoryStore()
    with running(program(Child("a", Picky), Child("keeper", Keeper)), store) as run:
        with pytest.raises(Reject, match="no thanks"):
            run.ask("/r/a", "thanks", timeout=SECONDS)
        assert run.ask("/r/a", "count", timeout=SECONDS) == 0
        assert run.ask("/r/keeper", "got", timeout=SECONDS) == []
        assert run.figures()["restarts"] == 0
    assert of(store, records.Crash) == []
    assert dead_letters(store) == []


def test_an_undeclared_attribute_is_a_crash_that_names_the_way_out() -> None:
    class Careless(Actor, name="tests.turns.careless"):
        async def on_receive(self, message: str) -> None:
            self.total = 1

    store = MemoryStore()
    with (
        running(program(Child("a", Careless, attempts_max=1)), store) as run,
        pytest.raises(Crashed, match=UndeclaredState.__name__),
    ):
        run.ask("/r/a", "x", timeout=SECONDS)
    assert "total" in of(store, records.Crash)[0].reason


def test_messages_of_one_sender_arrive_in_the_order_of_sending() -> None:
    class Sender(Actor, name="tests.turns.many"):
        async def on_receive(self, message: int) -> None:
            for n in range(message):
                self.tell("/r/keeper", n, cost=float(1 + n % 7))

    with running(program(Child("a", Sender), Child("keeper", Keeper))) as run:
        run.tell("/r/a", 50)
        settle(run)
        assert run.ask("/r/keeper", "got", timeout=SECONDS) == list(range(50))


def test_a_message_of_a_class_the_code_lost_parks_the_actor_and_keeps_the_bytes() -> None:
    disk, gate = Disk(), Gate()

    class Busy(Actor, name="tests.turns.busy"):
        async def on_receive(self, message: Any) -> str:
            if message == "wait":
                await gate.passed()
            return str(message)

    tree = program(Child("a", Busy), Child("b", Busy))
    with running(tree, disk) as run:
        run.tell("/r/a", "wait").get(timeout=SECONDS)
        run.tell("/r/a", Gone("text")).get(timeout=SECONDS)
        gate.reached()
        twin = disk.reopened()
        gate.open()
    lost = program(Child("a", Busy), Child("b", Busy))
    names = type(lost.names)()
    with resumed(
        type(lost)(name="r", tree=lost.tree, classes=lost.classes, names=names), twin
    ) as run:
        assert settle(run)  # something waits: a repair
        assert run.ask("/r/b", 1, timeout=SECONDS) == "1"
        stalled = of(twin, records.Stall)
        assert "tests.turns.gone" in stalled[0].reason
    with resumed(tree, twin.reopened()) as run:
        assert not settle(run)
        handled = [turn.message for turn in of(run.kernel.book.store, records.Turn)]
        assert stalled[0].message in handled


def test_all_that_was_decided_survives_a_death_after_any_commit() -> None:
    class Adder(Actor, name="tests.turns.adder"):
        total: int = 0

        async def on_receive(self, message: int) -> None:
            self.total += message
            if message > 1 and self.address == "/r/a":
                self.tell("/r/a", message - 1)
                self.tell("/r/b", message)
            if message % 3 == 0 and self.attempt == 1:
                raise ValueError(message)

    disk = Disk()
    tree = program(Child("a", Adder), Child("b", Adder), Child("keeper", Keeper))
    with running(tree, disk) as run:
        run.tell("/r/a", 5).get(timeout=SECONDS)
        settle(run)
    whole = [turn.message for turn in of(disk, records.Turn)]
    assert len(whole) == len(set(whole))
    for moment in disk.moments:
        if not any(
            isinstance(body, records.Post) and body.origin == "outside" for body in journal(moment)
        ):
            continue
        with resumed(tree, moment) as run:
            settle(run)
        handled = [turn.message for turn in of(moment, records.Turn)]
        assert sorted(handled) == sorted(set(handled))
        assert rows(moment, Table.INBOX) == []
        assert dead_letters(moment) == []


@nonblocking
def _answer(self: Any, message: Any) -> Any:
    return message


@pytest.mark.parametrize("kind", ["async def", "def", "nonblocking def"])
def test_each_kind_of_handler_answers_what_it_returns(kind: str) -> None:
    class Async(Actor, name="tests.turns.async"):
        async def on_receive(self, message: Any) -> Any:
            return message

    class Plain(Actor, name="tests.turns.plain"):
        def on_receive(self, message: Any) -> Any:
            return message

    class Nonblocking(Actor, name="tests.turns.nonblocking"):
        on_receive = _answer

    cls = {"async def": Async, "def": Plain, "nonblocking def": Nonblocking}[kind]
    with running(program(Child("a", cls))) as run:
        assert run.ask("/r/a", ("x", 1), timeout=SECONDS) == ("x", 1)
