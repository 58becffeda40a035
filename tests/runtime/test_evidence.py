"""Evidence: why a record is there is told from the journal, without reading all of it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from perdure import Actor, Child, message
from perdure.errors import AskTimeout, LedgerDamaged, UsageError
from perdure.ledger.causes import Causes
from perdure.ledger.group import blob_digest
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Ask, Birth, Crash, Post, Record, Release, Status, Turn
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


# --- answers


class Asker(Actor):
    async def on_receive(self, message: str) -> None:
        for name in ("one", "two"):
            with suppress(AskTimeout):
                await self.ask(f"/r/{name}", "?", timeout=5.0)
            self.tell("/r/log", name)
            await self.sleep(10.0)


class Answering(Actor):
    async def on_receive(self, message: str) -> str:
        if message == "?" and self.address == "/r/two":
            await self.sleep(7.0)
        return message


@pytest.fixture(scope="module")
def asked() -> View:
    """A journal in which `/r/one` answers, and `/r/two` too late."""
    store = MemoryStore()
    children = [Child(name, Answering) for name in ("one", "two", "log")]
    with running(program(Child("asker", Asker), *children), store) as run:
        run.tell("/r/asker", "go").get(timeout=SECONDS)
        settle(run)
    return View(store.reopened())


def of_actor(view: View, address: str, kind: type[Any]) -> list[Record]:
    id = view.find(address)
    return [r for r in view.records() if isinstance(r.body, kind) and r.body.actor == id]


def test_an_answer_led_to_what_the_asker_did_after_it(asked: View) -> None:
    closing = of_actor(asked, "/r/asker", Turn)[-1]
    answer = of_actor(asked, "/r/one", Turn)[-1]
    found = evidence(asked, closing.seq)
    asks = of_actor(asked, "/r/asker", Ask)
    assert found.answers == (("ask /r/one#1", answer.seq),)
    seqs = [record.seq for record in found.causes]
    assert seqs == [answer.seq, asks[0].seq, closing.body.message[0]]
    assert found.is_complete


def test_an_answer_that_came_too_late_led_to_nothing(asked: View) -> None:
    late = of_actor(asked, "/r/two", Turn)[-1]
    closing = of_actor(asked, "/r/asker", Turn)[-1]
    assert late.seq < closing.seq
    assert late.seq not in {record.seq for record in evidence(asked, closing.seq).causes}


def test_what_was_done_before_an_answer_was_not_caused_by_it(asked: View) -> None:
    first_ask = of_actor(asked, "/r/asker", Ask)[0]
    assert evidence(asked, first_ask.seq).answers == ()
    assert len(evidence(asked, first_ask.seq).causes) == 1


def test_the_causes_are_what_a_whole_reading_finds_to_have_happened_before(asked: View) -> None:
    causes, after = Causes(), dict[int, tuple[int, ...]]()
    for record in asked.records():
        after[record.seq] = causes.add(record).after
    for record in asked.records():
        earlier, ahead = set[int](), list(after[record.seq])
        while ahead:
            seq = ahead.pop()
            if seq not in earlier:
                earlier.add(seq)
                ahead += after[seq]
        assert {each.seq for each in evidence(asked, record.seq).causes} <= earlier


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
