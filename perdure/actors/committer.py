"""What makes groups durable: a thread beside the kernel's, or the kernel, if it only waits."""

from __future__ import annotations

from collections.abc import Callable

from perdure.actors.machine import Machine
from perdure.errors import CommitFailed, LedgerError
from perdure.ledger.group import Group, Store, nothing
from perdure.limits import COMMIT_HERE_SECONDS_MAX

QUICK_NS = int(COMMIT_HERE_SECONDS_MAX * 1_000_000_000)


class Committer:
    """Commits sealed groups in order: one transaction, one fsync each.

    Its thread writes what is handed over, and calls `on_durable(seq)` or `on_failure(error)`; after
    a failure nothing more is committed (fail-stop). What a group waits for is the disk, so a kernel
    that has nothing else to do may as well wait for the disk itself: `commit` spares it the way to
    the thread and back, which takes as long as a quick disk does.
    """

    def __init__(
        self,
        machine: Machine,
        store: Store,
        on_durable: Callable[[int], object],
        on_failure: Callable[[LedgerError], object],
    ) -> None:
        self._store = store
        self._on_durable = on_durable
        self._on_failure = on_failure
        self._machine = machine
        self._groups = machine.line()  # of a group, a flag to set, None at the end
        self._written = machine.line()  # of a word for each group: only the disk has work to do
        self._is_written = True
        self.quick_ns = QUICK_NS  # by commits of late, for `is_quick`
        self._took_ns = 0  # on the average
        self._thread = machine.thread(self._run, "perdure-committer")

    def start(self) -> None:
        self._thread.start()

    def submit(self, group: Group) -> None:
        """Hand over a sealed group, and wait until only the disk has work to do.

        Writing rows gives the interpreter lock up and takes it again a thousand times; against a
        kernel thread that computes meanwhile, each time costs a switch. So they take turns.
        """
        self._is_written = False
        self._groups.put(group)
        self._written.get()

    @property
    def is_quick(self) -> bool:
        """Whether the disk has been so quick of late that it is not worth the way to the thread."""
        return self._took_ns < self.quick_ns

    def commit(self, group: Group) -> int | None:
        """Make a group durable here and now, with none handed over; its last record, if it is."""
        return self._commit(group, nothing)

    def flush(self) -> None:
        """Wait until what was handed over is durable."""
        empty = self._machine.flag()
        self._groups.put(empty)
        empty.wait()

    def close(self) -> None:
        """Commit what was handed over, then end."""
        self._groups.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._commit_all()
        finally:
            self._say_written()  # nobody waits for a thread that has ended

    def _say_written(self) -> None:
        if not self._is_written:
            self._is_written = True
            self._written.put(None)

    def _commit_all(self) -> None:
        is_failed = False
        while (group := self._groups.get()) is not None:
            if not isinstance(group, Group):
                group.set()
            elif not is_failed:
                seq = self._commit(group, self._say_written)
                is_failed = seq is None
                if seq is not None:
                    self._on_durable(seq)
            self._say_written()

    def _commit(self, group: Group, written: Callable[[], None]) -> int | None:
        """Commit a group; its last record, None when that failed."""
        began = self._machine.elapsed_ns()
        try:
            head = self._store.commit(group, written)
        except LedgerError as error:
            self._on_failure(error)
            return None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is fail-stop
            last = group.first_seq - 1
            text = f"the ledger could not be written ({type(error).__name__}: {error}). "
            text += f"The last durable record is {last}; `perdure resume` goes on from there."
            self._on_failure(CommitFailed(text, last))
            return None
        self._took_ns = (3 * self._took_ns + self._machine.elapsed_ns() - began) // 4
        return head.seq
