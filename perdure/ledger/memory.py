"""The ledger in memory: the twin of the one on disk, for runs without a directory and for tests."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from threading import Lock

from perdure.errors import Broken, CommitFailed
from perdure.ledger import group as rules
from perdure.ledger.group import (
    EMPTY,
    GENESIS,
    Drop,
    Group,
    Head,
    RawRecord,
    Row,
    nothing,
    seq_key,
)
from perdure.ledger.readers import Reader
from perdure.ledger.stubs import is_stub, stub_of
from perdure.limits import READ_ROWS_MAX


class MemoryStore:
    """A ledger that ends with the process. It refuses and fails as the one on disk does.

    `before_commit` is called with the number of each commit, 1, 2, 3…; an `OSError` from it is a
    disk that refuses. Any other exception passes through, and the group is not committed either.

    >>> store = MemoryStore()
    >>> store.commit(Group(1, [(1, b"first")], puts=[(b"\\x01key", b"value")])).seq
    1
    >>> store.get(b"\\x01key")
    b'value'
    """

    def __init__(self, before_commit: Callable[[int], None] | None = None) -> None:
        self._before_commit = before_commit
        self._head = EMPTY
        self._journal: dict[int, bytes] = {}
        self._rows: dict[bytes, bytes] = {}
        self._keys: dict[int, list[bytes]] = {}  # of each table, in order
        self._blobs: dict[bytes, bytes] = {}
        self._commits = 0
        self._failed = ""
        self._closed = False
        self._lock = Lock()  # so that a reader never sees half a group

    def reopened(self, before_commit: Callable[[int], None] | None = None) -> MemoryStore:
        """What a process that starts after this one ended would find: every group committed."""
        twin = MemoryStore(before_commit)
        self.copy_to(twin)
        return twin

    def copy_to(self, twin: MemoryStore) -> None:
        """Have another store hold what this one does."""
        with self._lock:
            twin._head = self._head
            twin._journal = self._journal.copy()
            twin._rows = self._rows.copy()
            twin._keys = {kind: keys.copy() for kind, keys in self._keys.items()}
            twin._blobs = self._blobs.copy()

    def head(self) -> Head:
        self._check_open()
        return self._head

    def get(self, key: bytes) -> bytes | None:
        self._check_open()
        with self._lock:
            return self._rows.get(key)

    def scan(
        self, prefix: bytes, after: bytes | None = None, limit: int | None = None
    ) -> Iterator[Row]:
        left = limit
        while left is None or left > 0:
            size = READ_ROWS_MAX if left is None else min(left, READ_ROWS_MAX)
            rows = self._chunk(prefix, after, size)
            yield from rows
            if len(rows) < size:
                return
            after = rows[-1][0]
            left = None if left is None else left - size

    def record(self, seq: int) -> RawRecord | None:
        self._check_open()
        with self._lock:
            return self._open(seq) if 0 < seq <= self._head.seq else None

    def records(self, first: int = 1, last: int | None = None) -> Iterator[RawRecord]:
        head_seq = self.head().seq
        for seq in range(max(first, 1), (head_seq if last is None else min(last, head_seq)) + 1):
            self._check_open()
            with self._lock:
                record = self._open(seq)
            yield record

    def left(self) -> Iterator[Row]:
        self._check_open()
        with self._lock:
            cut = self._head.cut
            rows = [(seq, row) for seq, row in self._journal.items() if seq <= cut]
        yield from ((seq_key(seq), row) for seq, row in rows)

    def blob(self, digest: bytes) -> bytes | None:
        self._check_open()
        return self._blobs.get(digest)

    def digests(self) -> Iterator[bytes]:
        self._check_open()
        yield from sorted(self._blobs)

    def check(self) -> None:
        """There is no file here to be damaged."""
        self._check_open()

    def commit(self, group: Group, written: Callable[[], None] = nothing) -> Head:
        self._check_open()
        written()
        if not self._failed:
            rules.check_group(rules.start(self._head, group), group)
            self._commits += 1
            try:
                if self._before_commit:
                    self._before_commit(self._commits)
            except OSError as error:
                self._failed = str(error)
        if self._failed:
            raise CommitFailed(
                f"the ledger in memory refused the records from {group.first_seq} on: "
                f"{self._failed}. The last durable record is {self._head.seq}: start from it.",
                self._head.seq,
            )
        with self._lock:
            self._apply(group)
        return self._head

    def relax(self) -> None:
        """There is no disk here to flush to."""
        self._check_open()

    def close(self) -> None:
        self._closed = True

    def _apply(self, group: Group) -> None:
        head = rules.start(self._head, group)
        rows, hash_ = rules.chain(head.hash, group.first_seq, group.records)
        if group.prefix is not None:
            self._journal.update(group.prefix.rows)
        self._journal.update((seq, row) for seq, (_, row) in enumerate(rows, group.first_seq))
        for key in group.deletes:
            if self._rows.pop(key, None) is not None:
                keys = self._keys[key[0]]
                del keys[bisect_left(keys, key)]
        for key, value in group.puts:
            if key not in self._rows:
                insort(self._keys.setdefault(key[0], []), key)
            self._rows[key] = value
        self._blobs.update(group.blobs)
        counts = {kind: len(keys) for kind, keys in sorted(self._keys.items()) if keys}
        self._take_away(group.drop)
        cut = head.cut if group.drop is None else group.drop.cut
        seq = head.seq + len(rows)
        self._head = Head(seq, hash_, group.time_ns, counts, cut, seq - len(self._journal))

    def _take_away(self, drop: Drop | None) -> None:
        if drop is None:
            return
        for first, last in drop.gone:
            for seq in range(first, last + 1):
                self._journal.pop(seq, None)
        for seq in drop.stubs:
            if seq in self._journal:
                self._journal[seq] = stub_of(self._journal[seq])
        for digest in drop.blobs:
            self._blobs.pop(digest, None)

    def _chunk(self, prefix: bytes, after: bytes | None, size: int) -> list[Row]:
        """At most `size` rows after the key `after`, from all tables that the prefix allows."""
        self._check_open()
        rows: list[Row] = []
        with self._lock:
            for kind in prefix[:1] or sorted(self._keys):
                keys = self._keys.get(kind, [])
                past = after is not None and after >= prefix
                at = bisect_right(keys, after or b"") if past else bisect_left(keys, prefix)
                for key in keys[at : at + size - len(rows)]:
                    if not key.startswith(prefix):
                        break
                    rows.append((key, self._rows[key]))
        return rows

    def readers(self) -> list[Reader]:
        return []

    def _open(self, seq: int) -> RawRecord:
        row = self._journal.get(seq, stub_of(b""))
        if is_stub(row):
            raise rules.missing_record(seq, self._head.cut)
        if seq > 1 and seq - 1 not in self._journal:
            raise rules.missing_record(seq - 1)
        previous = rules.stored_hash(self._journal[seq - 1]) if seq > 1 else GENESIS
        return rules.open_record(previous, seq, row)

    def _check_open(self) -> None:
        if self._closed:
            raise Broken("the ledger in memory is closed, and is used")
