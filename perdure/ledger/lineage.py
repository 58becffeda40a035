"""Which run a ledger is of: its first record, and what the forks since have made of it."""

from __future__ import annotations

from typing import NamedTuple

from perdure.errors import LedgerDamaged
from perdure.ledger.group import Store
from perdure.ledger.interventions import Fork
from perdure.ledger.journal import unpack_payload
from perdure.ledger.keys import FORK_KEY
from perdure.ledger.records import Run
from perdure.ledger.rows import ForkRow, unpack_row


class Lineage(NamedTuple):
    """What a run is now: `header` has its own run id, settings and code hash; `time` is the first
    record's. `code` is where its code is if not where the header says; `fork` is its row, if any.
    """

    header: Run
    code: str | None
    fork: ForkRow | None
    at: int  # the last record that a fork shares with its parent, 0 for no fork


def lineage(store: Store) -> Lineage:
    """Who a ledger is. Reads one record, or two. Raises `LedgerDamaged`."""
    header = _read(store, 1)
    if not isinstance(header, Run):
        raise LedgerDamaged("record 1 is not the header of a run. Restore a backup.", 1)
    raw = store.get(FORK_KEY)
    if raw is None:
        return Lineage(header, None, None, 0)
    row = unpack_row(ForkRow, raw)
    at = row.pasts[-1][0]
    fork = _read(store, at + 1)
    if not isinstance(fork, Fork):
        raise LedgerDamaged(f"record {at + 1} should make this a fork. Restore a backup.", at + 1)
    settings, code_hash = fork.settings, fork.code_hash
    own = header._replace(run_id=fork.run_id, settings=settings, code_hash=code_hash)
    return Lineage(own, fork.code, row, at)


def run_id_at(run_id: bytes, fork: ForkRow | None, seq: int) -> bytes:
    """The id of the run that wrote a record: of an ancestor, for what a fork has from it."""
    for last, past in fork.pasts if fork is not None else ():
        if seq <= last:
            return past
    return run_id


def _read(store: Store, seq: int) -> object:
    raw = store.record(seq)
    return None if raw is None else unpack_payload(seq, raw.kind, raw.payload)
