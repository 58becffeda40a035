"""Sending a dead letter again, in a run that no process works on."""

from __future__ import annotations

from pathlib import Path

from perdure.actors.recovery import opened
from perdure.actors.requeueing import again
from perdure.ids import MessageId
from perdure.mailbox.envelope import Envelope
from perdure.runtime.program import package_version
from perdure.runtime.run import Run


def requeue(directory: str | Path, id: MessageId) -> MessageId:
    """Send a dead letter again to the actor it was for; `perdure resume` then handles it.

    Returns the id that it has now. Raises `UsageError` for a message that is no dead letter,
    `UnknownActor` when nobody answers to its address.
    """
    run = Run.resume(directory)
    sent: list[Envelope] = []

    def begin() -> None:
        kernel = run.kernel
        sent.append(again(kernel, id))
        kernel.dispatch.is_stopping = True
        opened(kernel, package_version(), run.program.files)
        kernel.outside.post(sent, "requeue", (id.seq, id.index))
        kernel.outside.is_up.set()
        kernel.ending.begin("interrupted", f"message {id} was sent again")

    run.begin_with(begin)
    with run:
        run.kernel.ended.wait()
    run.report()
    return sent[0].id
