"""The most that LMDB alone allows: the rows of a turn, written by a bare loop in groups of 1,024.

`python -m benchmarks.ceiling DIR --turns 100000 --journal 180 --state 70 --actor 70` writes five
rows a turn: the journal record (appended), the state row and the row of the actor, the inbox row of
the message sent, and the deletion of the inbox row of the message handled. Row sizes are in bytes.
It writes turn by turn; with `--by-key` each group's rows in the order of their keys, which spares
LMDB half of its way; with `--batches` `putmulti` writes each table's rows so in one call. Keys,
environment, settings and the one fsync per group are the ledger's own; hash chain, checksums,
encoding and everything else is left out. `--net` gives rows per turn of tables other than one each;
`--group 1` commits each turn for itself.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from perdure.ledger.environment import LedgerFile, create_ledger
from perdure.ledger.keys import actor_key, inbox_key, state_key
from perdure.ledger.records import Lane

MAP_BYTES = 1 << 32  # never grown while the clock runs; the file is sparse
GROUP_TURNS = 1_024
CRC_BYTES = 4  # an inbox row holds nothing but its checksum


class Sizes(NamedTuple):
    """Bytes of the rows that a turn writes."""

    journal: int
    state: int
    actor: int


class Share(NamedTuple):
    """Rows of each kind per turn."""

    state: float = 1.0
    actor: float = 1.0
    inbox: float = 1.0
    delete: float = 1.0


Row = tuple[bytes, bytes]


class Rows(NamedTuple):
    """What one group writes, each list in the order of the turns."""

    journal: list[Row]
    state: list[Row]
    actor: list[Row]
    inbox: list[Row]
    deletes: list[bytes]

    @property
    def puts(self) -> list[Row]:
        """The rows of all tables, in key order."""
        return sorted(self.state + self.actor + self.inbox)


def groups(
    turns: int, actors: int, sizes: Sizes, share: Share, group: int = GROUP_TURNS
) -> Iterator[Rows]:
    """The rows of a ring's turns: turn `n` is one of the actor `n % actors`."""
    record, state, actor, inbox = *(bytes(size) for size in sizes), bytes(CRC_BYTES)
    for first in range(1, turns + 1, group):
        seqs = range(first, min(first + group, turns + 1))
        size = len(seqs)
        yield Rows(
            [(seq.to_bytes(8, "big"), record) for seq in seqs],
            [(state_key(n % actors), state) for n in seqs[: round(size * share.state)]],
            [(actor_key(n % actors), actor) for n in seqs[: round(size * share.actor)]],
            [
                (inbox_key(n % actors, Lane.USER, n, 0), inbox)
                for n in seqs[: round(size * share.inbox)]
            ],
            [
                inbox_key(n % actors, Lane.USER, n, 0)
                for n in range(first - group, first)[: round(size * share.delete)]
                if n > 0
            ],
        )


def write(file: LedgerFile, rows: Rows) -> None:
    """One group, turn by turn, a put for each row: one transaction, one fsync."""
    with file.env.begin(write=True) as txn:
        journal, tables, put, delete = file.journal, file.tables, txn.put, txn.delete
        for turn in zip_longest(*rows):
            record, *puts, gone = turn
            put(*record, append=True, db=journal)
            for row in puts:
                put(*row, db=tables)
            if gone is not None:
                delete(gone, db=tables)


def write_by_key(file: LedgerFile, rows: Rows) -> None:
    """One group, table by table in key order, a put for each row."""
    with file.env.begin(write=True) as txn:
        journal, tables, put = file.journal, file.tables, txn.put
        for key, value in rows.journal:
            put(key, value, append=True, db=journal)
        for key in sorted(rows.deletes):
            txn.delete(key, db=tables)
        for key, value in rows.puts:
            put(key, value, db=tables)


def write_in_batches(file: LedgerFile, rows: Rows) -> None:
    """One group, a call for each table: what a store can do that has all rows at hand."""
    with file.env.begin(write=True) as txn:
        txn.cursor(file.journal).putmulti(rows.journal, append=True)
        for key in sorted(rows.deletes):
            txn.delete(key, db=file.tables)
        txn.cursor(file.tables).putmulti(rows.puts)


def ceiling(
    directory: Path,
    turns: int,
    actors: int,
    sizes: Sizes,
    share: Share,
    put: Callable[[LedgerFile, Rows], None],
    group: int = GROUP_TURNS,
) -> dict[str, Any]:
    """Write that many turns' rows: turns per second, the making of the rows included."""
    directory.mkdir(parents=True)
    create_ledger(directory, MAP_BYTES)
    file = LedgerFile(directory, MAP_BYTES, MAP_BYTES, readonly=False)
    start = time.perf_counter()
    for rows in groups(turns, actors, sizes, share, group):
        put(file, rows)
    seconds = time.perf_counter() - start
    there = file.view(lambda txn: txn.stat(file.journal)["entries"])
    file.close()
    if there != turns:
        raise SystemExit(f"the journal has {there} of {turns} records")
    return {"rate": turns / seconds, "turns": turns, "seconds": seconds}


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--turns", type=int, default=100_000)
    parser.add_argument("--actors", type=int, default=1_000)
    for name in Sizes._fields:
        parser.add_argument(f"--{name}", type=int, required=True, metavar="BYTES")
    parser.add_argument("--net", type=float, nargs=len(Share._fields), metavar="ROWS")
    parser.add_argument("--group", type=int, default=GROUP_TURNS, metavar="TURNS")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--by-key", dest="put", action="store_const", const=write_by_key)
    way.add_argument("--batches", dest="put", action="store_const", const=write_in_batches)
    parser.set_defaults(put=write)
    args = parser.parse_args(argv)
    sizes = Sizes(args.journal, args.state, args.actor)
    share = Share(*args.net) if args.net else Share()
    return ceiling(args.directory, args.turns, args.actors, sizes, share, args.put, args.group)


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])))
