"""Nothing leaves the run before what it depends on is durable (G3); no budget is overrun (G8)."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from unittest.mock import Mock

import pytest

from perdure import Actor, Child, FakeClock, Run, tool
from perdure.actors.machine import RealMachine
from perdure.actors.watchdog import Watchdog
from perdure.errors import CommitFailed
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.limits import DISK_FREE_BYTES_MIN, DISK_FREE_BYTES_PLENTY, DISK_LOOK_SECONDS
from tests.actors.world import World, calling
from tests.kit import (
    SECONDS,
    Disk,
    Gate,
    of,
    on_kernel,
    program,
    resumed,
    running,
    settle,
    until,
)


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_an_effect_starts_only_when_its_intent_is_durable(kind: str) -> None:
    world, disk, durable = World(), Disk(), []
    world.before = lambda: durable.append([i.name for i in of(disk, records.Intent)])
    with running(program(Child("a", calling(world, kind, effect="external"))), disk) as run:
        assert run.ask("/r/a", "pay", timeout=SECONDS) == 1
    assert durable == [["world.act"]]


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_an_effect_does_not_start_while_the_disk_is_slow_and_other_actors_go_on(kind: str) -> None:
    world, disk, gate = World(), Disk(), Gate()

    class Other(Actor, name="tests.barrier.other"):
        async def on_receive(self, message: str) -> None:
            await gate.passed()

    gate.open()
    tree = program(
        Child("a", calling(world, kind, effect="external")), Child("b", Other), concurrency=1
    )
    with running(tree, disk) as run:
        settle(run)
        disk.open.clear()
        run.tell("/r/a", "pay")
        assert disk.waited.wait(SECONDS)
        run.tell("/r/b", "x")
        gate.reached()  # the only slot is free: the actor that waits for the disk has lent it
        assert world.calls == []
        disk.open.set()
        settle(run)
    assert world.calls == ["pay"]


def test_what_only_reads_waits_for_no_disk() -> None:
    world, disk, called = World(), Disk(), threading.Event()
    world.before = called.set
    with running(program(Child("a", calling(world, effect="read"))), disk) as run:
        settle(run)
        disk.open.clear()
        run.tell("/r/a", "look")
        assert called.wait(SECONDS)
        disk.open.set()
    assert of(disk, records.Intent) == []


# --- answers, receipts, artifacts


def test_a_receipt_and_an_answer_are_given_out_only_when_durable() -> None:
    world, disk = World(), Disk()
    with running(program(Child("a", calling(world, effect="read"))), disk) as run:
        settle(run)
        disk.open.clear()
        receipt = run.tell("/r/a", "x")
        answer = run.kernel.outside.ask("/r/a", "y")
        assert disk.waited.wait(SECONDS)
        until(run, lambda: run.kernel.closing.closed == 2)
        assert not receipt.is_done
        assert not answer.is_done
        disk.open.set()
        assert answer.get(timeout=SECONDS) == 1
        assert receipt.is_done
    assert any(turn.message == tuple(receipt.get()) for turn in of(disk, records.Turn))


def test_an_artifacts_file_appears_only_when_its_turn_is_durable(tmp_path: Path) -> None:
    disk = Disk()

    class Writer(Actor, name="tests.barrier.writer"):
        async def on_receive(self, message: str) -> None:
            await self.artifact("out/report.txt", message)

    with running(program(Child("a", Writer)), disk, ledger=tmp_path) as run:
        settle(run)
        disk.open.clear()
        answer = run.kernel.outside.ask("/r/a", "text")
        assert disk.waited.wait(SECONDS)
        until(run, lambda: run.kernel.closing.closed == 1)
        assert not answer.is_done
        assert list(tmp_path.rglob("*.txt")) == []
        disk.open.set()
        settle(run)
        assert (tmp_path / "artifacts/out/report.txt").read_text() == "text"


def test_an_artifact_that_a_dead_process_owes_is_put_in_place_at_resume(tmp_path: Path) -> None:
    disk = Disk()

    class Writer(Actor, name="tests.barrier.writer2"):
        async def on_receive(self, message: str) -> None:
            await self.artifact("report.txt", message)

    tree = program(Child("a", Writer))
    with running(tree, disk) as run:
        run.ask("/r/a", "text", timeout=SECONDS)
        settle(run)
    owed = next(m for m in disk.moments if any(t.artifacts for t in of(m, records.Turn)))
    assert of(owed, records.Release) == []
    with resumed(tree, owed, ledger=tmp_path) as run:
        settle(run)
    assert (tmp_path / "artifacts/report.txt").read_text() == "text"
    assert len(of(owed, records.Release)) == 1


def test_a_failed_commit_ends_the_run_releases_nothing_and_resume_goes_on(tmp_path: Path) -> None:
    class Writer(Actor, name="tests.barrier.writer3"):
        total: int = 0

        async def on_receive(self, message: int) -> int:
            self.total += message
            await self.artifact(f"{message}.txt", "x")
            return self.total

    disk = Disk()
    tree = program(Child("a", Writer))
    with Run(tree, tmp_path, seed=1, store=disk, clock=FakeClock()) as run:
        assert run.ask("/r/a", 1, timeout=SECONDS) == 1
        settle(run)
        disk.full = True
        receipt = run.tell("/r/a", 2)
        with pytest.raises(CommitFailed, match="No space left") as failed:
            run.ask("/r/a", 3, timeout=SECONDS)
        with pytest.raises(CommitFailed):
            receipt.get(timeout=SECONDS)
        with pytest.raises(CommitFailed):
            run.wait(SECONDS)
    assert failed.value.durable_seq == disk.reopened().head().seq
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == ["1.txt"]
    with resumed(tree, disk.reopened()) as run:
        assert run.ask("/r/a", 10, timeout=SECONDS) == 11


# --- who waits for the disk


class Paying(Actor, name="tests.barrier.paying"):
    async def on_receive(self, message: int) -> None:
        for n in range(message):
            await self.call(pay, n)


@tool("tests.barrier.pay", effect="financial")
async def pay(n: int) -> int:
    return n


def committing_threads(quick_ns: int | None) -> tuple[int, list[int]]:
    """The kernel's thread, and those in which the commits of ten effects are made."""
    threads: list[int] = []
    store = MemoryStore(lambda number: threads.append(threading.get_ident()))
    with running(program(Child("a", Paying)), store) as run:
        if quick_ns is not None:
            run.kernel.barrier.committer.quick_ns = quick_ns
        settle(run)
        threads.clear()
        run.tell("/r/a", 10)
        settle(run)
        found = threads.copy()
    return run.kernel.thread_id, found


