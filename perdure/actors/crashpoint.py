"""What is done between two records: the process dies there, or makes each durable by itself."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from perdure.ledger.journal import Pack, pack_payload
from perdure.ledger.records import Kind, Post

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

ORIGIN = Post._fields.index("origin")


class Between:
    """Looks at a run between records, when all that the last one changed is in the open group.

    What begins a run, or resumes it, is one piece, and so are a spawned child's birth and start.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._append = kernel.book.append

    def arm(self) -> None:
        """Look from here on."""
        self.kernel.book.append = self._watched  # type: ignore[method-assign]
        self.kernel.on_rest = self.look

    def _watched(self, kind: int, fields: tuple[Any, ...], pack: Pack = pack_payload) -> int:
        if kind != Kind.POST or fields[ORIGIN] != "spawn":  # a child that is born is told to start
            self.look()
        return self._append(kind, fields, pack)

    def look(self) -> None:
        """A record is about to be appended, or there is nothing to do."""
        raise NotImplementedError


class EachRecord(Between):
    """Has each record be a group of its own, durable before the next: for crashes at any of them.

    Records of one piece (what a post of another process does) stay together.
    """

    def look(self) -> None:
        if self.kernel.book.open.records and not self.kernel.door.is_taking:
            self.kernel.barrier.flush()


class CrashPoint(Between):
    """Kills the process at a record that is still to come: `--crash-at` and `--crash-before`.

    `at` SEQ: the journal is durable up to SEQ, and nothing that waited for it is released.
    `before` SEQ: the journal is durable up to SEQ - 1, record SEQ exists in memory only.
    Records of one piece (what a post of another process does) are durable together or not at all:
    there the process dies at the end of the piece, or with the journal durable up to before it.
    """

    def __init__(self, kernel: Kernel, at: int | None, before: int | None) -> None:
        super().__init__(kernel)
        self.goes_on = at is None
        self.last_durable = (before or 0) - 1 if at is None else at
        self._is_armed = max(at or 0, before or 0) > kernel.book.seq

    def arm(self) -> None:
        """Look from here on, if that record is still to come."""
        if self._is_armed:
            # a SEQ within the beginning is past already: then the beginning is what is durable
            self.last_durable = max(self.last_durable, self.kernel.book.seq)
            super().arm()

    def look(self) -> None:
        if self.kernel.book.seq < self.last_durable or self.kernel.door.is_taking:
            return
        is_past = self.goes_on and self.kernel.book.seq > self.last_durable  # within a piece
        if self._is_armed and not is_past:
            self.kernel.barrier.flush()
            self._is_armed = False
            if self.goes_on:
                barrier: Any = self.kernel.barrier
                barrier.seal = self._instead_of_sealing
                return
        os.kill(os.getpid(), signal.SIGKILL)

    def _instead_of_sealing(self) -> None:
        """The group that record SEQ is in was about to be handed over: it never is."""
        if self.kernel.book.open.records:
            os.kill(os.getpid(), signal.SIGKILL)
