"""A group on its way into the file: the one transaction of a commit."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

import lmdb

from perdure.errors import Broken
from perdure.ledger import group as rules
from perdure.ledger.environment import LedgerFile, Txn
from perdure.ledger.group import Drop, Group, Head, Row, seq_key
from perdure.ledger.metarow import META_KEY, Meta, pack_meta
from perdure.ledger.stubs import is_stub, stub_of


class Sealed:
    """A group as rows: chained to the records before it, each with its checksum."""

    def __init__(self, head: Head, group: Group) -> None:
        self.group = group
        self.start = rules.start(head, group)
        rules.check_group(self.start, group)
        self.rows, self.hash = rules.chain(self.start.hash, group.first_seq, group.records)
        self.puts = rules.seal_rows(group.puts)

    def write(self, file: LedgerFile, meta: Meta, written: Callable[[], None]) -> Meta | None:
        """Write it; returns the meta row from now on, or None, nothing written: the map is full."""
        try:
            with file.env.begin(write=True) as txn:
                self._append(txn, file, meta.head)
                counts = self._change_tables(txn, file)
                blobs = meta.blobs
                for item in self.group.blobs.items():
                    blobs += txn.put(*item, overwrite=False, db=file.blobs)
                cut, gone = self.start.cut, self.start.gone
                if self.group.drop is not None:
                    cut, gone, blobs = self._take_away(txn, file, self.group.drop, blobs)
                seq = self.start.seq + len(self.rows)
                head = Head(seq, self.hash, self.group.time_ns, counts, cut, gone)
                meta = Meta(head, blobs, txn.id())
                txn.put(META_KEY, pack_meta(meta), db=file.main)
                written()
        except lmdb.MapFullError:
            return None
        return meta

    def _append(self, txn: Txn, file: LedgerFile, head: Head) -> None:
        rows = self.rows
        if self.group.prefix is not None:
            rows = [(seq_key(seq), row) for seq, row in self.group.prefix.rows] + rows
        appended = txn.cursor(file.journal).putmulti(rows, append=True)
        if appended != (len(rows), len(rows)):
            raise Broken(f"the journal has records after {head.seq}, which its meta row ends at")

    def _change_tables(self, txn: Txn, file: LedgerFile) -> dict[int, int]:
        counts, tables = self.start.counts.copy(), file.tables
        if self.group.deletes:
            for key in sorted(self.group.deletes):
                if txn.delete(key, db=tables):
                    counts[key[0]] -= 1
            counts = {kind: count for kind, count in counts.items() if count}
        before = sum(counts.values())
        for kind, of_kind in _by_table(self.puts):
            if txn.cursor(tables).putmulti(of_kind)[0] != len(of_kind):
                raise Broken(f"LMDB took some rows of table {kind} and left the others")
            now = txn.stat(tables)["entries"]
            counts[kind] = counts.get(kind, 0) + now - before
            before = now
        return counts

    def _take_away(
        self, txn: Txn, file: LedgerFile, drop: Drop, blobs: int
    ) -> tuple[int, int, int]:
        """The cut, the records that are gone, and the blobs that there are, after the drop."""
        deleted = sum(_delete(txn, file, first, last) for first, last in drop.gone)
        _leave_stubs(txn, file, drop)
        blobs -= sum(txn.delete(digest, db=file.blobs) for digest in drop.blobs)
        return drop.cut, self.start.gone + deleted, blobs


def _by_table(rows: Sequence[Row]) -> list[tuple[int, Sequence[Row]]]:
    """Sorted rows, cut where the kind byte changes."""
    parts: list[tuple[int, Sequence[Row]]] = []
    start, last = 0, rows[-1][0][0] if rows else 0
    while start < len(rows):
        kind = rows[start][0][0]
        end = len(rows) if kind == last else bisect_left(rows, (bytes((kind + 1,)),), start)
        parts.append((kind, rows[start:end]))
        start = end
    return parts


def _delete(txn: Txn, file: LedgerFile, first: int, last: int) -> int:
    """Delete the rows of a range; how many there were."""
    cursor, deleted = txn.cursor(file.journal), 0
    if not cursor.set_range(seq_key(first)):
        return 0
    while cursor.key() and cursor.key() <= seq_key(last):
        cursor.delete()
        deleted += 1
    return deleted


def _leave_stubs(txn: Txn, file: LedgerFile, drop: Drop) -> None:
    for seq in drop.stubs:
        row = txn.get(seq_key(seq), db=file.journal)
        if row is not None and not is_stub(row):
            txn.put(seq_key(seq), stub_of(row), db=file.journal)
