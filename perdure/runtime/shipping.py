"""A run's journal is shipped to a place elsewhere, by a process that only reads the ledger."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from perdure.errors import LedgerDamaged, LedgerInUse, NotALedger, NotShipped, UsageError
from perdure.ledger.base import blobs_of
from perdure.ledger.blobs import named_in
from perdure.ledger.compacted import base_record, base_row, chained
from perdure.ledger.group import RawRecord
from perdure.ledger.interventions import Base
from perdure.ledger.journal import read_record
from perdure.ledger.presence import is_owned
from perdure.ledger.segments import (
    MANIFEST,
    Beginning,
    Manifest,
    Segment,
    after,
    name_of_segment,
    pack_manifest,
    pack_segment,
    unpack_manifest,
)
from perdure.limits import BLOBS_KNOWN_MAX, SEGMENT_BYTES_MAX, SEGMENT_RECORDS_MAX
from perdure.runtime.points import EMPTY
from perdure.runtime.remote import Place
from perdure.runtime.view import View

OVER = ("finished", "failed")


class Shipper:
    """Brings a copy of a run up to date, segment by segment; the run never waits for it.

    It goes on where the copy ends. What was written after the last manifest does not count, and is
    written again. Raises `UsageError` when the place has another run, or another past of this one.
    """

    def __init__(self, view: View, place: Place, wall_ns: Callable[[], int]) -> None:
        self.view, self.place = view, place
        self._wall_ns = wall_ns
        self._known: dict[bytes, None] = {}  # digests of the newest blobs that were shipped
        if not view.head.seq:
            raise NotALedger(EMPTY)
        self.manifest = self._begin()

    def step(self) -> Segment | None:
        """Ship one more segment; None if nothing is new. Raises `NotShipped`, `LedgerDamaged`.

        What a compaction has taken away before it was shipped is made up for by its base.
        """
        done, head = self.manifest, self.view.head
        if head.seq == done.records:
            return None
        if head.cut <= done.records:
            segment, manifest = self._put(self._segment(done, head.seq), done)
        else:
            segment, manifest = self._put(self._beginning(done), done)
            row = base_row(self.view.store)
            while row is not None and manifest.records < row.seq:  # that record vouches for it
                segment, manifest = self._put(self._segment(manifest, row.seq), manifest)
        self.place.write(MANIFEST, pack_manifest(manifest))
        self.manifest = manifest
        self._know(segment)
        return segment

    def _know(self, segment: Segment) -> None:
        """The blobs of a segment that counts are there from now on."""
        self._known |= dict.fromkeys(segment.blobs)
        while len(self._known) > BLOBS_KNOWN_MAX:
            del self._known[next(iter(self._known))]

    def _put(self, segment: Segment, done: Manifest) -> tuple[Segment, Manifest]:
        """Ship a segment, which counts as soon as a manifest does that names it."""
        data, digest = pack_segment(segment)
        time_ns = self.view.record(segment.last).body.time if segment.records else done.time_ns
        self.place.write(name_of_segment(segment.number), data)
        return segment, after(done, segment, digest, time_ns)._replace(wall_ns=self._wall_ns())

    def _begin(self) -> Manifest:
        """How far the copy goes."""
        run, directory = self.view.run, str((self.view.directory or Path()).absolute())
        data = self.place.read(MANIFEST)
        if data is None:
            return Manifest.none(run.run_id, run.scenario, directory)
        found = unpack_manifest(data)
        if found.run_id != run.run_id.hex():
            raise UsageError(
                f"{self.place.url} has a copy of another run, {found.run_id} ({found.scenario}). "
                "Give each run a URL of its own."
            )
        head = self.view.head.seq
        if found.records > head or not self._has(found):
            raise UsageError(
                f"{self.place.url} has records of this run that it does not have here: its record "
                f"{found.records:,} is another one. Two copies of the run have gone on. Ship this "
                "one to another URL."
            )
        return found._replace(directory=directory)

    def _has(self, found: Manifest) -> bool:
        """Whether the last record of the copy is this ledger's; one that is gone is not asked."""
        cut = self.view.head.cut
        return found.records <= cut or self.view.record(found.records).hash.hex() == found.hash

    def _segment(self, done: Manifest, head: int) -> Segment:
        last = min(head, done.records + SEGMENT_RECORDS_MAX)
        records: list[RawRecord] = []
        blobs: dict[bytes, bytes] = {}
        left = SEGMENT_BYTES_MAX
        for raw in self.view.store.records(done.records + 1, last):
            records.append(raw)
            fresh = self._blobs(raw, blobs)
            blobs |= fresh
            left -= len(raw.payload) + sum(map(len, fresh.values()))
            if left <= 0:
                break
        return Segment(*self._place(done), done.records + 1, _hash_of(done), records, blobs)

    def _place(self, done: Manifest) -> tuple[int, bytes, bytes]:
        """Number, run, and the digest before, of the next segment."""
        return done.segments + 1, bytes.fromhex(done.run_id), bytes.fromhex(done.digest)

    def _beginning(self, done: Manifest) -> Segment:
        """The segment that a copy of a compacted run begins with: base, and what else is left."""
        store = self.view.store
        row = base_row(store)
        if row is None:
            raise LedgerDamaged("the run was compacted, and no row names a base. Restore a backup.")
        body = base_record(store, row)
        rows = tuple((int.from_bytes(key, "big"), raw) for key, raw in store.left())
        blobs: dict[bytes, bytes] = {}
        for _, name in body.bases:
            for digest in blobs_of(name, store.blob):
                blobs[digest] = self._blob(digest, row.seq)
        for raw in chained(dict(rows)):
            blobs |= self._blobs(raw, blobs)
        beginning = Beginning(body.bases[-1][1], rows)
        return Segment(*self._place(done), body.at + 1, body.hash, [], blobs, beginning)

    def _blobs(self, raw: RawRecord, have: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """The blobs that a record names, and nobody has shipped."""
        body = read_record(raw).body
        names = named_in(body)
        for _, base in body.bases if isinstance(body, Base) else ():
            names += blobs_of(base, self.view.store.blob)
        fresh = {digest for digest in names if digest not in self._known and digest not in have}
        return {digest: self._blob(digest, raw.seq) for digest in fresh}

    def _blob(self, digest: bytes, seq: int) -> bytes:
        data = self.view.store.blob(digest)
        if data is None:
            text = f"blob {digest.hex()}, which record {seq} names, is gone. Restore a backup."
            raise LedgerDamaged(text, seq)
        return data


def _hash_of(done: Manifest) -> bytes:
    return bytes.fromhex(done.hash)


def follow(
    shipper: Shipper,
    pause: Callable[[], bool],
    shipped: Callable[[Segment], None],
    failed: Callable[[NotShipped], None],
) -> None:
    """Ship what there is and what comes, until the run is over, or `pause` says that it is enough.

    `pause` waits, and is true to stop; a place that does not answer is tried again after it.
    """
    directory = shipper.view.directory
    while True:
        lives = directory is not None and is_owned(directory)  # before the look: the end is durable
        try:
            while (segment := shipper.step()) is not None:
                shipped(segment)
            if not lives and shipper.view.status.status in OVER:
                return
        except NotShipped as error:
            failed(error)
        if pause():
            return


@contextmanager
def only_shipper(directory: Path, url: str) -> Iterator[None]:
    """The right to ship a run to a URL, held while the block lasts. Raises `LedgerInUse`."""
    name = f"shipper-{blake2b(url.encode(), digest_size=4).hexdigest()}"
    fd = os.open(directory / name, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise LedgerInUse(f"another process ships this run to {url} already.") from None
    finally:
        os.close(fd)
