"""The first look at an LMDB data file, before it is mapped: a missing page would be SIGBUS.

LMDB keeps two meta pages and takes the one with the higher transaction number: a bit flipped in
that number would silently bring back the state before the last group. So the meta row has it too.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple

from perdure.errors import LedgerDamaged, NotALedger
from perdure.ledger.metarow import META_KEY, unpack_meta
from perdure.limits import MAP_BYTES_MAX

_META_BYTES = 152
_PAGE = Struct("=QHHHH")  # page number, pad, flags, lower, upper
_META = Struct("=II QQ 48s 48s QQ")  # magic, version, address, map size, two roots, last page, txn
_TREE = Struct("=IHHQQQQQ")  # pad, flags, depth, branch, leaf, overflow pages, entries, root
_MAGIC = 0xBEEFC0DE
_MAGIC_BYTES = _MAGIC.to_bytes(4, sys.byteorder)
_VERSION = 1  # of LMDB 0.9's files
_NODE = Struct("=HHHH")  # of a leaf: size of the value: low, high; flags; size of the key
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
    root: int


def look(data: Path) -> DataFile:
    """What the data file says of itself; raises `LedgerDamaged` when it cannot be right."""
    with data.open("rb") as file:
        begin = file.read(_PAGE_BYTES_MAX + _META_BYTES)
        if len(begin) >= _META_BYTES and any(begin) and _MAGIC_BYTES not in begin:
            raise NotALedger(f"{data} is no LMDB file, so {data.parent.parent} holds no ledger.")
        file.seek(0)
        first, second = _meta_pages(data, file)
        size = file.seek(0, 2)
    newest = max(first, second, key=lambda page: page.txn)
    whole = (newest.last_page + 1) * newest.page_bytes <= size
    return DataFile(newest.map_bytes, size, newest.txn, whole)


def txns_agree(data: Path) -> bool:
    """Whether the newest transaction is the one that LMDB will take: by the meta row in its pages.

    The other meta page must not be the newer one in truth. More is not asked of it: its pages are
    in use again when a power cut undid a relaxed commit, and the next was being written.
    """
    with data.open("rb") as file:
        older, newest = sorted(_meta_pages(data, file), key=lambda page: page.txn)
        is_newest = _writer(file, older) != newest.txn + 1
        return is_newest and _writer(file, newest) == newest.txn


def _writer(file: BinaryIO, meta: _MetaPage) -> int | None:
    """The transaction that wrote what a meta page names, by the meta row there; None: unreadable.

    Pages of the last transaction are never overwritten, so what it wrote is there to be found.
    """
    if not meta.txn:
        return 0  # there are no pages yet
    try:
        return unpack_meta(_meta_row(file, meta)).txn
    except (struct.error, LookupError, ArithmeticError, ValueError, OSError, LedgerDamaged):
        return None


def _meta_row(file: BinaryIO, meta: _MetaPage) -> bytes:
    """The stored meta row: it and the roots of the databases are all there is on one page."""
    file.seek(meta.root * meta.page_bytes)
    page = file.read(meta.page_bytes)
    count = (_PAGE.unpack_from(page)[3] - _PAGE.size) // 2
    return dict(_leaf(page, n) for n in range(count))[META_KEY]


def _leaf(page: bytes, index: int) -> tuple[bytes, bytes]:
    start = int.from_bytes(page[_PAGE.size + 2 * index :][:2], sys.byteorder)
    low, high, _, key_size = _NODE.unpack_from(page, start)
    key_end = start + _NODE.size + key_size
    return page[start + _NODE.size : key_end], page[key_end : key_end + (low | high << 16)]


def _meta_pages(data: Path, file: BinaryIO) -> tuple[_MetaPage, _MetaPage]:
    first = _meta_page(data, file.read(_META_BYTES), 0)
    file.seek(first.page_bytes)
    second = _meta_page(data, file.read(_META_BYTES), 1)
    if first.page_bytes != second.page_bytes:
        raise _damaged(data, "its meta pages disagree on the page size")
    return first, second


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
    txn_fits = main_root != _NO_ROOT and txn % 2 == number if txn else main_root == _NO_ROOT
    if free_flags != _INTEGERKEY or not roots_fit or not txn_fits:
        raise _damaged(data, f"meta page {number} contradicts itself")
    if not 0 < last < MAP_BYTES_MAX // page_bytes or map_bytes > MAP_BYTES_MAX:
        raise _damaged(data, f"meta page {number} names {last} pages in {map_bytes} bytes of map")
    return _MetaPage(page_bytes, map_bytes, last, txn, main_root)


def _damaged(data: Path, what: str) -> LedgerDamaged:
    return LedgerDamaged(f"{data} is damaged: {what}. Restore a backup to go on.")
