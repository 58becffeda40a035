"""The first look at an LMDB data file, before it is mapped: a missing page would be SIGBUS."""

from __future__ import annotations

from pathlib import Path
from struct import Struct
from typing import NamedTuple

from perdure.errors import LedgerDamaged
from perdure.limits import MAP_BYTES_MAX

_META_BYTES = 152
_PAGE = Struct("=QHHHH")  # page number, pad, flags, lower, upper
_META = Struct("=II QQ 48s 48s QQ")  # magic, version, address, map size, two roots, last page, txn
_TREE = Struct("=IHHQQQQQ")  # pad, flags, depth, branch, leaf, overflow pages, entries, root
_MAGIC = 0xBEEFC0DE
_VERSION = 1  # of LMDB 0.9's files
_P_META = 0x08
_INTEGERKEY = 0x08
_NO_ROOT = 2**64 - 1
_PAGE_BYTES_MIN = 256
_PAGE_BYTES_MAX = 32 * 1024


class DataFile(NamedTuple):
    """What the meta pages say, and whether the file holds all the pages they speak of."""

    map_bytes: int
    file_bytes: int
    txn: int  # number of the last transaction
    whole: bool  # false: only a walk can tell whether a page that matters is missing


class _MetaPage(NamedTuple):
    page_bytes: int
    map_bytes: int
    last_page: int
    txn: int


def look(data: Path) -> DataFile:
    """What the data file says of itself; raises `LedgerDamaged` when it cannot be right."""
    with data.open("rb") as file:
        first = _meta_page(data, file.read(_META_BYTES), 0)
        file.seek(first.page_bytes)
        second = _meta_page(data, file.read(_META_BYTES), 1)
        size = file.seek(0, 2)
    if first.page_bytes != second.page_bytes:
        raise _damaged(data, "its meta pages disagree on the page size")
    newest = max(first, second, key=lambda page: page.txn)
    whole = (newest.last_page + 1) * newest.page_bytes <= size
    return DataFile(newest.map_bytes, size, newest.txn, whole)


def _meta_page(data: Path, raw: bytes, number: int) -> _MetaPage:
    if len(raw) < _META_BYTES:
        raise _damaged(data, f"it ends inside meta page {number}")
    page, _, flags, _, _ = _PAGE.unpack_from(raw)
    magic, version, _, map_bytes, free, main, last, txn = _META.unpack_from(raw, _PAGE.size)
    if (page, flags, magic, version) != (number, _P_META, _MAGIC, _VERSION):
        raise _damaged(data, f"meta page {number} is none of LMDB 0.9's")
    page_bytes, free_flags, *_, free_root = _TREE.unpack(free)
    main_root = _TREE.unpack(main)[-1]
    if page_bytes & (page_bytes - 1) or not _PAGE_BYTES_MIN <= page_bytes <= _PAGE_BYTES_MAX:
        raise _damaged(data, f"meta page {number} names pages of {page_bytes} bytes")
    roots_fit = all(root == _NO_ROOT or 1 < root <= last for root in (free_root, main_root))
    if free_flags != _INTEGERKEY or not roots_fit or (txn and txn % 2 != number):
        raise _damaged(data, f"meta page {number} contradicts itself")
    if not 0 < last < MAP_BYTES_MAX // page_bytes or map_bytes > MAP_BYTES_MAX:
        raise _damaged(data, f"meta page {number} names {last} pages in {map_bytes} bytes of map")
    return _MetaPage(page_bytes, map_bytes, last, txn)


def _damaged(data: Path, what: str) -> LedgerDamaged:
    return LedgerDamaged(f"{data} is damaged: {what}. Restore a backup to go on.")
