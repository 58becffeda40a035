"""Who reads a ledger now, in which process, and how far behind: a reader pins the pages it sees."""

from __future__ import annotations

from importlib.metadata import version
from typing import NamedTuple

import lmdb

from perdure.ledger.store import LmdbStore


class Reader(NamedTuple):
    """A read transaction of a process: how many groups it is behind the last one."""

    pid: int
    lag: int


def readers(store: LmdbStore) -> list[Reader]:
    """The read transactions that are open now."""
    env = store.file.env
    last: int = env.info()["last_txnid"]
    return parse_readers(env.readers(), last)


def parse_readers(table: str, last: int) -> list[Reader]:
    """The readers in LMDB's table; a slot without a transaction reads nothing.

    >>> parse_readers("    pid     thread     txnid\\n  17 7f00 40\\n  18 7f01 -\\n", 45)
    [Reader(pid=17, lag=5)]
    """
    found = []
    for line in table.splitlines():
        words = line.split()
        if len(words) == 3 and words[0].isdecimal() and words[2].isdecimal():
            found.append(Reader(int(words[0]), last - int(words[2])))
    return found


def engine() -> tuple[str, tuple[int, ...]]:
    """The version of the binding to LMDB, and of the engine that ledgers are written with."""
    return version("lmdb"), tuple(lmdb.version(subpatch=True))[:3]
