"""The thread that makes groups durable: it owns the LMDB write transaction and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from perdure.actors.machine import Machine
from perdure.errors import CommitFailed, LedgerError
from perdure.ledger.group import Group, Store


class Committer:
    """Commits sealed groups in order: one transaction, one fsync each.

    `on_durable(seq)` and `on_failure(error)` are called on this thread; after a failure nothing
    more is committed (fail-stop).
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
        self._written = machine.flag()
        self._thread = machine.thread(self._run, "perdure-committer")

    def start(self) -> None:
        self._thread.start()

    def submit(self, group: Group) -> None:
        """Hand over a sealed group, and wait until only the disk has work to do.

        Writing rows gives the interpreter lock up and takes it again a thousand times; against a
        kernel thread that computes meanwhile, each time costs a switch. So they take turns.
        """
        self._written.clear()
        self._groups.put(group)
        self._written.wait()

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
            self._written.set()  # nobody waits for a thread that has ended

    def _commit_all(self) -> None:
        is_failed = False
        while (group := self._groups.get()) is not None:
            if not isinstance(group, Group):
                group.set()
            elif not is_failed:
                is_failed = not self._commit(group)
            self._written.set()

    def _commit(self, group: Group) -> bool:
        """Commit a group and say so; False when that failed."""
        try:
            head = self._store.commit(group, self._written.set)
        except LedgerError as error:
            self._on_failure(error)
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, it is fail-stop
            last = group.first_seq - 1
            text = f"the ledger could not be written ({type(error).__name__}: {error}). "
            text += f"The last durable record is {last}; `perdure resume` goes on from there."
            self._on_failure(CommitFailed(text, last))
            return False
        self._on_durable(head.seq)
        return True
