"""How attempts fail: one record says so, tells the supervisor, keeps the message or gives it up."""

from __future__ import annotations

import contextlib
import inspect
import traceback
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from perdure.actors.attempts import breaker_trips
from perdure.actors.cell import Cell
from perdure.actors.doubts import tripped
from perdure.actors.turn import Turn
from perdure.actors.unsettled import charge, charge_inboxes
from perdure.ledger.records import Kind, Life
from perdure.limits import TRACEBACK_BYTES_MAX
from perdure.mailbox.control import crash as reason_of
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.actors.lifecycle import CrashPlan


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
        plan = kernel.lifecycle.plan_crash(turn, reason, now)
        lives = kernel.lives.expand(plan.lives)
        if plan.consumed:
            charge(kernel, cell, env)
            charge_inboxes(kernel, lives)
            now = book.now_ns()
        dead = plan.dead + kernel.lives.doomed(lives)
        out = plan.out + kernel.watching.ends(lives) + kernel.news.notices_of(dead)
        if cell.watches:
            out += kernel.watching.farewells(cell, str(reason))
        fields: tuple[Any, ...] = (
            now, book.wires(out, cell.id),
            cell.id, turn.incarnation, turn.attempt, (env.seq, env.index),
            str(reason), _traceback(error) + self._tell_hook(turn, error),
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

    def _tell_hook(self, turn: Turn, error: BaseException) -> str:
        """Call `on_failure`; what it fails with itself goes into the record of the crash."""
        actor = turn.cell.actor
        if actor is None or "on_failure" not in actor.__declaration__.hooks:
            return ""
        try:
            result = actor.on_failure(type(error), error, error.__traceback__)
            if inspect.isawaitable(result):
                self.kernel.keep_task(self.kernel.loop.create_task(_finish(result)))
        except Exception as failure:  # noqa: BLE001 - user code; the crash itself goes on
            return f"\non_failure failed too: {reason_of(failure)}"
        return ""


async def _finish(hook: Awaitable[Any]) -> None:
    """Let an async `on_failure` run to its end; what it raises changes nothing any more."""
    with contextlib.suppress(Exception):
        await hook


def _traceback(error: BaseException) -> str:
    """The end of a traceback, which is where the reason is."""
    return "".join(traceback.format_exception(error))[-TRACEBACK_BYTES_MAX:]
