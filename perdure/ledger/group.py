"""What is committed together, and the rules every store keeps: hash chain, row checksums, the port.

A journal row is `[kind u8][format u8][hash 16][payload]` under its seq; a table row is
`[value][crc32 of key and value]` under a key whose first byte names the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from operator import itemgetter
from struct import Struct
from typing import NamedTuple, Protocol
from zlib import crc32

from perdure.errors import Broken, Compacted, LedgerDamaged, LedgerError
from perdure.ledger.readers import Reader
from perdure.ledger.records import FORMAT_VERSION
from perdure.limits import KEY_BYTES_MAX

GENESIS = bytes(16)
"""The hash before the first record's."""

Row = tuple[bytes, bytes]

_LINK = Struct(">QBB")
_SEQ = Struct(">Q")
_ROW_HEADS = [bytes((kind, FORMAT_VERSION)) for kind in range(256)]
_CRC = Struct(">I")
_key_of = itemgetter(0)
_new_hash = blake2b(digest_size=len(GENESIS)).copy  # half of what a new one costs
_HASH_END = 18  # of a journal row: kind, format and hash come before the payload


class Drop(NamedTuple):
    """What a group takes away: of the records up to `cut` some, and blobs.

    What is not there is no mistake: a drop that was cut short is simply made again.
    """

    cut: int
    gone: tuple[tuple[int, int], ...] = ()  # (first, last) of records and stubs
    stubs: tuple[int, ...] = ()  # records of which the hash stays
    blobs: tuple[bytes, ...] = ()


class Prefix(NamedTuple):
    """How a new ledger begins that has not all of its past: the rows up to `cut` that there are."""

    cut: int
    hash: bytes  # of record `cut`
    rows: tuple[tuple[int, bytes], ...]  # (seq, row of the journal): records and stubs


@dataclass(slots=True)
class Group:
    """Records that become durable together, and the net change they make to the tables.

    Of two puts to one key the later counts; a key that is both deleted and put is put. A delete
    of a row that is not there is none. Times are ledger time in ns.
    """

    first_seq: int
    records: list[tuple[int, bytes]] = field(default_factory=list)  # (kind, payload)
    puts: list[Row] = field(default_factory=list)
    deletes: list[bytes] = field(default_factory=list)
    blobs: dict[bytes, bytes] = field(default_factory=dict)  # blake2b-256 -> bytes, stored once
    time_ns: int = 0  # of the last record
    drop: Drop | None = None
    prefix: Prefix | None = None  # of a ledger's first group
    is_final: bool = False  # of an end: no power cut undoes it, relaxed or not


class Head(NamedTuple):
    """Where a ledger ends: the last record, and how many rows each table has.

    Of the records up to `cut`, `gone` are no longer there.
    """

    seq: int
    hash: bytes
    time_ns: int
    counts: dict[int, int]  # kind byte of a table -> its rows
    cut: int = 0
    gone: int = 0


EMPTY = Head(0, GENESIS, 0, {})
"""The head of a ledger in which nothing has happened."""


class RawRecord(NamedTuple):
    """One record of the journal, its payload not yet read."""

    seq: int
    kind: int
    payload: bytes
    hash: bytes


def nothing() -> None:
    """Do nothing."""


class Store(Protocol):
    """A ledger's bytes: the port that LMDB and memory both implement.

    One thread commits; reads may come from others meanwhile, and see whole groups only.
    Reads raise `LedgerDamaged` for anything that contradicts its checksum, hash or count.
    """

    def head(self) -> Head:
        """The end of the journal as it is durable now."""
        ...

    def get(self, key: bytes) -> bytes | None:
        """One row of a table."""
        ...

    def scan(
        self, prefix: bytes, after: bytes | None = None, limit: int | None = None
    ) -> Iterator[Row]:
        """The rows whose keys start with `prefix`, in key order, those up to `after` left out.

        A long scan is several short reads: rows changed meanwhile may be seen changed.
        """
        ...

    def readers(self) -> list[Reader]:
        """Who reads it now, this process and dead ones left out."""
        ...

    def record(self, seq: int) -> RawRecord | None:
        """The record of that seq, checked against the one before it; `Compacted` if it is gone."""
        ...

    def records(self, first: int = 1, last: int | None = None) -> Iterator[RawRecord]:
        """The records from `first` to `last` or the head, each checked against the one before.

        Raises `Compacted` at the first that is gone.
        """
        ...

    def left(self) -> Iterator[Row]:
        """The rows of the journal up to the cut, under their seqs: records and stubs, unread."""
        ...

    def blob(self, digest: bytes) -> bytes | None:
        """The bytes of that blake2b-256 digest."""
        ...

    def commit(self, group: Group, written: Callable[[], None] = nothing) -> Head:
        """Make a group durable, all of it or none; `CommitFailed` ends all further commits.

        `written` is called when only the disk is waited for, so that others may compute meanwhile.
        """
        ...

    def relax(self) -> None:
        """Flush once for each commit from here on: a power cut may undo the last."""
        ...

    def digests(self) -> Iterator[bytes]:
        """The digests of all blobs."""
        ...

    def check(self) -> None:
        """Check what this store alone can check: its file, page by page."""
        ...

    def close(self) -> None:
        """Let go of the ledger; a second close does nothing."""
        ...


