"""The promise that a ledger is whole: its pages, records, rows, blobs, and what its head says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

from perdure.errors import Compacted, LedgerDamaged
from perdure.ledger.compacted import chained
from perdure.ledger.environment import LedgerFile, find_ledger
from perdure.ledger.group import Head, Store
from perdure.ledger.owner import hold_off
from perdure.ledger.store import LmdbStore, open_store
from perdure.ledger.walk import walk
from perdure.limits import MAP_BYTES_FIRST, MAP_BYTES_MAX

_SEQ_DIGITS = 20
_END = b"end"


def verify_store(target: Store | str | Path) -> Head:
    """Check all of a ledger, given open or as a run directory, and return its head.

    It takes time in proportion to the ledger, and nothing may be committed meanwhile: raises
    `LedgerInUse` when another process owns it, and `LedgerDamaged` at the first bad record or row.

    >>> from perdure.ledger.memory import MemoryStore
    >>> verify_store(MemoryStore()).seq
    0
    """
    if not isinstance(target, str | Path):
        target.check()
        return check_contents(target)
    path = find_ledger(target)
    owner = hold_off(path)
    try:
        check_pages(path)
        store = open_store(path, write=False)
        try:
            return check_contents(store)
        finally:
            store.close()
    finally:
        owner.release()


def check_contents(store: Store) -> Head:
    """Check records, counts of rows and blobs; the head. Raises `LedgerDamaged`."""
    head = store.head()
    left = {int.from_bytes(key, "big"): row for key, row in store.left()}
    for _ in chained(left):
        pass
    for record in store.records(head.cut + 1):
        if record.seq == head.seq and record.hash != head.hash:
            raise LedgerDamaged(
                f"record {head.seq} is not the one that the ledger says it ends at. "
                "Restore a backup to go on.",
                head.seq,
            )
    rows = dict(sorted(Counter(key[0] for key, _ in store.scan(b"")).items()))
    if rows != head.counts:
        raise LedgerDamaged(
            f"the tables have {rows} rows, and the ledger says {head.counts}. "
            "Restore a backup to go on."
        )
    for digest in store.digests():
        store.blob(digest)
    return head


def check_pages(path: Path) -> None:
    """Check the pages; when they are damaged, say how many records can be read all the same."""
    try:
        walk(path)
    except LedgerDamaged as error:
        good = _readable(path)
        if good is None:
            raise
        raise LedgerDamaged(f"{error} Of its records, {good} can be read.", good + 1) from error


def _readable(path: Path) -> int | None:
    """How many records come before the first bad one; None if all can be read.

    A child process reads them, because a page that is bad enough ends the process that reads it.
    None too when not even that can be told.
    """
    script = f"from {__name__} import tell_readable; tell_readable({str(path)!r})"
    places = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.run(
        [sys.executable, "-c", script], env=places, capture_output=True, check=False
    )
    if child.stdout.endswith(_END) or not child.stdout:
        return None
    return int(child.stdout[-_SEQ_DIGITS:])


def tell_readable(path: str) -> None:
    """Write 0, the seq of each record as soon as it has been read, and `end` to standard output."""
    file = LedgerFile(Path(path), MAP_BYTES_FIRST, MAP_BYTES_MAX, readonly=True)
    store = LmdbStore(file, None)
    for seq in range(store.head().seq + 1):
        with suppress(Compacted):
            store.record(seq)
        os.write(1, b"%0*d" % (_SEQ_DIGITS, seq))
    os.write(1, _END)
