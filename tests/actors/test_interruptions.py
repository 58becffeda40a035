"""Deaths of the process: they count for what was running, in a row, and for nothing else.

A copy of a run's directory is what a process finds whose predecessor was killed at that moment.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from perdure import Actor, Child, Run
from perdure.ledger import records
from perdure.ledger.audit import audit_store
from perdure.ledger.flights import FILE
from perdure.ledger.journal import read_record
from perdure.ledger.store import open_store
from perdure.limits import INTERRUPTIONS_MAX
from tests.kit import SECONDS, Gate, on_kernel, program, settle, until

GATES: dict[str, Gate] = {}


@pytest.fixture(autouse=True)
def _gates() -> None:
    GATES.clear()
    GATES.update(a=Gate(), b=Gate())


class Busy(Actor, name="tests.interruptions.busy"):
    """Stays at its gate; on "step …", after a step."""

    async def on_receive(self, message: str) -> Any:
        if message.startswith("step"):
            self.now()
        if message == "ask":
            return await self.ask("/r/b", "asked")
        await GATES[self.address[-1]].passed()
        return message


TREE = program(Child("a", Busy), Child("b", Busy))


def die(run: Run, left: Path) -> Path:
    """What a `kill -9` of the run leaves, in `left`."""
    run.tell("/r/none", "flush").get(timeout=SECONDS)
    assert run.directory is not None
    shutil.copytree(run.directory, left, ignore=shutil.ignore_patterns("door"))
    for gate in GATES.values():
        gate.open()
    return left


def resume(directory: Path) -> Run:
    GATES.update(a=Gate(), b=Gate())
    return Run.resume(directory, program=TREE)


def opened(directory: Path) -> list[Any]:
    """How many messages each process found interrupted; None after an ordered end."""
    store = open_store(directory, write=False)
    try:
        assert audit_store(store) == []
        bodies = [read_record(raw).body for raw in store.records()]
    finally:
        store.close()
    found = [body.interrupted for body in bodies if isinstance(body, records.Open)]
    return [None if each is None else len(each) for each in found]


def first(directory: Path, left: Path, message: str, gate: str = "a") -> Path:
    with Run(TREE, directory, seed=1) as run:
        run.tell("/r/a", message).get(timeout=SECONDS)
        GATES[gate].reached()
        return die(run, left)


def test_a_message_is_given_up_at_the_last_of_its_deaths_in_a_row(tmp_path: Path) -> None:
    left = first(tmp_path / "0", tmp_path / "1", "x")
    for death in range(2, INTERRUPTIONS_MAX + 1):
        with resume(left) as run:
            GATES["a"].reached()
            left = die(run, tmp_path / str(death))
    with resume(left) as run:
        settle(run)
        assert on_kernel(run, lambda: run.kernel.book.dead_letters) == 1
        assert run.kernel.book.cell_at("/r/a").is_running
    assert opened(left) == [None, *[1] * INTERRUPTIONS_MAX]


def test_a_drain_is_no_death_and_breaks_no_row(tmp_path: Path) -> None:
    left = first(tmp_path / "0", tmp_path / "1", "x")
    with resume(left) as run:
        GATES["a"].reached()
        run.drain()
        GATES["a"].open()
        assert run.kernel.ended.wait(SECONDS)
    with resume(left) as run:
        settle(run)
    assert opened(left) == [None, 1, None]


def test_a_new_step_begins_the_row_anew(tmp_path: Path) -> None:
    left = first(tmp_path / "0", tmp_path / "1", "step")
    with resume(left) as run:
        GATES["a"].reached()
        assert list(run.kernel.interruptions.counts.values()) == [1]
        id = next(iter(run.kernel.interruptions.counts))
        cell = run.kernel.book.cell_at("/r/a")
        on_kernel(run, lambda: cell.turn.now())  # one more than it had when it died
        assert id not in run.kernel.interruptions.counts
        left = die(run, tmp_path / "2")
    with resume(left) as run:
        GATES["a"].reached()
        assert run.kernel.interruptions.counts[id] == 1
        GATES["a"].open()
    assert opened(left)[-1] == 1


def test_a_turn_that_waits_for_an_answer_is_not_in_flight(tmp_path: Path) -> None:
    with Run(TREE, tmp_path / "0", seed=1) as run:
        answer = run.kernel.outside.ask("/r/a", "ask")
        GATES["b"].reached()
        until(run, lambda: run.kernel.waits.open)
        flying = [flight.actor for flight in on_kernel(run, run.kernel.interruptions.flights.noted)]
        assert flying == [run.kernel.book.find("/r/b")]
        GATES["b"].open()
        assert answer.get(timeout=SECONDS) == "asked"
    assert (tmp_path / "0" / FILE).exists()


def test_before_the_last_chance_turns_run_one_at_a_time(tmp_path: Path) -> None:
    left = tmp_path / "1"
    with Run(TREE, tmp_path / "0", seed=1) as run:
        for name in "ab":
            run.tell(f"/r/{name}", "x").get(timeout=SECONDS)
            GATES[name].reached()
        left = die(run, left)
    for death in range(2, INTERRUPTIONS_MAX):
        with resume(left) as run:
            for name in "ab":
                GATES[name].reached()
            left = die(run, tmp_path / str(death))
    with resume(left) as run:
        until(run, lambda: run.kernel.dispatch.active == 1)
        assert len(on_kernel(run, run.kernel.interruptions.flights.noted)) == 1
        for name in "ab":
            GATES[name].open()
        settle(run)
        assert [run.ask(f"/r/{name}", "y", timeout=SECONDS) for name in "ab"] == ["y", "y"]
        assert on_kernel(run, lambda: run.kernel.book.dead_letters) == 0
        assert run.kernel.dispatch.limit == TREE.concurrency
