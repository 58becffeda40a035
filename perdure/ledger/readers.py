"""Who reads a ledger now, and since when: pages that a reader may look at are not used again."""

from __future__ import annotations

from typing import NamedTuple


class Reader(NamedTuple):
    """A read transaction that is open: its process, what it reads, and how much came since."""

    pid: int
    txn: int
    behind: int  # groups committed since


def active_readers(table: str, last_txn: int) -> list[Reader]:
    """The readers in LMDB's table of them, those that read the oldest first.

    >>> active_readers("    pid     thread     txnid\\n  7 7fa915dbab80 12\\n  8 7fa9 -\\n", 40)
    [Reader(pid=7, txn=12, behind=28)]
    """
    rows = filter(_is_row, (line.split() for line in table.splitlines()))
    found = {(int(pid), int(txn)) for pid, _, txn in rows}
    readers = (Reader(pid, txn, max(0, last_txn - txn)) for pid, txn in found)
    return sorted(readers, key=lambda reader: (reader.txn, reader.pid))


def _is_row(parts: list[str]) -> bool:
    """Not the heading, and not a place that nobody reads at."""
    return len(parts) == 3 and parts[0].isdecimal() and parts[2].isdecimal()
