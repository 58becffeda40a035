"""Stops have a time: what is still going on after it is killed."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import (
    Actor,
    Child,
    FakeClock,
    SupervisorSpec,
    field,
)
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Life
from tests.kit import (
    SECONDS,
    Gate,
    advance,
    of,
    on_kernel,
    program,
    running,
    until,
)

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


class Fuse(Actor, name="tests.deadlines.fuse"):
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


def life(run: Any, address: str) -> Life:
    return Life(on_kernel(run, lambda: run.kernel.book.cell_at(address).life))


def with_fuse(child: Child, **options: Any) -> Any:
    """A tree in which "crash" to `/r/fuse` stops and restarts `child`."""
    fuse = Child("fuse", Fuse, redelivery="none")
    return program(fuse, child, strategy="one_for_all", **options)


def test_a_handler_that_does_not_end_in_time_is_killed_and_its_message_is_kept() -> None:
    store, gate = MemoryStore(), Gate()

    class Deaf(Actor, name="tests.lifecycle.deaf"):
        async def on_receive(self, message: str) -> int:
            if self.incarnation_is_first():
                await gate.passed()
            return self.attempt

        def incarnation_is_first(self) -> bool:
            LOG.append("handler")
            return len(LOG) == 1

        async def on_stop(self) -> None:
            LOG.append("stop")

    with running(with_fuse(Child("a", Deaf, shutdown=5.0)), store) as run:
        answer = run.kernel.outside.ask("/r/a", "x")
        gate.reached()
        run.tell("/r/fuse", "crash").get(timeout=SECONDS)
        until(run, lambda: run.kernel.book.cell_at("/r/a").control)
        advance(run, 4.9)
        assert life(run, "/r/a") == Life.RUNNING
        advance(run, 0.2)
        assert answer.get(timeout=SECONDS) == 1
    assert LOG == ["handler", "handler"]  # a killed actor does not come by on_stop
    notes = [note for turn in of(store, records.Turn) for note in turn.notes]
    assert "shutdown_error: a: killed" in notes


def test_an_on_stop_that_does_not_end_in_time_is_killed() -> None:
    gate = Gate()

    class Clinging(Actor, name="tests.lifecycle.clinging"):
        async def on_receive(self, message: str) -> str:
            return message

        async def on_stop(self) -> None:
            LOG.append("stop")
            await gate.passed()

    with running(with_fuse(Child("a", Clinging, shutdown=5.0))) as run:
        run.tell("/r/fuse", "crash").get(timeout=SECONDS)
        gate.reached()
        advance(run, 5.1)
        assert run.ask("/r/a", "x", timeout=SECONDS) == "x"
        assert life(run, "/r/a") == Life.RUNNING
        gate.open()
    assert LOG[0] == "stop"
    assert LOG.count("stop") == 1


gate = Gate()


class Lingering(Actor, name="tests.deadlines.lingering"):
    """Ends when the gate is opened."""

    async def on_receive(self, message: Any) -> None: ...

    async def on_stop(self) -> None:
        await gate.passed()


def test_a_supervisor_that_is_not_done_in_its_time_is_killed_and_the_others_go_on() -> None:
    global gate
    gate, store = Gate(), MemoryStore()
    inner = SupervisorSpec(children=[Child("x", Lingering, shutdown=60.0)])
    tree = with_fuse(Child("s", supervisor=inner, shutdown=1.0))
    with running(tree, store, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/fuse", "crash").get(timeout=SECONDS)
        gate.reached()
        advance(run, 1.0)
        gate.open()
        until(run, lambda: run.kernel.book.cell_at("/r/s").incarnation == 2)
        until(run, lambda: run.kernel.book.cell_at("/r/s").life == Life.RUNNING)
        assert run.kernel.timers.next_ns is None
    notes = [note for turn in of(store, records.Turn) for note in turn.notes]
    assert any(note.startswith("shutdown_error: s: killed") for note in notes), notes


def test_a_supervisor_that_is_done_in_time_leaves_no_timer_behind() -> None:
    inner = SupervisorSpec(children=[Child("x", Fuse, shutdown=60.0)])
    tree = with_fuse(Child("s", supervisor=inner, shutdown=1.0))
    with running(tree, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/fuse", "crash").get(timeout=SECONDS)
        until(run, lambda: run.kernel.book.cell_at("/r/s").incarnation == 2)
        until(run, lambda: run.kernel.book.cell_at("/r/s").life == Life.RUNNING)
        assert run.kernel.timers.next_ns is None
