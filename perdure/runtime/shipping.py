"""A run's journal is shipped to a place elsewhere, by a process that only reads the ledger."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from perdure.errors import LedgerDamaged, LedgerInUse, NotALedger, NotShipped, UsageError
from perdure.ledger.blobs import named_in
from perdure.ledger.group import RawRecord
from perdure.ledger.journal import read_record
from perdure.ledger.presence import is_owned
from perdure.ledger.records import Kind
from perdure.ledger.segments import (
    MANIFEST,
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
        """Ship one more segment; None if nothing is new. Raises `NotShipped`, `LedgerDamaged`."""
        done = self.manifest
        head = self.view.head
        if head.seq == done.records:
            return None
        segment = self._segment(done, head.seq)
        data, digest = pack_segment(segment)
        time_ns = read_record(segment.records[-1]).body.time
        manifest = after(done, segment, digest, time_ns)._replace(wall_ns=self._wall_ns())
        self.place.write(name_of_segment(segment.number), data)
        self.place.write(MANIFEST, pack_manifest(manifest))
        self.manifest = manifest
        self._known |= dict.fromkeys(segment.blobs)
        while len(self._known) > BLOBS_KNOWN_MAX:
            del self._known[next(iter(self._known))]
        return segment

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
        same = found.records <= head and self.view.record(found.records).hash.hex() == found.hash
        if not same:
            raise UsageError(
                f"{self.place.url} has records of this run that it does not have here: its record "
                f"{found.records:,} is another one. Two copies of the run have gone on. Ship this "
                "one to another URL."
            )
        return found._replace(directory=directory)

    def _segment(self, done: Manifest, head: int) -> Segment:
        last = min(head, done.records + SEGMENT_RECORDS_MAX)
        records: list[RawRecord] = []
        blobs: dict[bytes, bytes] = {}
        left = SEGMENT_BYTES_MAX
        for raw in self.view.store.records(done.records + 1, last):
            if raw.kind == Kind.BASE:
                raise UsageError(
                    f"the run was compacted at record {raw.seq:,}, and such runs cannot be shipped "
                    "yet. `perdure backup` copies them."
                )
            records.append(raw)
            fresh = self._blobs(raw, blobs)
            blobs |= fresh
            left -= len(raw.payload) + sum(map(len, fresh.values()))
            if left <= 0:
                break
        run_id, before = bytes.fromhex(done.run_id), bytes.fromhex(done.hash)
        previous = bytes.fromhex(done.digest)
        first = done.records + 1
        return Segment(done.segments + 1, run_id, previous, first, before, records, blobs)

    def _blobs(self, raw: RawRecord, have: dict[bytes, bytes]) -> dict[bytes, bytes]:
        found = {}
        for digest in named_in(read_record(raw).body):
            if digest in self._known or digest in have:
                continue
            data = self.view.store.blob(digest)
            if data is None:
                text = f"blob {digest.hex()}, which record {raw.seq} names, is gone."
                raise LedgerDamaged(f"{text} Restore a backup.", raw.seq)
            found[digest] = data
        return found


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
