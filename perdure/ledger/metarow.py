"""The meta row of a ledger's file: written with each group, it says what must be there.

It also says in which transaction it was written, so that no earlier state of the file passes for
the last.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from perdure.errors import LedgerDamaged, LedgerTooNew
from perdure.ledger.group import Head, open_row, seal_row
from perdure.ledger.records import FORMAT_VERSION

META_KEY = b"\x00meta"
"""Where the meta row is: in LMDB's main database, beside the roots of `DATABASES`.

Each commit writes that page in any case.
"""

_META = Struct(">HQ16sqQQH")
_COUNT = Struct(">BQ")
_PAST = Struct(">QQ")  # after the counts, once a ledger was compacted


class Meta(NamedTuple):
    """The meta row: the head, what else must be there, and the transaction that wrote it."""

    head: Head
    blobs: int
    txn: int


def pack_meta(meta: Meta) -> bytes:
    """The meta row's value; in every format its number comes first and the checksum last."""
    (seq, hash_, time_ns, counts, cut, gone), blobs, txn = meta
    value = _META.pack(FORMAT_VERSION, seq, hash_, time_ns, blobs, txn, len(counts))
    for count in sorted(counts.items()):
        value += _COUNT.pack(*count)
    if cut:
        value += _PAST.pack(cut, gone)
    return seal_row(META_KEY, value)


def unpack_meta(stored: bytes) -> Meta:
    """The meta row of a ledger; raises `LedgerTooNew` when a later perdure wrote it."""
    value = open_row(META_KEY, stored)
    version = int.from_bytes(value[:2], "big")
    if version > FORMAT_VERSION:
        raise LedgerTooNew(
            f"the ledger has format {version}, and this perdure reads up to {FORMAT_VERSION}. "
            "Use the perdure that wrote it, or a later one."
        )
    if len(value) < _META.size:
        raise LedgerDamaged(f"the meta row has {len(value)} of at least {_META.size} bytes.")
    _, seq, hash_, time_ns, blobs, txn, tables = _META.unpack_from(value)
    past = _META.size + tables * _COUNT.size
    counts = dict(_COUNT.iter_unpack(value[_META.size : past]))
    cut, gone = _PAST.unpack(value[past:]) if len(value) > past else (0, 0)
    return Meta(Head(seq, hash_, time_ns, counts, cut, gone), blobs, txn)
