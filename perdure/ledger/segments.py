"""A run's journal in pieces that leave its machine: numbered files, each with its digest; pure.

A segment holds records as they are in the journal, with their hashes, and the blobs that they name
and no earlier segment of the same shipper had. Its digest is over that of the segment before, too:
the last one's vouches for all. The manifest names it, and is written after it.
"""

from __future__ import annotations

import json
import zlib
from hashlib import blake2b
from typing import NamedTuple

import msgpack

from perdure.errors import LedgerDamaged, LedgerTooNew
from perdure.ledger.compacted import chained
from perdure.ledger.group import GENESIS, RawRecord, blob_digest, link
from perdure.ledger.records import FORMAT_VERSION

MANIFEST = "manifest.json"
FORMAT = 1
FIRST_DIGEST = bytes(32)
"""Of what is before the first segment."""

_MAGIC = b"perdure segment 1\n"
_DIGEST_BYTES = 32


class Beginning(NamedTuple):
    """Where a compacted run begins: the name of its base, and the journal rows that are left."""

    base: bytes
    rows: tuple[tuple[int, bytes], ...]  # (seq, row): records and stubs up to the cut


class Segment(NamedTuple):
    """Records from `first` on, whose hash before is `before`, with blobs by digest.

    One with a `beginning` makes those before it superfluous: it has no records of its own.
    """

    number: int
    run_id: bytes
    previous: bytes  # digest of the segment before
    first: int
    before: bytes
    records: list[RawRecord]
    blobs: dict[bytes, bytes]
    beginning: Beginning | None = None

    @property
    def last(self) -> int:
        """The last record."""
        return self.first + len(self.records) - 1

    @property
    def hash(self) -> bytes:
        """The hash of the last record."""
        return self.records[-1].hash if self.records else self.before


class Manifest(NamedTuple):
    """How far a copy goes: as of which record of which run, and the last segment's digest."""

    run_id: str
    scenario: str
    directory: str
    start: int  # the segment that a run is made from: 1, or that of the newest beginning
    segments: int
    records: int
    hash: str
    time_ns: int
    digest: str
    wall_ns: int

    @classmethod
    def none(cls, run_id: bytes, scenario: str, directory: str) -> Manifest:
        """That of a run of which nothing is shipped yet."""
        digest = FIRST_DIGEST.hex()
        return cls(run_id.hex(), scenario, directory, 1, 0, 0, GENESIS.hex(), 0, digest, 0)


def name_of_segment(number: int) -> str:
    """The file of a segment.

    >>> name_of_segment(1)
    'segment-00000001.perdure'
    """
    return f"segment-{number:08d}.perdure"


def pack_segment(segment: Segment) -> tuple[bytes, bytes]:
    """The bytes of a segment's file, and its digest."""
    records = [(record.kind, record.hash, record.payload) for record in segment.records]
    begin = None if segment.beginning is None else tuple(segment.beginning)
    row = (*segment[:5], FORMAT_VERSION, records, list(segment.blobs.items()), begin)
    body = zlib.compress(msgpack.packb(row, use_bin_type=True), 3)
    digest = blake2b(body, digest_size=_DIGEST_BYTES).digest()
    return _MAGIC + digest + body, digest


def unpack_segment(name: str, data: bytes) -> tuple[Segment, bytes]:
    """The segment in a file, and its digest; each record follows the one before it.

    Raises `LedgerDamaged` that names the file, and `LedgerTooNew`.
    """
    if not data.startswith(_MAGIC):
        raise _damaged(name, "it does not begin as a segment does")
    start = len(_MAGIC) + _DIGEST_BYTES
    digest, body = data[len(_MAGIC) : start], data[start:]
    if blake2b(body, digest_size=_DIGEST_BYTES).digest() != digest:
        raise _damaged(name, "its bytes are not those of its digest")
    try:
        row = msgpack.unpackb(zlib.decompress(body), use_list=False)
        number, run_id, previous, first, before, version, records, blobs, begin = row
        if version > FORMAT_VERSION:
            raise LedgerTooNew(f"{name} has records of format {version}: use a later perdure.")
        numbered = enumerate(records, first)
        found = [RawRecord(seq, kind, payload, hash) for seq, (kind, hash, payload) in numbered]
        segment = Segment(number, run_id, previous, first, before, found, dict(blobs))
        segment = segment._replace(beginning=None if begin is None else Beginning(*begin))
    except (ValueError, TypeError, zlib.error, msgpack.UnpackException) as error:
        raise _damaged(name, str(error)) from error
    _check(name, segment, version)
    return segment, digest


def _check(name: str, segment: Segment, version: int) -> None:
    previous = segment.before
    for seq, kind, payload, hash_ in segment.records:
        if link(previous, seq, kind, payload, version) != hash_:
            raise _damaged(name, f"record {seq} does not follow record {seq - 1}", seq)
        previous = hash_
    for _ in chained(dict(segment.beginning.rows)) if segment.beginning else ():
        pass
    for digest, data in segment.blobs.items():
        if blob_digest(data) != digest:
            raise _damaged(name, f"blob {digest.hex()} is not what its name says")


def check_follows(name: str, segment: Segment, manifest: Manifest) -> None:
    """Raise `LedgerDamaged` unless a segment goes on where a copy ends so far."""
    found = (segment.number, segment.run_id.hex(), segment.previous.hex())
    wanted = (manifest.segments + 1, manifest.run_id, manifest.digest)
    if found != wanted or (segment.first, segment.before.hex()) != (
        manifest.records + 1,
        manifest.hash,
    ):
        raise _damaged(name, f"it does not follow segment {manifest.segments}", segment.first)


def after(manifest: Manifest, segment: Segment, digest: bytes, time_ns: int) -> Manifest:
    """How far a copy goes with one more segment."""
    return manifest._replace(
        start=segment.number if segment.beginning else manifest.start,
        segments=segment.number,
        records=segment.last,
        hash=segment.hash.hex(),
        time_ns=time_ns,
        digest=digest.hex(),
    )


def pack_manifest(manifest: Manifest) -> bytes:
    """The bytes of a manifest: JSON, with a digest of its own."""
    form = {"format": FORMAT, **manifest._asdict()}
    return json.dumps({**form, "check": _check_of(form)}, indent=1).encode() + b"\n"


def unpack_manifest(data: bytes) -> Manifest:
    """The manifest in a file. Raises `LedgerDamaged`, `LedgerTooNew`."""
    try:
        form = json.loads(data)
        check = form.pop("check")
        if form["format"] > FORMAT:
            raise LedgerTooNew(f"{MANIFEST} has format {form['format']}: use a later perdure.")
        if check != _check_of(form):
            raise ValueError("its bytes are not those of its digest")
        return Manifest(**{name: form[name] for name in Manifest._fields})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(MANIFEST, str(error)) from error


def _check_of(form: object) -> str:
    return blake2b(json.dumps(form, sort_keys=True).encode(), digest_size=16).hexdigest()


def _damaged(name: str, what: str, seq: int | None = None) -> LedgerDamaged:
    return LedgerDamaged(f"{name} of the copy is damaged: {what}. Use another copy.", seq)
