"""A ring of durable actors, each of which counts a message and tells the next: turns per second.

`python -m benchmarks.ring DIR --actors 1000 --hops 100` runs it with its ledger in DIR, which must
not exist yet. Every actor has one message in flight from the start, or the first `--tokens` have,
and each goes `--hops` hops. With `--account` it also says what each turn wrote, which takes time of
its own. The clock runs until the journal holds the last turn, durable.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.account import Account
from benchmarks.history import system_bytes
from perdure import Actor, Child, Run, SupervisorSpec, message
from perdure.ledger.group import seal_rows
from perdure.ledger.journal import read_record
from perdure.ledger.keys import Table
from perdure.ledger.records import Turn
from perdure.ledger.rows import StateRow, unpack_row
from perdure.ledger.store import open_store

PAD = "x" * 75  # a token is about 100 bytes, encoded
MAKER = "/ring/maker"
WAIT_SECONDS_MAX = 300.0
WARM_HOPS = 2  # before the clock runs: classes are seen, service times learned
SAMPLE_RECORDS = 2_000  # the last ones, whose messages and state changes are weighed


@message("ring.token")
class Token:
    hops: int
    pad: str


@message("ring.build")
class Build:
    actors: int


@message("ring.go")
class Go:
    hops: int
    tokens: int


class Node(Actor, name="ring.node"):
    next: str = ""
    seen: int = 0

    async def on_receive(self, message: Token) -> None:
        self.seen += 1
        if message.hops > 1:
            self.tell(self.next, Token(message.hops - 1, message.pad))


class Maker(Actor, name="ring.maker"):
    actors: int = 0

    async def on_receive(self, message: Build | Go) -> None:
        if isinstance(message, Build):
            self.actors = message.actors
            for i in range(self.actors):
                following = f"{MAKER}/n{(i + 1) % self.actors}"
                self.spawn(Node, f"n{i}", init={"next": following})
        else:
            for i in range(message.tokens):
                self.tell(f"{MAKER}/n{i}", Token(message.hops, PAD))


def ring(
    directory: Path, actors: int, hops: int, tokens: int | None = None, *, account: bool = False
) -> dict[str, Any]:
    """Run the ring once and check in its ledger that every turn happened."""
    tree = Child("ring", supervisor=SupervisorSpec(children=[Child("maker", Maker)]))
    tokens = actors if tokens is None else tokens
    store = open_store(directory, create=True)
    books = Account(store, in_bytes=account)
    with Run(tree, directory, store=store, seed=1) as run:
        run.tell(MAKER, Build(actors)).get(timeout=WAIT_SECONDS_MAX)
        settle(run, 1)
        run.tell(MAKER, Go(WARM_HOPS, actors)).get(timeout=WAIT_SECONDS_MAX)
        settle(run, 2 + actors * WARM_HOPS)
        built = books.groups
        books.clear()
        pages = system_bytes()["pages"] if account else 0
        before, cpu, start = run.figures()["turns"], time.process_time(), time.perf_counter()
        run.tell(MAKER, Go(hops, tokens))
        run.wait(WAIT_SECONDS_MAX)
        seconds = time.perf_counter() - start
        cpu = time.process_time() - cpu
        turns = run.figures()["turns"] - before
    seen = look(directory)
    if seen != actors * WARM_HOPS + tokens * hops or turns != tokens * hops + 1:
        raise SystemExit(
            f"{turns} turns of {tokens} tokens with {hops} hops; the ledger has {seen}"
        )
    report = {"rate": turns / seconds, "turns": turns, "seconds": seconds, "cpu_seconds": cpu}
    if account:
        report |= books.report() | {"groups_built": built} | weigh(directory)
        report["turn_bytes"] = (books.journal_bytes + books.table_bytes) / turns
        report["page_bytes"] = (system_bytes()["pages"] - pages) / turns
        report["needed_bytes"] = report["message_bytes"] + report["change_bytes"]
    return report


def settle(run: Run, turns: int) -> None:
    """Wait until that many turns are closed and nothing is ready."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while (figures := run.figures())["turns"] < turns or figures["waiting"]:
        if time.monotonic() > deadline:
            raise SystemExit(f"{figures} after {WAIT_SECONDS_MAX:g} s, and {turns} turns were due")
        time.sleep(0.01)


def look(directory: Path) -> int:
    """The turns that the nodes' states add up to."""
    store = open_store(directory, write=False)
    try:
        states = (unpack_row(StateRow, row) for _, row in store.scan(bytes([Table.STATE])))
        return sum(state.turns for state in states if "seen" in state.images)
    finally:
        store.close()


def weigh(directory: Path) -> dict[str, float]:
    """The mean sizes of an actor row, and of what a turn cannot do without: message and change."""
    store = open_store(directory, write=False)
    try:
        rows = [row for _, row in seal_rows(list(store.scan(bytes([Table.ACTOR]))))]
        last = store.head().seq
        first = max(1, last - SAMPLE_RECORDS)
        bodies = [read_record(store.record(seq)).body for seq in range(first, last + 1)]
        turns = [body for body in bodies if isinstance(body, Turn)]
        messages = [len(send[1]) for turn in turns for send in turn.sends]
        changes = [len(turn.delta[0][0]) + len(turn.delta[0][2]) for turn in turns if turn.delta]
    finally:
        store.close()
    return {
        "actor_row_bytes": sum(map(len, rows)) / len(rows),
        "message_bytes": sum(messages) / len(messages),
        "change_bytes": sum(changes) / len(changes),
    }


def figures(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--actors", type=int, default=1_000)
    parser.add_argument("--hops", type=int, default=100)
    parser.add_argument("--tokens", type=int)
    parser.add_argument("--account", action="store_true")
    args = parser.parse_args(argv)
    return ring(args.directory, args.actors, args.hops, args.tokens, account=args.account)


if __name__ == "__main__":
    print(json.dumps(figures(sys.argv[1:])))
