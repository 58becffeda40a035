"""A run is made again from what was shipped of it: the journal as it was, tables folded from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from perdure.errors import Broken, CommitFailed, LedgerDamaged, LedgerError, UsageError
from perdure.ledger.base import read_base
from perdure.ledger.fold import Fold
from perdure.ledger.group import Drop, Group, Prefix
from perdure.ledger.journal import read_record
from perdure.ledger.scratch import whole_directory
from perdure.ledger.segments import (
    MANIFEST,
    Manifest,
    Segment,
    after,
    check_follows,
    name_of_segment,
    unpack_manifest,
    unpack_segment,
)
from perdure.ledger.store import LmdbStore, open_store
from perdure.ledger.tables import tables
from perdure.ledger.whole import Tick, check_ledger, silent
from perdure.runtime.backup import put_artifacts, refuse_wrong, tidy
from perdure.runtime.fork import CONTROL, last_words
from perdure.runtime.keptscenario import put_scenario
from perdure.runtime.origin import Origin, write_origin
from perdure.runtime.remote import Place
from perdure.runtime.view import View


class Unshipped(NamedTuple):
    """A run that was made again: how far its copy went, artifacts put in place, its scenario.

    `scenario` is where that was; `kept` whether what the ledger keeps of it was put beside it.
    """

    manifest: Manifest
    artifacts: int
    scenario: str
    kept: bool


def unship(url: str, to: str | Path, tick: Tick = silent) -> Unshipped:
    """Make in `to` the run that was shipped to a URL, up to the last record that got there.

    It is the run itself, under its own id, and is gone on with by `resume`. Raises `UsageError`,
    `NotShipped`, and `LedgerDamaged` that names the file; then there is nothing in `to`.
    """
    place = Place(url)
    data = place.read(MANIFEST)
    if data is None:
        raise UsageError(f"there is no copy of a run at {url}: it has no {MANIFEST}.")
    manifest = unpack_manifest(data)
    with whole_directory(Path(to), "a run") as partial:
        store = open_store(partial, create=True)
        try:
            _write(store, _segments(place, manifest, tick))
        except CommitFailed as error:
            text = f"the run cannot be written to {to}: {error.__cause__ or error}. Make room."
            raise LedgerError(text) from error
        finally:
            store.close()
        checked = check_ledger(partial, tick)
        refuse_wrong(checked.wrong, f"the copy at {url}")
        with View(partial) as view:
            tick("putting artifacts in place")
            artifacts = put_artifacts(view, partial)
            scenario = view.run.directory
            kept = put_scenario(view, partial)
        write_origin(partial, _origin(manifest))
        tidy(partial)
    return Unshipped(manifest, artifacts, scenario, kept)


def _origin(manifest: Manifest) -> Origin:
    return Origin(manifest.directory, manifest.run_id, manifest.records, manifest.hash)


def _segments(place: Place, manifest: Manifest, tick: Tick) -> Iterator[Segment]:
    """The segments in order, each checked against the one before; the last is the manifest's."""
    done = Manifest.none(bytes.fromhex(manifest.run_id), manifest.scenario, manifest.directory)
    for number in range(manifest.start, manifest.segments + 1):
        name = name_of_segment(number)
        tick(f"segment {number:,} of {manifest.segments:,}")
        data = place.read(name)
        if data is None:
            raise LedgerDamaged(
                f"{name} is missing at {place.url}: the copy is damaged from record "
                f"{done.records + 1} on. Use another copy.",
                done.records + 1,
            )
        segment, digest = unpack_segment(name, data)
        if number == manifest.start and segment.beginning:
            done = _before(segment, manifest)
        check_follows(name, segment, done)
        done = after(done, segment, digest, 0)
        yield segment
    if (done.records, done.hash, done.digest) != (manifest.records, manifest.hash, manifest.digest):
        raise LedgerDamaged(
            f"{MANIFEST} and segment {manifest.segments} at {place.url} are not of one copy."
        )


def _before(segment: Segment, manifest: Manifest) -> Manifest:
    """How far a copy went before the segment that it begins with: that one says so itself."""
    return manifest._replace(
        segments=segment.number - 1,
        records=segment.first - 1,
        hash=segment.before.hex(),
        digest=segment.previous.hex(),
    )


def _write(store: LmdbStore, segments: Iterator[Segment]) -> None:
    """The journal as it was shipped, then the tables that follow from it."""
    fold = Fold()
    for segment in segments:
        group = Group(segment.first, blobs=segment.blobs)
        if segment.beginning is not None:
            base, rows = segment.beginning
            fold = read_base(base, segment.blobs.get)
            group.prefix = Prefix(segment.first - 1, segment.before, rows)
        for raw in segment.records:
            fold.add(read_record(raw))
            group.records.append((raw.kind, raw.payload))
        group.time_ns = fold.time
        if store.commit(group).hash != segment.hash:
            raise Broken(f"record {segment.last} has another hash than it was shipped with")
    if fold.violations:
        wrong = min(fold.violations, key=lambda each: each.seq)
        raise LedgerDamaged(f"what was shipped contradicts itself: {wrong}", wrong.seq)
    group = Group(fold.seq + 1, time_ns=fold.time)
    group.puts = list(tables(fold, CONTROL, last_words))
    if fold.pasts.base is not None:  # what it made superfluous goes with the next compaction
        group.drop = Drop(fold.pasts.base.at)
    store.commit(group)
