"""How a run ends: finished, failed, drained, or because the ledger cannot be written any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.ledger.keys import STATUS_KEY
from perdure.ledger.records import Kind
from perdure.ledger.rows import StatusRow, pack_row
from perdure.limits import DRAIN_TURNS_SECONDS_MAX

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.errors import LedgerDamaged


class Ending:
    """Stops dispatching, waits for turns in flight, records the status, leaves when it is durable.

    Turns still running after `DRAIN_TURNS_SECONDS_MAX`, and those that only wait, are fenced: their
    messages stay where they are, and no attempt is counted.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.has_begun = False
        self.status = StatusRow("running", "", None)
        self.result: bytes | None = None  # that of the status, for when the ledger is closed
        self.error: BaseException | None = None
        self._is_recorded = self._has_failed = False
        self._was_starting = False

    @property
    def is_over(self) -> bool:
        """Whether it ends for good: no resume goes on."""
        return self.has_begun and self.status.status in ("finished", "failed")

    def begin(self, status: str, reason: str, result: bytes | None = None) -> None:
        """End the run with a status. Only the first call counts."""
        if self.has_begun:
            return
        self.has_begun = True
        self._was_starting = self.status.status == "starting"
        self.kernel.dispatch.is_stopping = True
        self.status = StatusRow(status, reason, result)
        self.result = None if result is None else self.kernel.book.blobs.whole(result)
        self.kernel.loop.call_later(DRAIN_TURNS_SECONDS_MAX, self._record)
        self.turn_ended()

    def recall(self, status: StatusRow) -> None:
        """The run had ended before this process took it: nothing changes, nothing is recorded."""
        self.has_begun = self._is_recorded = True
        self.kernel.dispatch.is_stopping = True
        self.status = status
        if status.result is not None:
            self.result = self.kernel.book.blobs.whole(status.result)
        self.kernel.loop.call_soon(self.kernel.leave)

    def turn_ended(self) -> None:
        """A turn is over: once none is left but those that wait, record the status."""
        if not self.has_begun:
            return
        working = self.kernel.steps.working
        if all(turn.waits and turn not in working for turn in self.kernel.dispatch.running):
            self.kernel.loop.call_soon(self._record)

    def _record(self) -> None:
        kernel, book = self.kernel, self.kernel.book
        if self._is_recorded or self.error is not None:
            return
        self._is_recorded = True
        for turn in list(kernel.dispatch.running):
            kernel.lifecycle.fence(turn)
        book.append(Kind.STATUS, (book.now_ns(), (), *self.status))
        row = self.status
        if self._was_starting and row.status not in ("failed", "finished"):
            row = StatusRow("starting", row.reason, None)  # its first messages are still to be sent
        book.open.puts[STATUS_KEY] = pack_row(row)
        self._leave_when_clean()

    def _leave_when_clean(self) -> None:
        """Leave once every record is durable and every artifact in its place."""
        kernel = self.kernel
        if kernel.releases.is_busy or not kernel.barrier.is_clean:
            later = kernel.book.seq
            kernel.barrier.when_durable(
                later, lambda: kernel.loop.call_soon(self._leave_when_clean)
            )
            kernel.barrier.seal()
        else:
            kernel.leave()

    def fail(self, error: BaseException) -> None:
        """Stop at once: nothing more is released. Memory is not rolled back; resume goes on."""
        self.error = self.error or error
        if not self._has_failed:
            self._has_failed = self.has_begun = True
            self.kernel.dispatch.is_stopping = True
            self.kernel.leave()

    def damaged(self, error: LedgerDamaged) -> None:
        """What is on disk is not what was written: nothing more is. Any thread."""
        self.error = self.error or error
        self.kernel.on_kernel(self.fail, error)