def blob_digest(data: bytes) -> bytes:
    """The name of a blob: blake2b-256 of its bytes.

    >>> blob_digest(b"report").hex()[:8]
    'f30f464c'
    """
    return blake2b(data, digest_size=32).digest()


def link(previous: bytes, seq: int, kind: int, payload: bytes, version: int) -> bytes:
    """The hash of a record: over the hash before it, its place, kind, format and payload."""
    return blake2b(
        previous + _LINK.pack(seq, kind, version) + payload, digest_size=len(GENESIS)
    ).digest()


def chain(
    previous: bytes, first_seq: int, records: Sequence[tuple[int, bytes]]
) -> tuple[list[Row], bytes]:
    """The journal rows of `records`, and the hash of the last: the one loop of a commit."""
    rows: list[Row] = []
    append, new_hash, key_of = rows.append, _new_hash, _SEQ.pack
    for seq, (kind, payload) in enumerate(records, first_seq):
        key, head = key_of(seq), _ROW_HEADS[kind]
        hash = new_hash()
        hash.update(previous + key + head + payload)
        previous = hash.digest()
        append((key, head + previous + payload))
    return rows, previous


def seq_key(seq: int) -> bytes:
    """The key of a record."""
    return seq.to_bytes(8, "big")


def stored_hash(row: bytes) -> bytes:
    """The hash inside a journal row."""
    return row[2:_HASH_END]


def open_record(previous: bytes, seq: int, row: bytes) -> RawRecord:
    """The record in a journal row; raises `LedgerDamaged` unless it follows `previous`."""
    if len(row) >= _HASH_END:
        record = RawRecord(seq, row[0], row[_HASH_END:], row[2:_HASH_END])
        if link(previous, seq, row[0], record.payload, row[1]) == record.hash:
            return record
    raise LedgerDamaged(
        f"record {seq} does not follow record {seq - 1}: its hash does not match its bytes. "
        f"Records 1 to {seq - 1} can still be read; restore a backup to go on.",
        seq,
    )


def missing_record(seq: int, cut: int = 0) -> LedgerError:
    """The error for a hole in the journal of a ledger that was compacted up to `cut`."""
    if seq <= cut:
        return Compacted(seq, cut)
    return LedgerDamaged(
        f"record {seq} is missing from the journal. Restore a backup to go on.", seq
    )


def seal_row(key: bytes, value: bytes) -> bytes:
    """A table row with its checksum."""
    return value + _CRC.pack(crc32(value, crc32(key)))


def seal_rows(puts: Sequence[Row]) -> list[Row]:
    """Table rows with their checksums, in key order; of equal keys the later comes later."""
    pack = _CRC.pack
    return [
        (key, value + pack(crc32(value, crc32(key)))) for key, value in sorted(puts, key=_key_of)
    ]


def open_row(key: bytes, stored: bytes) -> bytes:
    """The value of a stored table row; raises `LedgerDamaged` when its checksum says otherwise."""
    value = stored[: -_CRC.size]
    if seal_row(key, value) != stored:
        raise LedgerDamaged(
            f"row {key.hex(' ', -8)} of table {key[0]} does not match its checksum. "
            "Restore a backup to go on."
        )
    return value


def start(head: Head, group: Group) -> Head:
    """What a group continues: the head, or for the first one of a ledger the end of its prefix."""
    if group.prefix is None:
        return head
    if head.seq:
        raise Broken(f"a ledger of {head.seq} records is given a beginning")
    cut, hash_, rows = group.prefix
    return Head(cut, hash_, head.time_ns, head.counts, cut, cut - len(rows))


def check_group(head: Head, group: Group) -> None:
    """Raise `Broken` for a group that does not continue `head`, or has keys that no table has."""
    if group.first_seq != head.seq + 1:
        raise Broken(f"a group starts at seq {group.first_seq}, and the ledger ends at {head.seq}")
    drop = group.drop
    if drop is not None:
        last = max((last for _, last in drop.gone), default=0)
        if not max(head.cut, last, *drop.stubs, 1) <= drop.cut < head.seq + len(group.records):
            raise Broken(f"records up to {last} are dropped, by a cut at {drop.cut} of {head.seq}")
    if group.time_ns < head.time_ns:
        raise Broken(f"ledger time would go back from {head.time_ns} to {group.time_ns} ns")
    for key, _ in group.puts:
        if len(key) > KEY_BYTES_MAX or not b"\x01" <= key < b"\x80":
            raise _no_key(key)
    for key in group.deletes:
        if len(key) > KEY_BYTES_MAX or not b"\x01" <= key < b"\x80":
            raise _no_key(key)
    for digest, data in group.blobs.items():
        if blob_digest(data) != digest:
            raise Broken(f"a blob of {len(data)} bytes is not what its digest {digest.hex()} names")


def _no_key(key: bytes) -> Broken:
    if len(key) > KEY_BYTES_MAX:
        return Broken(f"a row key has more than {KEY_BYTES_MAX} bytes: {key!r}")
    return Broken("a row key does not start with the kind byte of a table, 1 to 127")
