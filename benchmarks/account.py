"""What groups write, counted row by row between the kernel and its store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perdure.ledger.group import GENESIS, Group, Head, Store, chain, seal_rows
from perdure.ledger.keys import Table


class Account:
    """Counts the groups and records that a store is given; `in_bytes` their rows as well.

    Counting is nearly free; looking at the bytes seals every row a second time.
    """

    def __init__(self, store: Store, *, in_bytes: bool = False) -> None:
        self._commit: Callable[..., Head] = store.commit
        self._in_bytes = in_bytes
        store.commit = self.commit  # type: ignore[method-assign]
        self.clear()

    def clear(self) -> None:
        self.groups = self.records = self.journal_bytes = self.table_bytes = 0
        self.puts: dict[str, list[int]] = {}  # table -> [rows, bytes of their values]
        self.deletes: dict[str, int] = {}

    def commit(self, group: Group, written: Callable[[], None]) -> Head:
        self.groups += 1
        self.records += len(group.records)
        if self._in_bytes:
            self._look(group)
        return self._commit(group, written)

    def _look(self, group: Group) -> None:
        rows, _ = chain(GENESIS, group.first_seq, group.records)
        self.journal_bytes += sum(len(key) + len(row) for key, row in rows)
        for key, value in seal_rows(group.puts):
            entry = self.puts.setdefault(Table(key[0]).name, [0, 0])
            entry[0] += 1
            entry[1] += len(value)
            self.table_bytes += len(key) + len(value)
        for key in group.deletes:
            table = Table(key[0]).name
            self.deletes[table] = self.deletes.get(table, 0) + 1

    def report(self) -> dict[str, Any]:
        return {
            "groups": self.groups,
            "records": self.records,
            "journal_bytes": self.journal_bytes,
            "table_bytes": self.table_bytes,
            "puts": self.puts,
            "deletes": self.deletes,
        }
