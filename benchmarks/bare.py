"""What LMDB alone takes for the rows of agents picked at random: a look at one, a rewrite of one.

This is the part of a turn that the size of a ledger's trees can change; no Python of the runtime
is in it. The ledger is one to be thrown away: its meta row knows nothing of what is written here.
"""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from benchmarks.memory import SPAWNER
from perdure.ledger.keys import name_key, state_key
from perdure.ledger.store import LmdbStore, open_store

ROWS = 2_000  # rewritten in one transaction, as a group does
ROUNDS = 5  # the first ones look at pages that this process has not seen


def measure(directory: Path, agents: int) -> dict[str, float]:
    """CPU microseconds for a row: to read it, and to write it again, its share of a commit with it.

    The least of some rounds, each with rows of its own.
    """
    store = open_store(directory)
    try:
        rounds = [_round(store, agents, Random(seed)) for seed in range(ROUNDS)]
    finally:
        store.close()
    reads, writes = zip(*rounds, strict=True)
    return {"read": min(reads), "write": min(writes)}


def _round(store: LmdbStore, agents: int, chance: Random) -> tuple[float, float]:
    file = store.file
    names = [name_key(f"{SPAWNER}/a{chance.randrange(agents)}") for _ in range(ROWS)]
    ids = [int.from_bytes(store.get(name) or b"", "big") for name in names]
    keys = [state_key(id) for id in ids]
    begun = time.process_time()
    rows = {key: file.view(lambda txn, key=key: txn.get(key, db=file.tables)) for key in keys}
    read = time.process_time()
    with file.env.begin(write=True) as txn:
        txn.cursor(file.tables).putmulti(sorted(rows.items()))
    written = time.process_time()
    return (read - begun) / ROWS * 1e6, (written - read) / ROWS * 1e6
