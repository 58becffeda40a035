"""The ledger on disk: an LMDB environment of three databases, `journal`, `tables` and `blobs`.

A run's directory holds `ledger/` (LMDB's own files) and `owner`, the lock of the one process that
writes. No error of LMDB's leaves this module.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import lmdb

from perdure.errors import Broken, CommitFailed, LedgerDamaged, LedgerError, LedgerExists
from perdure.ledger import group as rules
from perdure.ledger.environment import (
    DATA,
    FOLDER,
    LedgerFile,
    Txn,
    create_ledger,
    find_ledger,
    make_directory,
    trouble,
)
from perdure.ledger.gil import short_waits
from perdure.ledger.group import GENESIS, Group, Head, RawRecord, Row, nothing, seq_key
from perdure.ledger.metarow import META_KEY, Meta, unpack_meta
from perdure.ledger.owner import Owner, hold_off
from perdure.ledger.readers import Reader
from perdure.ledger.shrinking import clear_away
from perdure.ledger.stubs import is_stub
from perdure.ledger.walk import glance, walk
from perdure.ledger.writing import Sealed
from perdure.limits import MAP_BYTES_FIRST, MAP_BYTES_MAX, READ_ROWS_MAX, UPKEEP_GROUPS


def open_store(
    path: str | Path,
    *,
    create: bool = False,
    write: bool = True,
    map_bytes_first: int = MAP_BYTES_FIRST,
    map_bytes_max: int = MAP_BYTES_MAX,
) -> LmdbStore:
    """The ledger in the run directory `path`, to write or only to read.

    `create` makes it, directory included; it implies `write`, and takes an empty ledger as new.
    The sizes, in bytes, are what LMDB's map starts with and where its doubling ends. Raises
    `LedgerExists`, `NotALedger`, `LedgerInUse`, `LedgerTooNew` or `LedgerDamaged`.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as directory:
    ...     store = open_store(directory, create=True)
    ...     _ = store.commit(Group(1, [(1, b"first")], puts=[(b"\\x01key", b"value")]))
    ...     store.close()
    ...     store = open_store(directory, write=False)
    ...     store.head().seq, store.record(1).payload, store.get(b"\\x01key")
    (1, b'first', b'value')
    """
    run = Path(path)
    if create:
        make_directory(run)
    else:
        find_ledger(run)
    owner = Owner(run) if write or create else None
    try:
        if owner is not None:
            clear_away(run)
        if create and not (run / FOLDER / DATA).exists():
            create_ledger(run, map_bytes_first)
        glance(run)
        file = LedgerFile(run, map_bytes_first, map_bytes_max, readonly=owner is None)
        store = LmdbStore(file, owner)
        if create and store.head().seq:
            store.close()
            raise LedgerExists(
                f"{run} holds a ledger already, of {store.head().seq} records. "
                f"Use `perdure resume {run}`, or another directory."
            )
    except BaseException:
        if owner:
            owner.release()
        raise
    return store


class LmdbStore:
    """A ledger in an LMDB file; `open_store` makes one. One thread commits, any may read."""

    def __init__(self, file: LedgerFile, owner: Owner | None) -> None:
        self.path = file.path
        self.file = self._file = file
        self._owner = owner
        self._failed = ""
        self._groups = 0
        try:
            self._meta = file.view(self._read_meta)
        except BaseException:
            file.close()
            raise

    def head(self) -> Head:
        return self._now().head

    def _now(self) -> Meta:
        return self._meta if self._owner else self._file.view(self._read_meta)

    def get(self, key: bytes) -> bytes | None:
        stored = self._file.view(lambda txn: txn.get(key, db=self._file.tables))
        return None if stored is None else rules.open_row(key, stored)

    def scan(
        self, prefix: bytes, after: bytes | None = None, limit: int | None = None
    ) -> Iterator[Row]:
        rows = self._rows(prefix, after, limit)
        is_whole = len(prefix) == 1 and after is None and limit is None
        # Our own groups are in the file a moment before we know of them: only others can count.
        return self._counted(prefix[0], rows) if is_whole and not self._owner else rows

    def _counted(self, kind: int, rows: Iterator[Row]) -> Iterator[Row]:
        """All rows of a table; a page that leads past some would only be seen by their number."""
        before, found = self._now(), 0
        for row in rows:
            found += 1
            yield row
        true = before.head.counts.get(kind, 0)
        if found != true and self._now() == before:  # else somebody has written meanwhile
            raise LedgerDamaged(
                f"table {kind} has {found:,} rows, and the meta row of {self.path} says {true:,}. "
                "Restore a backup to go on."
            )

    def _rows(self, prefix: bytes, after: bytes | None, limit: int | None) -> Iterator[Row]:
        start = max(prefix, b"\x01") if after is None else max(prefix, after + b"\0")
        left = limit
        while left is None or left > 0:
            size = READ_ROWS_MAX if left is None else min(left, READ_ROWS_MAX)
            rows, more = self._file.chunk(self._file.tables, start, size, prefix)
            for key, stored in rows:
                yield key, rules.open_row(key, stored)
            if not more:
                return
            start = rows[-1][0] + b"\0"
            left = None if left is None else left - len(rows)

    def record(self, seq: int) -> RawRecord | None:
        if seq < 1:
            return None
        before, row = self._file.view(lambda txn: self._pair(txn, seq))
        if row is None or is_stub(row):
            head = self.head()
            if seq <= head.seq:
                raise rules.missing_record(seq, head.cut)
            return None
        return rules.open_record(self._hash(seq - 1, before), seq, row)

    def records(self, first: int = 1, last: int | None = None) -> Iterator[RawRecord]:
        head_seq = self.head().seq
        last = head_seq if last is None else min(last, head_seq)
        seq = max(first, 1)
        if seq > last:
            return
        before, row = self._file.view(lambda txn: self._pair(txn, seq))
        if row is None or is_stub(row):
            raise rules.missing_record(seq, self.head().cut)
        previous = self._hash(seq - 1, before)
        while seq <= last:
            size = min(READ_ROWS_MAX, last - seq + 1)
            rows, _ = self._file.chunk(self._file.journal, seq_key(seq), size)
            for key, row in rows or [(b"", b"")]:
                if key != seq_key(seq) or is_stub(row):
                    raise rules.missing_record(seq, self.head().cut)
                record = rules.open_record(previous, seq, row)
                previous = record.hash
                seq += 1
                yield record

    def left(self) -> Iterator[Row]:
        seq, cut = 1, self.head().cut
        while seq <= cut:
            rows, _ = self._file.chunk(self._file.journal, seq_key(seq), READ_ROWS_MAX)
            for key, row in rows:
                seq = int.from_bytes(key, "big")
                if seq > cut:
                    return
                yield key, row
            seq += 1

    def blob(self, digest: bytes) -> bytes | None:
        data = self._file.view(lambda txn: txn.get(digest, db=self._file.blobs))
        if data is not None and rules.blob_digest(data) != digest:
            raise LedgerDamaged(f"blob {digest.hex()} is not what its name says. Restore a backup.")
        return data

    def digests(self) -> Iterator[bytes]:
        start = b"\0"
        while keys := self._file.keys(self._file.blobs, start):
            yield from keys
            start = keys[-1] + b"\0"

    def check(self) -> None:
        """Walk the file's pages with every writer held off; `LedgerInUse` if that cannot be."""
        self._file.check_process()
        if self._owner is None:
            owner = hold_off(self.path)
            try:
                walk(self.path)
            finally:
                owner.release()
            return
        try:
            with self._file.env.begin(write=True):
                walk(self.path)
        except lmdb.Error as error:
            raise trouble(self.path, error) from error

    def commit(self, group: Group, written: Callable[[], None] = nothing) -> Head:
        self._file.check_process()
        if self._owner is None:
            raise Broken(f"the ledger {self.path} was opened for reading, and is written to")
        if self._failed:
            raise self._commit_failed(group)
        sealed = Sealed(self._meta.head, group)
        try:
            with short_waits:
                while (meta := sealed.write(self._file, self._meta, written)) is None:
                    self._file.grow()
                if group.is_final:
                    self._file.sync()
                self._meta = meta
        except (lmdb.Error, LedgerError) as error:
            self._failed = f"{error} ({self._room()})"
            raise self._commit_failed(group) from error
        self._groups += 1
        if self._groups % UPKEEP_GROUPS == 0:
            self._file.keep_up()
        return self._meta.head

    def relax(self) -> None:
        self._file.relax()

    def readers(self) -> list[Reader]:
        return self._file.readers()

    def close(self) -> None:
        self._file.close()
        if self._owner:
            self._owner.release()

    # --- what is read

    def _pair(self, txn: Txn, seq: int) -> tuple[bytes | None, bytes | None]:
        """The journal rows of the record before `seq`, and of `seq`."""
        db = self._file.journal
        return txn.get(seq_key(seq - 1), db=db), txn.get(seq_key(seq), db=db)

    def _hash(self, seq: int, row: bytes | None) -> bytes:
        if row is None and seq:
            raise rules.missing_record(seq)
        return rules.stored_hash(row) if row else GENESIS

    def _read_meta(self, txn: Txn) -> Meta:
        stored = txn.get(META_KEY, db=self._file.main)
        if stored is None:
            raise LedgerDamaged(f"the ledger {self.path} has no meta row. Restore a backup.")
        meta = unpack_meta(stored)
        said = [meta.head.seq - meta.head.gone, sum(meta.head.counts.values()), meta.blobs]
        databases = self._file.journal, self._file.tables, self._file.blobs
        there = [txn.stat(db)["entries"] for db in databases]
        if said != there:
            raise LedgerDamaged(
                f"the ledger {self.path} has {there} records, rows and blobs, "
                f"and its meta row says {said}. Restore a backup to go on."
            )
        last = txn.get(seq_key(meta.head.seq), db=self._file.journal)
        if meta.head.seq and (last is None or rules.stored_hash(last) != meta.head.hash):
            raise LedgerDamaged(
                f"record {meta.head.seq} is not the one that the meta row of {self.path} ends at. "
                "Restore a backup to go on.",
                meta.head.seq,
            )
        return meta

    def _room(self) -> str:
        try:
            return f"{shutil.disk_usage(self.path).free:,} bytes are free there"
        except OSError as error:
            return str(error)

    def _commit_failed(self, group: Group) -> CommitFailed:
        seq = self._meta.head.seq
        return CommitFailed(
            f"{self.path} refused the records from {group.first_seq} on: {self._failed}. "
            f"The last durable record is {seq}. Make room or mend the disk: "
            f"`perdure resume {self.path}` goes on after it.",
            seq,
        )
