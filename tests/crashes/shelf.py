"""A ledger without a run: groups of records, rows and blobs, and what is said to be durable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perdure.ledger.store import LmdbStore, open_store
from perdure.ledger.verify import verify_store
from tests.crashes.marks import mark
from tests.ledger.stores import blobs, contents, group

GROUPS = 4
GROUP_RECORDS = 2
LAST = b"\x02last"


def scenario(folder: Path) -> Path:
    """It needs nothing."""
    return folder


def drive(disk: Path, _: Path, *, is_relaxed: bool = False) -> dict[str, Any]:
    """Make the ledger or take it up, and add the groups that are missing."""
    directory = disk / "home" / "shelf"
    store = open_store(directory) if _is_there(directory) else open_store(directory, create=True)
    try:
        mark(f"durable {store.head().seq}")  # whatever an owner sees must not go any more
        if is_relaxed:
            store.relax()
        for n in range(store.head().seq // GROUP_RECORDS + 1, GROUPS + 1):
            _add(store, n)
            may_go = is_relaxed and n < GROUPS
            mark(f"{'committed' if may_go else 'durable'} {store.head().seq}")
    finally:
        store.close()
    return {"groups": GROUPS}


def _add(store: LmdbStore, n: int) -> None:
    puts = [(bytes([1, n, m]), bytes([m]) * 30 * m) for m in range(12)] + [(LAST, b"%d" % n)]
    gone = [key for key, _ in store.scan(b"\x01", limit=6)]
    data = blobs(bytes([n]) * 9_000)
    added = group(store, b"%d" % n, bytes(500), puts=puts, deletes=gone, blobs=data, time_ns=n)
    added.is_final = n == GROUPS
    store.commit(added)


def _is_there(directory: Path) -> bool:
    return (directory / "ledger" / "data.mdb").exists()


def check(disk: Path, whole: Path, out: list[str]) -> None:
    """The ledger is whole, is one of those there were, and has all that was said."""
    directory = disk / "home" / "shelf"
    said = max(map(_least, out), default=-1)
    if not _is_there(directory):
        assert said < 0, f"there is no ledger, and {said} records are durable"
        return
    assert verify_store(directory).seq >= said
    store = open_store(directory, write=False)
    try:
        head, last = store.head(), store.get(LAST)
    finally:
        store.close()
    assert last == (b"%d" % (head.seq // GROUP_RECORDS) if head.seq else None)
    store = open_store(whole / "home" / "shelf", write=False)
    try:
        record = store.record(head.seq)
    finally:
        store.close()
    assert record is None or record.hash == head.hash


def _least(text: str) -> int:
    """How many records there are at least when that was said."""
    word, _, number = text.partition(" ")
    return int(number) - (GROUP_RECORDS if word == "committed" else 0)


def end(disk: Path) -> object:
    """All that it holds in the end."""
    store = open_store(disk / "home" / "shelf", write=False)
    try:
        return contents(store)
    finally:
        store.close()
