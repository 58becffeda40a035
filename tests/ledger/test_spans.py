"""Spans: what the records between two points did is the difference of the folds at both."""

from __future__ import annotations

import copy
from collections import Counter
from functools import cache

import pytest

from perdure import Actor, Child, FakeClock, Run, message
from perdure.ledger.fold import Fold
from perdure.ledger.journal import read_record
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Crash, Lane, Post, Record, Status, Turn
from perdure.ledger.spans import Span
from tests.kit import program
from tests.lived import lived


@cache
def journal() -> list[Record]:
    return [read_record(raw) for raw in lived().records()]


@cache
def folds() -> list[Fold]:
    """The fold after each record, from none on."""
    fold, found = Fold(), [Fold()]
    for record in journal():
        fold.add(record)
        found.append(copy.deepcopy(fold))
    return found


def span(first: int, last: int) -> Span:
    found = Span()
    for record in journal()[first:last]:
        found.add(record)
    return found


def waiting(fold: Fold) -> set[tuple[int, int]]:
    return {id for id, each in fold.waiting.items() if each.lane == Lane.USER}


POINTS = [(a, b) for a in range(0, len(journal()) + 1, 3) for b in range(a, len(journal()) + 1, 4)]


@pytest.mark.parametrize(("first", "last"), POINTS)
def test_a_span_is_the_difference_of_two_folds(first: int, last: int) -> None:
    between, before, after = span(first, last), folds()[first], folds()[last]
    assert between.born.keys() == after.agents.keys() - before.agents.keys()
    for id, agent in after.agents.items():
        then = before.agents.get(id)
        assert between.crashes[id] == agent.crashes - (then.crashes if then else 0)
        assert between.restarts[id] == agent.restarts - (then.restarts if then else 0)
        assert between.turns[id] == agent.turns - (then.turns if then else 0)
        if id in between.lives:
            assert between.lives[id] == (agent.incarnation, agent.life)
        elif then is not None:
            assert (then.incarnation, then.life) == (agent.incarnation, agent.life)
        if id not in between.changed and then is not None:
            assert agent.state_hash == then.state_hash
    assert between.arrived.keys() == waiting(after) - waiting(before)
    assert between.gone.keys() == before.waiting.keys() - after.waiting.keys()
    assert between.timers == after.timers.keys() - before.timers.keys()
    assert between.fired == before.timers.keys() - after.timers.keys()
    assert between.dead.keys() == after.dead.keys() - before.dead.keys()
    assert between.spent == after.spent - before.spent
    assert between.reserved == after.reserved - before.reserved
    assert set(between.artifacts) == after.artifacts.keys() - before.artifacts.keys()


def test_the_points_see_some_of_everything() -> None:
    kinds = Counter(type(record.body) for record in journal())
    assert all(kinds[kind] for kind in (Turn, Crash, Post, Status))


def test_a_requeued_dead_letter_is_one_less() -> None:
    (id,) = folds()[-1].dead
    again = Post(0, (), "x", "requeue", id)
    within, after = span(0, len(journal())), Span()
    for each in (within, after):
        each.add(Record(len(journal()) + 1, b"", again))
    assert (within.dead, within.requeued) == ({}, set())
    assert (after.dead, after.requeued) == ({}, {id})


def test_a_mark_is_noted_with_its_record() -> None:
    at = next(i for i, record in enumerate(journal()) if isinstance(record.body, Turn))
    turn = journal()[at]
    marked = Span()
    marked.add(turn._replace(body=turn.body._replace(marks=("draft",))))
    assert marked.marks == {"draft": turn.seq}


@message("spans.wait")
class Wait:
    pass


class Waiter(Actor):
    async def on_receive(self, message: Wait) -> None:
        await self.ask("../other", Wait(), timeout=60)
        self.tell("../other", Wait(), delay=3_600)
        self.tell("../gone", Wait(), delay=3_600)


class Other(Actor):
    async def on_receive(self, message: Wait) -> None:
        return None


def test_timers_are_messages_to_come_and_not_the_ends_of_waits() -> None:
    store = MemoryStore()
    parts = [Child(name, Other) for name in ("other", "gone")]
    still = FakeClock(jumps=False)
    with Run(program(Child("waiter", Waiter), *parts), store=store, clock=still) as run:
        run.ask("/r/waiter", Wait())
        run.cancel("/r/gone")
    found, fold = Span(), Fold()
    for raw in store.reopened().records():
        found.add(read_record(raw))
        fold.add(read_record(raw))
    assert fold.timers.keys() == found.timers
    assert len(found.timers) == 1  # a cancel ends what is to come for whom it cancels
