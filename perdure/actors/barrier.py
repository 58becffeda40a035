"""Durability: sealing groups, and releasing what waits until they are on disk (G3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from perdure.actors.committer import Committer
from perdure.errors import LedgerError
from perdure.limits import (
    DISK_FREE_BYTES_MIN,
    GROUP_AGE_SECONDS_MAX,
    GROUP_BYTES_MAX,
    GROUP_RECORDS_MAX,
)

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

NS = 1_000_000_000


class Barrier:
    """What may leave the run, and when: nothing before the records it depends on are durable."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._waiting: deque[tuple[int, Callable[[], object]]] = deque()
        self.sealed = 0  # groups handed to the committer and not yet durable
        self._committer = Committer(
            kernel.machine,
            kernel.book.store,
            lambda seq: kernel.on_kernel(self._durable, seq),
            lambda error: kernel.on_kernel(self._failed, error),
        )

    def start(self) -> None:
        self._committer.start()

    def close(self) -> None:
        self._committer.close()

    @property
    def is_clean(self) -> bool:
        """Whether every record is durable."""
        return not self.sealed and not self.kernel.book.open.records

    def when_durable(self, seq: int, function: Callable[[], object]) -> None:
        """Call `function` on the kernel thread once the journal is durable up to `seq`."""
        if seq <= self.kernel.book.durable:
            function()
        else:
            # appended in order of seq, but for effects that depend on an older record
            self._waiting.append((seq, function))

    def seal_if_free(self) -> None:
        """Hand the open group over if the committer has nothing to do."""
        if not self.sealed:
            self.seal()

    def seal_if_due(self) -> None:
        """Under load: hand the open group over when it is full, old, or waited for."""
        book = self.kernel.book
        if not self.sealed and (
            self._waiting
            or self.is_full()
            or book.now_ns() - book.open.time_ns > GROUP_AGE_SECONDS_MAX * NS
        ):
            self.seal()

    def seal(self) -> None:
        """Hand the open group to the committer, if there is anything in it."""
        if self.kernel.ending.error is not None:
            return
        book = self.kernel.book
        if (book.open.records or book.dropping.has_more) and not self.sealed:
            self._look_at_disk()
            self.sealed += 1
            self._committer.submit(self.kernel.book.seal().seal())

    def _look_at_disk(self) -> None:
        """Drain while there is still room to write down that one did."""
        directory = self.kernel.releases.directory
        if self.kernel.ending.has_begun:
            return
        free = self.kernel.machine.free_bytes(directory)
        if free is not None and free < DISK_FREE_BYTES_MIN:
            self.kernel.ending.begin(
                "interrupted",
                f"the disk of {directory} has {free:,} bytes left, and a run keeps "
                f"{DISK_FREE_BYTES_MIN:,}. Make room, then `perdure resume`.",
            )

    def flush(self) -> None:
        """Make everything durable before returning, and release nothing: for a planned crash."""
        if self.kernel.book.open.records:
            self.sealed += 1
            self._committer.submit(self.kernel.book.seal().seal())
        self._committer.flush()

    def is_full(self) -> bool:
        """Whether the open group should be handed over now."""
        group = self.kernel.book.open
        return len(group.records) >= GROUP_RECORDS_MAX or group.bytes >= GROUP_BYTES_MAX

    def _durable(self, seq: int) -> None:
        self.kernel.book.durable = seq
        self.sealed -= 1
        waiting = self._waiting
        for _ in range(len(waiting)):
            needs, function = waiting.popleft()
            if needs <= seq:
                function()
            else:
                waiting.append((needs, function))
        if waiting or self.is_full() or self.kernel.book.dropping.has_more:
            self.seal()
        self.kernel.settled()

    def _failed(self, error: LedgerError) -> None:
        self._waiting.clear()
        self.kernel.ending.fail(error)