def test_a_kernel_with_nothing_else_to_do_waits_for_a_quick_disk_itself() -> None:
    kernel, threads = committing_threads(None)
    assert threads.count(kernel) >= 10


def test_a_slow_disk_is_waited_for_beside_the_kernel() -> None:
    kernel, threads = committing_threads(0)
    assert len(threads) >= 10
    assert kernel not in threads


def test_a_handler_that_waits_for_the_world_is_not_held_up_by_a_commit() -> None:
    threads: list[int] = []
    store = MemoryStore(lambda number: threads.append(threading.get_ident()))
    gate = Gate()

    class Waits(Actor, name="tests.barrier.waits"):
        async def on_receive(self, message: str) -> None:
            await gate.passed()

    with running(program(Child("a", Paying), Child("b", Waits)), store) as run:
        settle(run)
        run.tell("/r/b", "x")
        gate.reached()
        on_kernel(run, threads.clear)
        assert run.ask("/r/a", 3, timeout=SECONDS) is None
        assert threads
        assert run.kernel.thread_id not in threads
        gate.open()
        settle(run)


def test_an_effect_costs_one_commit_and_its_result_goes_with_the_next() -> None:
    _, threads = committing_threads(None)
    assert len(threads) <= 10 + 2  # of what was told, and of what it ended with


