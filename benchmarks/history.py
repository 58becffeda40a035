"""What a turn writes that changes a little of a large state, each turn in a group of its own.

`python benchmarks/history.py DIR` runs each case with its ledger in a folder of DIR and prints, per
turn: bytes of journal rows, of table rows and of blobs as they were handed to the store, of the
pages that LMDB wrote for them, and what the system wrote to disk.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from perdure import Actor, Child, Run, SupervisorSpec, field
from perdure.clock import Clock
from perdure.ledger.group import GENESIS, Group, Head, Store, chain, seal_rows
from perdure.ledger.store import open_store

WHO = "/history/a"
ENTRIES = 5_000
KEYS = 10_000
LINE = "user: what is the weather like in Basel" + "?"  # 40 characters
TEXT_CHARS = 200_000


class Counts(Actor, name="history.counts"):
    """The state of most actors: a number."""

    n: int = 0

    async def on_receive(self, message: int) -> int:
        self.n += 1
        return self.n


class Lists(Actor, name="history.lists"):
    """A conversation as it should be kept: a line is an entry."""

    lines: list[str] = field(default_factory=list)

    async def on_receive(self, message: int) -> int:
        self.lines += [f"{i} {LINE}" for i in range(message)]
        return len(self.lines)


class Texts(Actor, name="history.texts"):
    """A conversation as it should not: one text, assigned anew with each line."""

    text: str = ""

    async def on_receive(self, message: int) -> int:
        self.text += f"{message} {LINE}\n" * (message // len(LINE) or 1)
        return len(self.text)


class Dicts(Actor, name="history.dicts"):
    """An index: one of its keys is set."""

    pages: dict[str, str] = field(default_factory=dict)
    n: int = 0

    async def on_receive(self, message: int) -> int:
        for _ in range(message):
            self.pages[f"page {self.n % KEYS:05d}"] = f"{self.n} {LINE}"
            self.n += 1
        return len(self.pages)


class Case(NamedTuple):
    """A class, and the message that gives it the size at which it is measured."""

    cls: type[Actor]
    fill: int
    what: str


CASES = {
    "number": Case(Counts, 1, "a counter"),
    "list": Case(Lists, ENTRIES, f"list[str] of {ENTRIES:,} entries, one appended"),
    "dict": Case(Dicts, KEYS, f"dict of {KEYS:,} keys, one set"),
    "text": Case(Texts, TEXT_CHARS, f"str of {TEXT_CHARS:,} characters, one line longer"),
}


class Written:
    """Counts what is handed to a store."""

    def __init__(self, store: Store) -> None:
        self._commit: Callable[..., Head] = store.commit
        store.commit = self.commit  # type: ignore[method-assign]
        self.clear()

    def clear(self) -> None:
        self.groups = self.journal = self.tables = self.blobs = 0

    def commit(self, group: Group, written: Callable[[], None]) -> Head:
        self.groups += 1
        rows, _ = chain(GENESIS, group.first_seq, group.records)
        self.journal += sum(len(row) for _, row in rows)
        self.tables += sum(len(key) + len(value) for key, value in seal_rows(group.puts))
        self.blobs += sum(map(len, group.blobs.values()))
        return self._commit(group, written)

    def per_turn(self, turns: int) -> dict[str, float]:
        names = ("groups", "journal", "tables", "blobs")
        return {name: getattr(self, name) / turns for name in names}


def system_bytes() -> dict[str, int]:
    """What this process handed to the system, LMDB's pages, the calls for it, and what was written.

    The last is more: a file system writes a page's neighbours along when they were written
    together once.
    """
    lines = Path("/proc/self/io").read_text().splitlines()
    counts = dict(line.split(": ") for line in lines)
    names = {"pages": "wchar", "calls": "syscw", "disk": "write_bytes"}
    return {name: int(counts[key]) for name, key in names.items()}


def measure(
    case: Case, store: Store, directory: Path | None, turns: int, clock: Clock | None = None
) -> dict[str, Any]:
    """Fill an actor's state, then ask it that many times for a small change."""
    tree = Child("history", supervisor=SupervisorSpec(children=[Child("a", case.cls)]))
    written = Written(store)
    with Run(tree, directory, store=store, seed=1, clock=clock) as run:
        run.ask(WHO, case.fill)
        run.ask(WHO, 1)
        written.clear()
        before, start = system_bytes(), time.perf_counter()
        for _ in range(turns):
            run.ask(WHO, 1)
        seconds, after = time.perf_counter() - start, system_bytes()
        figures = written.per_turn(turns)
    figures |= {name: (after[name] - before[name]) / turns for name in before}
    return figures | {"seconds": seconds / turns}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--turns", type=int, default=1_000)
    parser.add_argument("--case", choices=CASES, action="append")
    args = parser.parse_args()
    for name in args.case or CASES:
        case, place = CASES[name], args.directory / name
        figures = measure(case, open_store(place, create=True), place, args.turns)
        figures |= {"file": (place / "ledger" / "data.mdb").stat().st_size}
        print(json.dumps({"case": name, "what": case.what, **figures}))


if __name__ == "__main__":
    main()
