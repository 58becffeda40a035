"""Cancelling from outside: one record ends an actor and all below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.actors.cell import Cell
from perdure.actors.lives import IMPLICIT, OVER, LifeChange
from perdure.actors.unsettled import charge_inboxes
from perdure.errors import UsageError
from perdure.ids import KERNEL_ID
from perdure.ledger.records import Dead, Kind, Life
from perdure.mailbox.control import CANCELLED, Ignored
from perdure.mailbox.envelope import Envelope
from perdure.mailbox.requests import DeleteChild, TerminateChild

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


def cancel(kernel: Kernel, address: str) -> int:
    """End the actor at an address and all below it, in one record; returns its seq.

    Their turns are fenced, what waits for them and what they have set a time for are dead letters,
    and no tool call of theirs starts after it. Calls that have started may end, and change nothing.
    Raises `UnknownActor`, and `UsageError` for the root or when the run is over.
    """
    if kernel.ending.has_begun:
        raise UsageError(f"cancel({address}): the run is over, or ending.")
    book = kernel.book
    top = book.cell_at(address)
    if top.parent == KERNEL_ID:
        raise UsageError(
            f"cancel({address}): this is the root, without which there is no run. Cancel what is "
            "below it, or let the run end: SIGTERM drains it."
        )
    if top.life in OVER and top.reason == str(CANCELLED):
        raise UsageError(
            f"cancel({address}): it is cancelled already, and nothing was changed. "
            "`perdure resume RUN` goes on without it."
        )
    is_listed = IMPLICIT not in (top.class_name, book.cell(top.parent).class_name)
    life = Life.STOPPED if is_listed else Life.ENDED  # what its supervisor knows, it deletes
    lives = kernel.lives.expand([(top.id, top.incarnation, int(life))])
    cells = [book.cell(id) for id, _, _ in lives]
    charge_inboxes(kernel, lives)
    waiting = [
        dead
        for cell, (_, _, after) in zip(cells, lives, strict=True)
        for dead in _waiting(kernel, cell, after)
    ]
    delayed = kernel.waits.delayed.of({cell.id for cell in cells})
    dead = waiting + [Dead(e.seq, e.index, book.address(e.to), REASON, 0) for e in delayed]
    out = kernel.lives.apologies(lives)
    out += kernel.watching.ends(lives, CANCELLED)
    out += _notices(kernel, {cell.id for cell in cells}, waiting, dead, delayed)
    if is_listed:
        out += _to_supervisor(kernel, top)
    wires = book.wires(out, KERNEL_ID)
    seq = book.append(Kind.CANCEL, (book.now_ns(), wires, top.id, REASON, lives, dead))
    _apply(kernel, cells, lives, dead, delayed)
    book.deliver(seq, out)
    kernel.dispatch.kick()
    return seq


REASON = "cancelled"


def _waiting(kernel: Kernel, cell: Cell, life: int) -> list[Dead]:
    """What is in an inbox, as dead letters; the first one may have been tried."""
    requests = [
        Dead(env.seq, env.index, cell.address, REASON, 0)
        for env in kernel.lives.requests(cell, life)
    ]
    return requests + [
        Dead(env.seq, env.index, cell.address, REASON, 0 if place else cell.attempts)
        for place, env in enumerate(cell.inbox or ())
    ]


def _notices(
    kernel: Kernel, ids: set[int], waiting: list[Dead], dead: list[Dead], delayed: list[Envelope]
) -> list[Envelope]:
    """What who wants dead letters is told, unless it is cancelled itself."""
    found = kernel.news.notices_of(waiting)
    for row, env in zip(dead[len(waiting) :], delayed, strict=True):
        found += kernel.news.notice(row, env.body)
    return [env for env in found if env.to not in ids]


def _to_supervisor(kernel: Kernel, top: Cell) -> list[Envelope]:
    """Have the supervisor drop it, in OTP's words; one that waits for its start goes on."""
    child = top.address.rpartition("/")[2]
    messages: list[object] = [TerminateChild(child), DeleteChild(child)]
    if top.life == Life.STARTING:
        messages.insert(0, Ignored(top.id, top.incarnation))
    return [kernel.lifecycle.control(top.parent, top.id, message) for message in messages]


def _apply(
    kernel: Kernel,
    cells: list[Cell],
    lives: list[LifeChange],
    dead: list[Dead],
    delayed: list[Envelope],
) -> None:
    book = kernel.book
    for cell in cells:
        cell.reason = str(CANCELLED)
        cell.stalled = ""
    kernel.lives.apply(lives, dead)
    rows = {(row.seq, row.index): row for row in dead}
    for env in delayed:
        kernel.waits.delayed.drop((env.seq, env.index))
        book.bury(rows[env.seq, env.index], env.reply)
