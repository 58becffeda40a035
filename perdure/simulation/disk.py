"""A disk that a seed moves: what LMDB is to the ledger's own code, with faults on demand.

The store is the real one (`LmdbStore`), with all its checks; what lies under it is the platter here
in place of a file. It outlives processes, keeps whole transactions only, and does what disks do: it
takes time, refuses, lies about having refused, and flips bits.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, NamedTuple, cast

from perdure.errors import Broken, LedgerError
from perdure.ledger.group import EMPTY, Row
from perdure.ledger.metarow import META_KEY, Meta, pack_meta
from perdure.ledger.readers import Reader
from perdure.ledger.store import LmdbStore
from perdure.limits import READ_ROWS_MAX

Changes = dict[bytes, bytes | None]
"""Key -> the value that a transaction puts there, or None for a row that it deletes."""


class Database:
    """Rows in the order of their keys."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.keys: list[bytes] = []

    def apply(self, changes: Changes) -> None:
        """Do what a transaction says."""
        for key, value in changes.items():
            if value is None:
                del self.rows[key]
                del self.keys[bisect_left(self.keys, key)]
                continue
            if key not in self.rows:
                insort(self.keys, key)
            self.rows[key] = value

    def copy(self) -> Database:
        twin = Database()
        twin.rows, twin.keys = self.rows.copy(), self.keys.copy()
        return twin


class Flip(NamedTuple):
    """A byte that is no longer what was written."""

    database: Database
    key: bytes
    before: bytes


class Platter:
    """What is durable: four databases, changed by whole transactions."""

    def __init__(self) -> None:
        self.main, self.journal, self.tables, self.blobs = (Database() for _ in range(4))
        self.commits = 0
        self.flip: Flip | None = None
        self.is_flip_read = False
        self.main.apply({META_KEY: pack_meta(Meta(EMPTY, 0, 0))})

    def copy(self) -> Platter:
        """What lies here now, for a machine of its own."""
        twin = Platter()
        twin.main, twin.journal = self.main.copy(), self.journal.copy()
        twin.tables, twin.blobs = self.tables.copy(), self.blobs.copy()
        twin.commits = self.commits
        return twin

    def damage(self, chance: Random) -> Flip:
        """Flip a bit of a row that chance takes."""
        lots = (self.journal,), (self.main, self.tables), (self.blobs,)
        rows = [[(each, key) for each in lot for key in each.keys] for lot in lots]
        database, key = chance.choice(chance.choice([lot for lot in rows if lot]))
        before = database.rows[key]
        at = chance.randrange(len(before))
        flipped = bytearray(before)
        flipped[at] ^= 1 << chance.randrange(8)
        database.rows[key] = bytes(flipped)
        self.flip, self.is_flip_read = Flip(database, key, before), False
        return self.flip

    def mend(self) -> None:
        """Have the row as it was written."""
        if self.flip is not None:
            self.flip.database.rows[self.flip.key] = self.flip.before
            self.flip = None


class Disk(NamedTuple):
    """How a process meets a platter: what happens around a commit. Called on its thread."""

    written: Callable[[], None]  # the rows are written, and nothing is durable
    flushed: Callable[[Platter], bool]  # it is about to be durable; False: refuse, but keep it
    durable: Callable[[Platter], None]


def at_once() -> Disk:
    """A disk without any faults, that takes no time."""
    return Disk(lambda: None, lambda platter: True, lambda platter: None)


class SimulatedStore(LmdbStore):
    """The real store, of which no file has pages to walk."""

    def check(self) -> None:
        return


def open_platter(platter: Platter, disk: Disk | None = None) -> LmdbStore:
    """The real store over a platter; to read only, without a disk."""
    owner = None if disk is None else _Owner()
    return SimulatedStore(cast("Any", File(platter, disk or at_once())), cast("Any", owner))


