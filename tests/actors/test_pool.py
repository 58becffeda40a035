"""`def` handlers in threads: batches, blocking, what becomes of a thread whose turn was fenced."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Ref, field
from perdure.errors import Crashed
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, Gate, of, on_kernel, program, running, settle, until


class Plain(Actor, name="tests.pool.plain"):
    """Says in which thread it ran."""

    count: int = 0

    def on_receive(self, message: Any) -> str:
        if message == "crash":
            raise ValueError("plain")
        if message == "exit":
            raise SystemExit(3)
        self.count += 1
        return threading.current_thread().name


def test_a_blocking_handler_runs_in_a_thread_of_the_pool() -> None:
    with running(program(Child("a", Plain))) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "perdure-pool"


def test_many_cheap_turns_are_all_handled_once() -> None:
    class Counting(Actor, name="tests.pool.counting"):
        total: int = 0

        def on_receive(self, message: Any) -> int:
            if message != "total":
                self.total += message
            return self.total

    with running(program(*(Child(f"a{n}", Counting) for n in range(40)))) as run:

        def post() -> None:
            for n in range(400):
                run.tell(f"/r/a{n % 40}", 1)

        on_kernel(run, post)
        settle(run)
        assert [run.ask(f"/r/a{n}", "total", timeout=SECONDS) for n in range(40)] == [10] * 40


def test_turns_behind_one_that_blocks_go_back_and_run_elsewhere() -> None:
    gate, order = Gate(), []

    class Stalling(Actor, name="tests.pool.stalling"):
        def on_receive(self, message: str) -> None:
            if message == "block":
                gate.wait()
            order.append(message)

    tree = program(*(Child(f"a{n}", Stalling) for n in range(6)), concurrency=8)
    store = MemoryStore()
    with running(tree, store) as run:

        def post() -> None:
            for n in range(6):
                run.tell(f"/r/a{n}", "block" if n == 0 else str(n))

        for n in range(6):
            run.ask(f"/r/a{n}", "warm", timeout=SECONDS)
        order.clear()
        on_kernel(run, post)
        gate.reached()
        until(run, lambda: len(order) == 5)
        assert sorted(order) == list("12345")
        gate.open()
        settle(run)
    assert order[-1] == "block"
    messages = [turn.message for turn in of(store, records.Turn)]
    assert len(messages) == len(set(messages))
    assert of(store, records.Late) == []


@pytest.mark.parametrize("how", ["crash", "exit"])
def test_whatever_comes_out_of_a_handler_is_a_crash_and_the_thread_serves_on(how: str) -> None:
    with running(program(Child("a", Plain, attempts_max=1), concurrency=1)) as run:
        for _ in range(3):
            with pytest.raises(Crashed, match=r"ValueError|SystemExit"):
                run.ask("/r/a", how, timeout=SECONDS)
        assert run.ask("/r/a", "x", timeout=SECONDS) == "perdure-pool"


def test_a_blocking_step_that_exits_is_a_failed_step() -> None:
    class Reader(Actor, name="tests.pool.reader"):
        async def on_receive(self, message: str) -> None:
            await self.once(_exit)

    def _exit() -> None:
        raise SystemExit(3)

    with (
        running(program(Child("a", Reader, attempts_max=1))) as run,
        pytest.raises(Crashed, match="SystemExit"),
    ):
        run.ask("/r/a", "x", timeout=SECONDS)


def test_the_thread_of_a_killed_turn_is_replaced_and_its_end_is_recorded() -> None:
    gate, store = Gate(), MemoryStore()

    class Blocking(Actor, name="tests.pool.blocking"):
        got: list[str] = field(default_factory=list)

        def on_receive(self, message: str) -> list[str]:
            if message == "block" and not gate_was_reached:
                gate_was_reached.append(True)
                gate.wait()
            self.got.append(message)
            return list(self.got)

    class Fuse(Actor, name="tests.pool.fuse"):
        async def on_receive(self, message: str) -> None:
            raise ValueError("fuse")

    gate_was_reached: list[bool] = []
    fuse = Child("fuse", Fuse, redelivery="none")
    mortal = Child("a", Blocking, shutdown="brutal_kill")
    with running(program(fuse, mortal, strategy="one_for_all", concurrency=2), store) as run:
        run.tell("/r/a", "block")
        gate.reached()
        run.tell("/r/fuse", "x").get(timeout=SECONDS)
        assert run.ask("/r/a", "next", timeout=SECONDS) == ["block", "next"]
        until(run, lambda: run.kernel.dispatch.active == 0)
        gate.open()
        until(run, lambda: of(store, records.Late))
        assert run.ask("/r/a", "last", timeout=SECONDS) == ["block", "next", "last"]


def test_a_killed_thread_that_waits_for_an_answer_is_told_that_its_turn_is_over() -> None:
    ended = threading.Event()

    class Asking(Actor, name="tests.pool.asking"):
        def on_receive(self, message: str) -> Any:
            if message != "ask":
                return message
            try:
                return self.ask("/r/never", "x").get()
            finally:
                ended.set()

    class Never(Actor, name="tests.pool.never"):
        async def on_receive(self, message: str) -> None:
            await self.sleep(1e9)

    class Fuse(Actor, name="tests.pool.fuse2"):
        async def on_receive(self, message: str) -> None:
            raise ValueError("fuse")

    fuse = Child("fuse", Fuse, redelivery="none")
    mortal = Child("a", Asking, restart="temporary")
    tree = program(Child("never", Never), fuse, mortal, strategy="rest_for_one")
    with running(tree, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "ask")
        until(run, lambda: run.kernel.waits.open)
        run.tell("/r/fuse", "x")
        assert ended.wait(SECONDS)


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_handler_knows_its_sender_in_either_kind_of_thread(kind: str) -> None:
    class Sender(Actor, name="tests.pool.sender"):
        async def on_receive(self, message: str) -> Any:
            return await self.ask("/r/b", message)

    class Async(Actor, name="tests.pool.knows1"):
        async def on_receive(self, message: str) -> Any:
            return self.sender

    class Blocking(Actor, name="tests.pool.knows2"):
        def on_receive(self, message: str) -> Any:
            return self.sender

    cls = Async if kind == "async def" else Blocking
    with running(program(Child("a", Sender), Child("b", cls))) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == Ref("/r/a")
        assert run.ask("/r/b", "x", timeout=SECONDS) is None
