"""Evidence: why a record is there is told from the journal, without reading all of it."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, message
from perdure.errors import LedgerDamaged, UsageError
from perdure.ledger.causes import Causes
from perdure.ledger.group import blob_digest
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Birth, Crash, Post, Record, Release, Status, Turn
from perdure.runtime.evidence import cause, evidence
from perdure.runtime.view import View
from tests.kit import SECONDS, program, running, settle
from tests.lived import lived


def view() -> View:
    return View(lived())


def first(kind: type[Any], **fields: Any) -> Record:
    """The first record of a kind that has these fields."""
    return next(
        record
        for record in view().records()
        if isinstance(record.body, kind)
        and all(getattr(record.body, name) == value for name, value in fields.items())
    )


def made() -> Record:
    """The turn of `/r/mixer` that made an artifact."""
    return next(r for r in view().records() if isinstance(r.body, Turn) and r.body.artifacts)


def test_a_turn_has_its_message_and_the_digest_of_its_bytes() -> None:
    turn = made()
    found = evidence(view(), turn.seq)
    assert found.input is not None
    assert found.input.id == turn.body.message
    sent = view().record(turn.body.message[0]).body.sends[turn.body.message[1]]
    assert found.input.digest == blob_digest(sent[1])
    assert found.input.sender == 0


def test_a_turn_has_the_state_hashes_before_and_after() -> None:
    turn = made()
    found = evidence(view(), turn.seq)
    before: Any = view().record(turn.body.previous).body
    assert (found.before, found.after) == (before.state_hash, turn.body.state_hash)
    born = next(r for r in view().records() if isinstance(r.body, Turn) and r.body.previous == 3)
    assert evidence(view(), born.seq).before == bytes(16)


def test_a_crash_left_the_state_as_it_was() -> None:
    crash = next(r for r in view().records() if isinstance(r.body, Crash) and r.body.actor == 5)
    found = evidence(view(), crash.seq)
    assert found.before == found.after == evidence(view(), made().seq).after


def test_a_turn_has_the_steps_that_its_attempts_recorded() -> None:
    found = evidence(view(), made().seq)
    names = [type(step.body).__name__ for step in found.steps]
    assert names == ["Intent", "Result", "Intent", "Result"]
    assert found.is_whole


def test_a_crash_has_the_steps_of_its_attempt() -> None:
    crash = next(r for r in view().records() if isinstance(r.body, Crash) and r.body.actor == 5)
    steps = evidence(view(), crash.seq).steps
    assert [type(step.body).__name__ for step in steps] == ["Intent", "Result"]
    assert {step.body.message for step in steps} == {crash.body.message}  # type: ignore[union-attr]


def test_the_causes_lead_back_to_the_first_message() -> None:
    crash = next(r for r in view().records() if isinstance(r.body, Crash) and r.body.actor != 5)
    causes = evidence(view(), crash.seq).causes
    assert [type(record.body) for record in causes] == [Turn, Post]
    assert [record.seq for record in causes] == [made().seq, made().body.message[0]]


def test_it_agrees_with_the_causes_that_a_whole_reading_finds() -> None:
    causes = Causes()
    for record in view().records():
        stamp = causes.add(record)
        if not isinstance(record.body, Birth) or record.body.parent:
            assert cause(view(), record) == stamp.cause


def test_an_artifact_and_a_finish_lead_to_their_turns() -> None:
    assert cause(view(), first(Release)) == made().seq
    assert cause(view(), first(Status)) == 0  # nobody finished that run


def test_a_record_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no record 9999: the journal has records 1 to"):
        evidence(view(), 9_999)


# --- long histories


@message
class Ball:
    left: int


class Player(Actor):
    hits: int = 0

    async def on_receive(self, message: Ball) -> None:
        self.hits += 1
        if message.left:
            self.tell(self.address, Ball(message.left - 1))


class Counting(View):
    """A view that counts the records it reads one by one, and those it reads in a row."""

    ones = 0

    def record(self, seq: int) -> Record:
        self.ones += 1
        return super().record(seq)


@pytest.fixture(scope="module")
def rally() -> MemoryStore:
    store = MemoryStore()
    with running(program(Child("one", Player), Child("two", Player)), store) as run:
        run.tell("/r/one", Ball(1_500)).get(timeout=SECONDS)
        run.tell("/r/two", Ball(1_500)).get(timeout=SECONDS)
        settle(run)
    return store.reopened()


def test_of_a_long_chain_the_nearest_causes_are_kept_and_the_first(rally: MemoryStore) -> None:
    seen = Counting(rally)
    last = [r.seq for r in seen.records() if isinstance(r.body, Turn)][-1]
    found = evidence(seen, last)
    assert (len(found.causes), found.left_out) == (1_001, 500)
    assert isinstance(found.causes[-1].body, Post)
    assert seen.ones < 1_600  # the chain, and nothing of the other player


def test_a_step_far_from_its_message_is_looked_for_in_its_own_turn(
    rally: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.runtime.evidence.WHY_RECORDS_MAX", 1)
    seen = View(rally)
    last = [r.seq for r in seen.records() if isinstance(r.body, Turn)][-1]
    assert evidence(seen, last).is_whole
    assert not evidence(view(), made().seq).is_whole


def test_a_message_that_no_record_sent_is_damage() -> None:
    class Forged(View):
        def record(self, seq: int) -> Record:
            record = super().record(seq)
            if seq == made().seq:
                record = record._replace(body=record.body._replace(message=(1, 0)))
            return record

    with pytest.raises(LedgerDamaged, match=r"record 1 should hold message 1\.0"):
        evidence(Forged(lived()), made().seq)