class File:
    """`LedgerFile`, as far as the store needs it: transactions on a platter."""

    path = Path("simulated")

    def __init__(self, platter: Platter, disk: Disk) -> None:
        self.platter = platter
        self.disk = disk
        self.env = self
        self.main, self.journal = platter.main, platter.journal
        self.tables, self.blobs = platter.tables, platter.blobs
        self._is_closed = False

    def check_process(self) -> None:
        if self._is_closed:
            raise Broken("the simulated ledger is closed, and is used")

    def view(self, read: Callable[[Any], Any]) -> Any:
        self.check_process()
        return read(Reading(self.platter))

    def chunk(
        self, db: Database, start: bytes, size: int, prefix: bytes = b""
    ) -> tuple[list[Row], bool]:
        self.check_process()
        rows: list[Row] = []
        reading = Reading(self.platter)
        for key in _from(db, start):
            if not key.startswith(prefix):
                break
            rows.append((key, reading.get(key, db) or b""))
            if len(rows) == size:
                return rows, True
        return rows, False

    def keys(self, db: Database, start: bytes) -> list[bytes]:
        self.check_process()
        return list(_from(db, start))[:READ_ROWS_MAX]

    def begin(self, *, write: bool) -> Writing:
        self.check_process()
        return Writing(self)

    def readers(self) -> list[Reader]:
        return []

    def grow(self) -> None:
        raise LedgerError("a simulated map is never full")

    def keep_up(self) -> None:
        return

    def relax(self) -> None:
        return  # processes die here, and the power stays

    def sync(self) -> None:
        return

    def close(self) -> None:
        self._is_closed = True


class Reading:
    """A transaction that reads."""

    def __init__(self, platter: Platter) -> None:
        self._platter = platter

    def get(self, key: bytes, db: Database) -> bytes | None:
        flip = self._platter.flip
        if flip is not None and flip.database is db and flip.key == key:
            self._platter.is_flip_read = True
        return db.rows.get(key)

    def stat(self, db: Database) -> dict[str, int]:
        return {"entries": len(db.rows)}


class Writing:
    """A transaction that writes: nothing of it is there before its end."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._changes: dict[Database, Changes] = {}
        self._entries: dict[Database, int] = {}

    def __enter__(self) -> Writing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            return
        platter, disk = self._file.platter, self._file.disk
        is_kept = disk.flushed(platter)
        for db, changes in self._changes.items():
            db.apply(changes)
        platter.commits += 1
        disk.durable(platter)
        if not is_kept:
            raise LedgerError("Input/output error, after the flush")

    def id(self) -> int:
        return self._file.platter.commits + 1

    def stat(self, db: Database) -> dict[str, int]:
        return {"entries": len(db.rows) + self._entries.get(db, 0)}

    def put(self, key: bytes, value: bytes, *, db: Database, overwrite: bool = True) -> bool:
        changes = self._changes.setdefault(db, {})
        is_there = changes[key] is not None if key in changes else key in db.rows
        if is_there and not overwrite:
            return False
        changes[key] = value
        self._entries[db] = self._entries.get(db, 0) + (not is_there)
        return True

    def delete(self, key: bytes, *, db: Database) -> bool:
        changes = self._changes.setdefault(db, {})
        is_there = changes[key] is not None if key in changes else key in db.rows
        if is_there:
            self._entries[db] = self._entries.get(db, 0) - 1
            if key in db.rows:
                changes[key] = None
            else:
                del changes[key]
        return is_there

    def cursor(self, db: Database) -> Cursor:
        return Cursor(self, db)


class Cursor:
    """Puts many rows."""

    def __init__(self, writing: Writing, db: Database) -> None:
        self._writing = writing
        self._db = db

    def putmulti(self, rows: list[Row], *, append: bool = False) -> tuple[int, int]:
        added = 0
        last = self._db.keys[-1] if self._db.keys else b""
        for key, value in rows:
            if append and key <= last:
                break
            self._writing.put(key, value, db=self._db)
            last, added = key, added + 1
        return added, added


class _Owner:
    """Who writes: nobody else is there."""

    def release(self) -> None:
        return


def _from(db: Database, start: bytes) -> Iterator[bytes]:
    keys = db.keys
    at = bisect_left(keys, start)
    while at < len(keys):
        yield keys[at]
        at += 1
