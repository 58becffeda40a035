"""The most that LMDB alone allows: the rows of a turn, written by a bare loop in groups of 1,024.

`python benchmarks/ceiling.py DIR --turns 100000 --journal 180 --state 70 --actor 150` writes five
rows a turn: the journal record (appended), the state row and the row of the actor, the inbox row of
the message sent, and the deletion of the inbox row of the message handled. Row sizes are in bytes.
With `--batches`, `putmulti` writes each table's rows in one call. Keys, environment, settings and
the one fsync per group are the ledger's own; hash chain, checksums, encoding and everything else is
left out. `--net` gives rows per turn of tables other than one each.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from perdure.ledger.environment import LedgerFile, create_ledger
from perdure.ledger.keys import actor_key, inbox_key, state_key
from perdure.ledger.records import Lane
from perdure.limits import GROUP_RECORDS_MAX

MAP_BYTES = 1 << 32  # never grown while the clock runs; the file is sparse
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


class Rows(NamedTuple):
    """What one group writes, each list in key order."""

    journal: list[tuple[bytes, bytes]]
    puts: list[tuple[bytes, bytes]]
    deletes: list[bytes]


def groups(turns: int, actors: int, sizes: Sizes, share: Share) -> Iterator[Rows]:
    """The rows of a ring's turns: turn `n` is one of the actor `n % actors`."""
    record, state, actor, inbox = *(bytes(size) for size in sizes), bytes(CRC_BYTES)
    for first in range(1, turns + 1, GROUP_RECORDS_MAX):
        seqs = range(first, min(first + GROUP_RECORDS_MAX, turns + 1))
        size = len(seqs)
        journal = [(seq.to_bytes(8, "big"), record) for seq in seqs]
        puts = [(state_key(n % actors), state) for n in seqs[: round(size * share.state)]]
        puts += [(actor_key(n % actors), actor) for n in seqs[: round(size * share.actor)]]
        puts += [
            (inbox_key(n % actors, Lane.USER, n, 0), inbox)
            for n in seqs[: round(size * share.inbox)]
        ]
        deletes = [
            inbox_key(n % actors, Lane.USER, n, 0)
            for n in range(first - GROUP_RECORDS_MAX, first)[: round(size * share.delete)]
            if n > 0
        ]
        yield Rows(journal, sorted(puts), sorted(deletes))


def write(file: LedgerFile, rows: Rows) -> None:
    """One group, a put for each row: one transaction, one fsync."""
    with file.env.begin(write=True) as txn:
        journal, tables, put = file.journal, file.tables, txn.put
        for key, value in rows.journal:
            put(key, value, append=True, db=journal)
        for key in rows.deletes:
            txn.delete(key, db=tables)
        for key, value in rows.puts:
            put(key, value, db=tables)


def write_in_batches(file: LedgerFile, rows: Rows) -> None:
    """One group, a call for each table: what a store can do that has all rows at hand."""
    with file.env.begin(write=True) as txn:
        txn.cursor(file.journal).putmulti(rows.journal, append=True)
        for key in rows.deletes:
            txn.delete(key, db=file.tables)
        txn.cursor(file.tables).putmulti(rows.puts)


def ceiling(
    directory: Path, turns: int, actors: int, sizes: Sizes, share: Share, *, batches: bool
) -> dict[str, Any]:
    """Write that many turns' rows: turns per second, the making of the rows included."""
    directory.mkdir(parents=True)
    create_ledger(directory, MAP_BYTES)
    file = LedgerFile(directory, MAP_BYTES, MAP_BYTES, readonly=False)
    start = time.perf_counter()
    for rows in groups(turns, actors, sizes, share):
        (write_in_batches if batches else write)(file, rows)
    seconds = time.perf_counter() - start
    there = file.view(lambda txn: txn.stat(file.journal)["entries"])
    file.close()
    if there != turns:
        raise SystemExit(f"the journal has {there} of {turns} records")
    return {
        "turns": turns,
        "seconds": seconds,
        "rate": turns / seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--turns", type=int, default=100_000)
    parser.add_argument("--actors", type=int, default=1_000)
    for name in Sizes._fields:
        parser.add_argument(f"--{name}", type=int, required=True, metavar="BYTES")
    parser.add_argument("--net", type=float, nargs=len(Share._fields), metavar="ROWS")
    parser.add_argument("--batches", action="store_true")
    args = parser.parse_args()
    sizes = Sizes(args.journal, args.state, args.actor)
    share = Share(*args.net) if args.net else Share()
    found = ceiling(args.directory, args.turns, args.actors, sizes, share, batches=args.batches)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
