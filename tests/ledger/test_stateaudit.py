"""The audit of large states: of the snapshot, of each delta row, and of the blobs they refer to."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from perdure import Actor, Child, field
from perdure.ledger import keys
from perdure.ledger.audit import audit, audit_store
from perdure.ledger.blobs import digest_of
from perdure.ledger.group import blob_digest
from perdure.ledger.journal import read_record
from perdure.ledger.memory import MemoryStore
from perdure.ledger.rows import DeltaRow, StateRow, pack_row, unpack_row
from perdure.ledger.values import Codec
from tests.kit import SECONDS, program, running

Tables = dict[bytes, bytes]
TEXT = "x" * 10_000


class Keeper(Actor, name="tests.stateaudit.keeper"):
    """Keeps lines, and one text."""

    lines: list[str] = field(default_factory=list)
    text: str = ""

    async def on_receive(self, message: int) -> None:
        self.lines += [f"{len(self.lines) + i:09d}" for i in range(message)]
        self.text = TEXT


@cache
def kept() -> MemoryStore:
    """A ledger with a snapshot and deltas of one actor; nobody changes it."""
    store = MemoryStore()
    with running(program(Child("keeper", Keeper)), store) as run:
        for count in (300, 200, 200, 1, 1, 1):
            run.ask("/r/keeper", count, timeout=SECONDS)
    return store.reopened()


def tables() -> Tables:
    return dict(kept().scan(b""))


def keeper() -> int:
    return int.from_bytes(tables()[keys.name_key("/r/keeper")], "big")


def deltas() -> list[bytes]:
    return [key for key in tables() if key.startswith(keys.delta_prefix(keeper()))]


def found(rows: Tables, blobs: Any = None) -> list[str]:
    records = (read_record(raw) for raw in kept().records())
    there = set(kept().digests()) if blobs is None else blobs
    return [wrong.text for wrong in audit(records, sorted(rows.items()), there, kept().blob)]


def rewritten(key: bytes, kind: Callable[..., Any], **fields: Any) -> Tables:
    rows = tables()
    return {**rows, key: pack_row(unpack_row(kind, rows[key])._replace(**fields))}


def test_a_large_state_that_follows_from_its_deltas_is_whole() -> None:
    assert unpack_row(StateRow, tables()[keys.state_key(keeper())]).is_snapshot
    assert len(deltas()) > 1
    assert audit_store(kept()) == []


def test_a_delta_row_that_is_gone_is_missed() -> None:
    for gone in deltas():
        texts = found({key: value for key, value in tables().items() if key != gone})
        assert any("of /r/keeper it says" in text and "'lines'" in text for text in texts)


def test_a_snapshot_that_is_gone_is_missed_and_its_deltas_follow_nothing() -> None:
    rows = tables()
    del rows[keys.state_key(keeper())]
    texts = found(rows)
    assert "table STATE has no row of /r/keeper" in texts
    assert sum("has no snapshot that it could follow" in text for text in texts) == len(deltas())


def test_a_delta_row_from_before_the_snapshot_is_one_too_many() -> None:
    snapshot = unpack_row(StateRow, tables()[keys.state_key(keeper())])
    stale = keys.delta_key(keeper(), snapshot.seq - 1)
    row = DeltaRow(snapshot.seq - 2, 1, bytes(16), [("text", "=", Codec().encode(""))])
    (text,) = found({**tables(), stale: pack_row(row)})
    assert text.startswith("a row of table DELTA is wrong: it follows record")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"turns": 99}, "turns 99, and the journal 6"),
        ({"state_hash": bytes(16)}, "state hash '000"),
        ({"delta": [("text", "=", Codec().encode("y"))]}, "['lines', 'text'], and the journal []"),
    ],
)
def test_a_delta_row_says_what_the_journal_says(fields: dict[str, Any], said: str) -> None:
    texts = found(rewritten(deltas()[-1], DeltaRow, **fields))
    assert any(said in text for text in texts), texts


def test_a_delta_that_does_not_fit_is_wrong_and_no_crash() -> None:
    rows = rewritten(deltas()[-1], DeltaRow, delta=[("ghost", "append", b"\x01")])
    assert any("it does not fit its snapshot" in text for text in found(rows))


def test_a_blob_that_a_record_refers_to_is_there() -> None:
    digest = blob_digest(Codec().encode(TEXT))
    assert digest in set(kept().digests())
    texts = found(tables(), set(kept().digests()) - {digest})
    assert texts == [f"a value of {len(TEXT) + 3:,} bytes is not in the ledger"]


def test_a_value_in_other_bytes_is_the_same_value_by_reference_too() -> None:
    key = keys.state_key(keeper())
    images = dict(unpack_row(StateRow, tables()[key]).images)
    assert digest_of(images["text"][0]) == blob_digest(Codec().encode(TEXT))
    images["text"] = (Codec().encode(TEXT), [])
    assert found(rewritten(key, StateRow, images=images)) == []
    images["text"] = (Codec().encode(TEXT + "x"), [])
    assert any("['text']" in text for text in found(rewritten(key, StateRow, images=images)))
