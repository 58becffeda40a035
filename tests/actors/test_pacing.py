"""When turns wait for the disk: by group, each, or with one flush for a commit."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from perdure import Actor, Backoff, Child, FakeClock, Run, field
from perdure.errors import UsageError
from perdure.ledger.group import Group, Head
from perdure.ledger.levels import EACH, GROUP, LEVELS, RELAXED, Durability
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Kind, Open
from perdure.ledger.records import Run as Header
from tests.kit import SECONDS, of, program, resumed, running, settle
from tests.ledger.stores import child, end

TURNS = 20
CLOSING = {Kind.TURN, Kind.CRASH}


class Groups(MemoryStore):
    """A ledger that knows what each group had, and which is on its way to the disk."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[list[int]] = []
        self.finals: list[bool] = []
        self.under_way: list[int] = []

    def commit(self, group: Group, *args: Any) -> Head:
        self.under_way = [kind for kind, _ in group.records]
        self.groups.append(self.under_way)
        self.finals.append(group.is_final)
        head = super().commit(group, *args)
        self.under_way = []
        return head


class Chain(Actor, name="tests.pacing.chain"):
    async def on_receive(self, message: int) -> None:
        if message > 1:
            self.tell("/r/a", message - 1)


@pytest.mark.parametrize("durability", [GROUP, RELAXED, EACH], ids=lambda level: level.name)
def test_turns_of_a_chain_share_groups_and_with_each_they_do_not(durability: Durability) -> None:
    store = Groups()
    with running(program(Child("a", Chain), durability=durability), store) as run:
        settle(run)
        store.groups.clear()
        run.tell("/r/a", TURNS)
        settle(run)
        turns = [kinds.count(Kind.TURN) for kinds in store.groups if Kind.TURN in kinds]
    assert sum(turns) == TURNS
    assert (max(turns) == 1) == (durability is EACH)


def test_with_each_no_turn_begins_before_all_that_closed_are_durable() -> None:
    store, looks = Groups(), list[int]()

    class Busy(Actor, name="tests.pacing.busy"):
        async def on_receive(self, message: int) -> None:
            not_durable = [kind for kind, _ in run.kernel.book.open.records] + store.under_way
            looks.append(sum(kind in CLOSING for kind in not_durable))
            await asyncio.sleep(0)
            if message % 7 == 3 and self.attempt == 1:
                raise ValueError(message)
            if message:
                self.tell(f"/r/{message % 5}", message - 1)

    backoff = Backoff(first=0.0, factor=1.0, max=0.0)
    children = [Child(str(n), Busy, backoff=backoff) for n in range(5)]
    with running(program(*children, durability=EACH), store) as run:
        for n in range(5):
            run.tell(f"/r/{n}", TURNS)
        settle(run)
    assert len(looks) > 5 * TURNS
    assert set(looks) == {0}


def test_with_each_a_turn_of_many_steps_does_not_keep_others_from_beginning() -> None:
    heard: list[str] = []

    async def look(n: int) -> int:
        await asyncio.sleep(0)
        return n

    class Long(Actor, name="tests.pacing.long"):
        async def on_receive(self, message: str) -> None:
            n = 0
            while not heard:
                await self.once(look, n := n + 1)

    class Other(Actor, name="tests.pacing.other"):
        async def on_receive(self, message: str) -> None:
            heard.append(message)

    tree = program(Child("a", Long), Child("b", Other), durability=EACH)
    with running(tree) as run:
        run.tell("/r/a", "x")
        run.ask("/r/b", "y", timeout=SECONDS)
        settle(run)


def test_with_each_no_more_short_turns_that_block_have_begun_than_there_are_slots() -> None:
    in_flight: list[int] = []

    class Blocks(Actor, name="tests.pacing.blocks"):
        def on_receive(self, message: int) -> None:
            in_flight.append(len(run.kernel.dispatch.running))

    class TellsAll(Actor, name="tests.pacing.tells_all"):
        async def on_receive(self, message: int) -> None:
            for n in range(message):
                self.tell(f"/r/{n}", n)

    children = [Child(str(n), Blocks) for n in range(20)]
    with running(program(Child("all", TellsAll), *children, durability=EACH, concurrency=2)) as run:
        run.tell("/r/all", 20)
        settle(run)
    assert len(in_flight) == 20
    assert max(in_flight) <= 2


KILLED = """
import os, signal, sys
from dataclasses import replace
from perdure import Actor, Child, Run, SupervisorSpec

class Mortal(Actor, name="tests.pacing.mortal"):
    seen: int = 0
    async def on_receive(self, message: int) -> None:
        if self.seen == 20:
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen += 1
        self.tell("/r/a", message + 1)

tree = Child("r", supervisor=SupervisorSpec(children=[Child("a", Mortal)]))
with Run(tree, sys.argv[1], durability="each") as run:
    run.tell("/r/a", 1)
    run.wait(60)
"""


class Mortal(Actor, name="tests.pacing.mortal"):
    seen: int = 0
    got: list[int] = field(default_factory=list)

    async def on_receive(self, message: int) -> None:
        self.got.append(message)


def test_with_each_a_kill_costs_the_turn_in_flight_and_no_other(tmp_path: Path) -> None:
    process = child(KILLED, tmp_path / "run")
    process.wait(SECONDS)
    end(process)
    with Run.resume(tmp_path / "run", program=program(Child("a", Mortal))) as run:
        settle(run)
        mortal = run.ref("/r/a").proxy()
        assert (mortal.seen.get(), mortal.got.get()) == (20, [21])


# --- where it is said


def metasync(run: Run) -> bool:
    flags: dict[str, bool] = run.kernel.book.store.file.env.flags()  # type: ignore[attr-defined]
    return flags["metasync"]


def test_a_relaxed_run_opens_its_ledger_so_when_it_begins_and_when_it_goes_on(
    tmp_path: Path,
) -> None:
    tree = program(Child("a", Chain))
    with Run(tree, tmp_path / "run", durability="relaxed") as run:
        assert not metasync(run)
        run.tell("/r/a", TURNS).get(timeout=SECONDS)
    with Run.resume(tmp_path / "run", program=program(Child("a", Chain))) as run:
        assert metasync(run)
    with Run.resume(tmp_path / "run", program=tree, durability="relaxed") as run:
        assert not metasync(run)
        settle(run)
    assert run.report().status == "interrupted"


def test_what_ends_a_run_is_made_durable_whatever_the_level() -> None:
    store = Groups()
    with running(program(Child("a", Chain), durability=RELAXED), store) as run:
        run.tell("/r/a", TURNS).get(timeout=SECONDS)
        settle(run)
        assert not any(store.finals)
    assert store.finals[-1]


@pytest.mark.parametrize("name", LEVELS)
def test_each_process_notes_its_level_and_a_resume_takes_that_of_its_program(name: str) -> None:
    store = MemoryStore()
    with running(program(Child("a", Chain)), store, durability=name):
        pass
    assert of(store, Header)[0].durability == name
    tree = program(Child("a", Chain), durability=LEVELS[name])
    with resumed(tree, store := store.reopened()) as run:
        assert run.program.durability.name == name
        assert run.kernel.dispatch.pace.records == (0 if name == "each" else 8_192)
    with resumed(program(Child("a", Chain)), store := store.reopened()):
        pass
    assert [body.durability for body in of(store, Open)] == [name, name, "group"]


def test_a_level_that_is_none_is_refused_before_there_is_a_ledger(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no durability 'often'"):
        Run(program(Child("a", Chain)), tmp_path / "run", durability="often", clock=FakeClock())
    assert not (tmp_path / "run").exists()
