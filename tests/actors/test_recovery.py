"""Resume: the same incarnations go on from what was durable; timers fire once; idle actors go."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, SupervisorSpec, field
from perdure.actors import kernel as kernel_module
from perdure.ledger import records
from perdure.ledger.keys import Table
from perdure.ledger.memory import MemoryStore
from tests.kit import (
    SECONDS,
    Disk,
    Gate,
    advance,
    at_once,
    dead_letters,
    journal,
    of,
    on_kernel,
    program,
    resumed,
    rows,
    running,
    settle,
    until,
)

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


class Keeper(Actor, name="tests.recovery.keeper"):
    """Keeps what it got, and logs its starts."""

    got: list[Any] = field(default_factory=list)

    async def on_start(self) -> None:
        LOG.append(f"{self.address} start")

    async def on_receive(self, message: Any) -> Any:
        if message == "got":
            return list(self.got)
        if message == "crash":
            raise ValueError("keeper")
        self.got.append(message)
        return None


class Alarm(Actor, name="tests.recovery.alarm"):
    """Sets timers: (seconds, to, message)."""

    async def on_receive(self, message: Any) -> None:
        seconds, to, text = message
        self.send_after(seconds, to, text)


def still() -> FakeClock:
    """A clock that only a test moves."""
    return FakeClock(jumps=False)


def test_resume_is_no_restart() -> None:
    disk = Disk()
    tree = program(Child("a", Keeper))
    with running(tree, disk) as run:
        run.tell("/r/a", 1)
        settle(run)
        twin = disk.reopened()
    with resumed(tree, twin) as run:
        assert run.ask("/r/a", "got", timeout=SECONDS) == [1]
        assert on_kernel(run, lambda: run.kernel.book.cell_at("/r/a").incarnation) == 1
        assert run.figures()["restarts"] == 0
    assert LOG == ["/r/a start"]
    assert len(of(twin, records.Open)) == 2


def test_a_run_is_taken_up_from_every_commit_and_comes_to_the_same_end() -> None:
    class Counter(Actor, name="tests.recovery.counter"):
        total: int = 0

        async def on_receive(self, message: Any) -> int:
            if message == "total":
                return self.total
            self.total += message
            if message > 1:
                self.tell("../b" if self.address == "/r/s/a" else "../a", message - 1)
                if message % 4 == 0 and self.attempt == 1:
                    raise ValueError(message)
            return self.total

    both = [Child("a", Counter), Child("b", Counter)]
    spec = SupervisorSpec(strategy="one_for_all", intensity=10, children=both)
    tree = program(Child("s", supervisor=spec), concurrency=1)
    disk = Disk()
    with running(tree, disk) as run:
        run.tell("/r/s/a", 9).get(timeout=SECONDS)
        settle(run)
        totals = [run.ask(f"/r/s/{name}", "total", timeout=SECONDS) for name in "ab"]
    assert totals == [9 + 7 + 5 + 3 + 1, 8 + 6 + 4 + 2]
    begun = [m for m in disk.moments if any(p.origin == "outside" for p in of(m, records.Post))]
    assert begun
    for moment in begun:
        with resumed(tree, moment) as run:
            settle(run)
            assert totals == [run.ask(f"/r/s/{name}", "total", timeout=SECONDS) for name in "ab"]


def test_a_run_whose_tree_was_not_up_yet_comes_up_at_resume() -> None:
    disk = Disk()
    children = [Child(name, Keeper) for name in "abc"]
    with running(program(*children), disk) as run:
        run.tell("/r/a", 1).get(timeout=SECONDS)
    tree = program(*children)
    early = [m for m in disk.moments if m.head().seq and not of(m, records.Post)[1:]]
    for moment in early:
        with resumed(tree, moment) as run:
            for name in "abc":
                assert run.ask(f"/r/{name}", "got", timeout=SECONDS) == []


def test_attempts_survive_the_death_of_the_process() -> None:
    disk, gate = Disk(), Gate()

    class Failing(Actor, name="tests.recovery.failing"):
        async def on_receive(self, message: str) -> None:
            if self.attempt == 2:
                await gate.passed()
            raise ValueError(message)

    tree = program(Child("a", Failing))
    with running(tree, disk) as run:
        run.tell("/r/a", "x")
        gate.reached()
        run.tell("/r/none", "flush").get(timeout=SECONDS)
        twin = disk.reopened()
        gate.open()
    with resumed(tree, twin) as run:
        settle(run)
    assert [crash.attempt for crash in of(twin, records.Crash)] == [1, 2, 3]
    assert ("/r/a", "ValueError: x") in dead_letters(twin)


# --- timers


def test_a_timer_fires_once_when_its_time_has_come() -> None:
    store = MemoryStore()
    with running(program(Child("a", Alarm), Child("k", Keeper)), store, clock=still()) as run:
        run.ask("/r/a", (60.0, "/r/k", "ring"), timeout=SECONDS)
        advance(run, 59.0)
        assert run.ask("/r/k", "got", timeout=SECONDS) == []
        advance(run, 2.0)
        assert run.ask("/r/k", "got", timeout=SECONDS) == ["ring"]
        advance(run, 1_000.0)
        assert run.ask("/r/k", "got", timeout=SECONDS) == ["ring"]
    assert len(of(store, records.Timer)) == 1
    assert rows(store, Table.TIMER) == []


def test_timers_fire_in_the_order_of_their_times_when_the_clock_leaps() -> None:
    with running(program(Child("a", Alarm), Child("k", Keeper))) as run:
        with at_once(run):
            for seconds in (300.0, 100.0, 200.0):
                run.tell("/r/a", (seconds, "/r/k", seconds))
        assert not settle(run)
        assert run.ask("/r/k", "got", timeout=SECONDS) == [100.0, 200.0, 300.0]


@pytest.mark.parametrize("later", [0.0, 1_000.0])
def test_a_timer_survives_the_process_and_a_late_one_fires_at_resume(later: float) -> None:
    disk = Disk()
    tree = program(Child("a", Alarm), Child("k", Keeper))
    with running(tree, disk, clock=still()) as run:
        run.ask("/r/a", (60.0, "/r/k", "ring"), timeout=SECONDS)
        twin = disk.reopened()
    clock = still()
    clock.advance(later)
    with resumed(tree, twin, clock=clock) as run:
        if later:
            until(run, lambda: run.kernel.timers.next_ns is None)
        assert run.ask("/r/k", "got", timeout=SECONDS) == (["ring"] if later else [])
        advance(run, 61.0)
        assert run.ask("/r/k", "got", timeout=SECONDS) == ["ring"]
    with resumed(tree, twin.reopened(), clock=clock) as run:
        settle(run)
        assert run.ask("/r/k", "got", timeout=SECONDS) == ["ring"]


def test_a_timer_of_a_turn_that_crashed_was_never_set() -> None:
    class Hasty(Actor, name="tests.recovery.hasty"):
        async def on_receive(self, message: str) -> None:
            self.send_after(1.0, "/r/k", f"{message} {self.attempt}")
            if self.attempt < 3:
                raise ValueError(message)

    with running(program(Child("a", Hasty), Child("k", Keeper))) as run:
        run.tell("/r/a", "ring")
        settle(run)
        assert run.ask("/r/k", "got", timeout=SECONDS) == ["ring 3"]


def test_a_timer_to_an_actor_that_is_gone_is_a_dead_letter_and_the_run_comes_to_rest() -> None:
    class Mortal(Actor, name="tests.recovery.mortal"):
        async def on_receive(self, message: str) -> None:
            self.stop()

    store = MemoryStore()
    tree = program(Child("a", Alarm), Child("m", Mortal, restart="temporary"))
    with running(tree, store, clock=still()) as run:
        run.ask("/r/a", (60.0, "/r/m", "too late"), timeout=SECONDS)
        run.ask("/r/m", "stop", timeout=SECONDS)
        settle(run)
        advance(run, 61.0)
        assert run.wait(SECONDS).status == "finished"
    assert dead_letters(store) == [("/r/m", "not running")]


# --- idle actors


def test_idle_actors_are_unloaded_and_come_back_with_their_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel_module, "ACTORS_LOADED_MAX", 10)
    store = MemoryStore()
    tree = program(*(Child(f"k{n}", Keeper) for n in range(60)))
    with running(tree, store) as run:
        for n in range(60):
            run.tell(f"/r/k{n}", n)
        settle(run)
        assert on_kernel(run, lambda: len(run.kernel.book.cells)) <= 10
        assert [run.ask(f"/r/k{n}", "got", timeout=SECONDS) for n in range(60)] == [
            [n] for n in range(60)
        ]
        run.tell("/r/k7", "crash")  # and they are supervised as ever
        settle(run)
        assert run.ask("/r/k7", "got", timeout=SECONDS) == [7]
    assert LOG.count("/r/k7 start") == 4


def test_a_message_to_an_actor_that_is_not_loaded_reads_three_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Teller(Actor, name="tests.recovery.teller"):
        async def on_receive(self, to: str) -> None:
            if to:
                self.tell(to, "hello")

    tree, store = program(Child("t", Teller), Child("k", Keeper)), MemoryStore()
    with running(tree, store) as run:
        run.ask("/r/t", "/r/k", timeout=SECONDS)
        settle(run)
    with resumed(tree, store.reopened()) as run:
        run.ask("/r/t", "", timeout=SECONDS)
        store, seen = run.kernel.book.store, []
        get = store.get
        monkeypatch.setattr(store, "get", lambda key: (seen.append(key[0]), get(key))[1])
        run.ask("/r/t", "/r/k", timeout=SECONDS)
        settle(run)
        assert seen == [Table.NAME, Table.ACTOR, Table.STATE]
        assert run.ask("/r/k", "got", timeout=SECONDS) == ["hello", "hello"]


def test_an_actor_that_has_ended_does_not_take_its_address_back_when_it_is_loaded() -> None:
    class Brief(Actor, name="tests.recovery.brief"):
        async def on_receive(self, message: str) -> None:
            if message == "stop":
                self.stop()

    class Parent(Actor, name="tests.recovery.parent"):
        async def on_receive(self, message: str) -> None:
            self.tell(self.spawn(Brief, "kid"), message)

    tree, store = program(Child("p", Parent)), MemoryStore()
    with running(tree, store) as run:
        for message in ("stop", "stay"):
            run.ask("/r/p", message, timeout=SECONDS)
            settle(run)
    old, new = (
        seq
        for seq, body in enumerate(journal(store), 1)
        if isinstance(body, records.Birth) and body.address == "/r/p/kid"
    )
    with resumed(tree, store.reopened()) as run:
        book = run.kernel.book
        assert on_kernel(run, book.cell, old).life == records.Life.ENDED
        assert on_kernel(run, book.find, "/r/p/kid") == new
        assert new not in book.cells
