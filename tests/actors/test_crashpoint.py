"""Between two records: a group for each, and an end at the first one that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Run
from perdure.actors.crashpoint import EachRecord
from perdure.errors import CommitFailed
from perdure.ledger.faults import Fault, FaultStore
from perdure.ledger.group import Group, Head
from perdure.ledger.records import Kind
from tests.kit import SECONDS, program


class Parent(Actor, name="tests.crashpoint.parent"):
    async def on_receive(self, message: int) -> None:
        self.spawn(Born, "child")
        self.tell("child", message)


class Born(Actor, name="tests.crashpoint.born"):
    seen: int = 0

    async def on_start(self) -> None:
        self.seen = 1

    async def on_receive(self, message: int) -> None:
        self.seen += message


class Groups(FaultStore):
    """A store that knows which kinds of records each group had."""

    def __init__(self, fault: Fault | None = None) -> None:
        super().__init__(fault)
        self.groups: list[list[int]] = []

    def commit(self, group: Group, *args: Any) -> Head:
        self.groups.append([kind for kind, _ in group.records])
        return super().commit(group, *args)


def live(store: Groups) -> Run:
    """A run to its end, each record of which is a write."""
    run = Run(program(Child("parent", Parent)), store=store, clock=FakeClock(), seed=1)
    run.between = EachRecord(run.kernel)
    with run:
        run.kernel.outside.tell("/r/parent", 1)
        run.kernel.on_kernel(run._set_watch, lambda waiting: run.drain())
        assert run.kernel.ended.wait(SECONDS)
    return run


def test_each_record_is_a_group_but_for_the_beginning_and_a_birth_with_its_start() -> None:
    store = Groups()
    live(store)
    beginning, *others = store.groups
    assert beginning[0] == Kind.RUN
    assert [group for group in others if len(group) > 1] == [[Kind.BIRTH, Kind.POST]]


@pytest.mark.parametrize("kind", ["before", "after", "full", "once"])
@pytest.mark.parametrize("at", [2, 5, 8])
def test_a_process_that_cannot_write_comes_to_an_end_wherever_it_is(kind: Any, at: int) -> None:
    store = Groups(Fault(at, kind))
    run = live(store)
    assert store.has_struck
    with pytest.raises(CommitFailed, match="The last durable record is"):
        run.report()
