"""What a fork of a compacted run begins with: a base, and the records before it that are left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from perdure.errors import Compacted, LedgerDamaged
from perdure.ledger.base import blobs_of, read_base, read_list
from perdure.ledger.blobs import named_in
from perdure.ledger.compacted import Left, base_record, base_row, chained, needed_at, to_leave
from perdure.ledger.fold import Fold
from perdure.ledger.group import Group, Prefix, Store, stored_hash
from perdure.ledger.interventions import Base
from perdure.ledger.journal import read_record
from perdure.ledger.stubs import bare_stub, stub_of
from perdure.limits import GROUP_BYTES_MAX


class Beginning(NamedTuple):
    """The fold that a copy goes on from, what is to be committed for it, and what says so.

    `base` is the record that the copy needs, if the records after the cut do not have it.
    """

    fold: Fold
    groups: Iterator[Group]
    base: Base | None


def begin(source: Store, at: int) -> Beginning:
    """How a copy of `source` up to record `at` begins.

    Raises `Compacted` for a record before the cut, unless it has a mark whose base was kept.
    """
    row = base_row(source)
    if row is None:
        return Beginning(Fold(), iter(()), None)
    bases = tuple(each for each in row.bases if each[0] <= at)
    cut = min(at, row.at)
    if cut not in dict(bases):
        raise Compacted(at, row.at)
    listed = read_list(dict(bases)[cut], source.blob)
    body = base_record(source, row)
    if cut != row.at:
        body = body._replace(at=cut, hash=listed.hash, bases=bases, posts_until=0, dead_until=0)
    wanted = set[int]().union(*(needed_at(each, body, source.blob) for each in body.bases))
    left = to_leave(wanted, body.at)
    body = body._replace(left=len(left.records) + len(left.stubs), sends=())
    fold = read_base(bases[-1][1], source.blob)
    return Beginning(fold, _groups(source, body, left, fold.time), body if at < row.seq else None)


def _groups(source: Store, body: Base, left: Left, time_ns: int) -> Iterator[Group]:
    """The blobs of what is before the cut, then its rows."""
    there = {int.from_bytes(key, "big"): row for key, row in source.left()}
    stubs = {seq: stub_of(there[seq]) for seq in left.stubs if seq in there}
    rows = {seq: there[seq] for seq in left.records if seq in there} | stubs
    rows.setdefault(body.at, bare_stub(body.hash))
    digests = {digest for _, name in body.bases for digest in blobs_of(name, source.blob)}
    for record in chained(rows):
        digests.update(named_in(read_record(record).body))
    yield from _blobs(source, sorted(digests))
    prefix = Prefix(body.at, stored_hash(rows[body.at]), tuple(sorted(rows.items())))
    yield Group(body.at + 1, prefix=prefix, time_ns=time_ns)


def _blobs(source: Store, digests: list[bytes]) -> Iterator[Group]:
    group, size = Group(1), 0
    for digest in digests:
        data = source.blob(digest)
        if data is None:
            raise LedgerDamaged(f"blob {digest.hex()}, which the base names, is gone.")
        group.blobs[digest] = data
        size += len(data)
        if size >= GROUP_BYTES_MAX:
            yield group
            group, size = Group(1), 0
    yield group
