"""The audit: silent on a whole ledger, and each kind of wrong is named at its record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from perdure.ledger import keys, records
from perdure.ledger.audit import audit, audit_store
from perdure.ledger.folded import Violation
from perdure.ledger.group import Row
from perdure.ledger.images import Image
from perdure.ledger.journal import read_record
from perdure.ledger.keys import Table
from perdure.ledger.records import Lane, Record, Send
from perdure.ledger.rows import (
    ActorRow,
    ArtifactRow,
    BudgetRow,
    DeadRow,
    StateRow,
    StatusRow,
    pack_row,
    unpack_row,
)
from perdure.ledger.values import Codec
from tests.lived import lived

Journal = list[Record]
Tables = dict[bytes, bytes]


def journal() -> Journal:
    return [read_record(raw) for raw in lived().records()]


def tables() -> Tables:
    return dict(lived().scan(b""))


def found(records: Journal, rows: Tables) -> list[str]:
    return [wrong.text for wrong in audit(records, rows.items(), set(lived().digests()))]


def of_kind(journal: Journal, kind: type[Any]) -> list[int]:
    """Where records of a kind are in the journal."""
    return [i for i, record in enumerate(journal) if isinstance(record.body, kind)]


def changed(journal: Journal, at: int, **fields: Any) -> Journal:
    record = journal[at]
    body = record.body._replace(**fields)
    return [*journal[:at], record._replace(body=body), *journal[at + 1 :]]


def key_of(table: Table, number: int = 0) -> bytes:
    return [key for key in tables() if key[0] == table][number]


def user_turn(journal: Journal, address: str) -> int:
    """Where the first turn of a message in the user lane is, of the actor at that address."""
    births = {r.body.address: r.seq for r in journal if isinstance(r.body, records.Birth)}
    return next(
        i
        for i in of_kind(journal, records.Turn)
        if journal[i].body.actor == births[address]
        and Send(*journal[journal[i].body.message[0] - 1].body.sends[0]).lane == Lane.USER
    )


def test_a_whole_ledger_has_no_violations() -> None:
    assert audit_store(lived()) == []


def test_an_empty_ledger_is_whole() -> None:
    assert audit([], []) == []


# --- the journal


def test_a_missing_record_is_named_by_the_one_after_it() -> None:
    whole = journal()
    assert Violation(5, "it follows record 3") in audit(whole[:3] + whole[4:], [])


def test_a_message_is_consumed_once() -> None:
    whole = journal()
    at = user_turn(whole, "/r/mixer")
    again = whole[at]._replace(seq=len(whole) + 1)
    texts = found([*whole, again], tables())
    assert any("/r/mixer consumes message" in text for text in texts)


def test_a_message_is_consumed_by_the_actor_it_was_for() -> None:
    whole = journal()
    at = user_turn(whole, "/r/mixer/child")
    bad = next(r.seq for r in whole if getattr(r.body, "address", "") == "/r/bad")
    texts = found(changed(whole, at, actor=bad), tables())
    assert any("/r/bad consumes message" in text for text in texts)


def test_messages_of_a_pair_keep_their_order() -> None:
    whole = journal()
    at = user_turn(whole, "/r/mixer")
    seq, index = whole[at].body.message
    other = [Send(*w).to for r in whole for w in r.body.sends if Send(*w).lane == Lane.USER]
    assert other.count(whole[at].body.actor) == 2  # the second one waits
    second = max(
        (r.seq, i)
        for r in whole
        for i, w in enumerate(r.body.sends)
        if Send(*w)[0] == whole[at].body.actor and Send(*w).lane == Lane.USER
    )
    texts = found(changed(whole, at, message=second), tables())
    wanted = f"message {second[0]}.{second[1]} is consumed before message {seq}.{index}"
    assert f"{wanted} of the same sender" in texts


def test_an_old_incarnation_ends_no_turn() -> None:
    whole = journal()
    at = user_turn(whole, "/r/mixer")
    texts = found(changed(whole, at, incarnation=0), tables())
    assert "incarnation 0 of /r/mixer ends a turn, and 1 lives" in texts


def test_an_actor_that_is_down_ends_no_turn() -> None:
    whole = journal()
    at = user_turn(whole, "/r/mixer/child")
    birth = next(i for i in of_kind(whole, records.Birth) if whole[i].seq == whole[at].body.actor)
    texts = found(changed(whole, birth, life=int(records.Life.DOWN)), tables())
    assert "/r/mixer/child ends a turn and is DOWN" in texts


def test_a_state_hash_follows_from_its_delta() -> None:
    whole = journal()
    at = user_turn(whole, "/r/mixer")
    texts = found(changed(whole, at, delta=whole[at].body.delta[1:]), tables())
    assert "the state hash of /r/mixer does not follow from its delta" in texts


def test_tokens_never_exceed_their_limit() -> None:
    texts = found(changed(journal(), 0, tokens_limit=9), tables())
    assert "5 tokens are spent and 5 reserved, of 9" in texts


def test_ledger_time_does_not_go_back() -> None:
    whole = journal()
    now = whole[-2].body.time
    wrong = audit(changed(whole, len(whole) - 1, time=now - 1), tables().items())
    assert Violation(whole[-1].seq, f"ledger time goes back from {now} to {now - 1} ns") in wrong


def test_a_step_belongs_to_a_message_that_waits() -> None:
    whole = journal()
    at = of_kind(whole, records.Intent)[0]
    texts = found(changed(whole, at, message=(1, 0)), tables())
    assert "a step of message 1.0, which does not wait at /r/mixer" in texts


def test_only_a_dead_letter_is_requeued() -> None:
    whole = journal()
    at = of_kind(whole, records.Post)[-1]
    texts = found(changed(whole, at, requeued=(1, 0)), tables())
    assert "message 1.0 is requeued, and is no dead letter" in texts


def test_the_bytes_of_an_artifact_are_there() -> None:
    wrong = audit(journal(), tables().items(), set())
    assert [each.text for each in wrong] == [
        "the bytes of artifact weights.txt are not in the ledger"
    ]


# --- the tables


_ROWS_THAT_MUST_BE = [table for table in Table if table not in (Table.DELTA, Table.UNRELEASED)]


@pytest.mark.parametrize("table", _ROWS_THAT_MUST_BE)
def test_a_row_that_is_gone_is_missed(table: Table) -> None:
    rows = tables()
    del rows[key_of(table)]
    assert any(f"table {table.name} has no row of" in text for text in found(journal(), rows))


@pytest.mark.parametrize(
    "key",
    [
        keys.actor_key(999),
        keys.name_key("/r/ghost"),
        keys.inbox_key(5, Lane.USER, 12, 0),
        keys.step_key(5, 1, 0, "text.weigh#1"),
        keys.timer_key(1, 12, 0),
        keys.dead_key(12, 0),
        keys.child_key(3, 999),
        keys.watch_key(3, 999, ""),
        keys.artifact_key("ghost.txt"),
        keys.unreleased_key("weights.txt"),
        bytes([Table.RUN]) + b"ghost",
        b"\x50ghost",
    ],
)
def test_a_row_too_many_is_wrong(key: bytes) -> None:
    likeness = next((value for other, value in tables().items() if other[0] == key[0]), b"")
    texts = found(journal(), {**tables(), key: likeness})
    assert len(texts) == 1
    assert texts[0].startswith("a row of table ")


def rewritten(key: bytes, kind: Callable[..., Any], **fields: Any) -> Tables:
    rows = tables()
    return {**rows, key: pack_row(unpack_row(kind, rows[key])._replace(**fields))}


def row_of(address: str) -> int:
    return int.from_bytes(tables()[keys.name_key(address)], "big")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"life": 3}, "life 'DOWN', and the journal 'RUNNING'"),
        ({"incarnation": 7}, "incarnation 7, and the journal 2"),
        ({"attempts": 2}, "attempts 2, and the journal 1"),
        ({"crashes": 0}, "crashes 0, and the journal 1"),
        ({"restarts": 0}, "restarts 0, and the journal 1"),
    ],
)
def test_an_actor_row_says_what_the_journal_says(fields: dict[str, Any], said: str) -> None:
    rows = rewritten(keys.actor_key(row_of("/r/bad")), ActorRow, **fields)
    assert any(said in text for text in found(journal(), rows))


def test_a_state_row_says_what_the_deltas_say() -> None:
    key = keys.state_key(row_of("/r/mixer"))
    images = unpack_row(StateRow, tables()[key]).images
    images["weights"] = (Codec().encode({"salt": 5}), [])
    assert any(
        "['weights']" in text for text in found(journal(), rewritten(key, StateRow, images=images))
    )
    rows = rewritten(key, StateRow, state_hash=bytes(16))
    assert any("state hash" in text for text in found(journal(), rows))


def test_a_state_row_may_hold_the_same_value_in_other_bytes() -> None:
    key = keys.state_key(row_of("/r/mixer/child"))
    images = unpack_row(StateRow, tables()[key]).images
    assert images["heard"][0] == Codec().encode(1)
    images["heard"] = Image(b"\xd3" + (1).to_bytes(8, "big"), [])  # 1, written as a 64-bit int
    assert found(journal(), rewritten(key, StateRow, images=images)) == []


@pytest.mark.parametrize(
    ("table", "kind", "fields"),
    [
        (Table.DEAD, DeadRow, {"reason": "another"}),
        (Table.ARTIFACT, ArtifactRow, {"released": False}),
    ],
)
def test_other_rows_are_compared_whole(table: Table, kind: Any, fields: dict[str, Any]) -> None:
    assert len(found(journal(), rewritten(key_of(table), kind, **fields))) == 1


def test_the_rows_of_the_run_are_compared() -> None:
    rows = rewritten(keys.BUDGET_KEY, BudgetRow, spent=14)
    assert any("limit, spent, reserved (1000000, 14, 0)" in t for t in found(journal(), rows))
    rows = rewritten(keys.STATUS_KEY, StatusRow, status="finished")
    assert any("status 'finished', and the journal 'waiting'" in t for t in found(journal(), rows))


def test_violations_come_in_the_order_of_records() -> None:
    broken = changed(changed(journal(), 20, time=0), 8, time=0)
    rows: list[Row] = []
    seqs = [wrong.seq for wrong in audit(broken, rows)]
    assert seqs == sorted(seqs)
    assert str(audit(broken, rows)[0]).startswith("record 9: ledger time goes back")
