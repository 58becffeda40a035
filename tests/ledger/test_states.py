"""State rows: small ones are whole, large ones a snapshot and the deltas since."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import LedgerDamaged
from perdure.ledger.group import Group, Row
from perdure.ledger.images import Image, apply, materialise
from perdure.ledger.keys import Table, delta_id, state_key
from perdure.ledger.memory import MemoryStore
from perdure.ledger.rows import DeltaRow, StateRow, unpack_row
from perdure.ledger.states import StateLog, read_state, scan_states, seal_state
from perdure.ledger.values import Codec
from perdure.limits import STATE_ROW_BYTES_MAX

CODEC = Codec()
WHO = 7
SMALL, LARGE = ["a"], ["a line of a conversation"] * 1_000
OTHER = ["another line of one"] * 1_000


def enc(value: Any) -> bytes:
    return CODEC.encode(value)


class Keeper:
    """An actor's images, and the rows that groups write of them."""

    def __init__(self, value: Any) -> None:
        self.store = MemoryStore()
        self.images: dict[str, Image] = {}
        self.log: StateLog | None = None
        self.seq = self.written = 0
        self.change(("value", "=", enc(value)))

    def change(self, *delta: tuple[Any, ...], seal: bool = True) -> None:
        self.seq += 1
        apply(self.images, delta)
        if self.log is not None:
            self.log.add(delta)
        if seal:
            self.seal()

    def seal(self) -> None:
        puts: list[Row] = []
        deletes: list[bytes] = []
        row = StateRow(self.seq, self.seq, self.seq.to_bytes(16, "big"), self.images)
        self.log = seal_state(WHO, row, self.log, puts, deletes)
        self.written += sum(len(value) for _, value in puts)
        first = self.store.head().seq + 1
        records = [(4, b"")] * (self.seq + 1 - first)
        self.store.commit(Group(first, records, puts, deletes))

    def rows(self, table: Table) -> int:
        return len(list(self.store.scan(bytes([table]))))

    def read(self) -> tuple[Any, StateRow]:
        found = read_state(self.store, WHO)
        assert found is not None
        return materialise(found[0].images["value"], CODEC.decode), found[0]


def test_a_small_state_is_one_row_that_each_group_writes() -> None:
    keeper = Keeper(SMALL)
    keeper.change(("value", "append", enc("b")))
    assert keeper.log is None
    assert (keeper.rows(Table.STATE), keeper.rows(Table.DELTA)) == (1, 0)
    assert keeper.read()[0] == ["a", "b"]


def test_of_a_large_state_a_group_writes_what_changed() -> None:
    keeper = Keeper(LARGE)
    before = keeper.written
    keeper.change(("value", "append", enc("b")))
    keeper.change(("value", "setitem", 0, enc("first")))
    assert keeper.written - before < 150
    assert (keeper.rows(Table.STATE), keeper.rows(Table.DELTA)) == (1, 2)
    value, row = keeper.read()
    assert value == ["first", *LARGE[1:], "b"]
    assert (row.turns, row.seq, row.state_hash) == (3, 3, (3).to_bytes(16, "big"))


def test_the_turns_of_one_group_share_a_delta_row() -> None:
    keeper = Keeper(LARGE)
    for n in range(5):
        keeper.change(("value", "append", enc(n)), seal=n == 4)
    assert keeper.rows(Table.DELTA) == 1
    assert keeper.read()[0] == [*LARGE, 0, 1, 2, 3, 4]


def test_deltas_that_outweigh_the_snapshot_become_one_and_leave_no_row() -> None:
    keeper = Keeper(LARGE)
    snapshot = keeper.store.get(state_key(WHO))
    for n in range(len(LARGE)):
        keeper.change(("value", "setitem", n, enc("another line for the same place")))
    assert keeper.store.get(state_key(WHO)) != snapshot
    assert keeper.rows(Table.DELTA) < len(LARGE)
    first = next(delta_id(key)[1] for key, _ in keeper.store.scan(bytes([Table.DELTA])))
    assert first > unpack_row(StateRow, keeper.store.get(state_key(WHO)) or b"").seq
    assert keeper.read()[0] == ["another line for the same place"] * len(LARGE)


def test_a_group_that_changes_more_than_there_is_writes_a_snapshot_and_keeps_no_deltas() -> None:
    keeper = Keeper(LARGE)
    for _ in range(10):
        keeper.change(("value", "=", enc(LARGE)), seal=False)
        assert keeper.log is not None
        assert keeper.log.fresh_bytes < 2 * len(enc(LARGE)) + STATE_ROW_BYTES_MAX
    keeper.seal()
    assert keeper.rows(Table.DELTA) == 0
    assert keeper.read()[0] == LARGE


