"""Causes: Lamport's clocks over the records of a run, and which record led to which."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from perdure import Actor, Child, Run, message
from perdure.ledger.causes import Causes, Stamp
from perdure.ledger.journal import read_record
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Ask, Birth, Crash, Post, Record, Release, Timer, Turn
from tests.kit import SECONDS, advance, program, running, settle
from tests.lived import lived


def stamped(store: MemoryStore) -> list[tuple[Record, Stamp]]:
    causes = Causes()
    return [(record, causes.add(record)) for record in map(read_record, store.records())]


def of(stamps: list[tuple[Record, Stamp]], kind: type[Any]) -> list[tuple[Record, Stamp]]:
    return [pair for pair in stamps if isinstance(pair[0].body, kind)]


@message
class Word:
    text: str


class Asker(Actor):
    heard: str = ""

    async def on_receive(self, message: Word) -> None:
        self.heard = await self.ask("/r/oracle", message)
        if message.text == "nobody":
            await self.ask("/r/nobody", message)


class Oracle(Actor):
    asked: int = 0

    async def on_receive(self, message: Word) -> str:
        self.asked += 1
        return message.text.upper()


@pytest.fixture(scope="module")
def asked() -> MemoryStore:
    store = MemoryStore()
    with running(program(Child("asker", Asker), Child("oracle", Oracle)), store) as run:
        run.tell("/r/asker", Word("why")).get(timeout=SECONDS)
        settle(run)
    return store.reopened()


# --- the clock


@pytest.mark.parametrize("which", ["lived", "asked"])
def test_a_clock_is_greater_than_that_of_all_that_happened_before(
    which: str, asked: MemoryStore
) -> None:
    stamps = stamped(lived() if which == "lived" else asked)
    clocks = {stamp.seq: stamp.clock for _, stamp in stamps}
    for _, stamp in stamps:
        assert stamp.clock == 1 + max((clocks[seq] for seq in stamp.after), default=0)
        assert stamp.cause in (0, *stamp.after)
        assert all(seq < stamp.seq for seq in stamp.after)


def test_the_records_of_one_actor_are_numbered_and_in_the_order_of_their_clocks() -> None:
    by_actor: dict[int, list[Stamp]] = {}
    for _, stamp in stamped(lived()):
        if stamp.actor:
            by_actor.setdefault(stamp.actor, []).append(stamp)
    assert len(by_actor) >= 4
    for stamps in by_actor.values():
        assert [stamp.number for stamp in stamps] == list(range(1, len(stamps) + 1))
        clocks = [stamp.clock for stamp in stamps]
        assert clocks == sorted(set(clocks))
        assert all(a.seq in b.after for a, b in pairwise(stamps))


def test_what_has_no_cause_in_common_is_concurrent() -> None:
    """Two posts from outside: neither happened before the other, whatever their numbers."""
    posts = [stamp for r, stamp in of(stamped(lived()), Post) if r.body.origin == "outside"]
    assert len(posts) == 2
    assert posts[0].clock == posts[1].clock
    assert {stamp.cause for stamp in posts} == {0}


# --- causes


def test_a_turn_is_caused_by_the_record_that_sent_its_message() -> None:
    turns = of(stamped(lived()), Turn)
    assert turns
    assert all(stamp.cause == record.body.message[0] for record, stamp in turns)


def test_a_crash_and_the_next_attempt_have_one_cause_and_their_order() -> None:
    crash, stamp = of(stamped(lived()), Crash)[0]
    assert stamp.cause == crash.body.message[0]


def test_a_birth_is_caused_by_what_its_parent_did_last() -> None:
    pairs = of(stamped(lived()), Birth)
    first, stamp = pairs[0]
    assert (first.body.parent, stamp.cause) == (0, 2)  # the process that began the run
    assert all(stamp.cause >= record.body.parent for record, stamp in pairs[1:])


def test_an_artifact_in_place_is_caused_by_the_turn_that_made_it() -> None:
    stamps = stamped(lived())
    (made,) = [r.seq for r, _ in of(stamps, Turn) if r.body.artifacts]
    ((_, stamp),) = of(stamps, Release)
    assert stamp.cause == made


def test_who_asked_goes_on_after_the_answer(asked: MemoryStore) -> None:
    stamps = stamped(asked)
    ((ask, _),) = of(stamps, Ask)
    (answer,) = [r.seq for r, _ in of(stamps, Turn) if r.body.answer is not None]
    closing = next(stamp for r, stamp in of(stamps, Turn) if r.body.message == ask.body.message)
    assert answer in closing.after
    assert closing.cause == ask.body.message[0]


def test_a_message_on_a_timer_is_caused_by_the_turn_that_set_it() -> None:
    class Later(Actor):
        async def on_receive(self, message: Word) -> None:
            if message.text == "first":
                self.tell(self.address, Word("then"), delay=60.0)

    store = MemoryStore()
    with running(program(Child("later", Later)), store) as run:
        run.tell("/r/later", Word("first")).get(timeout=SECONDS)
        settle(run)
        advance(run, 61.0)
        settle(run)
    stamps = stamped(store.reopened())
    ((timer, stamp),) = of(stamps, Timer)
    setting = next(r.seq for r, _ in of(stamps, Turn) if r.body.sends and r.body.sched[2])
    assert stamp.cause == timer.body.timer[0] == setting
    last, caused = of(stamps, Turn)[-1]
    assert caused.cause == last.body.message[0] == timer.seq


def test_it_forgets_what_can_be_a_cause_no_more() -> None:
    class Pong(Actor):
        async def on_receive(self, message: Word) -> None:
            if len(message.text) < 500:
                self.tell(self.address, Word(message.text + "."))

    store = MemoryStore()
    with Run(program(Child("pong", Pong)), store=store, seed=1) as run:
        run.tell("/r/pong", Word("")).get(timeout=SECONDS)
        settle(run)
    causes, most = Causes(), 0
    for raw in store.reopened().records():
        causes.add(read_record(raw))
        most = max(most, len(causes._sent) + len(causes._answers) + len(causes._made))
    assert most < 10
