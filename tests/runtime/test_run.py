"""A run from outside: how it begins, ends, is drained and taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perdure import Actor, Backoff, Child, FakeClock, Run, Supervisor, SupervisorSpec, field, tool
from perdure.clock import RealClock
from perdure.errors import LedgerExists, LedgerInUse, UsageError
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.runtime.program import Program
from tests.kit import (
    SECONDS,
    Disk,
    Gate,
    advance,
    of,
    on_kernel,
    program,
    resumed,
    running,
    settle,
    until,
)


class Echo(Actor, name="tests.run.echo"):
    got: list[Any] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "finish":
            self.finish({"got": len(self.got)})
        elif message == "later":
            self.send_after(60.0, "/r/a", "rang")
        elif message == "got":
            return list(self.got)
        else:
            self.got.append(message)
        return message


def test_a_run_with_nothing_left_to_do_is_finished() -> None:
    with running(program(Child("a", Echo))) as run:
        run.tell("/r/a", "x")
        report = run.wait(SECONDS)
    assert (report.status, report.reason, report.result) == ("finished", "nothing left to do", None)


def test_a_run_is_finished_when_an_actor_says_so_and_gives_its_result() -> None:
    store = MemoryStore()
    with running(program(Child("a", Echo)), store) as run:
        run.tell("/r/a", "x")
        run.tell("/r/a", "finish")
        report = run.wait(SECONDS)
    assert (report.status, report.result) == ("finished", {"got": 1})
    assert of(store, records.Status)[-1].status == "finished"


def test_finish_counts_only_when_its_turn_closes() -> None:
    class Hasty(Actor, name="tests.run.hasty"):
        async def on_receive(self, message: str) -> None:
            self.finish(self.attempt)
            if self.attempt < 3:
                raise ValueError(message)

    with running(program(Child("a", Hasty))) as run:
        run.tell("/r/a", "x")
        assert run.wait(SECONDS).result == 3


def test_a_finished_run_stays_finished_when_it_is_taken_up() -> None:
    disk = Disk()
    tree = program(Child("a", Echo))
    with running(tree, disk) as run:
        run.tell("/r/a", "finish")
        run.wait(SECONDS)
    finishing = [m for m in disk.moments if any(turn.finish for turn in of(m, records.Turn))]
    for moment in [*finishing, disk.reopened()]:
        with resumed(tree, moment) as run:
            report = run.wait(SECONDS)
        assert (report.status, report.result) == ("finished", {"got": 0})


def test_a_run_that_is_over_stays_as_it_is_to_the_last_record() -> None:
    disk = Disk()
    tree = program(Child("a", Echo))
    with running(tree, disk) as run:
        run.tell("/r/a", "finish")
        run.wait(SECONDS)
    left = disk.reopened()
    before = left.head()
    with Run.resume(None, store=left, program=tree) as run:
        report = run.wait(SECONDS)
    assert (report.status, report.result) == ("finished", {"got": 0})
    assert left.reopened().head() == before


def test_a_run_that_waits_for_a_timer_can_be_left_waiting() -> None:
    store, clock = MemoryStore(), FakeClock(jumps=False)
    tree = program(Child("a", Echo))
    with running(tree, store, clock=clock) as run:
        run.ask("/r/a", "later", timeout=SECONDS)
        report = run.wait(SECONDS, stay=False)
    assert report.status == "waiting"
    with resumed(tree, store.reopened()) as run:
        settle(run)
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["rang"]


class Failing(Actor, name="tests.run.failing"):
    async def on_receive(self, message: str) -> None:
        raise ValueError("never")


def failing(seconds: float) -> Program:
    """A program whose `/r/a` is given a message again `seconds` after it crashed on it, once."""
    return program(
        Child("a", Failing, attempts_max=2, backoff=Backoff(first=seconds, factor=1.0, max=3_600.0))
    )


def test_a_run_in_which_a_crashed_message_is_about_to_be_given_again_is_not_left_waiting() -> None:
    with running(failing(0.05), clock=RealClock()) as run:
        run.tell("/r/a", "x")
        assert run.wait(SECONDS, stay=False).status == "finished"


def test_a_run_is_not_left_waiting_before_every_back_off_is_over() -> None:
    with running(failing(60.0), clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "x")
        until(run, lambda: run.kernel.dispatch.soon)
        with pytest.raises(TimeoutError):
            run.wait(0.0, stay=False)
        on_kernel(run, run.kernel.look_quiet)
        assert not run.kernel.ending.has_begun
        advance(run, 61.0)
        assert run.wait(SECONDS, stay=False).status == "finished"


@tool("tests.run.look", effect="read", retries=1, backoff=Backoff(first=60.0, factor=1.0, max=60.0))
def look() -> int:
    raise ValueError("never")


class OnLoop(Actor, name="tests.run.onloop"):
    async def on_receive(self, message: str) -> None:
        await self.call(look)


class InThread(Actor, name="tests.run.inthread"):
    def on_receive(self, message: str) -> None:
        self.call(look).get()


@pytest.mark.parametrize("cls", [OnLoop, InThread])
def test_a_run_in_which_a_failed_call_is_about_to_be_made_again_is_not_left_waiting(
    cls: type[Actor],
) -> None:
    with running(program(Child("a", cls, attempts_max=1)), clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "x")
        until(run, lambda: run.kernel.steps.is_pausing)
        with pytest.raises(TimeoutError):
            run.wait(0.0, stay=False)
        on_kernel(run, run.kernel.look_quiet)
        assert not run.kernel.ending.has_begun
        advance(run, 61.0)
        assert run.wait(SECONDS, stay=False).status == "finished"


def test_the_back_off_of_an_actor_that_was_cancelled_keeps_no_run_waiting() -> None:
    with running(failing(60.0), clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "x")
        until(run, lambda: run.kernel.dispatch.soon)
        run.cancel("/r/a")
        assert run.wait(SECONDS).status == "finished"


def test_a_timeout_that_was_not_needed_keeps_no_run_waiting() -> None:
    class Asking(Actor, name="tests.run.asking"):
        async def on_receive(self, message: str) -> None:
            await self.ask("/r/a", message, timeout=3_600.0)

    tree = program(Child("b", Asking), Child("a", Echo))
    with running(tree, clock=RealClock()) as run:
        run.tell("/r/b", "x")
        assert run.wait(SECONDS).status == "finished"


def test_leaving_the_block_drains_and_resume_goes_on_where_it_was() -> None:
    gate, store = Gate(), MemoryStore()

    class Slow(Actor, name="tests.run.slow"):
        got: list[str] = field(default_factory=list)

        async def on_receive(self, message: str) -> list[str]:
            if not self.got:
                await gate.passed()
            self.got.append(message)
            return list(self.got)

    tree = program(Child("a", Slow), concurrency=1)
    with running(tree, store) as run:
        for name in "xyz":
            run.tell("/r/a", name).get(timeout=SECONDS)
        gate.reached()
        run.drain()
        gate.open()
    assert run.report().status == "interrupted"
    assert len([turn for turn in of(store, records.Turn) if turn.delta]) >= 1
    with resumed(tree, store.reopened()) as run:
        assert run.ask("/r/a", "last", timeout=SECONDS) == ["x", "y", "z", "last"]


def test_a_drain_does_not_wait_for_turns_that_only_wait() -> None:
    class Sleepy(Actor, name="tests.run.sleepy"):
        woken: int = 0

        async def on_receive(self, message: str) -> int:
            if message == "sleep":
                await self.sleep(1e6)
                self.woken += 1
            return self.woken

    store = MemoryStore()
    tree = program(Child("a", Sleepy))
    with running(tree, store, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "sleep").get(timeout=SECONDS)
        run.drain()
        assert run.wait(SECONDS).status == "interrupted"
    assert of(store, records.Crash) == []
    with resumed(tree, store.reopened()) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == 1


def test_one_seed_gives_each_message_the_same_chance_in_every_run() -> None:
    class Dice(Actor, name="tests.run.dice"):
        async def on_receive(self, message: int) -> list[float]:
            return [self.random.random() for _ in range(message)]

    def thrown(seed: int) -> list[list[float]]:
        with Run(program(Child("a", Dice)), seed=seed, clock=FakeClock()) as run:
            return [run.ask("/r/a", 2, timeout=SECONDS) for _ in range(3)]

    assert thrown(7) == thrown(7)
    assert thrown(7) != thrown(8)
    assert len({value for values in thrown(7) for value in values}) == 6


def test_the_budget_that_a_turn_sees_is_what_was_left_when_it_began() -> None:
    from perdure import tool

    @tool("tests.run.read", effect="read", tokens=30)
    def read() -> int:
        return 1

    class Thrifty(Actor, name="tests.run.thrifty"):
        async def on_receive(self, message: str) -> list[Any]:
            before = self.budget
            await self.call(read)
            return [before, self.budget]

    with running(program(Child("a", Thrifty), tokens=100)) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == [100, 100]
        assert run.ask("/r/a", "x", timeout=SECONDS) == [70, 70]


def test_news_are_told_only_of_what_is_durable() -> None:
    class Failing(Actor, name="tests.run.failing"):
        async def on_receive(self, message: str) -> None:
            raise ValueError(message)

    store, seen = MemoryStore(), []

    def observe(event: Any) -> None:
        seen.append((event.kind, len(of(store, records.Crash)), event.count))

    with running(program(Child("a", Failing)), store, observer=observe) as run:
        run.tell("/r/a", "x")
        settle(run)
    crashes = [(known, count) for kind, known, count in seen if kind == "crashed"]
    assert [count for _, count in crashes] == [1, 2, 3]
    assert all(known >= count for known, count in crashes)
    assert [kind for kind, _, _ in seen if kind == "dead"] == ["dead"]


def test_a_root_may_be_a_supervisor_class_or_a_child() -> None:
    class Root(Supervisor, name="tests.run.root"):
        def children(self) -> list[Child]:
            return [Child("a", Echo)]

    with Run(Root, clock=FakeClock()) as run:
        assert run.ask("/root/a", "x", timeout=SECONDS) == "x"
    tree = Child("tree", supervisor=SupervisorSpec(children=[Child("a", Echo)]))
    with Run(tree, clock=FakeClock()) as run:
        assert run.ask("/tree/a", "x", timeout=SECONDS) == "x"
    with pytest.raises(UsageError, match="Supervisor class, or a Child"):
        Run(42)


def test_a_run_on_disk_is_taken_up_from_its_directory(tmp_path: Path) -> None:
    tree = program(Child("a", Echo))
    with Run(tree, tmp_path / "one", seed=1) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        with pytest.raises(LedgerInUse):
            Run.resume(tmp_path / "one", program=tree)
    with pytest.raises(LedgerExists, match="resume"):
        Run(tree, tmp_path / "one")
    with Run.resume(tmp_path / "one", program=tree) as run:
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["x"]
    with pytest.raises(UsageError, match="started from Python"):
        Run.resume(tmp_path / "one")
