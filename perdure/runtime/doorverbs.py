"""What other processes can ask of a live run: each verb is one function and one line of `VERBS`.

A function gets the kernel and the post, on the kernel thread. It raises `PerdureError` before it
changes anything, and returns what the poster is told. The records that it appends lie in the post's
own piece: they and the word that it was done are durable together.
"""

from __future__ import annotations

from pathlib import Path

from perdure.actors.cancelling import cancel
from perdure.actors.cell import Cell
from perdure.actors.door import Taken, Verb
from perdure.actors.kernel import Kernel
from perdure.actors.requeueing import again
from perdure.actors.signals import suspend
from perdure.actors.verdicts import Verdicts
from perdure.errors import UnknownActor, UsageError
from perdure.ids import KERNEL_ID, MessageId
from perdure.ledger.handover import take_over
from perdure.ledger.records import Life
from perdure.ledger.spool import Post
from perdure.mailbox.envelope import Envelope, ReplyTo
from perdure.mailbox.requests import is_for_people
from perdure.runtime.repairs import CLEARINGS, stalled_at, step_in_doubt

FORM = (dict, list, str, int, float, bool, type(None))
"""JSON types of a message: whatever JSON has."""


def _tell(kernel: Kernel, post: Post) -> Taken:
    return _sent(kernel, post, None)


def _ask(kernel: Kernel, post: Post) -> Taken:
    return _sent(kernel, post, (KERNEL_ID, kernel.book.seq + 1, 0, post.id))


def _sent(kernel: Kernel, post: Post, reply: ReplyTo | None) -> Taken:
    """The message is the first of the post's own record, which is the next one."""
    book, address = kernel.book, post.fields["to"]
    cell = book.cell_at(address)
    if cell.life >= Life.STOPPED:
        raise UnknownActor(f"{address} has no incarnation: it is stopped, and takes no message.")
    message = book.codec.from_json(post.fields["message"])
    if not is_for_people(message):
        name = post.fields["message"].get("$")
        raise UsageError(f"{name} is what perdure says to itself: it is not for telling actors.")
    body = book.codec.encode(message)
    kernel.pressure.admit(address, cell.id)
    env = Envelope(cell.id, body, type(message).__name__, KERNEL_ID, reply=reply)
    said = {"message": str(MessageId(book.seq + 1, 0))}
    return Taken(said, (env,), waits=reply is not None)


def _cancel(kernel: Kernel, post: Post) -> Taken:
    return Taken({"record": cancel(kernel, post.fields["address"])})


def _clear(kernel: Kernel, post: Post) -> Taken:
    cell, how = stalled_at(kernel, post.fields["address"]), post.fields["how"]
    if how not in CLEARINGS:
        raise UsageError(f"clear {how!r}: write one of {', '.join(CLEARINGS)}.")
    options = {"redo": True} if how == "forget" and post.fields["redo"] else {}
    getattr(Verdicts(kernel), how)(cell, **options)
    return _repaired(kernel, cell)


def _suspend(kernel: Kernel, post: Post) -> Taken:
    suspend(kernel, post.fields["address"], post.fields["on"])
    return Taken()


def _happened(kernel: Kernel, post: Post) -> Taken:
    cell, env, key = step_in_doubt(kernel, post.fields["step"])
    codec = kernel.book.codec
    value = codec.encode(codec.from_json(post.fields["result"]), "the result")
    Verdicts(kernel).happened(cell, env, key, value)
    return _repaired(kernel, cell)


def _did_not_happen(kernel: Kernel, post: Post) -> Taken:
    cell, env, key = step_in_doubt(kernel, post.fields["step"])
    Verdicts(kernel).did_not_happen(cell, env, key)
    return _repaired(kernel, cell)


def _repaired(kernel: Kernel, cell: Cell) -> Taken:
    """The actor goes on, and so does who waits for tokens that its steps had reserved."""
    kernel.dispatch.consider(cell)
    kernel.loop.call_soon(kernel.budget_freed)
    return Taken()


def _requeue(kernel: Kernel, post: Post) -> Taken:
    id = MessageId.parse(post.fields["message"])
    env = again(kernel, id)
    said = {"message": str(MessageId(kernel.book.seq + 1, 0))}
    return Taken(said, (env,), requeued=(id.seq, id.index))


def _compact(kernel: Kernel, post: Post) -> Taken:
    plan = take_over(_directory(kernel), post.fields["plan"])
    record = kernel.book.dropping.begin(plan)
    return Taken({"record": record, "until": kernel.book.seq})


def _compact_blobs(kernel: Kernel, post: Post) -> Taken:
    plan = take_over(_directory(kernel), post.fields["plan"])
    return Taken({"blobs": kernel.book.dropping.drop_blobs(plan.unused)})


def _directory(kernel: Kernel) -> Path:
    directory = kernel.releases.directory
    if directory is None:
        raise UsageError("a run in memory has no file: there is nothing to compact.")
    return directory


VERBS: dict[str, Verb] = {
    "tell": Verb(_tell, {"to": str, "message": FORM}),
    "ask": Verb(_ask, {"to": str, "message": FORM}),
    "cancel": Verb(_cancel, {"address": str}),
    "clear": Verb(_clear, {"address": str, "how": str, "redo": bool}),
    "suspend": Verb(_suspend, {"address": str, "on": bool}),
    "happened": Verb(_happened, {"step": int, "result": FORM}),
    "did-not-happen": Verb(_did_not_happen, {"step": int}),
    "compact": Verb(_compact, {"plan": str}),
    "compact-blobs": Verb(_compact_blobs, {"plan": str}),
    "requeue": Verb(_requeue, {"message": str}),
}
