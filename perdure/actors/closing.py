"""How turns end: what a handler did becomes one record, or none of it does.

First everything is gathered that may fail (the delta, the answer, the sends), then the record is
appended, then memory follows it: nothing of a turn is in memory that its record does not hold.
"""

from __future__ import annotations

import contextlib
import inspect
import traceback
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from perdure.actors.attempts import breaker_trips
from perdure.actors.cell import Cell
from perdure.actors.doubts import tripped
from perdure.actors.marking import keep_marks
from perdure.actors.plain import Plain
from perdure.actors.state import Delta, collect, state_hash
from perdure.actors.turn import NS, Turn
from perdure.actors.unsettled import charge
from perdure.errors import Reject
from perdure.ledger.keys import artifact_key, unreleased_key
from perdure.ledger.records import Dead, Kind, Life
from perdure.ledger.rows import ArtifactRow, pack_row
from perdure.limits import TRACEBACK_BYTES_MAX
from perdure.mailbox.control import crash as reason_of
from perdure.mailbox.envelope import Envelope, ReplyTo

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.actors.lifecycle import CrashPlan

Reply = tuple[ReplyTo, bool, bytes]
"""(where the answer goes, whether it is one or a failure, its bytes)."""


class Closing:
    """Ends turns: closed, rejected, crashed or late."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.closed = 0  # turns of user messages, in this process
        self.crashed = 0
        self._plain = Plain(kernel)

    # --- closed

    def close(self, turn: Turn, answer: object = None) -> None:
        """End a turn whose handler returned."""
        if not turn.open:
            self.late(turn, "closing")
            return
        cell, env = turn.cell, turn.envelope
        if env.steps is not None and self.kernel.steps.stalls(turn):
            return
        book = self.kernel.book
        encode = book.codec.encode
        try:
            delta = collect(cell.actor, cell.images, encode)  # type: ignore[arg-type]
            reply = None
            if env.reply is not None:
                reply = (env.reply, True, book.blobs.small(encode(answer, "the answer")))
        except Exception as error:  # noqa: BLE001 - whatever a user's value raises is a crash
            self.crash(turn, error)
            return
        if reply is not None or not self._plain.close(turn, delta):
            self._commit(turn, delta, reply, None)

    def close_bare(self, turn: Turn) -> None:
        """End a turn that ran no handler: its message is consumed, state stays as committed."""
        self.kernel.book.load_state(turn.cell)
        turn.cell.actor = None
        self._commit(turn, (), None, None)

    def reject(self, turn: Turn, error: Reject) -> None:
        """Consume the message, answer with an error, drop state and sends."""
        env, text = turn.envelope, str(error)
        if env.steps is not None and self.kernel.steps.stalls(turn):
            return
        turn.out, turn.artifacts, turn.result, turn.stop_reason = [], None, None, None
        turn.marks = None
        value = self.kernel.book.codec.encode(("Reject", text))
        reply = None if env.reply is None else (env.reply, False, value)
        turn.cell.actor = None  # what the handler changed in memory was never committed
        self._commit(turn, (), reply, text)

    def _commit(self, turn: Turn, delta: Delta, reply: Reply | None, rejected: str | None) -> None:
        kernel, cell, env, out = self.kernel, turn.cell, turn.envelope, turn.out
        book = kernel.book
        is_rare = turn.is_rare or turn.stop_reason is not None
        life = kernel.lifecycle.life_after(turn) if is_rare else None
        hash_after = state_hash(cell.state_hash, delta) if delta else cell.state_hash
        wires, dead = self._address(turn, out)
        now = book.now_ns()
        index = turn.index
        fields: tuple[Any, ...] = (  # in the order of records.Turn, up to `previous`
            now, wires, cell.id, turn.incarnation, turn.attempt, (env.seq, env.index),
            delta, hash_after, life, reply,
            [artifact for artifact, _ in turn.artifacts] if turn.artifacts else (),
            turn.result, rejected,
            (env.cost, env.cost / index if index else 0.0, index), now - turn.time_ns, cell.last,
        )  # fmt: skip
        version = 0
        if cell.migrates and cell.actor is not None and rejected is None:
            version = cell.actor.__declaration__.version
        has_more = is_rare and (turn.lives is not None or turn.notes is not None or turn.marks)
        if has_more or version:
            more = (turn.lives or (), dead, turn.notes or (), turn.marks or (), turn.specs or ())
            fields += (*more, version) if version else more
        seq = book.append(Kind.TURN, fields)
        self.end(turn)
        book.consume(cell, env)
        book.touch(cell)
        cell.dirty = True
        cell.last = seq
        if delta:
            self._plain.apply(cell, delta, hash_after)
        if version:
            cell.version, cell.migrates, cell.row_dirty = version, False, True
        if turn.kind == "receive":
            self._count(turn, (now - turn.time_ns) / NS)
        if life is not None:
            cell.change_life(life)
        if turn.lives is not None:
            kernel.lives.apply(turn.lives, dead)
        if turn.marks:
            keep_marks(book, turn, seq)
        if out:
            book.deliver(seq, out)
        if reply is not None or turn.artifacts or turn.result is not None or cell.holds:
            self._spread(turn, seq, reply)
        if cell.renews:
            kernel.codes.renew(cell)
        if cell.inbox or cell.control:
            kernel.dispatch.consider(cell)

    def _address(self, turn: Turn, out: list[Envelope]) -> tuple[list[tuple[Any, ...]], list[Dead]]:
        """What the record holds of the turn's messages, dead letters and their notices included."""
        kernel = self.kernel
        kernel.book.address_out(out)
        out += kernel.news.notices(out)
        dead: list[Dead] = []
        if turn.lives is not None:
            turn.lives = kernel.lives.expand(turn.lives)
            dead = kernel.lives.doomed(turn.lives)
            out += kernel.news.notices_of(dead)
        return kernel.book.wires(out, turn.cell.id), dead

    def _count(self, turn: Turn, seconds: float) -> None:
        """A user message was handled: learn from it."""
        cell = turn.cell
        cell.turns += 1
        self.closed += 1
        if cell.attempts:
            cell.attempts = cell.not_before = 0
            cell.row_dirty = True
        self.kernel.dispatch.estimates.observe((cell.class_name, turn.envelope.type), seconds)

    def _spread(self, turn: Turn, seq: int, reply: Reply | None) -> None:
        """Have the rest of the run see what else the record says."""
        kernel = self.kernel
        if reply is not None:
            kernel.waits.answered(reply[0], reply[1], reply[2], seq)
        if turn.artifacts:
            self._publish(turn, seq)
        if turn.result is not None:
            kernel.finished(turn.result)
        if turn.cell.holds:
            kernel.pressure.drained(turn.cell)

    def _publish(self, turn: Turn, seq: int) -> None:
        book = self.kernel.book
        for artifact, data in turn.artifacts or ():
            book.blobs.keep({artifact.digest: data})
            row = ArtifactRow(artifact.digest, artifact.size, seq, False)
            book.open.puts[artifact_key(artifact.path)] = pack_row(row)
            book.open.puts[unreleased_key(artifact.path)] = b""
            self.kernel.releases.add(seq, artifact, data)

    # --- not closed

    def crash(self, turn: Turn, error: BaseException, *, cut: bool = False) -> None:
        """Record a failed attempt: state and sends are dropped, the supervisor is told.

        `cut`: the kernel ended it, its handler is not done. Then no hook of it runs either.
        """
        kernel, cell, env = self.kernel, turn.cell, turn.envelope
        book, now = kernel.book, kernel.book.now_ns()
        reason = reason_of(error)
        plan = kernel.lifecycle.plan_crash(turn, reason, now)
        if plan.consumed and env.steps:
            charge(kernel, cell, env)
            now = book.now_ns()
        lives = kernel.lives.expand(plan.lives)
        dead = plan.dead + kernel.lives.doomed(lives)
        out = plan.out + kernel.news.notices_of(dead)
        fields: tuple[Any, ...] = (
            now,
            book.wires(out, cell.id),
            cell.id,
            turn.incarnation,
            turn.attempt,
            (env.seq, env.index),
            str(reason),
            _traceback(error) + self._tell_hook(turn, error),
            plan.counted,
            plan.not_before,
            dead,
            now - turn.time_ns,
        )
        if lives or cut:
            fields += (lives, cut)
        seq = book.append(Kind.CRASH, fields)
        self.end(turn)
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

    def late(self, turn: Turn, what: str) -> None:
        """Record that a turn which is over came to an end of its own; it changes nothing."""
        self.kernel.book.late(turn.cell, turn.envelope, turn.incarnation, what)
        self.kernel.dispatch.ended(turn)
        self.kernel.dispatch.kick()

    def end(self, turn: Turn) -> None:
        """The turn is over: its verbs raise from here on, its slot is free."""
        cell = turn.cell
        turn.open = False
        cell.turn = None
        if cell.actor is not None:
            cell.actor.__dict__["_turn"] = None
        if turn.asks:
            self.kernel.waits.forget(turn)
        self.kernel.dispatch.ended(turn)


async def _finish(hook: Awaitable[Any]) -> None:
    """Let an async `on_failure` run to its end; what it raises changes nothing any more."""
    with contextlib.suppress(Exception):
        await hook


def _traceback(error: BaseException) -> str:
    """The end of a traceback, which is where the reason is."""
    return "".join(traceback.format_exception(error))[-TRACEBACK_BYTES_MAX:]
