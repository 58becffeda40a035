"""What is left of a dropped record whose hash the one after it needs; pure."""

from __future__ import annotations

from perdure.ledger.records import FORMAT_VERSION

STUB = 0
"""The kind byte of what is left of a dropped record whose hash the next one needs."""

_HASH_END = 18  # of a journal row: kind, format and hash come before the payload


def is_stub(row: bytes) -> bool:
    """Whether a journal row is no record, but the hash of one that is gone."""
    return row[:1] == bytes((STUB,))


def stub_of(row: bytes) -> bytes:
    """What stays of a journal row for the record after it."""
    return bytes((STUB,)) + row[1:_HASH_END]


def bare_stub(hash: bytes) -> bytes:
    """The stub of a record of which the hash is all that is known."""
    return bytes((STUB, FORMAT_VERSION)) + hash
