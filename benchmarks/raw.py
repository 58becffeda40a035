"""What a bare loop does with LMDB and msgpack for the work of perdure: no runtime, the same bytes.

`python -m benchmarks.raw DIR --kind turns --turns 100000 --journal 230 --state 70` passes tokens
around a ring of actors, as `ring.py` does, of which nothing but rows exists. A turn reads the place
of its message, the event that holds it, and the state of its actor; it makes and packs the next
message, the state and its own event, and writes five rows: the message is deleted, the new state
put, the event appended, the next message put, and the meta row. Groups of 1,024 turns are one
transaction. Events and states are filled up to the sizes of perdure's, in bytes.

`--kind effects` does what one actor does that makes so many calls with an effect, as `durable.py`:
what came of the last call and the intent of the next are two records and two rows of steps, and
with the meta row one commit; then the call is made, which writes a line.

Nobody is scheduled or supervised, nothing is hashed, checked or delivered, and no code of a user
runs: it is a ceiling, and no prediction.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgpack

from benchmarks.ceiling import GROUP_TURNS, MAP_BYTES
from benchmarks.durable import PAD as RESULT_PAD
from benchmarks.ring import PAD as TOKEN_PAD
from perdure.ledger.environment import LedgerFile, Txn, create_ledger
from perdure.ledger.group import seq_key
from perdure.ledger.keys import inbox_id, inbox_key, inbox_prefix, state_key, step_key
from perdure.ledger.records import Lane

META = b"\x7fmeta"  # beside the tables: the ledger's own is left alone
HOPS = 1_000_000  # more than a token goes

pack: Callable[[object], bytes] = msgpack.Packer().pack
unpack: Callable[[Any], Any] = msgpack.unpackb


class Ring:
    """A ring of actors in the rows of a ledger: every actor has a message, in the order of ids."""

    def __init__(self, file: LedgerFile, actors: int, sizes: tuple[int, int]) -> None:
        self.file, self.actors = file, actors
        self.fill = b"", b""
        token = pack(("token", HOPS, TOKEN_PAD))
        event, state = self._event(1 << 16, 1, 1, token), self._state(1 << 16, 1)
        self.fill = bytes(max(0, sizes[0] - len(event))), bytes(max(0, sizes[1] - len(state)))
        with file.env.begin(write=True) as txn:
            for actor in range(actors):
                seq = actor + 1
                txn.put(seq_key(seq), self._event(seq, actor, 0, token), db=file.journal)
                txn.put(state_key(actor), self._state(seq, 0), db=file.tables)
                txn.put(inbox_key(actor, Lane.USER, seq, 0), b"", db=file.tables)

    def _event(self, seq: int, actor: int, seen: int, told: bytes) -> bytes:
        return pack((time.time_ns(), seq, actor, (("seen", seen),), told, self.fill[0]))

    def _state(self, seq: int, seen: int) -> bytes:
        return pack((seq, {"seen": seen}, self.fill[1]))

    def turn(self, txn: Txn, seq: int, actor: int) -> None:
        """One turn of an actor; `seq` is the number of its event."""
        tables, journal, mine = self.file.tables, self.file.journal, state_key(actor)
        inbox = txn.cursor(tables)
        inbox.set_range(inbox_prefix(actor))
        came = inbox_id(inbox.key())[2]
        kind, hops, pad = unpack(unpack(txn.get(seq_key(came), db=journal))[4])
        seen = unpack(txn.get(mine, db=tables))[1]["seen"] + 1
        told, following = pack((kind, hops - 1, pad)), (actor + 1) % self.actors
        inbox.delete()
        txn.put(mine, self._state(seq, seen), db=tables)
        txn.put(seq_key(seq), self._event(seq, actor, seen, told), append=True, db=journal)
        txn.put(inbox_key(following, Lane.USER, seq, 0), b"", db=tables)
        txn.put(META, pack((seq, time.time_ns())), db=tables)


def turns(file: LedgerFile, number: int, actors: int, sizes: tuple[int, int], group: int) -> int:
    """So many turns around a ring; the records that there are then."""
    ring, last = Ring(file, actors, sizes), actors + number
    for first in range(actors + 1, last + 1, group):
        with file.env.begin(write=True) as txn:
            for seq in range(first, min(first + group, last + 1)):
                ring.turn(txn, seq, (seq - 1) % actors)
    return last


def effects(file: LedgerFile, number: int, log: Path) -> int:
    """So many calls with an effect, one after the other, each after its intent is durable."""
    line = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    key, result, seq = "", b"", 0
    for n in range(1, number + 1):
        with file.env.begin(write=True) as txn:
            if key:
                seq = _step(txn, file, seq + 1, key, ("result", True, result, n - 1))
            key, asked = f"durable.act#{n}", pack(("a0", n))
            seq = _step(txn, file, seq + 1, key, ("intent", False, asked, n))
            txn.put(META, pack((seq, time.time_ns())), db=file.tables)
        os.write(line, b"a0 %d\n" % n)
        result = pack((n, RESULT_PAD))
    os.close(line)
    return seq


def _step(txn: Txn, file: LedgerFile, seq: int, key: str, what: tuple[Any, ...]) -> int:
    record = pack((time.time_ns(), 1, (1, 0), key, *what))
    txn.put(seq_key(seq), record, append=True, db=file.journal)
    txn.put(step_key(1, 1, 0, key), pack((seq, key, *what)), db=file.tables)
    return seq


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--kind", choices=("turns", "effects"), default="turns")
    parser.add_argument("--turns", type=int, default=100_000)
    parser.add_argument("--actors", type=int, default=1_000)
    parser.add_argument("--journal", type=int, default=0, metavar="BYTES")
    parser.add_argument("--state", type=int, default=0, metavar="BYTES")
    parser.add_argument("--group", type=int, default=GROUP_TURNS, metavar="TURNS")
    args = parser.parse_args(argv)
    directory: Path = args.directory
    directory.mkdir(parents=True)
    create_ledger(directory, MAP_BYTES)
    file = LedgerFile(directory, MAP_BYTES, MAP_BYTES, readonly=False)
    start = time.perf_counter()
    if args.kind == "turns":
        last = turns(file, args.turns, args.actors, (args.journal, args.state), args.group)
    else:
        last = effects(file, args.turns, directory / "lines.log")
    seconds = time.perf_counter() - start
    there = file.view(lambda txn: txn.stat(file.journal)["entries"])
    file.close()
    if there != last:
        raise SystemExit(f"the journal has {there} of {last} records")
    return {"rate": args.turns / seconds, "turns": args.turns, "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])))
