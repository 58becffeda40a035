"""A crash at each write of runs that do everything: they all end as if there had been none.

The suite takes a sample of the writes; `make faults` takes each.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from perdure import Child, FakeClock
from perdure.ledger.audit import audit_store
from perdure.ledger.compaction import groups, plan
from perdure.ledger.faults import Died, Fault, FaultStore
from perdure.runtime.fork import fork_store
from perdure.testing.ends import effects_of, end_of
from perdure.testing.everywhere import Everywhere
from perdure.testing.lives import Subject
from perdure.testing.toolbox import Toolbox
from tests.crashes.worlds import CALLS, WORLDS, Do, Twice, World, effects
from tests.kit import program
from tests.tables import assert_tables_follow

EVERY = int(os.environ.get("FAULTS_EVERY", "20"))

all_worlds = pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)


@all_worlds
def test_a_run_killed_at_any_write_ends_as_if_it_had_not_been(world: Callable[[], World]) -> None:
    subject = world().subject
    everywhere = Everywhere(subject, setup=CALLS.clear, between=assert_tables_follow, every=EVERY)
    report = everywhere.run()
    assert report.ok, str(report)
    assert report.unsettled == ()
    assert report.crashes >= report.writes // EVERY
    for what in everywhere.expected:
        if what.startswith("effects of"):
            assert everywhere.expected[what] in ("2 times", "3 times"), what


@all_worlds
def test_a_fork_of_what_a_killed_process_left_has_no_effect_and_is_whole(
    world: Callable[[], World],
) -> None:
    subject = world().subject

    def finish_fork(store: FaultStore) -> None:
        if not store.head().seq:
            return
        before, fork, toolbox = list(CALLS), FaultStore(), Toolbox()
        fork_store(store, store.head().seq, fork)
        fork = fork.successor()
        life = subject.process(fork, FakeClock(), toolbox, 1)
        assert life.error is None
        assert audit_store(fork.successor()) == []
        assert_tables_follow(fork.successor())
        assert {done.tool.effect for done in toolbox.done} <= {"read"}
        CALLS[:] = before

    for at in range(3, 300, 2 * EVERY):
        CALLS.clear()
        course = subject.live([Fault(at)], Toolbox(), between=finish_fork)
        if not course.crashes:
            break


def test_timers_that_are_due_at_one_moment_all_fire_wherever_their_process_dies() -> None:
    subject = Subject(program(Child("twice", Twice)), [("/r/twice", Do("set"))])
    everywhere = Everywhere(subject, between=assert_tables_follow)
    report = everywhere.run()
    assert report.ok, str(report)
    assert everywhere.expected["worlds.do handled by /r/twice"] == "3 times"


def compacted(store: FaultStore) -> None:
    """Drop all that a process has left of history, killed at each write of that before."""
    twin = store
    for at in count(1):
        twin = twin.successor(Fault(at))
        if compact(twin):
            twin.copy_to(store)
            return


def compact(store: FaultStore) -> bool:
    """Compact a ledger up to its head; False if its process was killed."""
    try:
        for group in groups(store, plan(store, store.head().seq)) if store.head().seq else ():
            store.commit(group)
    except Died:
        return False
    finally:
        assert audit_store(store.successor()) == []
        assert_tables_follow(store.successor())
    return True


@all_worlds
def test_a_run_compacted_after_each_of_its_processes_ends_as_if_it_had_not_been(
    world: Callable[[], World],
) -> None:
    subject = world().subject
    whole = came_to(subject, [])
    for at in range(14, 300, 3 * EVERY):
        found = came_to(subject, [Fault(at), Fault(3)], between=compacted)
        if "crashes" not in found:
            break
        assert not_counted(found) == not_counted(whole), at


def came_to(subject: Subject, faults: list[Fault], **options: Any) -> dict[str, str]:
    """What a run with faults comes to; its ledger is whole."""
    CALLS.clear()
    toolbox = Toolbox()
    course = subject.live(faults, toolbox, **options)
    assert audit_store(course.store) == []
    found = end_of(course.store) | effects_of(toolbox)
    return found | ({"crashes": str(course.crashes)} if course.crashes else {})


def not_counted(end: dict[str, str]) -> dict[str, str]:
    """What a run came to, without what only records that are dropped would say."""
    return {k: v for k, v in end.items() if " handled by " not in k and k != "crashes"}


@pytest.mark.parametrize("kind", ["full", "once"])
def test_a_disk_that_refuses_ends_the_process_and_what_it_held_goes_on_when_there_is_room(
    kind: str,
) -> None:
    subject = effects().subject
    whole = came_to(subject, [])
    for at in range(1, 300, 3 * EVERY):
        faults = [Fault(at, kind), Fault(1, kind)]  # type: ignore[arg-type]
        found = came_to(subject, faults, between=assert_tables_follow)
        if "crashes" not in found:
            break
        assert found.pop("crashes") == "2"  # the disk is as full for the process after it
        assert found == whole
