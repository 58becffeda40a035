"""What becomes of inboxes when lives begin and end."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import (
    Actor,
    Child,
    SupervisorSpec,
    field,
)
from perdure.errors import (
    Crashed,
)
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Life
from tests.kit import (
    SECONDS,
    Gate,
    dead_letters,
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


class Fuse(Actor, name="tests.lives.fuse"):
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


def test_an_actor_that_stops_itself_normally_and_is_transient_leaves_dead_letters() -> None:
    store, gate = MemoryStore(), Gate()

    class Last(Actor, name="tests.lifecycle.last"):
        async def on_receive(self, message: str) -> None:
            await gate.passed()
            self.stop()

    with running(program(Child("a", Last, restart="transient")), store) as run:
        run.tell("/r/a", "last")
        gate.reached()
        asked = run.kernel.outside.ask("/r/a", "too late")
        run.tell("/r/a", "too late too").get(timeout=SECONDS)
        gate.open()
        with pytest.raises(Crashed, match="gone: normal"):
            asked.get(timeout=SECONDS)
        settle(run)
        assert life(run, "/r/a") == Life.STOPPED
        run.tell("/r/a", "much too late").get(timeout=SECONDS)
    assert [to for to, _ in dead_letters(store)] == ["/r/a"] * 3
    assert dead_letters(store)[2] == ("/r/a", "not running")


def test_stopped_siblings_keep_their_inbox_and_lose_no_attempt() -> None:
    store, gate = MemoryStore(), Gate()

    class Waiting(Actor, name="tests.lifecycle.waiting"):
        got: list[str] = field(default_factory=list)

        async def on_receive(self, message: str) -> Any:
            if message == "wait" and self.attempt == 1:
                await gate.passed()
            self.got.append(f"{message} {self.attempt}")
            return list(self.got)

    with running(with_fuse(Child("a", Waiting, shutdown=60.0)), store) as run:
        run.tell("/r/a", "wait")
        gate.reached()
        answer = run.kernel.outside.ask("/r/a", "next")
        run.tell("/r/fuse", "crash").get(timeout=SECONDS)
        until(run, lambda: run.kernel.book.cell_at("/r/a").control)
        gate.open()
        assert answer.get(timeout=SECONDS) == ["wait 1", "next 1"]
    assert dead_letters(store) == [("/r/fuse", "ValueError: fuse")]


def test_no_message_is_handled_between_the_death_of_a_supervisor_and_its_restart() -> None:
    gate = Gate()

    class Worker(Actor, name="tests.lifecycle.worker"):
        async def on_receive(self, message: str) -> str:
            LOG.append(message)
            return message

    class Slow(Actor, name="tests.lifecycle.slow_to_stop"):
        async def on_receive(self, message: str) -> None:
            await gate.passed()

    worker = SupervisorSpec(children=[Child("w", Worker)])
    below = Child("sup", supervisor=worker, shutdown="brutal_kill")
    fuse = Child("fuse", Fuse, redelivery="none")
    slow = Child("slow", Slow, shutdown=60.0)
    with running(program(fuse, slow, below, strategy="rest_for_one", concurrency=2)) as run:
        run.tell("/r/slow", "x")
        gate.reached()

        def post() -> list[Any]:
            run.tell("/r/fuse", "crash")
            return [run.kernel.outside.ask("/r/sup/w", str(n)) for n in range(3)]

        asked = on_kernel(run, post)  # all at once: they are ready when the supervisor dies
        until(run, lambda: run.kernel.book.cell_at("/r/slow").control)
        assert life(run, "/r/sup/w") == Life.DOWN
        assert LOG == []
        gate.open()
        assert [answer.get(timeout=SECONDS) for answer in asked] == ["0", "1", "2"]
