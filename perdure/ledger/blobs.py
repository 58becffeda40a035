"""Large values: their bytes are a blob, in the ledger once, and a short reference stands for them.

A reference is bytes where the bytes of a value could be: in a record, in a row, in an envelope. No
value has bytes like it: they are msgpack, which uses each first byte but this one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

from perdure.errors import LedgerDamaged
from perdure.ledger.group import blob_digest
from perdure.ledger.records import Body, Turn

ReadBlob = Callable[[bytes], bytes | None]
"""The bytes of a digest, None if there are none of it."""

MARK = b"\xc1"
_REFERENCE = Struct(">cI32s")


def refer(data: bytes) -> bytes:
    """The reference to a value of these bytes.

    >>> reference = refer(b"a long conversation")
    >>> is_reference(reference), size_of(reference), len(reference)
    (True, 19, 37)
    """
    return _REFERENCE.pack(MARK, len(data), blob_digest(data))


def is_reference(data: bytes) -> bool:
    """Whether bytes are a reference, and not those of a value."""
    return data[:1] == MARK and len(data) == _REFERENCE.size


def digest_of(reference: bytes) -> bytes:
    """The digest of the blob that is referred to."""
    return reference[-32:]


def content_digest(data: bytes) -> bytes:
    """The blake2b-256 of a value's bytes, which are given themselves or by reference."""
    return digest_of(data) if is_reference(data) else blob_digest(data)


def size_of(data: bytes) -> int:
    """How many bytes a value has, which are given themselves or by reference."""
    size: int = _REFERENCE.unpack(data)[1] if is_reference(data) else len(data)
    return size


def fetch(reference: bytes, read: ReadBlob) -> bytes:
    """The bytes that are referred to. Raises `LedgerDamaged` when they are not there."""
    digest = digest_of(reference)
    data = read(digest)
    if data is None:
        raise gone(digest, f" of {size_of(reference):,} bytes")
    return data


def gone(digest: bytes, size: str = "") -> LedgerDamaged:
    """What is wrong with a ledger that has no blob of a digest."""
    return LedgerDamaged(
        f"a value{size} is not in the ledger: there is no blob {digest.hex()}. "
        "Restore a backup to go on."
    )


def references(part: Any) -> list[bytes]:
    """The references in the body of a record, wherever they are in it.

    >>> reference = refer(b"page")
    >>> references((7, [("pages", "append", reference)], b"page")) == [reference]
    True
    """
    found: list[bytes] = []
    _collect((part,), found)
    return found


_PLAIN = frozenset({int, float, str, bool, type(None)})  # what most parts are
_CONTAINERS = (tuple, list)


def _collect(parts: Sequence[Any], found: list[bytes]) -> None:
    for each in parts:
        kind = type(each)
        if kind is bytes:
            if each[:1] == MARK and is_reference(each):
                found.append(each)
        elif kind not in _PLAIN and isinstance(each, _CONTAINERS):
            _collect(each, found)


def named_in(body: Body) -> list[bytes]:
    """The digests of the blobs that a record names: large values, artifacts, code."""
    artifacts = [digest for _, digest, _ in body.artifacts] if isinstance(body, Turn) else []
    return [*artifacts, *(digest_of(reference) for reference in references(body))]
