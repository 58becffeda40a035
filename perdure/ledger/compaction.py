"""Compaction: what to drop of a ledger, found by folding it, and the groups that drop it.

It is planned by whoever has the time, and carried out by the owner. Before the record that names
the bases nothing is dropped; after it, what is left over is dropped by whoever comes next.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from perdure.errors import LedgerDamaged, UsageError
from perdure.ledger import keys
from perdure.ledger.audit import audit
from perdure.ledger.base import blobs_of, write_base
from perdure.ledger.blobs import named_in
from perdure.ledger.compacted import (
    Left,
    base_row,
    beginning,
    needed_at,
    to_leave,
    wrong_before,
)
from perdure.ledger.fold import Fold
from perdure.ledger.folded import Violation
from perdure.ledger.group import Drop, Group, RawRecord, Row, Store
from perdure.ledger.interventions import Base
from perdure.ledger.journal import pack_payload, read_record
from perdure.ledger.keys import Table
from perdure.ledger.records import Kind, Record
from perdure.ledger.rows import BaseRow, PostedRow, pack_row, unpack_row
from perdure.limits import BASES_KEPT_MAX, DROP_RECORDS_MAX, GROUP_BYTES_MAX

Progress = Callable[[str, int, int], object]
"""Told (what is being done, how far it is, of how much)."""


@dataclass(slots=True)
class Plan:
    """How a ledger is to be compacted up to record `at`, and what that comes to."""

    at: int
    hash: bytes = b""  # of that record
    bases: tuple[tuple[int, bytes], ...] = ()
    left: Left = field(default_factory=lambda: Left(set(), set()))
    blobs: dict[bytes, bytes] = field(default_factory=dict)  # that the bases add
    unused: tuple[bytes, ...] = ()  # blobs that nothing will refer to
    marks_lost: int = 0  # records with marks that will not be usable any more
    posts_until: int = 0
    dead_until: int = 0
    deletes: list[bytes] = field(default_factory=list)  # rows of what is forgotten
    cut_before: int = 0
    is_new: bool = True  # else the ledger has that cut already, and only the rest is dropped
    head: int = 0  # the last record that was looked at
    records_dropped: int = 0
    bytes_dropped: int = 0  # of records and blobs, about

    def fields(self) -> tuple[object, ...]:
        """The fields of the record that says so, after time and sends."""
        left = len(self.left.records) + len(self.left.stubs)
        return (self.at, self.hash, self.bases, left, self.posts_until, self.dead_until)


def nobody(stage: str, done: int, total: int) -> None:
    """Tell nobody how far it is."""


def plan(
    store: Store,
    at: int,
    *,
    posts_until: int = 0,
    dead_until: int = 0,
    is_still: bool = True,
    progress: Progress = nobody,
) -> Plan:
    """Fold a ledger, and find what can go if it is cut at record `at`.

    `is_still`: nobody writes to it, and its tables are checked too. Raises `LedgerDamaged` for a
    ledger that contradicts itself: what would explain it must not be dropped.
    """
    head, row, blobs = store.head(), base_row(store), set(store.digests())
    if not 1 <= at <= head.seq:
        raise UsageError(f"there is no record {at} to cut at: the run has records 1 to {head.seq}.")
    cut = row.at if row is not None else 0
    found = Plan(max(at, cut), cut_before=cut, is_new=at > cut, head=head.seq)
    if found.is_new:
        found.posts_until, found.dead_until = posts_until, dead_until
    fold = beginning(store)
    planner = _Planner(store, found, fold, row, progress)
    wrong: list[Violation] = wrong_before(store, blobs)
    rows = store.scan(b"") if is_still else ()
    records = planner.watched(store.records(fold.seq + 1, head.seq), head.seq)
    there = blobs if is_still else None
    wrong += audit(records, rows, there, store.blob, fold) if is_still else folded(records, fold)
    if wrong:
        raise LedgerDamaged(
            f"the ledger contradicts itself, and is not compacted: {wrong[0]}. "
            "`perdure verify` says more.",
            wrong[0].seq,
        )
    planner.finish(blobs)
    return found


def folded(records: Iterable[Record], fold: Fold) -> list[Violation]:
    """Fold records; what is wrong with them."""
    for record in records:
        fold.add(record)
    return fold.violations


class _Planner:
    """What a fold passes by on its way through the journal, noted in a plan."""

    def __init__(
        self, store: Store, plan: Plan, fold: Fold, row: BaseRow | None, progress: Progress
    ) -> None:
        self.store, self.plan, self.fold, self.row = store, plan, fold, row
        self.progress = progress
        self.used: set[bytes] = set()  # digests of blobs that stay
        self.wanted: set[int] = set()  # records up to the cut that stay
        self.bases: dict[int, bytes] = {} if row is None else dict(row.bases)
        marks = {int.from_bytes(seq, "big") for _, seq in store.scan(bytes([Table.MARK]))}
        before = sorted(seq for seq in marks if seq < plan.at)
        self.marked = before[-BASES_KEPT_MAX:]
        plan.marks_lost = len(before) - len(self.marked)
        self.bytes = 0  # of records from the cut before to the new one

    def watched(self, raws: Iterable[RawRecord], last: int) -> Iterator[Record]:
        """The records, each looked at before it is folded, and the fold after it."""
        plan, marked = self.plan, set(self.marked)
        for raw in raws:
            record = read_record(raw)
            yield record
            if raw.seq > plan.at:
                self.used.update(named_in(record.body))
            else:
                self.bytes += len(raw.payload)
            is_wanted = raw.seq == plan.at or raw.seq in marked
            if plan.is_new and is_wanted and not self.fold.violations:
                self._write_base(raw)
            self.progress("fold", raw.seq, last)

    def _write_base(self, raw: RawRecord) -> None:
        base = write_base(self.fold, raw.hash)
        self.bases[raw.seq] = base.digest
        self.plan.blobs.update(base.blobs)
        if raw.seq == self.plan.at:
            self.plan.hash = raw.hash

    def finish(self, blobs: set[bytes]) -> None:
        """Settle what stays, now that all is folded."""
        plan = self.plan
        if plan.is_new:
            self._choose_bases()
            self._forget()
        elif self.row is not None:
            plan.bases = self.row.bases
        for base in plan.bases:
            self.wanted |= needed_at(base, self._record(), self._read)
            self.used.update(blobs_of(base[1], self._read))
        plan.blobs = {digest: plan.blobs[digest] for digest in plan.blobs if digest in self.used}
        plan.left = to_leave(self.wanted, plan.at)
        self._count(blobs)

    def _choose_bases(self) -> None:
        """The newest marks that there still are, and the cut."""
        plan = self.plan
        usable = [seq for seq in self.marked if seq in self.bases]
        plan.marks_lost += len(self.marked) - len(usable)
        plan.bases = tuple((seq, self.bases[seq]) for seq in [*usable, plan.at])

    def _forget(self) -> None:
        """The rows of posts and dead letters that are to be forgotten."""
        plan = self.plan
        for key, value in self.store.scan(bytes([Table.POSTED])) if plan.posts_until else ():
            row = unpack_row(PostedRow, value)
            if row.seq <= plan.posts_until and row.ok is not None:
                plan.deletes.append(key)
        for id, letter in self.fold.dead.items():
            if letter.seq <= plan.dead_until:
                plan.deletes.append(keys.dead_key(*id))

    def _record(self) -> Base:
        return Base(0, (), *self.plan.fields())  # type: ignore[arg-type]

    def _read(self, digest: bytes) -> bytes | None:
        return self.plan.blobs.get(digest) or self.store.blob(digest)

    def _count(self, blobs: set[bytes]) -> None:
        """What is dropped: records now, and blobs that nothing refers to then."""
        plan, left = self.plan, self.plan.left
        new = range(plan.cut_before + 1, plan.at + 1)
        for seq in sorted(left.records):
            raw = self.store.record(seq)
            if raw is not None:
                self.used.update(named_in(read_record(raw).body))
                self.bytes -= len(raw.payload) if seq in new else 0
        before = {int.from_bytes(key, "big"): row for key, row in self.store.left()}
        stay = left.records | left.stubs
        gone = [seq for seq in before if seq not in stay]
        plan.records_dropped = len(gone) + len(new) - len(stay & set(new))
        plan.unused = tuple(sorted(blobs - self.used))
        sizes = sum(len(self.store.blob(digest) or b"") for digest in plan.unused)
        plan.bytes_dropped = self.bytes + sum(len(before[seq]) for seq in gone) + sizes


# --- carrying it out


def groups(store: Store, plan: Plan) -> Iterator[Group]:
    """What is to be committed, in order; each is a whole ledger. The store is one nobody is at."""
    head = store.head()
    if plan.is_new:
        for part in _parts(plan.blobs):
            yield Group(head.seq + 1, time_ns=head.time_ns, blobs=part)
        payload = bytes(pack_payload((head.time_ns, (), *plan.fields())))
        put: Row = (keys.BASE_KEY, pack_row(BaseRow(head.seq + 1, plan.at, plan.bases)))
        record = Group(head.seq + 1, [(Kind.BASE, payload)], [put], time_ns=head.time_ns)
        record.deletes, record.drop = plan.deletes, Drop(plan.at)
        yield record
    for drop in drops(plan):
        head = store.head()
        yield Group(head.seq + 1, time_ns=head.time_ns, drop=drop)


def drops(plan: Plan) -> Iterator[Drop]:
    """What goes, in portions, the newest first: each record still has the one before it."""
    last, left = plan.at, plan.left
    stay = sorted(left.records | left.stubs)
    while last > 0:  # what an earlier cut has left is little, and one portion
        first = max(last - DROP_RECORDS_MAX, plan.cut_before) + 1 if last > plan.cut_before else 1
        within = stay[bisect_left(stay, first) : bisect_right(stay, last)]
        stubs = tuple(seq for seq in within if seq in left.stubs)
        yield Drop(plan.at, tuple(_between(within, first, last)), stubs)
        last = first - 1
    for start in range(0, len(plan.unused), DROP_RECORDS_MAX):
        yield Drop(plan.at, blobs=plan.unused[start : start + DROP_RECORDS_MAX])


def _between(stay: list[int], first: int, last: int) -> Iterator[tuple[int, int]]:
    """The ranges from `first` to `last` that have nothing of `stay` in them."""
    for seq in [*stay, last + 1]:
        if first < seq:
            yield first, seq - 1
        first = seq + 1


def _parts(blobs: dict[bytes, bytes]) -> Iterator[dict[bytes, bytes]]:
    part: dict[bytes, bytes] = {}
    size = 0
    for digest, data in blobs.items():
        part[digest] = data
        size += len(data)
        if size >= GROUP_BYTES_MAX:
            yield part
            part, size = {}, 0
    if part:
        yield part