def test_a_state_that_became_small_is_one_row_again() -> None:
    keeper = Keeper(LARGE)
    keeper.change(("value", "append", enc("b")))
    while keeper.log is not None:
        keeper.change(("value", "=", enc(SMALL * 900)))
        keeper.change(("value", "=", enc(SMALL)))
    assert (keeper.rows(Table.STATE), keeper.rows(Table.DELTA)) == (1, 0)
    assert keeper.read()[0] == SMALL


def test_the_log_of_a_state_goes_on_where_another_process_left_it() -> None:
    keeper = Keeper(LARGE)
    keeper.change(("value", "append", enc("b")))
    found = read_state(keeper.store, WHO)
    assert found is not None
    assert keeper.log is not None
    assert found[1] is not None
    for name in StateLog.__slots__:
        assert getattr(found[1], name) == getattr(keeper.log, name)
    keeper.images, keeper.log = found[0].images, found[1]
    keeper.change(("value", "append", enc("c")))
    assert keeper.read()[0] == [*LARGE, "b", "c"]


changes = st.one_of(
    st.tuples(st.just("="), st.sampled_from([0, 1, 300, 900]).map(lambda n: enc(["line"] * n))),
    st.tuples(st.just("append"), st.text(max_size=400).map(enc)),
    st.tuples(st.just("splice"), st.just(0), st.just(1), st.just(enc(["x", "y"]))),
)


@given(st.lists(st.tuples(changes, st.booleans()), max_size=40))
def test_the_rows_say_what_the_images_say_whenever_a_group_is_sealed(
    steps: list[tuple[tuple[Any, ...], bool]],
) -> None:
    keeper = Keeper(["line"] * 900)
    for entry, seal in steps:
        keeper.change(("value", *entry), seal=seal)
        if seal:
            value, row = keeper.read()
            assert value == materialise(keeper.images["value"], CODEC.decode)
            assert row.seq == keeper.seq


@given(st.lists(st.integers(1, 3_000), min_size=30, max_size=60))
def test_what_is_written_is_in_proportion_to_what_changed(sizes: list[int]) -> None:
    keeper = Keeper(LARGE)
    first = keeper.written
    for size in sizes:
        keeper.change(("value", "append", enc("x" * size)))
    changed = sum(sizes) + 150 * len(sizes)
    assert keeper.written - first <= 3 * changed + first


def test_all_states_are_read_in_order() -> None:
    keeper = Keeper(LARGE)
    keeper.change(("value", "append", enc("b")))
    row = StateRow(1, 1, bytes(16), {"value": (enc(1), [])})
    puts: list[Row] = []
    seal_state(3, row, None, puts, [])
    keeper.store.commit(Group(keeper.store.head().seq + 1, [(4, b"")], puts))
    assert [(actor, found.seq) for actor, found in scan_states(keeper.store)] == [(3, 1), (WHO, 2)]


class Racing(MemoryStore):
    """A store in which something happens whenever a state row was read."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self.__dict__ |= store.__dict__
        self.then: list[Any] = []

    def get(self, key: bytes) -> bytes | None:
        found = super().get(key)
        if self.then:
            self.then.pop(0)()
        return found


def test_a_reader_that_a_new_snapshot_overtakes_reads_again() -> None:
    keeper = Keeper(LARGE)
    keeper.change(("value", "append", enc("b")))
    keeper.store = store = Racing(keeper.store)

    def overtake() -> None:
        keeper.change(("value", "=", enc(LARGE)), seal=False)
        keeper.change(("value", "=", enc(OTHER)))
        keeper.change(("value", "append", enc("after")))

    store.then = [overtake]
    value, row = keeper.read()
    assert value == [*OTHER, "after"]
    assert row.seq == keeper.seq


def test_rows_that_do_not_follow_one_another_are_damage() -> None:
    keeper = Keeper(LARGE)
    for text in ("b", "c", "d"):
        keeper.change(("value", "append", enc(text)))
    keys = [key for key, _ in keeper.store.scan(bytes([Table.DELTA]))]
    seq = keeper.store.head().seq + 1
    keeper.store.commit(Group(seq, [(4, b"")], deletes=[keys[1]]))
    with pytest.raises(LedgerDamaged, match=r"actor 7 do not follow one another.*after record 3"):
        keeper.read()


def test_a_delta_row_says_which_record_it_follows() -> None:
    keeper = Keeper(LARGE)
    keeper.change(("value", "append", enc("b")))
    keeper.change(("value", "append", enc("c")))
    found = [unpack_row(DeltaRow, raw) for _, raw in keeper.store.scan(bytes([Table.DELTA]))]
    assert [row.previous for row in found] == [1, 2]
    assert found[1].delta == (("value", "append", enc("c")),)
