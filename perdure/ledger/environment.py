"""The LMDB environment of a ledger, opened so that no bad file ends the process."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TypeAlias, TypeVar

import lmdb

from perdure.errors import Broken, LedgerDamaged, LedgerError, LedgerInUse, NotALedger
from perdure.ledger.ahead import lengthen
from perdure.ledger.durable import settle, sync_directory
from perdure.ledger.group import EMPTY, Row
from perdure.ledger.metarow import META_KEY, Meta, pack_meta
from perdure.ledger.owner import Onlooker, may_register
from perdure.ledger.pages import look
from perdure.ledger.readers import Reader, active_readers
from perdure.limits import GROUP_BYTES_MAX, READ_ROWS_MAX, READERS_MAX

R = TypeVar("R")
Txn: TypeAlias = "lmdb.Transaction[bytes]"

DATABASES = (b"journal", b"tables", b"blobs")
FOLDER = "ledger"
DATA = "data.mdb"
_UNFINISHED = "ledger.new"
_FULL = (lmdb.ReadersFullError, lmdb.TlsFullError, lmdb.MemoryError)
_BAD_FILE = (errno.EINVAL, errno.EIO)


class LedgerFile:
    """The open environment of one ledger, read in short transactions: a long one pins pages.

    It belongs to the process that opened it. Raises `LedgerDamaged` for a file that LMDB refuses,
    and `LedgerInUse` in a forked child or when this process has it open already. A file that may be
    damaged is to be walked first: LMDB trusts what pages say of themselves.
    """

    def __init__(self, path: Path, map_bytes: int, map_bytes_max: int, *, readonly: bool) -> None:
        said = look(path / FOLDER / DATA)
        self.path = path
        self._map_bytes, self._map_bytes_max = max(map_bytes, said.map_bytes), map_bytes_max
        self._pid, self._is_relaxed = os.getpid(), False
        # Held while the map is read or replaced: LMDB would pull it from under a reader.
        self._map_lock = Lock()
        lockless = readonly and not may_register(path / FOLDER)
        self._onlooker = Onlooker(path) if lockless else None
        try:
            self.env = self._open(readonly, lock=not lockless)
        except BaseException:
            self._look_away()
            raise
        try:
            self.dead_readers = self.env.reader_check()  # let go of here: they pinned pages
            self.main, self.journal, self.tables, self.blobs = self._databases()
            if not readonly:
                self._settle()
        except BaseException:
            self.env.close()
            self._look_away()
            raise

    def _open(self, readonly: bool, *, lock: bool) -> lmdb.Environment:
        """The environment; its lock and its data are those of one folder, which may be replaced."""
        folder = self.path / FOLDER
        while True:
            before = folder.stat().st_ino
            env = _environment(
                folder, self._map_bytes, readonly=readonly, lock=lock, metasync=not self._is_relaxed
            )
            if folder.stat().st_ino == before:
                return env
            env.close()

    def view(self, read: Callable[[Txn], R]) -> R:
        """What `read` finds in one short transaction."""
        self.check_process()
        while True:
            try:
                with self._map_lock, self.env.begin() as txn:
                    return read(txn)
            except lmdb.MapResizedError:  # the owner, another process, has grown it
                self._remap(0)
            except lmdb.Error as error:
                raise trouble(self.path, error) from error

    def chunk(
        self, db: lmdb._Database, start: bytes, size: int, prefix: bytes = b""
    ) -> tuple[list[Row], bool]:
        """At most `size` rows and not many bytes from `start` on, and whether there may be more."""

        def read(txn: Txn) -> tuple[list[Row], bool]:
            rows: list[Row] = []
            bytes_left = GROUP_BYTES_MAX
            cursor = txn.cursor(db)
            if cursor.set_range(start):
                for row in cursor:
                    if not row[0].startswith(prefix):
                        break
                    rows.append(row)
                    bytes_left -= len(row[1])
                    if len(rows) == size or bytes_left <= 0:
                        return rows, True
            return rows, False

        return self.view(read)

    def keys(self, db: lmdb._Database, start: bytes) -> list[bytes]:
        """At most `READ_ROWS_MAX` keys from `start` on: their values may be large."""

        def read(txn: Txn) -> list[bytes]:
            cursor = txn.cursor(db)
            found = cursor.set_range(start)
            return list(islice(cursor.iternext(values=False), READ_ROWS_MAX)) if found else []

        return self.view(read)

    def readers(self) -> list[Reader]:
        """Who reads it now, this process and dead ones left out."""
        self.check_process()
        try:
            self.env.reader_check()
            table, last = self.env.readers(), self.env.info()["last_txnid"]
        except lmdb.Error as error:
            raise trouble(self.path, error) from error
        return [each for each in active_readers(table, last) if each.pid != self._pid]

    def relax(self) -> None:
        """Flush once for each commit: its meta page is written, and flushed with the next commit.

        A power cut may undo the last commit; it damages nothing, since LMDB does not use pages of
        the one before again until then. The setting is one of opening a file: it is opened anew.
        """
        self.check_process()
        self.env.close()
        self._is_relaxed = True
        self.env = self._open(readonly=False, lock=True)
        self.main, self.journal, self.tables, self.blobs = self._databases()

    def sync(self) -> None:
        """Have no power cut undo what was committed."""
        if self._is_relaxed:
            self.env.sync(True)

    def grow(self) -> None:
        """Double the map; raises `LedgerError` when it is as large as it may be."""
        if self._map_bytes >= self._map_bytes_max:
            raise LedgerError(f"its map is full, and has its most: {self._map_bytes_max:,} bytes")
        self._map_bytes = min(2 * self._map_bytes, self._map_bytes_max)
        self._remap(self._map_bytes)

    def keep_up(self) -> None:
        """What is to be done now and then, between two commits, by who writes."""
        self.env.reader_check()
        self._remap(self._map_bytes)  # gives back the memory of pages that were looked at
        used_bytes = (self.env.info()["last_pgno"] + 1) * self.env.stat()["psize"]
        lengthen(self.path / FOLDER / DATA, used_bytes)

    def close(self) -> None:
        """Close it, unless a parent process owns it; a second close does nothing."""
        if self._pid == os.getpid():
            self.env.close()
            self._look_away()
        self._pid = 0

    def check_process(self) -> None:
        """Raise unless this is the process that opened it, and has not closed it."""
        pid = os.getpid()
        if self._pid == pid:
            return
        if self._pid == 0:
            raise Broken(f"the ledger {self.path} is closed, and is used")
        raise LedgerInUse(
            f"the ledger {self.path} belongs to process {self._pid}, and this is {pid}, forked "
            "from it. Open the ledger after the fork, or send the other process a message."
        )

    def _look_away(self) -> None:
        if self._onlooker is not None:
            self._onlooker.release()

    def _settle(self) -> None:
        """Make durable what the last process may have been killed at: we build on it."""
        try:
            settle(self.path / FOLDER)
            self.env.sync(True)
        except (lmdb.Error, OSError) as error:
            raise trouble(self.path, error) from error

    def _databases(self) -> list[lmdb._Database]:
        try:
            return [self.env.open_db(name, create=False) for name in (None, *DATABASES)]
        except lmdb.MapResizedError:  # grown since it was looked at
            self._remap(0)
            return self._databases()
        except lmdb.Error as error:
            raise trouble(self.path, error) from error

    def _remap(self, map_bytes: int) -> None:
        with self._map_lock:
            try:
                self.env.set_mapsize(map_bytes)  # 0 takes the size that the file says
            except lmdb.Error as error:  # without a map, the binding has closed the environment
                raise LedgerError(
                    f"the map of {self.path} cannot have {map_bytes:,} bytes: {error}. "
                    "Give the process more address space."
                ) from error


def _environment(
    directory: Path, map_bytes: int, *, readonly: bool, lock: bool = True, metasync: bool = True
) -> lmdb.Environment:
    """The LMDB environment in a directory; the file must have been looked at before."""
    try:
        return lmdb.open(
            str(directory),
            map_size=map_bytes,
            readonly=readonly,
            lock=lock,
            readahead=False,
            metasync=metasync,
            mode=0o644,
            max_dbs=len(DATABASES),
            max_readers=READERS_MAX,
            lib_version=0,  # LMDB 0.9's format, whatever the environment variable says
        )
    except (lmdb.Error, OSError) as error:
        raise trouble(directory, error) from error


def create_ledger(path: Path, map_bytes: int) -> None:
    """Make an empty ledger in the run directory `path`, whose owner we are.

    It is built under another name and renamed when it is durable: a kill in the middle leaves no
    ledger, and the next call clears away what it left.
    """
    fresh = path / _UNFINISHED
    try:
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir()
        env = _environment(fresh, map_bytes, readonly=False)
        try:
            with env.begin(write=True) as txn:
                for name in DATABASES:
                    env.open_db(name, txn=txn)
                txn.put(META_KEY, pack_meta(Meta(EMPTY, 0, txn.id())), db=env.open_db(None, txn))
        finally:
            env.close()
        sync_directory(fresh)
        fresh.rename(path / FOLDER)
        sync_directory(path)
    except (lmdb.Error, OSError) as error:
        raise trouble(path, error) from error


def find_ledger(path: str | Path) -> Path:
    """The run directory `path`; raises `NotALedger` when there is no ledger in it."""
    if not (Path(path) / FOLDER / DATA).is_file():
        raise NotALedger(f"{path} holds no ledger. `perdure runs` lists those there are.")
    return Path(path)


def make_directory(path: Path) -> None:
    """Make `path` and what is missing above it; opening the ledger in it makes that durable."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise trouble(path, error) from error


def trouble(path: Path, error: lmdb.Error | OSError) -> LedgerError:
    """Our error for one that came while opening or reading `path`."""
    if isinstance(error, OSError):
        return LedgerError(f"the ledger {path} cannot be used: {error}. Mend that and try again.")
    if isinstance(error, _FULL):
        return LedgerError(f"{path} has {READERS_MAX} readers, its most: {error}. Stop some.")
    if "already open in this process" in str(error):
        return LedgerInUse(
            f"the ledger {path} is open in this process, {os.getpid()}, already. "
            "Use that store, or close it first."
        )
    if error.code >= 0 and error.code not in _BAD_FILE:
        return LedgerError(f"the ledger {path} cannot be used: {error}. Mend that and try again.")
    return LedgerDamaged(f"the ledger {path} is damaged: {error}. Restore a backup to go on.")
