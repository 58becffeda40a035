"""A ledger of which only a base is left up to some record: where it begins, and what must be there.

Beside the bases some records before the cut are left: those that somebody will read. A record whose
predecessor is gone has a stub before it: that one's hash.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from perdure.errors import LedgerDamaged, LedgerError
from perdure.ledger.base import blobs_of, read_base, read_list
from perdure.ledger.blobs import ReadBlob, digest_of, references
from perdure.ledger.fold import Fold
from perdure.ledger.fold_past import forget
from perdure.ledger.folded import Violation
from perdure.ledger.group import GENESIS, RawRecord, Store, open_record, stored_hash
from perdure.ledger.interventions import Base
from perdure.ledger.journal import read_record, unpack_payload
from perdure.ledger.keys import BASE_KEY
from perdure.ledger.rows import BaseRow, unpack_row
from perdure.ledger.stubs import bare_stub, is_stub


class Left(NamedTuple):
    """What is to be left up to a cut: whole records, and stubs."""

    records: set[int]
    stubs: set[int]


def base_row(store: Store) -> BaseRow | None:
    """How a ledger was compacted, if it was."""
    raw = store.get(BASE_KEY)
    return None if raw is None else unpack_row(BaseRow, raw)


def beginning(store: Store) -> Fold:
    """The fold that a ledger's journal goes on from: its base, or nothing. Raises `LedgerDamaged`.

    The record that names the base is in the chain, and so vouches for it.
    """
    row = base_row(store)
    if row is None:
        if store.head().cut:
            raise _no_base(f"it was cut at record {store.head().cut}, and no row names a base")
        return Fold()
    body = base_record(store, row)
    return read_base(body.bases[-1][1], store.blob)


def base_record(store: Store, row: BaseRow) -> Base:
    """What the newest base's own record says. Raises `LedgerDamaged` for one that does not fit."""
    raw = store.record(row.seq)
    body = None if raw is None else unpack_payload(row.seq, raw.kind, raw.payload)
    if not isinstance(body, Base) or (body.at, body.bases) != row[1:]:
        raise _no_base(f"record {row.seq} should name the base of record {row.at}")
    listed = read_list(body.bases[-1][1], store.blob)
    if listed[:2] != (body.at, body.hash):
        raise _no_base(f"it is of record {listed.seq}, and should be of {body.at}")
    return body


def _no_base(text: str) -> LedgerDamaged:
    return LedgerDamaged(f"the base of the ledger is damaged: {text}. Restore a backup to go on.")


# --- what is to be left


def needed(fold: Fold) -> set[int]:
    """The records up to a fold's end that somebody will read after it.

    The first; a fork's own; those whose messages are somewhere, or that a row of a table names.
    """
    found = {1}
    found.update(seq for seq, _ in (*fold.waiting, *fold.timers, *fold.dead))
    found.update(letter.seq for letter in fold.dead.values())
    for steps in fold.steps.rows.values():
        for row in steps.values():
            found.update((row.seq, row.intent, row.begun))
    found.update(row.seq for row in fold.posts.rows.values() if row.ok is not True)
    found.update(last + 1 for last, _ in fold.pasts.past)
    found.update(seq for seq, _, _ in fold.code.versions if seq >= fold.code.since)
    found.update(agent.kept for agent in fold.agents.values())
    return {seq for seq in found if 0 < seq <= fold.seq}


def needed_at(base: tuple[int, bytes], body: Base, read: ReadBlob) -> set[int]:
    """The records that a base needs; that of the cut, without what `body` forgets."""
    at, name = base
    fold = read_base(name, read)
    if at == body.at:
        forget(fold, body)
    return needed(fold)


def to_leave(records: Iterable[int], cut: int) -> Left:
    """Records that are to be left of those up to a cut, with the stubs that they need.

    >>> to_leave({1, 2, 5}, 9)
    Left(records={1, 2, 5}, stubs={9, 4})
    """
    whole = set(records)
    stubs = {seq - 1 for seq in whole if seq > 1} | {cut}
    return Left(whole, stubs - whole)


# --- what there must be, and is


def wrong_before(store: Store, blobs: Container[bytes]) -> list[Violation]:
    """What is wrong with what is left up to the cut: bases, records, stubs, and their blobs."""
    row = base_row(store)
    if row is None:
        return []
    try:
        return list(_wrong_before(store, row, blobs))
    except LedgerError as error:
        return [Violation(getattr(error, "seq", None) or row.seq, str(error))]


def _wrong_before(store: Store, row: BaseRow, blobs: Container[bytes]) -> Iterator[Violation]:
    body, head = base_record(store, row), store.head()
    if head.cut != row.at:
        yield Violation(row.seq, f"the file was cut at record {head.cut}, and it says {row.at}")
    there = {int.from_bytes(key, "big"): raw for key, raw in store.left()}
    wanted = set[int]()
    for at, name in row.bases:
        wanted |= needed_at((at, name), body, store.blob)
        listed = read_list(name, store.blob)
        if at != listed.seq or (at in there and stored_hash(there[at]) != listed.hash):
            yield Violation(row.seq, f"the base of record {at} is of another record")
        for digest in blobs_of(name, store.blob):
            if digest not in blobs:
                yield Violation(row.seq, f"the base of record {at} names a blob that is gone")
    left = to_leave(wanted, row.at)
    if body.left != len(left.records) + len(left.stubs):
        yield Violation(row.seq, f"it leaves {body.left} rows, and should {len(wanted)} records")
    yield from _compare(there, left)
    for record in chained(there):
        for reference in references(read_record(record).body):
            if digest_of(reference) not in blobs:
                yield Violation(record.seq, "a value that it refers to is not in the ledger")


def _compare(there: Mapping[int, bytes], left: Left) -> Iterator[Violation]:
    """The rows that must be there; until all is dropped there are more."""
    whole = {seq for seq, raw in there.items() if not is_stub(raw)}
    for seq in sorted(left.records - whole):
        yield Violation(seq, "it was dropped, and is still needed")
    for seq in sorted(left.stubs - there.keys()):
        yield Violation(seq, "its hash was dropped, and is still needed")


def chained(there: Mapping[int, bytes]) -> Iterator[RawRecord]:
    """The records among rows of the journal, each checked against the row before it."""
    for seq, raw in sorted(there.items()):
        if is_stub(raw):
            if raw != bare_stub(stored_hash(raw)):
                raise LedgerDamaged(f"what is left of record {seq} is no hash.", seq)
            continue
        if seq > 1 and seq - 1 not in there:
            raise LedgerDamaged(f"nothing is left of record {seq - 1}, which {seq} follows.", seq)
        yield open_record(stored_hash(there[seq - 1]) if seq > 1 else GENESIS, seq, raw)
