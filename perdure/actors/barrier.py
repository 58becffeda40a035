"""Durability: sealing groups, and releasing what waits until they are on disk (G3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from perdure.actors.committer import Committer
from perdure.errors import LedgerError
from perdure.ledger.group import Group
from perdure.limits import (
    DISK_FREE_BYTES_MIN,
    DISK_FREE_BYTES_PLENTY,
    DISK_LOOK_SECONDS,
    GROUP_AGE_SECONDS_MAX,
    GROUP_BYTES_MAX,
    GROUP_RECORDS_MAX,
    GROUP_WAITED_SECONDS,
)

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

NS = 1_000_000_000
GROUP_WAITED_NS = int(GROUP_WAITED_SECONDS * NS)
DISK_LOOK_NS = int(DISK_LOOK_SECONDS * NS)


class Barrier:
    """What may leave the run, and when: nothing before the records it depends on are durable."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._waiting: deque[tuple[int, Callable[[], object]]] = deque()
        self.is_at_disk = False  # the kernel itself waits for a commit
        self.sealed = 0  # groups handed to the committer and not yet durable
        self._sealed_ns = 0  # when a group was last: ledger time may stand still
        self._look_at_ns = 0  # ledger time from which on the disk's room is to be looked at
        self.committer = Committer(
            kernel.machine,
            kernel.book.store,
            lambda seq: kernel.on_kernel(self._landed, seq),
            lambda error: kernel.on_kernel(self._failed, error),
        )

    def start(self) -> None:
        self.committer.start()

    def close(self) -> None:
        self.committer.close()

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

    def rest(self) -> None:
        """Nothing else is to be done: what was recorded goes to the disk.

        If somebody waits for that, the disk is quick, and no handler and no step waits for the
        world, the kernel waits for it right here. What comes from outside meanwhile could not have
        its commit before this one is over.
        """
        if self.sealed:
            return
        waits_only = self._waiting and not self.kernel.dispatch.active
        is_free = waits_only and not self.kernel.steps.under_way and self.committer.is_quick
        if is_free and (group := self._sealed()) is not None:
            self.is_at_disk = True
            seq = self.committer.commit(group)
            self.is_at_disk = False
            if seq is not None:
                self._durable(seq)
            if self.kernel.loop.has_ready:
                return  # what it led to goes on, and what that records goes with this
        self.seal()

    def seal_if_due(self) -> None:
        """Under load: hand the open group over when it is full, or old for what waits for it."""
        book = self.kernel.book
        if self._waiting:
            is_old = self.kernel.machine.elapsed_ns() - self._sealed_ns > GROUP_WAITED_NS
        else:
            is_old = book.now_ns() - book.open.time_ns > GROUP_AGE_SECONDS_MAX * NS
        if not self.sealed and (is_old or self.is_full()):
            self.seal()

    def seal(self) -> None:
        """Hand the open group to the committer, if it is free and there is anything in it."""
        group = self._sealed()
        if group is not None:
            self.committer.submit(group)

    def _sealed(self) -> Group | None:
        """The open group, ready to be written; None if there is nothing in it, or no use."""
        book = self.kernel.book
        is_empty = not (book.open.records or book.dropping.has_more)
        if is_empty or self.sealed or self.kernel.ending.error is not None:
            return None
        self.sealed += 1
        self._sealed_ns = self.kernel.machine.elapsed_ns()
        group = book.seal().seal()
        if group.time_ns >= self._look_at_ns:
            self._look_at_disk(group.time_ns)
        group.is_final = self.kernel.ending.has_begun
        return group

    def _look_at_disk(self, now_ns: int) -> None:
        """Drain while there is still room to write down that one did."""
        directory = self.kernel.releases.directory
        if self.kernel.ending.has_begun:
            return
        free = self.kernel.machine.free_bytes(directory)
        if free is None or free >= DISK_FREE_BYTES_PLENTY:
            self._look_at_ns = now_ns + DISK_LOOK_NS
        elif free < DISK_FREE_BYTES_MIN:
            self.kernel.ending.begin(
                "interrupted",
                f"the disk of {directory} has {free:,} bytes left, and a run keeps "
                f"{DISK_FREE_BYTES_MIN:,}. Make room, then `perdure resume`.",
            )

    def flush(self) -> None:
        """Make everything durable before returning, and release nothing: for a planned crash."""
        if self.kernel.book.open.records:
            self.sealed += 1
            self.committer.submit(self.kernel.book.seal().seal())
        self.committer.flush()

    def is_full(self) -> bool:
        """Whether the open group should be handed over now."""
        group = self.kernel.book.open
        return len(group.records) >= GROUP_RECORDS_MAX or group.bytes >= GROUP_BYTES_MAX

    def _landed(self, seq: int) -> None:
        """A group that was handed over is durable: the next one may be due by now."""
        self._durable(seq)
        if self.kernel.book.dropping.has_more:
            self.seal()
        else:
            self.seal_if_due()

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
        self.kernel.settled()

    def _failed(self, error: LedgerError) -> None:
        self._waiting.clear()
        self.kernel.ending.fail(error)
