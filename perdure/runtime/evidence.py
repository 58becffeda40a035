"""Why a record is there: what it is about, what its actor knew, and what led to it.

Each answer costs what it tells: records name what caused them, and the journal is not read but for
a stretch before the record in which its own steps are.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from heapq import heappop, heappush
from typing import Any, NamedTuple

from perdure.errors import Compacted, LedgerDamaged
from perdure.ids import MessageId
from perdure.ledger import keys, records, rows
from perdure.ledger.blobs import content_digest
from perdure.ledger.ground import ground
from perdure.ledger.journal import read_record, send_of, sender_of
from perdure.ledger.past import chain
from perdure.ledger.records import Body, Record, Send
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
    and steps at the same message, all of them if `is_whole`; `answers` are step keys, and records
    that answered what they asked. `causes` lead back, nearest first, by messages and answers, and
    end at what nothing in this run caused; `left_out` of them in the middle are not kept. Answers
    far back may not have been looked for: then `is_complete` is false.
    """

    record: Record
    input: Input | None
    before: bytes | None
    after: bytes | None
    steps: tuple[Record, ...]
    is_whole: bool
    causes: tuple[Record, ...]
    left_out: int
    answers: tuple[tuple[str, int], ...]
    is_complete: bool


def evidence(view: View, seq: int) -> Evidence:
    """Why the record `seq` is there. Raises `UsageError` for one that there is not."""
    record = view.record(seq)
    before, after = _hashes(view, record)
    steps, is_whole = _steps(view, record)
    near: list[Record] = []
    last, number, search = None, 0, Answers(view)
    for number, last in enumerate(_causes(view, record, search), 1):
        if number <= WHY_CAUSES_KEPT_MAX:
            near.append(last)
    if last is not None and near[-1] is not last:
        near.append(last)
    causes = tuple(near)
    return Evidence(
        record, _input(view, record.body), before, after, steps, is_whole, causes,
        number - len(causes), tuple(Answers(view).before(record)), search.is_whole,
    )  # fmt: skip


def _input(view: View, body: Body) -> Input | None:
    id = getattr(body, "message", None)
    if id is None:
        return None
    try:
        sending = view.record(id[0]).body
    except Compacted:
        return None
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
    if record.seq <= view.head.cut:
        return None, getattr(body, "state_hash", None)
    if isinstance(body, records.Turn | records.Restore):
        if body.previous == actor:
            return NO_HASH, body.state_hash
        if body.previous <= view.head.cut:
            return _hash_at_cut(view, actor), body.state_hash
        before: Any = view.record(body.previous).body
        return before.state_hash, body.state_hash
    for earlier, changed in chain(view.record, actor, newest(view, actor), view.head.cut):
        if earlier.seq < record.seq:
            return changed.state_hash, changed.state_hash
    found = _hash_at_cut(view, actor)
    return found, found


def _hash_at_cut(view: View, actor: int) -> bytes:
    """The state hash of an actor where the ledger begins."""
    before = ground(view.store, actor, view.head.cut)
    return NO_HASH if before is None or before.agent is None else before.agent.state_hash


# --- what came before it in its own turn


def _floor(body: Any, message: tuple[int, int]) -> int:
    """The record after which all is that was recorded of a message before this one."""
    is_first = isinstance(body, records.Turn) and body.attempt == 1
    return max(message[0], body.previous) if is_first else message[0]


def _steps(view: View, record: Record) -> tuple[tuple[Record, ...], bool]:
    """What was recorded of the same message before, oldest first, and whether that is all."""
    body: Any = record.body
    message = getattr(body, "message", None)
    if message is None or isinstance(body, records.Late):
        return (), True
    floor = _floor(body, message)
    is_whole = record.seq - 1 - max(floor, view.head.cut) <= WHY_RECORDS_MAX
    found = [
        earlier
        for earlier in _backwards(view, record.seq - 1, floor + 1)
        if getattr(earlier.body, "message", None) == message
    ]
    return tuple(reversed(found)), is_whole and floor >= view.head.cut


class Answers:
    """Finds the answers that an actor had got, at the same message, when a record was made.

    It looks at `WHY_RECORDS_MAX` records in all, and says by `is_whole` whether that was enough.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._left = WHY_RECORDS_MAX
        self.is_whole = True

    def before(self, record: Record) -> list[tuple[str, int]]:
        """Step keys, and the records that answered them, oldest first."""
        body: Any = record.body
        message, actor = getattr(body, "message", None), getattr(body, "actor", 0)
        if message is None or not actor or isinstance(body, records.Late):
            return []
        floor = _floor(body, message)
        first = max(floor + 1, record.seq - self._left)
        self.is_whole = self.is_whole and first == floor + 1 > self._view.head.cut
        near = list(_backwards(self._view, record.seq - 1, first))
        self._left -= len(near)
        return _answers(reversed(near), actor, message)


def _answers(near: Iterator[Record], actor: int, message: tuple[int, int]) -> list[tuple[str, int]]:
    """Those among records, oldest first, that answered the asks of an actor at a message."""
    open_asks: dict[str, tuple[int, int]] = {}  # step key -> the question
    found: dict[str, int] = {}
    for each in near:
        body: Any = each.body
        if getattr(body, "message", None) == message and isinstance(body, records.Ask):
            for index, send in enumerate(Send(*wire) for wire in body.sends):
                if send.reply is not None and send.due is None:
                    open_asks[body.key] = (each.seq, index)
        elif getattr(body, "message", None) == message and isinstance(body, records.Result):
            open_asks.pop(body.key, None)  # its time was up: what comes later reaches nobody
        elif isinstance(body, records.Turn) and body.answer is not None:
            reply = body.answer[0]
            if reply[:3] == (actor, *message) and reply[3] in open_asks:
                found[reply[3]] = each.seq
                del open_asks[reply[3]]
        buried = {(row[0], row[1]) for row in getattr(body, "dead", ())}
        for key in [key for key, id in open_asks.items() if id in buried]:
            found[key] = each.seq
            del open_asks[key]
    return list(found.items())


def _backwards(view: View, last: int, first: int) -> Iterator[Record]:
    """The records from `last` back to `first`, but not more than are looked at."""
    first = max(first, last - WHY_RECORDS_MAX + 1, view.head.cut + 1)
    while last >= first:
        start = max(first, last - READ_ROWS_MAX + 1)
        chunk = [read_record(raw) for raw in view.store.records(start, last)]
        yield from reversed(chunk)
        last = start - 1


# --- what led to it


def _causes(view: View, record: Record, search: Answers) -> Iterator[Record]:
    """What led to a record, by messages and answers, and what led to that, nearest first."""
    ahead, cut = list[int](), view.head.cut
    while True:
        for seq in (cause(view, record), *(seq for _, seq in search.before(record))):
            if seq and (seq > cut or _is_there(view, seq)):
                heappush(ahead, -seq)
        if not ahead:
            return
        seq = -heappop(ahead)
        while ahead and ahead[0] == -seq:
            heappop(ahead)  # it led to several
        record = view.record(seq)
        yield record


def _is_there(view: View, seq: int) -> bool:
    """Whether a record is still in the ledger."""
    try:
        return bool(view.record(seq))
    except Compacted:
        return False


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
