"""Outcomes that are journaled and that their handler missed: it was cancelled before they came.

An outcome is journaled as soon as it is known, and comes to its handler when the turn has a slot
again. What cancels the handler in between (a timeout, a task group) is what it meets, so that is
journaled too, beside the outcome. Whether it is final is decided as for any failure. If it is, a
retry meets it again. If not, the retry gets the success after all, and that is journaled as well;
a failure is tried again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.actors.failures import failed_again
from perdure.actors.futures import Future
from perdure.actors.noticing import Noticing
from perdure.actors.particulars import read
from perdure.errors import StepCancelled
from perdure.ledger.records import Kind
from perdure.ledger.steprecords import CANCELLED

if TYPE_CHECKING:
    from perdure.actors.cell import Step
    from perdure.actors.turn import Turn


def missed(turn: Turn, key: str, future: Noticing[Any]) -> None:
    """Journal that a handler was cancelled before it got a recorded outcome; kernel thread."""
    step = (turn.envelope.steps or {}).get(key)
    if step is None or step.phase != "done" or step.again or turn.cell.turn is not turn:
        return
    value = turn.kernel.book.codec.encode((CANCELLED, _text(key), ""))
    seq = _record(turn, key, step, False, value)
    step.missed = seq
    turn.kernel.book.keep_step(turn.cell, turn.envelope, key, step)
    future.fail_with(StepCancelled(CANCELLED, _text(key)))


def met_instead(turn: Turn, key: str, step: Step) -> Future[Any] | None:
    """What an attempt meets in place of a recorded outcome; None: that. Kernel thread."""
    if not step.missed:
        return None
    if turn.kernel.steps.is_final(turn, key, step):
        return failed_again(key, CANCELLED, _text(key), "")
    if step.ok:
        _record(turn, key, step, True, turn.kernel.book.blobs.small(step.value))
        step.missed = 0
        turn.kernel.book.keep_step(turn.cell, turn.envelope, key, step)
        turn.kernel.steps.progress(turn)
    return None


def given_back(turn: Turn, key: str, step: Step) -> Future[Any] | None:
    """The recorded outcome of a step, as a later attempt meets it; None if it is begun anew."""
    instead: Future[Any] | None = None
    if step.missed:
        instead = turn._on_kernel(met_instead, key, step)
    if instead is not None:
        return instead
    if step.ok:
        return Future.done(turn.cell.edition.codec.decode(step.value))
    if turn.kernel.steps.is_final(turn, key, step):
        return failed_again(key, *read(step.value, turn.kernel.book.codec))
    return None


def _record(turn: Turn, key: str, step: Step, ok: bool, value: bytes) -> int:
    head = turn.kernel.steps.head(turn, key, step.name, step.digest)
    how = (None, step.intent, step.begun, step.tries, False, step.seq)
    return turn.kernel.book.append(Kind.RESULT, (*head, ok, value, 0, 0, 0, *how))


def _text(key: str) -> str:
    return f"{key} was cancelled: its outcome was there, and had not come to its handler"
