"""Sending a dead letter again: the message it was, to who answers to its address now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.actors.recovery import envelopes
from perdure.errors import UnknownActor, UsageError
from perdure.ids import KERNEL_ID, MessageId
from perdure.ledger.keys import dead_key
from perdure.ledger.rows import DeadRow, unpack_row
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


def again(kernel: Kernel, id: MessageId) -> Envelope:
    """What is to be posted, with `requeued`, for a dead letter to be one no longer.

    Raises `UsageError` for a message that is no dead letter, or not durably so; `UnknownActor` when
    nobody answers to its address; `InboxFull`.
    """
    book, key = kernel.book, dead_key(*id)
    raw = book.store.get(key)
    if raw is None or key in kernel.outside.requeued:
        raise UsageError(f"message {id} is no dead letter. `perdure dead RUN` lists them.")
    row = unpack_row(DeadRow, raw)
    to = book.find(row.to)
    if not to:
        raise UnknownActor(f"nobody answers to {row.to} any more, so {id} stays where it is.")
    kernel.pressure.admit(row.to, to)
    (old,) = envelopes(book, iter([(id.seq, id.index)]))
    return Envelope(to, old.body, old.type, KERNEL_ID, cost=old.cost, est=old.est)
