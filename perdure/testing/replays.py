"""Turns run again from a finished ledger: here, and in processes that order sets otherwise.

    python -m perdure.testing.replays      # a job on standard input, findings on standard output

The order in which a set is gone through hangs on the hashes of what is in it, and those of texts
are other ones in each process. So what a handler makes of that order shows in another process only.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from perdure.ledger.group import Group, Store
from perdure.ledger.memory import MemoryStore
from perdure.runtime.program import Program
from perdure.runtime.replay import Cast, Replay
from perdure.runtime.view import View
from perdure.testing.stage import program_of

HASH_SEEDS = (1, 2)
SECONDS_MAX = 60.0


class Finding(NamedTuple):
    """A turn that did something else when it was run again: whose, on what, both sides."""

    address: str
    message: str
    what: str
    recorded: str
    replayed: str
    hash_seed: int = 0  # of the process; 0: this one

    @property
    def about(self) -> str:
        """What two sightings of it have in common."""
        return f"{self.address} {self.what}"

    def __str__(self) -> str:
        where = f" in a process with PYTHONHASHSEED={self.hash_seed}" if self.hash_seed else ""
        return (
            f"{self.address} on {self.message}, run again from its record{where}: {self.what} was "
            f"{self.recorded}, and is {self.replayed}"
        )


def replayed(program: Program, store: Store) -> Iterator[Finding]:
    """Run all turns again from the ledger alone: where they do something else."""
    with Replay(View(store), Cast.of(program)) as replay:
        for scene in replay.scenes():
            for each in scene.differences:
                who = (scene.cell.address, repr(scene.message))
                yield Finding(*who, each.what, each.recorded, each.replayed)


def replayed_elsewhere(
    parts: Sequence[Any], settings: Sequence[str], store: Store
) -> list[Finding] | None:
    """The same in processes with other hashes; None if what is tried cannot be loaded there."""
    try:
        job = pickle.dumps((parts, settings, _packed(store)))
    except (pickle.PicklingError, AttributeError, TypeError):
        return None  # a class within a function, say
    processes = [_process(seed) for seed in HASH_SEEDS]
    found: list[Finding] = []
    try:
        for seed, process in zip(HASH_SEEDS, processes, strict=True):
            out, _ = process.communicate(job, SECONDS_MAX)
            if process.returncode:
                return None
            found += [Finding._make((*each, seed)) for each in json.loads(out)]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return found


def _process(hash_seed: int) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-m", "perdure.testing.replays"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _packed(store: Store) -> tuple[Any, ...]:
    records = [(raw.kind, raw.payload) for raw in store.records()]
    blobs = {digest: store.blob(digest) for digest in store.digests()}
    return records, list(store.scan(b"")), blobs


def _unpacked(packed: tuple[Any, ...]) -> Store:
    records, rows, blobs = packed
    store = MemoryStore()
    store.commit(Group(1, records, puts=rows, blobs=blobs))
    return store


def main() -> None:
    """Do one job."""
    parts, settings, packed = pickle.load(sys.stdin.buffer)
    found = [each[:5] for each in replayed(program_of(parts, settings), _unpacked(packed))]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
