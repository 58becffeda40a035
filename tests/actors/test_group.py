"""What sealing a group writes of states: in proportion to what changed, however large they are."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.history import CASES, ENTRIES, KEYS, TEXT_CHARS, WHO, measure
from perdure import Actor, Child, FakeClock, field
from perdure.ledger.group import Row
from perdure.ledger.keys import Table
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, on_kernel, program, resumed, rows, running, settle

TURNS = 200


@pytest.mark.parametrize(
    ("case", "journal_bytes_max", "table_bytes_max", "blob_bytes_max"),
    [
        ("number", 250, 120, 0),
        ("list", 300, 1_500, 0),
        ("dict", 350, 300, 0),
        ("text", 300, 120, TEXT_CHARS * 1.5),
    ],
)
def test_a_turn_writes_in_proportion_to_what_it_changed(
    case: str, journal_bytes_max: int, table_bytes_max: int, blob_bytes_max: int
) -> None:
    figures = measure(CASES[case], MemoryStore(), None, TURNS, FakeClock())
    assert figures["groups"] == 1
    assert figures["journal"] < journal_bytes_max
    assert figures["tables"] < table_bytes_max
    assert figures["blobs"] <= blob_bytes_max


def test_the_states_that_are_measured_are_large() -> None:
    assert ENTRIES * 40 >= 200_000
    assert KEYS * 40 >= 400_000
    assert WHO.startswith("/")


class Keeper(Actor, name="tests.group.keeper"):
    """Keeps lines: adds as many as it is told; `sum` answers how long they are together."""

    lines: list[str] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "sum":
            return sum(map(len, self.lines))
        self.lines += [f"{len(self.lines) + i:09d}" for i in range(message)]
        return len(self.lines)


class Reading(MemoryStore):
    """A store that counts what is read from its tables."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self.__dict__ |= store.reopened().__dict__
        self.states = self.deltas = self.bytes_read = 0

    def get(self, key: bytes) -> bytes | None:
        value = super().get(key)
        self.states += key[0] == Table.STATE
        self.bytes_read += len(value or b"")
        return value

    def scan(self, prefix: bytes, after: bytes | None = None, limit: int | None = None) -> Any:
        for key, value in super().scan(prefix, after, limit):
            self.deltas += key[0] == Table.DELTA
            self.bytes_read += len(key) + len(value)
            yield key, value


def keeper_rows(store: MemoryStore, table: Table) -> list[Row]:
    (address,) = (value for key, value in rows(store, Table.NAME) if key[1:] == b"/r/keeper")
    return [row for row in rows(store, table) if row[0][1:9] == address]


def test_an_actor_with_a_large_state_goes_on_from_its_snapshot_and_deltas() -> None:
    store, parts = MemoryStore(), program(Child("keeper", Keeper))
    with running(parts, store) as run:
        run.ask("/r/keeper", 2_000, timeout=SECONDS)
        for _ in range(900):
            run.ask("/r/keeper", 1, timeout=SECONDS)
    assert len(keeper_rows(store, Table.STATE)) == 1
    deltas = len(keeper_rows(store, Table.DELTA))
    assert 0 < deltas < 900
    reading = Reading(store)
    with resumed(parts, reading) as run:
        assert run.ask("/r/keeper", "sum", timeout=SECONDS) == 2_900 * 9
        assert reading.deltas == deltas
        assert reading.bytes_read < 3 * 2_900 * 10
        assert run.ask("/r/keeper", 1, timeout=SECONDS) == 2_901
    assert len(keeper_rows(reading, Table.DELTA)) in (deltas + 2, 0, 1)


def test_turns_of_one_group_share_a_row() -> None:
    store = MemoryStore()
    with running(program(Child("keeper", Keeper)), store) as run:
        run.ask("/r/keeper", 2_000, timeout=SECONDS)
        run.ask("/r/keeper", 400, timeout=SECONDS)
        settle(run)
        before = len(keeper_rows(store, Table.DELTA))

        def many() -> None:
            for _ in range(20):
                run.kernel.outside.tell("/r/keeper", 1)

        on_kernel(run, many)
        settle(run)
        assert run.ask("/r/keeper", "sum", timeout=SECONDS) == 2_420 * 9
    assert len(keeper_rows(store, Table.DELTA)) <= before + 3
