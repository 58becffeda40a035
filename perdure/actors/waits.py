"""Waits of turns, for answers and for time: steps that somebody else settles.

A wait outlives its attempt and its process: what it waits for is in the journal, and its time, if
it has one, is a delayed message to the kernel. Whichever comes first settles it, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.actors.asks import Asks
from perdure.actors.cell import Cell, Step
from perdure.actors.delayed import Delayed
from perdure.actors.failures import failed_again
from perdure.actors.futures import Future
from perdure.actors.missed import met_instead, missed
from perdure.actors.particulars import read
from perdure.actors.sleeping import Sleeping
from perdure.actors.suspension import Suspended, Suspension
from perdure.actors.turn import Turn, closed
from perdure.actors.waiting import Wait
from perdure.errors import StepCancelled, TurnClosed, UnknownName
from perdure.ledger.records import Kind
from perdure.ledger.steprecords import CANCELLED
from perdure.mailbox.control import Wake
from perdure.mailbox.envelope import Envelope, ReplyTo

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Waits:
    """Knows who waits for what in this process, and settles it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.asks = Asks(kernel)
        self.sleeping = Sleeping(kernel)
        self.delayed = Delayed(kernel)
        self.suspension = Suspension(kernel)
        self.open: dict[ReplyTo, Wait[Any]] = {}  # of turns in flight

    def begin(self, turn: Turn, key: str, step: Step, to: int = 0) -> Future[Any]:
        """The future of a step that may be settled already; `to` is the actor that is asked."""
        if step.phase == "done":
            instead = met_instead(turn, key, step)
            return _outcome(turn.cell, key, step) if instead is None else instead
        env = turn.envelope
        reply = (turn.cell.id, env.seq, env.index, key)
        wait: Wait[Any] = Wait(self, turn, reply, to)
        if turn.asks is None:
            turn.asks = {}
        turn.asks[reply] = self.open[reply] = wait
        return wait

    # --- what settles a wait

    def answered(self, reply: ReplyTo, ok: bool, value: bytes, seq: int) -> None:
        """An answer (or a dead letter) came for an ask; the record `seq` holds it."""
        if reply[0] == 0:
            self.kernel.outside.answer(reply, ok, value, seq)
            return
        found = self._unsettled(reply)
        if found is not None:  # else the asker has gone on: a late answer reaches nobody
            self.settle(reply, *found, ok, value, seq)

    def due(self, env: Envelope) -> None:
        """The time of a wait is up: a sleep is over, an ask without an answer has failed."""
        reply = env.reply
        found = None if reply is None else self._unsettled(reply)
        if reply is None or found is None:
            return
        codec = self.kernel.book.codec
        message = codec.decode(env.body)
        ok = isinstance(message, Wake)
        value = codec.encode(None if ok else ("AskTimeout", message.text))
        cell, head, step = found
        seq = self.record(cell, head, reply[3], step, ok, value)
        if ok:  # a newly journaled result is progress
            self.kernel.interruptions.progress(head)
            if cell.attempts and head.lane:
                cell.attempts = 0
                cell.row_dirty = True
        self.settle(reply, cell, head, step, ok, value, seq)
        self.kernel.dispatch.kick()

    def record(
        self,
        cell: Cell,
        head: Envelope,
        key: str,
        step: Step,
        ok: bool,
        value: bytes,
        out: list[Envelope] | None = None,
    ) -> int:
        """Append what a wait ended with, when no other record says it."""
        book = self.kernel.book
        attempt = cell.attempts + 1 if cell.turn is None else cell.turn.attempt
        wires = book.wires(out or [], cell.id)
        who = (book.now_ns(), wires, cell.id, cell.incarnation, attempt, (head.seq, head.index))
        what = (key, step.name, step.digest, ok, value, 0, 0, 0)
        return book.append(Kind.RESULT, (*who, *what))

    def _unsettled(self, reply: ReplyTo) -> tuple[Cell, Envelope, Step] | None:
        """Who waits, while at which message, and the step; None when that is over."""
        asker, seq, index, key = reply
        cell = self.kernel.book.cell(asker)
        head = cell.pending(seq, index)
        step = None if head is None or not head.steps else head.steps.get(key)
        if head is None or step is None or step.phase == "done":
            return None
        return cell, head, step

    def settle(
        self,
        reply: ReplyTo,
        cell: Cell,
        head: Envelope,
        step: Step,
        ok: bool,
        value: bytes,
        seq: int,
    ) -> None:
        """Keep what a wait ended with; whoever waits goes on. The record `seq` holds it."""
        key = reply[3]
        done = Step("done", step.name, step.digest, seq)
        done.ok, done.value = ok, value
        self.kernel.book.keep_step(cell, head, key, done)
        done.met = step.met  # an attempt that has not come to it yet has not begun it
        self.delayed.settled(reply)
        wait = self.open.pop(reply, None)
        if wait is not None:
            wait.resume(_outcome(cell, reply[3], done))
        self.suspension.settled(cell, key)

    # --- what nobody waits for any more

    def cancel(self, wait: Wait[Any]) -> None:
        """Journal that the handler stopped waiting (a timeout, a task group), as the outcome.

        The tasks that are cancelled with a turn are not the handler's doing: what they waited for
        stays open, and the next attempt waits for the same.
        """
        turn, reply = wait.turn, wait.reply
        if not turn.open or turn.asks is None:
            return
        if self.open.get(reply) is not wait:
            missed(turn, reply[3], wait)  # it is settled, and its turn had no slot yet
            return
        del self.open[reply], turn.asks[reply]
        found = self._unsettled(reply)
        if found is None or _is_ending(turn):
            return
        text = f"{reply[3]} was cancelled: its handler waits for it no longer"
        value = self.kernel.book.codec.encode((CANCELLED, text, ""))
        cell, head, step = found
        seq = self.record(cell, head, reply[3], step, False, value)
        self.settle(reply, cell, head, step, False, value, seq)
        wait.fail_with(StepCancelled(CANCELLED, text))

    def is_begun_anew(self, turn: Turn, key: str, step: Step) -> bool:
        """Whether a wait was cancelled, and that ended its attempt: the next may do better."""
        if step.phase != "done" or step.ok:
            return False
        is_cancelled = step.missed or self.kernel.book.codec.decode(step.value)[0] == CANCELLED
        return bool(is_cancelled) and not self.kernel.steps.is_final(turn, key, step)

    # --- what ends a wait without settling it

    def forget(self, turn: Turn) -> None:
        """Drop what a turn that is over still waits for."""
        error = TurnClosed(closed(turn)) if turn.cell.asleep is None else Suspended(closed(turn))
        self.suspension.over(turn)
        for reply, wait in (turn.asks or {}).items():
            if self.open.get(reply) is wait:
                del self.open[reply]
                wait.set_exception(error)  # a thread may be blocked on it

    def gone(self, cell: Cell, env: Envelope) -> None:
        """A message was consumed: nothing waits any more for what it had not got yet."""
        for key, step in (env.steps or {}).items():
            if step.phase == "asked":
                self.delayed.settled((cell.id, env.seq, env.index, key))
        if env.lane:
            self.suspension.gone(cell)


def _is_ending(turn: Turn) -> bool:
    """Whether the handler has returned or raised: the tasks that it left are cancelled."""
    keys = turn.keys
    return keys is not None and (keys.has_returned or keys.is_failing)


def _outcome(cell: Cell, key: str, step: Step) -> Future[Any]:
    """What a settled step gives its handler, in the classes of the code that the actor runs."""
    codec = cell.edition.codec
    if not step.ok:
        return failed_again(key, *read(step.value, codec))
    try:
        return Future.done(codec.decode(step.value))
    except UnknownName as error:  # of a class that only other code has
        return Future.failed(error)
