"""Why a record is there: what it is about, what its actor knew, and what led to it.

Each answer costs what it tells: records name what caused them, and the journal is not read but for
a stretch before the record in which its own steps are.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from perdure.errors import LedgerDamaged
from perdure.ids import MessageId
from perdure.ledger import keys, records, rows
from perdure.ledger.blobs import content_digest
from perdure.ledger.journal import read_record, send_of, sender_of
from perdure.ledger.past import chain
from perdure.ledger.records import Body, Record
from perdure.ledger.rows import unpack_row
from perdure.limits import READ_ROWS_MAX, WHY_CAUSES_KEPT_MAX, WHY_RECORDS_MAX
from perdure.runtime.history import newest
from perdure.runtime.view import View

NO_HASH = bytes(16)


class Input(NamedTuple):
    """The message that a record is about; `digest` is blake2b-256 of its bytes."""

    id: MessageId
    sender: int
    digest: bytes


class Evidence(NamedTuple):
    """All that is known of why a record is there.

    `before` and `after` are state hashes of its actor. `steps` are the records of earlier attempts
    and steps at the same message, all of them if `is_whole`. `causes` lead back, nearest first, and
    end at what nothing in this run caused; `left_out` of them in the middle are not kept.
    """

    record: Record
    input: Input | None
    before: bytes | None
    after: bytes | None
    steps: tuple[Record, ...]
    is_whole: bool
    causes: tuple[Record, ...]
    left_out: int


def evidence(view: View, seq: int) -> Evidence:
    """Why the record `seq` is there. Raises `UsageError` for one that there is not."""
    record = view.record(seq)
    before, after = _hashes(view, record)
    steps, is_whole = _steps(view, record)
    near: list[Record] = []
    last, number = None, 0
    for number, last in enumerate(_causes(view, record), 1):
        if number <= WHY_CAUSES_KEPT_MAX:
            near.append(last)
    if last is not None and near[-1] is not last:
        near.append(last)
    causes = tuple(near)
    return Evidence(
        record, _input(view, record.body), before, after, steps, is_whole, causes,
        number - len(causes),
    )  # fmt: skip


def _input(view: View, body: Body) -> Input | None:
    id = getattr(body, "message", None)
    if id is None:
        return None
    sending = view.record(id[0]).body
    if id[1] >= len(sending.sends):
        raise LedgerDamaged(f"record {id[0]} should hold message {MessageId(*id)}.", id[0])
    send = send_of(sending, id[1])
    return Input(MessageId(*id), sender_of(sending, send), content_digest(send.body))


def _hashes(view: View, record: Record) -> tuple[bytes | None, bytes | None]:
    """The state hashes before and after; None for a record that is of no actor."""
    body = record.body
    actor = getattr(body, "actor", 0)
    if not actor:
        return None, None
    if isinstance(body, records.Turn | records.Restore):
        if body.previous == actor:
            return NO_HASH, body.state_hash
        before: Any = view.record(body.previous).body
        return before.state_hash, body.state_hash
    for earlier, changed in chain(view.record, actor, newest(view, actor)):
        if earlier.seq < record.seq:
            return changed.state_hash, changed.state_hash
    return NO_HASH, NO_HASH


# --- what came before it in its own turn


def _steps(view: View, record: Record) -> tuple[tuple[Record, ...], bool]:
    """What was recorded of the same message before, oldest first, and whether that is all."""
    body: Any = record.body
    message = getattr(body, "message", None)
    if message is None or isinstance(body, records.Late):
        return (), True
    floor = message[0]
    if isinstance(body, records.Turn) and body.attempt == 1:
        floor = max(floor, body.previous)
    found = [
        earlier
        for earlier in _backwards(view, record.seq - 1, floor + 1)
        if getattr(earlier.body, "message", None) == message
    ]
    return tuple(reversed(found)), record.seq - 1 - floor <= WHY_RECORDS_MAX


def _backwards(view: View, last: int, first: int) -> Iterator[Record]:
    """The records from `last` back to `first`, but not more than are looked at."""
    first = max(first, last - WHY_RECORDS_MAX + 1, 1)
    while last >= first:
        start = max(first, last - READ_ROWS_MAX + 1)
        chunk = [read_record(raw) for raw in view.store.records(start, last)]
        yield from reversed(chunk)
        last = start - 1


# --- what led to it


def _causes(view: View, record: Record) -> Iterator[Record]:
    """The cause of a record, the cause of that, and so on."""
    while True:
        seq = cause(view, record)
        if not seq:
            return
        record = view.record(seq)
        yield record


def cause(view: View, record: Record) -> int:
    """The record that led to this one, mostly by a message; 0 if none is known."""
    body, seq = record.body, record.seq
    match body:
        case records.Timer():
            return body.timer[0]
        case records.Post():
            return body.requeued[0] if body.requeued is not None else 0
        case records.Release():
            raw = view.store.get(keys.artifact_key(body.path))
            row = None if raw is None else unpack_row(rows.ArtifactRow, raw)
            return row.seq if row and row.digest == body.digest and row.seq < seq else 0
        case records.Birth():
            return _last(view, seq, partial(_is_of, body.parent)) or body.parent
        case records.Status() if body.result is not None:
            return _last(view, seq, _finishes)
        case _:
            message = getattr(body, "message", None)
            return message[0] if message is not None else 0


def _last(view: View, before: int, wanted: Any) -> int:
    """The last record before one that is wanted, if it is near."""
    return next((each.seq for each in _backwards(view, before - 1, 1) if wanted(each.body)), 0)


def _is_of(actor: int, body: Body) -> bool:
    return actor != 0 and getattr(body, "actor", 0) == actor


def _finishes(body: Body) -> bool:
    return isinstance(body, records.Turn) and body.finish is not None
