"""`self.sleep`: a turn that waits for ledger time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.actors.futures import Future
from perdure.actors.turn import Turn
from perdure.actors.waiting import Waiting

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Sleeping:
    """Has turns wait, and wakes them."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def sleep(self, turn: Turn, seconds: float) -> Future[None]:
        """Wait by ledger time without holding a slot."""
        if seconds <= 0:
            return Future.done(None)
        future: Waiting[None] = Waiting(self.kernel.dispatch, turn)
        self.kernel.timers.after(seconds, lambda: future.resume(Future.done(None)))
        return future
