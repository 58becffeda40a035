"""`self.sleep`: a turn that waits for ledger time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.actors.cell import Step
from perdure.actors.delayed import due_ns
from perdure.actors.futures import Future
from perdure.actors.turn import Turn
from perdure.ids import KERNEL_ID
from perdure.ledger.records import Kind, Lane
from perdure.mailbox.control import Wake
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

SLEEP = "sleep"
"""Name of the step that a sleep is. It has no digest: what the first attempt said counts."""


class Sleeping:
    """Journals when a turn wants to be woken."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def sleep(self, turn: Turn, seconds: float) -> Future[None]:
        """Wait by ledger time without holding a slot; later attempts wake at the same time."""
        book, env = self.kernel.book, turn.envelope
        key = turn.key(SLEEP)
        step = env.steps.get(key) if env.steps else None
        if step is None:
            if seconds <= 0:
                return Future.done(None)
            due = due_ns(book.now_ns(), seconds, "a sleep")
            step = self._begin(turn, key, due)
        elif self.kernel.waits.is_begun_anew(turn, key, step):
            due = due_ns(book.now_ns(), max(seconds, 0.0), "a sleep")
            step = self._begin(turn, key, due)
        return self.kernel.waits.begin(turn, key, step)

    def _begin(self, turn: Turn, key: str, due: int) -> Step:
        book, cell, env = self.kernel.book, turn.cell, turn.envelope
        reply = (cell.id, env.seq, env.index, key)
        body = book.codec.encode(Wake())
        wake = Envelope(
            KERNEL_ID, body, "Wake", cell.id, lane=int(Lane.CONTROL), reply=reply, due=due
        )
        who = (cell.id, turn.incarnation, turn.attempt, (env.seq, env.index))
        seq = book.append(Kind.ASK, (book.now_ns(), (wake.wire(cell.id),), *who, key, b""))
        step = Step("asked", SLEEP, b"", seq)
        book.keep_step(cell, env, key, step)
        book.deliver(seq, [wake])
        return step