def test_a_kernel_that_waits_for_its_disk_is_not_taken_for_one_that_a_handler_holds() -> None:
    disk = Disk()
    with running(program(Child("a", Paying)), disk) as run:
        dog = Watchdog(run.kernel, None, seconds_max=0.01)
        settle(run)
        assert not dog.may_stand_still()
        run.kernel.barrier.committer.quick_ns = 1 << 60
        disk.open.clear()
        run.tell("/r/a", 1)
        assert disk.waited.wait(SECONDS)
        assert not dog.answers()
        assert dog.may_stand_still()
        disk.open.set()
        settle(run)


@pytest.mark.parametrize(("somebody_waits", "seconds"), [(True, 0.002), (False, 0.1)])
def test_under_load_a_group_is_handed_over_when_it_is_old_for_who_waits(
    monkeypatch: pytest.MonkeyPatch, *, somebody_waits: bool, seconds: float
) -> None:
    clock, elapsed, handed_over = FakeClock(), FakeClock(), Mock()
    kernel = Run(program(Child("a", Paying)), clock=clock).kernel
    monkeypatch.setattr(kernel.machine, "elapsed_ns", elapsed.monotonic_ns)
    clock.advance(1.0)
    kernel.book.append(records.Kind.LIVE, (kernel.book.now_ns(), ()))
    kernel.barrier._sealed()  # the group before
    kernel.barrier.sealed = 0
    monkeypatch.setattr(kernel.barrier, "seal", handed_over)
    seq = kernel.book.append(records.Kind.LIVE, (kernel.book.now_ns(), ()))
    if somebody_waits:
        kernel.barrier.when_durable(seq, Mock())
    passes = elapsed if somebody_waits else clock  # who waits does so by the clock on the wall
    passes.advance(0.9 * seconds)
    kernel.barrier.seal_if_due()
    assert not handed_over.called
    passes.advance(0.2 * seconds)
    kernel.barrier.seal_if_due()
    assert handed_over.called
    kernel.loop.close()  # it was never run


@pytest.mark.parametrize(
    ("free", "looks"), [(DISK_FREE_BYTES_PLENTY, 1), (DISK_FREE_BYTES_PLENTY - 1, 10)]
)
def test_a_disk_with_plenty_of_room_is_not_looked_at_before_each_commit(
    free: int, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, seen, clock = [free], [0], FakeClock(jumps=False)

    def free_bytes(*machine: object) -> int:
        seen[0] += 1
        return room[0]

    monkeypatch.setattr(RealMachine, "free_bytes", free_bytes)
    with running(program(Child("a", Paying)), clock=clock) as run:
        for _ in range(2):
            settle(run)
            clock.advance(DISK_LOOK_SECONDS)
            seen[0] = 0
            assert run.ask("/r/a", 10, timeout=SECONDS) is None  # ten commits
            assert min(seen[0], 10) == looks
        room[0] = DISK_FREE_BYTES_MIN - 1
        clock.advance(DISK_LOOK_SECONDS)
        run.tell("/r/a", 0)
        assert run.wait(SECONDS).status == "interrupted"


# --- the budget


def test_who_waits_in_a_busy_kernel_waits_no_longer_when_ledger_time_stands_still() -> None:
    class Impatient(Actor, name="tests.barrier.impatient"):
        async def on_receive(self, message: str) -> str:
            task = asyncio.create_task(self._pay())
            while not task.done():  # noqa: ASYNC110 - this is the test
                await asyncio.sleep(0)  # the kernel never rests
            return "paid"

        async def _pay(self) -> None:
            await self.call(pay, 1)

    with running(program(Child("a", Impatient)), clock=FakeClock()) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "paid"


def test_what_a_thread_has_journaled_is_durable_while_it_goes_on() -> None:
    gate, told = Gate(), threading.Event()

    class Slow(Actor, name="tests.barrier.slow_thread"):
        def on_receive(self, message: str) -> None:
            assert told.wait(SECONDS)
            self.once(str.upper, message).get()
            gate.wait()

    disk = Disk()
    with running(program(Child("a", Slow), concurrency=1), disk) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        told.set()
        gate.reached()
        until(run, lambda: of(disk, records.Result))  # nobody waits for it to be
        gate.open()
