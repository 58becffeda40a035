"""Lives: starts, stops, kills, fencing, and what becomes of inboxes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Supervisor, field
from perdure.errors import TurnClosed
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Life
from tests.kit import (
    SECONDS,
    Gate,
    of,
    on_kernel,
    program,
    running,
    settle,
    until,
)

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


class Fuse(Actor, name="tests.lifecycle.fuse"):
    """Crashes on "crash"; stops itself, orderly, on "stop"."""

    got: list[str] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "crash":
            raise ValueError("fuse")
        if message == "stop":
            self.stop()
        elif message == "got":
            return list(self.got)
        else:
            self.got.append(message)
        return None


class Hooks(Actor, name="tests.lifecycle.hooks"):
    """Logs its hooks."""

    count: int = 0

    async def on_start(self) -> None:
        LOG.append(f"{self.address[3:]} start")

    def on_restart(self, reason: str) -> None:
        LOG.append(f"{self.address[3:]} restart after {reason}")

    async def on_stop(self) -> None:
        LOG.append(f"{self.address[3:]} stop")

    async def on_receive(self, message: str) -> int:
        self.count += 1
        if message == "crash":
            raise ValueError("hooks")
        return self.count


def life(run: Any, address: str) -> Life:
    return Life(on_kernel(run, lambda: run.kernel.book.cell_at(address).life))


def with_fuse(child: Child, **options: Any) -> Any:
    """A tree in which "crash" to `/r/fuse` stops and restarts `child`."""
    fuse = Child("fuse", Fuse, redelivery="none")
    return program(fuse, child, strategy="one_for_all", **options)


# --- hooks


def test_hooks_run_once_in_an_incarnation_in_their_order() -> None:
    with running(program(Child("a", Hooks, redelivery="none"))) as run:
        run.tell("/r/a", "x")
        run.tell("/r/a", "crash")
        settle(run)
        assert run.ask("/r/a", "x", timeout=SECONDS) == 2  # committed state outlives the crash
    assert LOG == ["a start", "a restart after ValueError: hooks", "a start"]


def test_children_stop_in_reverse_order_and_start_in_order() -> None:
    children = [Child(name, Hooks) for name in "abc"]
    fuse = Child("fuse", Fuse, redelivery="none")
    with running(program(*children, fuse, strategy="one_for_all")) as run:
        settle(run)
        LOG.clear()
        run.tell("/r/fuse", "crash")
        settle(run)
    assert [line for line in LOG if "restart" not in line] == [
        *("c stop", "b stop", "a stop"),
        *("a start", "b start", "c start"),
    ]


def test_a_failing_start_is_recorded_and_ends_the_run_when_the_tree_cannot_come_up() -> None:
    class Broken(Actor, name="tests.lifecycle.broken"):
        async def on_start(self) -> None:
            raise OSError("no disk")

    store = MemoryStore()
    with running(program(Child("a", Hooks), Child("b", Broken)), store) as run:
        report = run.wait(SECONDS)
    assert report.status == "failed"
    assert "failed to start child 'b': OSError: no disk" in report.reason
    assert LOG == ["a start", "a stop"]
    assert of(store, records.Crash)[0].reason == "OSError: no disk"


def test_a_start_that_fails_on_a_restart_is_tried_again() -> None:
    class Flaky(Actor, name="tests.lifecycle.flaky"):
        async def on_start(self) -> None:
            LOG.append("start")
            if len(LOG) in (2, 3):
                raise OSError("not yet")

        async def on_receive(self, message: str) -> int:
            if message == "crash":
                raise ValueError(message)
            return len(LOG)

    with running(program(Child("a", Flaky, redelivery="none"))) as run:
        run.tell("/r/a", "crash")
        assert run.ask("/r/a", "x", timeout=SECONDS) == 4


# --- stopping


def test_a_permanent_actor_that_stops_itself_is_started_again() -> None:
    with running(program(Child("a", Fuse))) as run:
        run.tell("/r/a", "x")
        run.tell("/r/a", "stop")
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["x"]
        assert run.figures()["restarts"] == 1


def test_the_control_lane_is_taken_before_the_inbox() -> None:
    gate = Gate()

    class Slow(Actor, name="tests.lifecycle.slow"):
        async def on_receive(self, message: int) -> None:
            LOG.append(str(message))
            await gate.passed()

        async def on_stop(self) -> None:
            LOG.append("stop")

    with running(with_fuse(Child("a", Slow, shutdown=60.0), concurrency=2)) as run:
        for n in range(3):
            run.tell("/r/a", n)
        gate.reached()
        run.tell("/r/fuse", "crash").get(timeout=SECONDS)
        until(run, lambda: run.kernel.book.cell_at("/r/a").control)
        gate.open()
        settle(run)
    assert LOG == ["0", "stop", "1", "2"]


# --- fencing


def stubborn(kind: str, gate: Gate, refused: list[str]) -> type[Actor]:
    """An actor that goes on after its kill, and notes what its verbs say to that."""

    class Stubborn(Actor, name="tests.lifecycle.stubborn"):
        got: list[str] = field(default_factory=list)

        async def on_receive(self, message: str) -> Any:
            if message == "wait" and not LOG:
                LOG.append("begun")
                try:
                    await gate.passed()
                except asyncio.CancelledError:
                    self._go_on()
            self.got.append(message)
            return list(self.got)

        def _go_on(self) -> None:
            for verb in (lambda: self.tell("../fuse", "late"), self.finish, self.stop):
                try:
                    verb()
                except TurnClosed as error:
                    refused.append(str(error))

    class Blocking(Stubborn, name="tests.lifecycle.blocking"):
        def on_receive(self, message: str) -> Any:  # type: ignore[override]
            if message == "wait" and not LOG:
                LOG.append("begun")
                gate.wait()
                self._go_on()
            self.got.append(message)
            return list(self.got)

    return Stubborn if kind == "async def" else Blocking


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_what_a_killed_handler_does_afterwards_changes_nothing_and_is_recorded(kind: str) -> None:
    store, gate, refused = MemoryStore(), Gate(), []
    killed = Child("a", stubborn(kind, gate, refused), shutdown="brutal_kill")
    with running(with_fuse(killed), store) as run:
        answer = run.kernel.outside.ask("/r/a", "wait")
        gate.reached()
        run.tell("/r/fuse", "crash")
        assert answer.get(timeout=SECONDS) == ["wait"]  # of the next incarnation
        gate.open()
        until(run, lambda: len(refused) == 3)
        until(run, lambda: any(isinstance(r, records.Late) for r in of(store, records.Late)))
        assert run.ask("/r/fuse", "got", timeout=SECONDS) == []
    assert all("is over" in text for text in refused)
    late = of(store, records.Late)
    assert [(each.incarnation, each.current) for each in late] == [(1, 2)]


def test_a_task_whose_turn_swallowed_its_kill_is_not_cancelled_for_later_turns() -> None:
    killed, gate = Gate(), Gate()

    class Swallowing(Actor, name="tests.lifecycle.swallowing"):
        async def on_receive(self, message: str) -> str:
            try:
                await killed.passed()
            except asyncio.CancelledError:
                return "swallowed"
            return "missed"

    class Counting(Actor, name="tests.lifecycle.counting"):
        async def on_receive(self, message: str) -> int:
            await gate.passed()
            task = asyncio.current_task()
            assert task is not None
            return task.cancelling()

    counting = [Child(f"c{n}", Counting) for n in range(3)]
    fuse = Child("fuse", Fuse, redelivery="none")
    mortal = Child("a", Swallowing, shutdown="brutal_kill", restart="temporary")
    tree = program(*counting, fuse, mortal, strategy="rest_for_one", concurrency=3)
    with running(tree) as run:
        run.tell("/r/a", "wait")
        killed.reached()
        run.tell("/r/fuse", "crash")
        settle(run)
        answers = [run.kernel.outside.ask(f"/r/c{n}", "x") for n in range(3)]
        gate.reached(3)  # on every task that there is
        gate.open()
        assert [answer.get(timeout=SECONDS) for answer in answers] == [0, 0, 0]


def test_supervisors_are_named_by_class_too() -> None:
    class Pool(Supervisor, name="tests.lifecycle.pool"):
        size: int = 2

        def children(self) -> list[Child]:
            return [Child(f"w{n}", Hooks) for n in range(self.size)]

    with running(program(Child("pool", Pool, init={"size": 3}))) as run:
        assert run.ask("/r/pool/w2", "x", timeout=SECONDS) == 1


def test_what_cancels_a_turn_that_is_stopped_as_it_begins_to_wait_cancels_no_other() -> None:
    gate = Gate()

    class Busy(Actor, name="tests.lifecycle.busy"):
        async def on_receive(self, message: str) -> None:
            await gate.passed()  # busy, as far as anyone knows
            await self.sleep(60.0)  # here the stop is noticed, within the turn itself

    class Next(Actor, name="tests.lifecycle.next"):
        async def on_receive(self, message: str) -> str:
            await asyncio.sleep(0)
            return message

    store = MemoryStore()
    with running(program(Child("a", Busy), Child("b", Next), concurrency=1), store) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        gate.reached()
        run.stop("/r/a")
        answer = run.kernel.outside.ask("/r/b", "hello")
        gate.open()
        assert answer.get(timeout=SECONDS) == "hello"
    assert of(store, records.Crash) == []


def test_a_start_that_waits_is_cut_once_by_a_stop() -> None:
    class Waits(Actor, name="tests.lifecycle.waits"):
        async def on_restart(self, reason: str) -> None:
            await self.sleep(60.0)

        async def on_receive(self, message: str) -> None:
            raise ValueError(message)

    store, clock = MemoryStore(), FakeClock(jumps=False)
    tree = program(Child("a", Waits, restart="transient", attempts_max=1))
    with running(tree, store, clock=clock) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        until(run, lambda: run.kernel.waits.open)
        run.stop("/r/a")
        settle(run)
    assert len(of(store, records.Late)) <= 1  # that start, once; then it is begun anew


def test_a_start_that_journals_something_gives_a_message_no_attempts_again() -> None:
    class Poisoned(Actor, name="tests.lifecycle.poisoned"):
        async def on_start(self) -> None:
            await self.sleep(0.1)

        async def on_receive(self, message: str) -> None:
            raise ValueError(message)

    store = MemoryStore()
    with running(program(Child("a", Poisoned, attempts_max=2)), store) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        settle(run)
    assert [crash.attempt for crash in of(store, records.Crash)] == [1, 2]


def test_a_stop_that_waits_is_cut_once_by_a_signal() -> None:
    class Slow(Actor, name="tests.lifecycle.slow"):
        async def on_stop(self) -> None:
            await self.sleep(60.0)

    store, clock = MemoryStore(), FakeClock(jumps=False)
    tree = program(Child("a", Slow, restart="temporary", shutdown="infinity"))
    with running(tree, store, clock=clock) as run:
        run.stop("/r/a")
        until(run, lambda: run.kernel.waits.open)
        run.exit("/r/a", "broken")
        settle(run)
    assert of(store, records.Late) == []
