"""The two stores, made and opened again in one way; and what a test needs to compare them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perdure.ledger.group import Group, Store, blob_digest
from perdure.ledger.memory import MemoryStore
from perdure.ledger.store import open_store

SMALL_MAP_BYTES = 1 << 18


class Stores:
    """Makes stores of one kind, keeps them, and closes what a test leaves open."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.kind = kind
        self.directory = directory
        self.open: list[Store] = []

    def new(self) -> Store:
        """An empty store."""
        if self.kind == "memory":
            return self._keep(MemoryStore())
        return self._keep(open_store(self.directory / str(len(self.open)), create=True))

    def refusing(self) -> Store:
        """A store whose disk has room for little: its second commit, of `large_group`, fails."""
        if self.kind == "memory":
            return self._keep(MemoryStore(refuse_from(2)))
        sizes = {"map_bytes_first": SMALL_MAP_BYTES, "map_bytes_max": SMALL_MAP_BYTES}
        return self._keep(open_store(self.directory / str(len(self.open)), create=True, **sizes))

    def again(self, store: Store) -> Store:
        """What a process that starts after `store`'s ended would find."""
        store.close()
        if isinstance(store, MemoryStore):
            return self._keep(store.reopened())
        return self._keep(open_store(store.path))  # type: ignore[attr-defined]

    def _keep(self, store: Store) -> Store:
        self.open.append(store)
        return store


def refuse_from(number: int) -> Callable[[int], None]:
    """A disk that refuses every commit from that one on."""

    def before_commit(commit: int) -> None:
        if commit >= number:
            raise OSError(28, "No space left on device")

    return before_commit


def group(store: Store, *payloads: bytes, kind: int = 4, **parts: Any) -> Group:
    """The next group of a store."""
    head = store.head()
    parts.setdefault("time_ns", head.time_ns)
    return Group(head.seq + 1, [(kind, payload) for payload in payloads], **parts)


def large_group(store: Store) -> Group:
    """A group that a small map has no room for."""
    return group(store, bytes(SMALL_MAP_BYTES), puts=[(b"\x01large", b"row")])


def blobs(*contents: bytes) -> dict[bytes, bytes]:
    return {blob_digest(data): data for data in contents}


def contents(store: Store) -> tuple[object, ...]:
    """All that a store holds."""
    return (
        store.head(),
        list(store.records()),
        list(store.scan(b"")),
        [(digest, store.blob(digest)) for digest in store.digests()],
    )


def filled(run: Path) -> tuple[object, ...]:
    """A ledger of a few pages at `run`, closed, with values of all sizes; and what it holds."""
    store = open_store(run, create=True)
    for n in range(1, 31):
        payloads = (b"%d" % n, bytes([n]) * 40 * n, b"", bytes([n]) * 150)
        puts = [(bytes([1 + n % 3, n, m]), bytes([m]) * m) for m in range(20)]
        gone = [key for key, _ in store.scan(b"", limit=4)]
        data = blobs(bytes([100 + n]) * 1500)
        store.commit(group(store, *payloads, puts=puts, deletes=gone, blobs=data, time_ns=n))
    found = contents(store)
    store.close()
    return found


def child(script: str, *args: object) -> subprocess.Popen[str]:
    """A Python process that runs `script` with the same modules."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(process: subprocess.Popen[str], line: str = "") -> str:
    """The line that a child answers."""
    assert process.stdin
    assert process.stdout
    if line:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
