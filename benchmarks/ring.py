"""A ring of durable actors with one message in flight for each: turns per second, fsync included.

`python benchmarks/ring.py DIR --actors 1000 --hops 100` runs it with its ledger in DIR, which must
not exist yet. With `--account` it also says what each turn wrote, which takes time of its own.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perdure import Actor, Child, Run, SupervisorSpec, message
from perdure.ledger.group import GENESIS, Group, Head, Store, chain, seal_rows
from perdure.ledger.keys import Table
from perdure.ledger.rows import StateRow, unpack_row
from perdure.ledger.store import open_store

PAD = "x" * 75  # a token is about 100 bytes, encoded
MAKER = "/ring/maker"
WAIT_SECONDS_MAX = 300.0
WARM_HOPS = 2  # before the clock runs: classes are seen, service times learned


@message
class Token:
    hops: int
    pad: str


@message
class Build:
    actors: int


@message
class Go:
    hops: int


class Node(Actor):
    next: str = ""
    seen: int = 0

    async def on_receive(self, message: Token) -> None:
        self.seen += 1
        if message.hops > 1:
            self.tell(self.next, Token(message.hops - 1, message.pad))


class Maker(Actor):
    actors: int = 0

    async def on_receive(self, message: Build | Go) -> None:
        if isinstance(message, Build):
            self.actors = message.actors
            for i in range(self.actors):
                following = f"{MAKER}/n{(i + 1) % self.actors}"
                self.spawn(Node, f"n{i}", init={"next": following})
        else:
            for i in range(self.actors):
                self.tell(f"{MAKER}/n{i}", Token(message.hops, PAD))


class Account:
    """What groups write, row by row; it stands between the kernel and its store."""

    def __init__(self, store: Store) -> None:
        self._commit = store.commit
        store.commit = self.commit  # type: ignore[method-assign]
        self.clear()

    def clear(self) -> None:
        self.groups = self.records = self.journal_bytes = 0
        self.puts: dict[str, list[int]] = {}  # table -> [rows, bytes of their values]
        self.deletes: dict[str, int] = {}

    def commit(self, group: Group, written: Callable[[], None]) -> Head:
        self.groups += 1
        self.records += len(group.records)
        rows, _ = chain(GENESIS, group.first_seq, group.records)
        self.journal_bytes += sum(len(row) for _, row in rows)
        for key, value in seal_rows(group.puts):
            entry = self.puts.setdefault(Table(key[0]).name, [0, 0])
            entry[0] += 1
            entry[1] += len(value)
        for key in group.deletes:
            table = Table(key[0]).name
            self.deletes[table] = self.deletes.get(table, 0) + 1
        return self._commit(group, written)

    def report(self) -> dict[str, Any]:
        return {
            "groups": self.groups,
            "records": self.records,
            "journal_bytes": self.journal_bytes,
            "puts": self.puts,
            "deletes": self.deletes,
        }


def ring(directory: Path, actors: int, hops: int, *, account: bool) -> dict[str, Any]:
    """Run the ring once and check in its ledger that every turn happened."""
    tree = Child("ring", supervisor=SupervisorSpec(children=[Child("maker", Maker)]))
    store = open_store(directory, create=True)
    books = Account(store) if account else None
    with Run(tree, directory, store=store, seed=1) as run:
        run.tell(MAKER, Build(actors)).get(timeout=WAIT_SECONDS_MAX)
        settle(run, 1)
        run.tell(MAKER, Go(WARM_HOPS)).get(timeout=WAIT_SECONDS_MAX)
        settle(run, 2 + actors * WARM_HOPS)
        if books:
            built = books.groups
            books.clear()
        before, cpu, start = run.figures()["turns"], time.process_time(), time.perf_counter()
        run.tell(MAKER, Go(hops))
        run.wait(WAIT_SECONDS_MAX)
        seconds = time.perf_counter() - start
        cpu = time.process_time() - cpu
        turns = run.figures()["turns"] - before
    seen, actor_bytes = look(directory)
    if seen != actors * (WARM_HOPS + hops) or turns != actors * hops + 1:
        raise SystemExit(
            f"{turns} turns of {actors} actors with {hops} hops; the ledger has {seen}"
        )
    report = {"turns": turns, "seconds": seconds, "rate": turns / seconds, "cpu_seconds": cpu}
    if books:
        report |= books.report() | {"groups_built": built, "actor_row_bytes": actor_bytes}
    return report


def settle(run: Run, turns: int) -> None:
    """Wait until that many turns are closed and nothing is ready."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while (figures := run.figures())["turns"] < turns or figures["waiting"]:
        if time.monotonic() > deadline:
            raise SystemExit(f"{figures} after {WAIT_SECONDS_MAX:g} s, and {turns} turns were due")
        time.sleep(0.01)


def look(directory: Path) -> tuple[int, float]:
    """The turns that the nodes' states add up to, and the mean size of an actor row, in bytes."""
    store = open_store(directory, write=False)
    try:
        states = (unpack_row(StateRow, row) for _, row in store.scan(bytes([Table.STATE])))
        seen = sum(state.turns for state in states if "seen" in state.images)
        rows = [row for _, row in seal_rows(list(store.scan(bytes([Table.ACTOR]))))]
        return seen, sum(map(len, rows)) / len(rows)
    finally:
        store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--actors", type=int, default=1_000)
    parser.add_argument("--hops", type=int, default=100)
    parser.add_argument("--account", action="store_true")
    args = parser.parse_args()
    print(json.dumps(ring(args.directory, args.actors, args.hops, account=args.account)))


if __name__ == "__main__":
    main()
