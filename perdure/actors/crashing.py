"""How attempts fail: one record says so, tells the supervisor, keeps the message or gives it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.actors.attempts import breaker_trips
from perdure.actors.cell import Cell
from perdure.actors.crashplan import CrashPlan, plan_crash
from perdure.actors.doubts import tripped
from perdure.actors.onfailure import last_lines, tell_hook
from perdure.actors.turn import Turn
from perdure.actors.unsettled import charge, charge_inboxes
from perdure.ledger.records import Kind, Life
from perdure.mailbox.control import crash as reason_of
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Crashing:
    """Ends turns out of which an exception came, or that the kernel cut."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.crashed = 0  # in this process

    def crash(self, turn: Turn, error: BaseException, *, cut: bool = False) -> None:
        """Record a failed attempt: state and sends are dropped, the supervisor is told.

        `cut`: the kernel ended it, its handler is not done. Then no hook of it runs either.
        """
        kernel, cell, env = self.kernel, turn.cell, turn.envelope
        book, now = kernel.book, kernel.book.now_ns()
        reason = reason_of(error)
        plan = plan_crash(kernel, turn, reason, now)
        lives = kernel.lives.expand(plan.lives)
        if plan.consumed:
            charge(kernel, cell, env)
            charge_inboxes(kernel, lives)
            now = book.now_ns()
        dead = plan.dead + kernel.lives.doomed(lives)
        out = (
            plan.out
            + kernel.lives.apologies(lives)
            + kernel.watching.ends(lives)
            + kernel.news.notices_of(dead)
        )
        if cell.watches:
            out += kernel.watching.farewells(cell, str(reason))
        fields: tuple[Any, ...] = (
            now, book.wires(out, cell.id),
            cell.id, turn.incarnation, turn.attempt, (env.seq, env.index),
            str(reason), last_lines(error) + tell_hook(kernel, turn, error),
            plan.counted, plan.not_before, dead, now - turn.time_ns,
        )  # fmt: skip
        if lives or cut or turn.refused:
            fields += (lives, cut, turn.refused or ())
        seq = book.append(Kind.CRASH, fields)
        kernel.closing.end(turn)
        self._fall(cell, env, str(reason), plan)
        if lives:
            kernel.lives.apply(lives, dead)
        kernel.news.crashed(turn, str(reason), plan)
        book.deliver(seq, out)
        if cell.renews:
            kernel.codes.renew(cell)
        if breaker_trips(cell.spec, cell.falls):
            kernel.stall(cell, None if plan.consumed else env, tripped(cell, str(reason)))
        kernel.dispatch.consider(cell)

    def _fall(self, cell: Cell, env: Envelope, reason: str, plan: CrashPlan) -> None:
        """The actor is down: the next attempt gets an object built from committed bytes."""
        book = self.kernel.book
        self.crashed += 1
        cell.actor = None
        cell.crashes += 1
        cell.life, cell.reason = Life.DOWN, reason
        cell.attempts, cell.not_before = plan.attempts, plan.not_before
        cell.fall()
        cell.row_dirty = True
        book.touch(cell)
        self.kernel.watching.end(cell)
        if plan.consumed:
            book.consume(cell, env)
        for row in plan.dead:
            book.bury(row, env.reply)
