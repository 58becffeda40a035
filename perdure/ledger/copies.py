"""Copies of a ledger's file, made while another process may be writing it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import lmdb

from perdure.errors import LedgerError
from perdure.ledger.durable import sync_directory
from perdure.ledger.environment import DATA, FOLDER, LedgerFile, Txn, trouble
from perdure.ledger.metarow import META_KEY, pack_meta, unpack_meta
from perdure.ledger.pages import look
from perdure.limits import COPY_FREE_BYTES_MIN, MAP_BYTES_FIRST, MAP_BYTES_MAX

_TRIES_MAX = 10
_CHUNK_BYTES = 1 << 20
_PLACE = (
    errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT,
)  # fmt: skip
"""What is wrong with where a copy goes, and not with what is copied."""


def copy_exactly(file: LedgerFile, to: Path) -> None:
    """Put into the directory `to` the file as it is in one moment, page by page.

    Nothing is followed on the way, so no bad page can do harm: it is for the walk to find. Nor is
    anybody waited for, also not for a writer that was stopped. Raises `LedgerError`.
    """
    data, target = file.path / FOLDER / DATA, to / FOLDER / DATA
    try:
        target.parent.mkdir()
        check_room(to, data.stat().st_size, f"a copy of the ledger {file.path}")
        for _ in range(_TRIES_MAX):
            if file.view(lambda txn: _copy_pages(txn, data, target)):
                return
    except OSError as error:
        raise _trouble(file.path, to, error) from error
    raise LedgerError(f"{file.path} changes faster than it can be copied. Try again.")


def _copy_pages(txn: Txn, data: Path, target: Path) -> bool:
    """Copy what a read transaction sees, meta pages first; False if a writer came in between.

    As long as it lasts, no page of its moment, nor of the one before, is written again.
    """
    if look(data).txn != txn.id():
        return False
    with data.open("rb") as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy, _CHUNK_BYTES)
    return look(target).txn == txn.id()


def copy_compact(file: LedgerFile, to: Path) -> None:
    """Put into the directory `to` a ledger of one moment without its free pages.

    LMDB numbers the transactions of such a copy anew, and meta rows name theirs: the last two are
    written again. Raises `LedgerError`, also when the disk has too little room.
    """
    _copy(file, to)
    copy = LedgerFile(to, MAP_BYTES_FIRST, MAP_BYTES_MAX, readonly=False)
    try:
        for _ in range(2):  # one for each meta page
            while not _name_transaction(copy):
                copy.grow()
    except lmdb.Error as error:
        raise _trouble(to, to, error) from error
    finally:
        copy.close()


def check_room(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise `LedgerError` unless a disk has room for a copy, and some left for the run."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + COPY_FREE_BYTES_MIN:
        raise LedgerError(
            f"{what} takes {needed_bytes:,} bytes, and {folder} has {free:,} free, of which "
            f"{COPY_FREE_BYTES_MIN:,} are left to the run. Make room there."
        )


def _bytes_in_use(file: LedgerFile) -> int:
    """The bytes of the pages that hold something: what a compacting copy takes."""

    def read(txn: Txn) -> int:
        stats = [txn.stat(db) for db in (file.journal, file.tables, file.blobs)]
        pages = (
            stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"] for stat in stats
        )
        return sum(pages) * stats[0]["psize"]

    return file.view(read)


def _copy(file: LedgerFile, to: Path) -> None:
    folder = to / FOLDER
    try:
        folder.mkdir()
        check_room(to, _bytes_in_use(file), f"a copy of the ledger {file.path}")
        with (folder / DATA).open("wb") as data:
            file.view(lambda txn: _copy_used_pages(file, to, data.fileno()))
            os.fsync(data.fileno())
        sync_directory(folder)
        sync_directory(to)
    except OSError as error:
        raise _trouble(file.path, to, error) from error


def _copy_used_pages(file: LedgerFile, to: Path, fd: int) -> None:
    os.lseek(fd, 0, os.SEEK_SET)
    os.ftruncate(fd, 0)
    try:
        file.env.copyfd(fd, compact=True)
    except lmdb.MapResizedError:
        raise  # the view adopts the larger map, and tries again
    except lmdb.Error as error:
        raise _trouble(file.path, to, error) from error


def _trouble(path: Path, to: Path, error: lmdb.Error | OSError) -> LedgerError:
    code = error.errno if isinstance(error, OSError) else error.code
    if code in _PLACE:
        return LedgerError(
            f"the copy in {to} cannot be written: {error}. Make room, or go elsewhere."
        )
    return trouble(path, error)


def _name_transaction(file: LedgerFile) -> bool:
    """Write the meta row anew, so that it names its transaction; False if the map is full."""
    try:
        with file.env.begin(write=True) as txn:
            meta = unpack_meta(txn.get(META_KEY, db=file.main) or b"")
            txn.put(META_KEY, pack_meta(meta._replace(txn=txn.id())), db=file.main)
    except lmdb.MapFullError:
        return False
    return True
