"""A crash at each write of runs that do everything: they all end as if there had been none.

The suite takes a sample of the writes; `make faults` takes each.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from perdure import FakeClock
from perdure.ledger.audit import audit_store
from perdure.ledger.faults import Fault, FaultStore
from perdure.runtime.fork import fork_store
from perdure.testing.ends import effects_of, end_of
from perdure.testing.everywhere import Everywhere
from perdure.testing.toolbox import Toolbox
from tests.crashes.worlds import CALLS, WORLDS, World, effects
from tests.tables import assert_tables_follow

EVERY = int(os.environ.get("FAULTS_EVERY", "12"))

all_worlds = pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)


@all_worlds
def test_a_run_killed_at_any_write_ends_as_if_it_had_not_been(world: Callable[[], World]) -> None:
    subject = world().subject
    everywhere = Everywhere(subject, setup=CALLS.clear, between=assert_tables_follow, every=EVERY)
    report = everywhere.run()
    assert report.ok, report
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


@pytest.mark.parametrize("kind", ["full", "once"])
def test_a_disk_that_refuses_ends_the_process_and_what_it_held_goes_on_when_there_is_room(
    kind: str,
) -> None:
    subject = effects().subject
    CALLS.clear()
    toolbox = Toolbox()
    whole = end_of(subject.live([], toolbox).store) | effects_of(toolbox)
    for at in range(1, 300, 3 * EVERY):
        CALLS.clear()
        toolbox = Toolbox()
        faults = [Fault(at, kind), Fault(1, kind)]  # type: ignore[arg-type]
        course = subject.live(faults, toolbox, between=assert_tables_follow)
        if not course.crashes:
            break
        assert course.crashes == 2  # the disk is as full for the process after it
        assert audit_store(course.store) == []
        assert end_of(course.store) | effects_of(toolbox) == whole
