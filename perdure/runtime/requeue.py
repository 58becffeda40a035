"""Sending a dead letter again, in a run that no process works on."""

from __future__ import annotations

from pathlib import Path

from perdure.actors.recovery import envelopes, opened
from perdure.errors import UnknownActor, UsageError
from perdure.ids import KERNEL_ID, MessageId
from perdure.ledger.keys import dead_key
from perdure.ledger.rows import DeadRow, unpack_row
from perdure.mailbox.envelope import Envelope
from perdure.runtime.run import Run, package_version


def requeue(directory: str | Path, id: MessageId) -> MessageId:
    """Send a dead letter again to the actor it was for; `perdure resume` then handles it.

    Returns the id that it has now. Raises `UsageError` for a message that is no dead letter,
    `UnknownActor` when nobody answers to its address.
    """
    run = Run.resume(directory)
    sent: list[Envelope] = []

    def begin() -> None:
        kernel, book = run.kernel, run.kernel.book
        raw = book.store.get(dead_key(*id))
        if raw is None:
            raise UsageError(f"message {id} is no dead letter. `perdure dead RUN` lists them.")
        row = unpack_row(DeadRow, raw)
        to = book.find(row.to)
        if not to:
            raise UnknownActor(f"nobody answers to {row.to} any more, so {id} stays where it is.")
        kernel.dispatch.is_stopping = True
        opened(kernel, package_version(), run.program.code_hash)
        (old,) = envelopes(book, iter([(id.seq, id.index)]))
        sent.append(Envelope(to, old.body, old.type, KERNEL_ID, cost=old.cost, est=old.est))
        kernel.outside.post(sent, "requeue", (id.seq, id.index))
        kernel.outside.is_up.set()
        kernel.ending.begin("interrupted", f"message {id} was sent again")

    run.begin_with(begin)
    with run:
        run.kernel.ended.wait()
    run.report()
    return sent[0].id
