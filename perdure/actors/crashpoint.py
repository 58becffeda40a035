"""`--crash-at` and `--crash-before`: the process dies at a record that one chooses."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class CrashPoint:
    """Kills the process at a record that is still to come.

    `at` SEQ: the journal is durable up to SEQ, and nothing that waited for it is released.
    `before` SEQ: the journal is durable up to SEQ - 1, record SEQ exists in memory only.
    Records of one piece (what a post of another process does) are durable together or not at all:
    there the process dies at the end of the piece, or with the journal durable up to before it.
    """

    def __init__(self, kernel: Kernel, at: int | None, before: int | None) -> None:
        self.kernel = kernel
        self.goes_on = at is None
        self.last_durable = (before or 0) - 1 if at is None else at
        self._is_armed = max(at or 0, before or 0) > kernel.book.seq
        self._append = kernel.book.append

    def arm(self) -> None:
        """Watch from here on; what begins a run, or resumes it, is one piece."""
        if self._is_armed:
            # a SEQ within the beginning is past already: then the beginning is what is durable
            self.last_durable = max(self.last_durable, self.kernel.book.seq)
            self.kernel.book.append = self._watched  # type: ignore[method-assign]
            self.kernel.on_rest = self._look

    def _watched(self, kind: int, fields: tuple[Any, ...]) -> int:
        self._look()
        return self._append(kind, fields)

    def _look(self) -> None:
        """Between records, when all that the last one changed is in the open group."""
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
