"""Why a turn waits for a person, in words: steps in doubt, and handlers that ask something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.actors.calls import Asked, in_words, said_in_words
from perdure.ledger.journal import unpack_payload
from perdure.ledger.records import Ask, Intent, Result, Send
from perdure.ledger.stepkeys import Keys
from perdure.ledger.steprecords import ABANDONED

if TYPE_CHECKING:
    from perdure.actors.book import Book
    from perdure.actors.cell import Cell, Step
    from perdure.actors.turn import Turn
    from perdure.mailbox.envelope import Envelope

EFFECTS_SHOWN_MAX = 5
REPAIRS = (
    "Put the code back and `perdure resume RUN`, or `perdure clear RUN {address} --forget` (its "
    "steps are forgotten, and made anew) or `--dead` (the message is given up)."
)


class Stalled(BaseException):
    """A turn waits for a person's repair; unwinds the handler past `except Exception`."""


def is_abandoned(book: Book, step: Step) -> bool:
    """Whether a failed step is an effect that was cancelled while it was under way."""
    return bool(step.effect) and book.codec.decode(step.value)[0] == ABANDONED


def in_doubt(asked: Asked, step: Step) -> str:
    """What to say of an effect of which nobody knows whether it happened."""
    return (
        f"{asked.words} ({asked.tool.effect}) is in doubt: record {step.intent} says it was about "
        "to happen, and nothing says whether it did. Look there, then `perdure doubt RUN "
        f"{step.intent} --happened RESULT` or `--did-not-happen`."
    )


def mismatch(turn: Turn, key: str, step: Step, attempted: str) -> str:
    """What to say of a handler that asks for something else than it did before."""
    was = recorded_call(turn.kernel.book, key, step)
    asks = f"and now it asks for {attempted}" if attempted else "and now it asks with another"
    return (
        f"step {key} of message {turn.envelope.id} is recorded as {was} "
        f"(record {step.seq}), {asks}: with other arguments the recorded outcome is none. "
        f"{REPAIRS.format(address=turn.cell.address)}"
    )


def tripped(cell: Cell, reason: str) -> str:
    """What to say of an actor whose breaker is open: it has crashed too often in a row."""
    return (
        f"its breaker is open: {cell.falls} crashes in a row, and no message handled in between. "
        f"The last was {reason}. Mend what they come from, then `perdure clear RUN "
        f"{cell.address} --again`; or give the message at its head up with `--dead`."
    )


def unmet(turn: Turn) -> str:
    """What to say of effects that are recorded and that the handler ended without asking for."""
    for key, step in (turn.envelope.steps or {}).items():
        if step.effect in ("", "read") or step.met is turn:
            continue
        if step.ok or step.phase == "intent":
            was = recorded_call(turn.kernel.book, key, step)
            became = "done" if step.ok else "about to happen"
            return (
                f"message {turn.envelope.id} was handled without asking for "
                f"{was}, which record {step.seq} has as {became}. "
                f"{REPAIRS.format(address=turn.cell.address)}"
            )
    return ""


def are_past(turn: Turn) -> bool:
    """Whether all steps of a turn are done, met by it, and paid: it may close as if it had none."""
    for step in (turn.envelope.steps or {}).values():
        if step.phase != "done" or step.met is not turn or step.reserved:
            return False
    return turn.keys is None or not turn.keys.stalled


def twice(book: Book, cell: Cell, env: Envelope) -> str:
    """What to say of effects that would happen twice if a message were handled as new; or ''."""
    found = [
        (key, step)
        for key, step in (env.steps or {}).items()
        if not step.redone and (step.ok or step.phase == "intent" or is_abandoned(book, step))
    ]
    if not found:
        return ""
    said = "; ".join(_again(book, key, step) for key, step in found[:EFFECTS_SHOWN_MAX])
    more = len(found) - EFFECTS_SHOWN_MAX
    and_more = f"; and {more:,} more" if more > 0 else ""
    return (
        f"forget({cell.address}): {said}{and_more}. What is forgotten is made anew. If it may "
        f"happen a second time, say so: `perdure clear RUN {cell.address} --forget --redo`."
    )


def _again(book: Book, key: str, step: Step) -> str:
    call = f"step {key}, {recorded_call(book, key, step)} ({step.effect}),"
    if step.ok:
        return f"{call} has happened (record {step.seq})"
    seq = step.intent
    return (
        f"{call} is in doubt: it may have happened (record {seq} says that it was about to). Give "
        f"a verdict first, `perdure doubt RUN {seq} --happened RESULT` or `--did-not-happen`"
    )


def recorded_call(book: Book, key: str, step: Step) -> str:
    """A recorded step in words, from memory or from its record."""
    if step.asked is not None:
        return in_words(step.name, step.asked)
    for seq in (step.intent, step.seq, step.begun):
        body = _body(book, seq)
        if isinstance(body, Intent | Result) and body.key == key and body.asked is not None:
            return in_words(step.name, body.asked)
        if isinstance(body, Ask) and body.key == key:
            sends = (Send(*wire) for wire in body.sends)
            question = next(send.body for send in sends if send.reply)
            return said_in_words(step.name, book.blobs.whole(question))
    return in_words(step.name, None)


def _body(book: Book, seq: int) -> Any:
    raw = book.store.record(seq) if seq else None
    return None if raw is None else unpack_payload(seq, raw.kind, raw.payload)


def stalled(turn: Turn, reason: str) -> Stalled:
    """What unwinds the handler to wait for a repair; what it makes of that does not count."""
    if turn.keys is None:
        turn.keys = Keys()
    turn.keys.stalled = reason
    return Stalled(reason)


def check_digest(turn: Turn, key: str, step: Step, digest: bytes, attempted: str = "") -> None:
    """Stall the turn when it asks for something else than what is recorded under that key."""
    if step.digest != digest:
        raise stalled(turn, mismatch(turn, key, step, attempted))
