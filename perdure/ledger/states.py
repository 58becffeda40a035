"""How the state of an actor lies in the tables: one row, or a snapshot and what changed since.

A small state is one row of table STATE, written whole. A large one is written there when the
deltas since outweigh it; until then each group adds a row of table DELTA. So what is written is in
proportion to what changed, and what is read to the state, however long the actor has lived.
"""

from __future__ import annotations

from collections.abc import Iterator

from perdure.errors import LedgerDamaged
from perdure.ledger.group import Row, Store
from perdure.ledger.images import Delta, Entry, apply, read_images, weigh
from perdure.ledger.keys import Table, actor_of, delta_id, delta_key, delta_prefix, state_key
from perdure.ledger.rows import DeltaRow, StateRow, pack_row, unpack_row
from perdure.limits import STATE_READS_MAX, STATE_ROW_BYTES_MAX

_ROW_BYTES = 64  # what a row takes beside its value: key, checksum, its place in a page


class StateLog:
    """What the tables hold of a large state, and what changed since they were last written."""

    __slots__ = ("delta_bytes", "fresh", "fresh_bytes", "seqs", "snapshot_bytes", "snapshot_seq")

    def __init__(self, snapshot_seq: int, snapshot_bytes: int) -> None:
        self.snapshot_seq = snapshot_seq
        self.snapshot_bytes = snapshot_bytes
        self.seqs: list[int] = []  # of the delta rows since
        self.delta_bytes = 0  # of those rows
        self.fresh: list[Entry] = []  # applied, and in no row yet
        self.fresh_bytes = 0

    @property
    def seq(self) -> int:
        """The record that the rows are as of."""
        return self.seqs[-1] if self.seqs else self.snapshot_seq

    def add(self, delta: Delta) -> None:
        """Take note of a delta that was applied; no more than a snapshot would take is kept."""
        if self.fresh_bytes <= self.snapshot_bytes:
            self.fresh += delta
            self.fresh_bytes += sum(weigh(entry[2:]) for entry in delta)

    def written(self, seq: int, data: bytes) -> None:
        """Take note of a delta row."""
        self.seqs.append(seq)
        self.delta_bytes += len(data) + _ROW_BYTES
        self.fresh, self.fresh_bytes = [], 0


def seal_state(
    actor: int, row: StateRow, log: StateLog | None, puts: list[Row], deletes: list[bytes]
) -> StateLog | None:
    """Add what makes the rows of an actor say `row`; returns its log from now on.

    `log` is None for a state that is one row, and so is what is returned for one.
    """
    if log is not None:
        if log.delta_bytes + log.fresh_bytes <= log.snapshot_bytes:
            data = pack_row(DeltaRow(log.seq, row.turns, row.state_hash, log.fresh))
            log.written(row.seq, data)
            puts.append((delta_key(actor, row.seq), data))
            return log
        deletes.extend(delta_key(actor, seq) for seq in log.seqs)
    data = pack_row(row)
    log = None
    if len(data) > STATE_ROW_BYTES_MAX:
        data = pack_row(row._replace(is_snapshot=True))
        log = StateLog(row.seq, len(data))
    puts.append((state_key(actor), data))
    return log


def read_state(store: Store, actor: int) -> tuple[StateRow, StateLog | None] | None:
    """The committed state of an actor, its images read, and its log if it is a large one.

    None if no turn of it has closed. Another process may be writing: then it is the state of some
    moment since the call. Raises `LedgerDamaged` for rows that never fit together.
    """
    after = 0
    for _ in range(STATE_READS_MAX):
        raw = store.get(state_key(actor))
        if raw is None:
            return None
        row = unpack_row(StateRow, raw)
        row = row._replace(images=read_images(row.images))
        if not row.is_snapshot:
            return row, None
        log = StateLog(row.seq, len(raw))
        for key, value in store.scan(delta_prefix(actor)):
            delta = unpack_row(DeltaRow, value)
            if (after := delta.previous) != row.seq:
                break  # of a later snapshot than the one that was read
            row = follow(row, delta_id(key)[1], delta)
            log.written(row.seq, value)
        else:
            return row, log
    raise LedgerDamaged(
        f"the rows of the state of actor {actor} do not follow one another: there is one after "
        f"record {after}, and none that ends there. Restore a backup to go on."
    )


def follow(row: StateRow, seq: int, delta: DeltaRow) -> StateRow:
    """The state after the delta row of record `seq`; images are changed in place."""
    apply(row.images, delta.delta)
    return row._replace(turns=delta.turns, seq=seq, state_hash=delta.state_hash)


def scan_states(store: Store) -> Iterator[tuple[int, StateRow]]:
    """The committed states of all actors that have one, by id."""
    for key, raw in store.scan(bytes([Table.STATE])):
        actor, row = actor_of(key), unpack_row(StateRow, raw)
        found = read_state(store, actor) if row.is_snapshot else None
        yield actor, found[0] if found else row
