"""A turn from beginning to end: run the handler, then close it, crash it, or let it stall."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Cell
from perdure.actors.state import apply, build, collect, compact, restore, state_hash
from perdure.actors.turn import Turn
from perdure.actors.work import Stalled
from perdure.errors import PerdureError, Reject, UnknownName
from perdure.ledger.keys import artifact_key
from perdure.ledger.records import Dead, Kind, Lane, Life
from perdure.ledger.rows import ArtifactRow, pack_row
from perdure.limits import TRACEBACK_BYTES_MAX
from perdure.mailbox.control import NORMAL, Reason
from perdure.mailbox.control import crash as reason_of
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.actor import Actor
    from perdure.actors.kernel import Kernel

NS = 1_000_000_000
Handler = Callable[..., Any]


class Turns:
    """Begins turns and ends them. What a handler did becomes one record, or none of it does."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.closed = 0  # in this process
        self.crashed = 0

    # --- beginning

    def begin(self, cell: Cell) -> Coroutine[Any, Any, None] | None:
        """Start what an actor does next; a coroutine for the runner to await, if there is one."""
        if cell.control:
            return self.kernel.lifecycle.begin(cell)
        env = cell.inbox[0]  # type: ignore[index]
        actor = cell.actor or self.load(cell)
        if actor is None:
            return None
        book = self.kernel.book
        try:
            message = book.codec.decode(env.body)
        except UnknownName as error:
            self.kernel.stall(cell, str(error))
            return None
        mode = actor.__declaration__.kind
        turn = self.open(cell, env, "receive", mode != "def")
        turn.index = self.kernel.dispatch.index(cell)
        return self.run(turn, actor.on_receive, (message,), mode)

    def load(self, cell: Cell) -> Actor | None:
        """The live object of an actor, built from committed bytes; None when it stalled."""
        book = self.kernel.book
        if cell.cls is None:
            self.kernel.stall(
                cell,
                f"there is no actor class {cell.class_name!r} in the scenario's code. "
                "Put it back, or resume with the code that has it.",
            )
            return None
        book.load_state(cell)
        decode = book.codec.decode
        try:
            if cell.images:
                actor = restore(cell.cls, cell.images, decode, cell.version)
            else:
                actor = build(cell.cls, decode(cell.init))
            if "on_load" in actor.__declaration__.hooks:
                actor.on_load()
        except Exception as error:
            self.kernel.stall(cell, f"it cannot be loaded: {reason_of(error)}")
            return None
        cell.actor = actor
        cell.version = actor.__declaration__.version
        return actor

    def open(self, cell: Cell, env: Envelope, kind: str, on_loop: bool) -> Turn:
        """A turn of a cell that takes a slot now."""
        turn = Turn(self.kernel, cell, env, kind, on_loop, self.kernel.book.now_ns())
        cell.turn = turn
        cell.actor.__dict__["_turn"] = turn  # type: ignore[union-attr]
        self.kernel.dispatch.began(turn)
        return turn

    def run(
        self, turn: Turn, handler: Handler, args: tuple[Any, ...], mode: str
    ) -> Coroutine[Any, Any, None] | None:
        """Run a handler in its mode: awaited by the runner, called here, or in a pool thread."""
        if mode == "async":
            return self._run_async(turn, handler(*args))
        if mode == "def":
            self.kernel.pool.submit(turn, handler, args)
            return None
        try:
            answer = handler(*args)
        except BaseException as error:
            self.failed(turn, error)
        else:
            self.close(turn, answer)
        return None

    async def _run_async(self, turn: Turn, handler: Awaitable[Any]) -> None:
        turn.task = task = self.kernel.dispatch.runner
        try:
            answer = await handler
            if turn.pending:
                await _settle(turn)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and not turn.open:
                task.uncancel()  # type: ignore[union-attr]
                return  # fenced: the runner that carried it goes on
            if turn.pending and turn.open:
                await _wait_out(turn)
            self.failed(turn, error)
        else:
            self.close(turn, answer)

    # --- ending

    def failed(self, turn: Turn, error: BaseException) -> None:
        """End a turn whose handler raised."""
        if not turn.open:
            self._late(turn, f"crash: {reason_of(error)}")
        elif isinstance(error, Stalled):
            self._end(turn)
            self.kernel.stall(turn.cell, str(error))
        elif isinstance(error, Reject):
            self._reject(turn, error)
        else:
            self.crash(turn, error)

    def close(self, turn: Turn, answer: object = None) -> None:
        """End a turn whose handler returned: all of it becomes one record."""
        if not turn.open:
            self._late(turn, "closing")
            return
        book, cell, env = self.kernel.book, turn.cell, turn.envelope
        encode = book.codec.encode
        try:
            delta = collect(cell.actor, cell.images, encode)
            reply = None if env.reply is None else (env.reply, True, encode(answer, "the answer"))
        except PerdureError as error:
            self.crash(turn, error)
            return
        life = self._life_after(turn)
        if delta:
            apply(cell.images, delta)
            compact(cell.actor, cell.images)
            cell.state_hash = state_hash(cell.state_hash, delta)
        if turn.kind == "stop":
            self._drop(cell)
        if turn.kind == "receive":
            cell.turns += 1
            self.closed += 1
            if cell.attempts:
                cell.attempts = cell.not_before = 0
                cell.row_dirty = True
        cell.dirty = True
        self._record(turn, delta, life, reply, None)

    def close_bare(self, turn: Turn) -> None:
        """End a turn that ran no handler: its message is consumed, state stays as committed."""
        cell = turn.cell
        self.kernel.book.load_state(cell)
        life = self.kernel.lifecycle.life_after(turn)
        self._drop(cell)
        self._record(turn, (), life, None, None)

    def _life_after(self, turn: Turn) -> int | None:
        """The actor's life after this turn, and the exit that tells its supervisor."""
        cell = turn.cell
        if turn.kind == "receive" and turn.stop_reason is not None:
            kind, _, detail = turn.stop_reason.partition(":")
            reason = Reason(kind, detail.strip() or None)
            turn.out.append(self.kernel.lifecycle.exit_of(cell, reason, True))
            cell.reason = str(reason)
            return Life.DOWN
        return self.kernel.lifecycle.life_after(turn)

    def _record(
        self,
        turn: Turn,
        delta: tuple[Any, ...],
        life: int | None,
        reply: tuple[Any, bool, bytes] | None,
        rejected: str | None,
    ) -> None:
        kernel = self.kernel
        book, cell, env, out = kernel.book, turn.cell, turn.envelope, turn.out
        if out:
            book.address_out(out)
            notices = kernel.notices(out)
            if notices:
                out = out + notices
        now = book.now_ns()
        took = now - turn.time_ns
        author = cell.id
        fields: tuple[Any, ...] = (
            now,
            [e.wire(author) for e in out],
            author,
            turn.incarnation,
            turn.attempt,
            (env.seq, env.index),
            delta,
            cell.state_hash,
            life,
            reply,
            [artifact for artifact, _ in turn.artifacts] if turn.artifacts else (),
            turn.result,
            rejected,
            (env.cost, env.cost / turn.index if turn.index else 0.0, turn.index),
            took,
        )
        lives = turn.lives
        dead: list[Dead] = []
        if lives or turn.notes:
            lives = kernel.lifecycle.expand(lives or [])
            dead = kernel.lifecycle.doomed(lives)
            out = out + kernel.lifecycle.dead_notices(dead)
            fields = (now, [e.wire(author) for e in out], *fields[2:])
            fields += (tuple(lives), tuple(dead), tuple(turn.notes or ()))
        seq = book.append(Kind.TURN, fields)
        self._end(turn)
        book.consume(cell, env)
        book.touch(cell)
        if life is not None:
            cell.life = life
            cell.row_dirty = True
        if lives:
            kernel.lifecycle.apply_lives(lives, dead)
        if out:
            book.deliver(seq, out)
        if reply is not None:
            kernel.steps.answered(reply[0], reply[1], reply[2], seq)
        if turn.artifacts:
            self._publish(turn, seq)
        if turn.result is not None:
            kernel.finished(turn.result, seq)
        if turn.kind == "receive":
            kernel.dispatch.estimates.observe((cell.class_name, env.type), took / NS)
            if cell.holds is not None:
                kernel.drained(cell)
        kernel.dispatch.consider(cell)
        if kernel.barrier.is_full():
            kernel.seal()

    def _publish(self, turn: Turn, seq: int) -> None:
        book = self.kernel.book
        for artifact, data in turn.artifacts or ():
            book.open.blobs[artifact.digest] = data
            row = ArtifactRow(artifact.digest, artifact.size, seq, False)
            book.open.puts[artifact_key(artifact.path)] = pack_row(row)
            self.kernel.releases.add(seq, artifact, data)

    def _reject(self, turn: Turn, error: Reject) -> None:
        """Consume the message, answer with an error, drop state and sends."""
        cell, env = turn.cell, turn.envelope
        text = str(error)
        turn.out, turn.artifacts, turn.result, turn.stop_reason = [], None, None, None
        value = self.kernel.book.codec.encode(("Reject", text))
        reply = None if env.reply is None else (env.reply, False, value)
        cell.attempts = cell.not_before = 0
        cell.row_dirty = True
        self._drop(cell)
        self._record(turn, (), None, reply, text)

    def crash(self, turn: Turn, error: BaseException) -> None:
        """Record a failed attempt: state and sends are dropped, the supervisor is told."""
        kernel, cell, env = self.kernel, turn.cell, turn.envelope
        book, now = kernel.book, kernel.book.now_ns()
        reason = reason_of(error)
        plan = kernel.lifecycle.plan_crash(turn, reason, now)
        out, dead = plan.out, plan.dead
        book.address_out(out)
        out += kernel.lifecycle.dead_notices(dead)
        fields = (
            now,
            tuple(e.wire(cell.id) for e in out),
            cell.id,
            turn.incarnation,
            turn.attempt,
            (env.seq, env.index),
            str(reason),
            _traceback(error),
            plan.counted,
            plan.not_before,
            tuple(dead),
            now - turn.time_ns,
        )
        seq = book.append(Kind.CRASH, fields)
        self._end(turn)
        self._drop(cell)
        cell.crashes += 1
        self.crashed += 1
        cell.life, cell.reason = Life.DOWN, str(reason)
        cell.attempts, cell.not_before = plan.attempts, plan.not_before
        cell.row_dirty = True
        book.touch(cell)
        if plan.consumed:
            book.consume(cell, env)
        for row in dead:
            book.bury(row, env.reply)
        kernel.announce_crash(turn, str(reason), plan)
        book.deliver(seq, out)
        kernel.dispatch.consider(cell)

    def _late(self, turn: Turn, what: str) -> None:
        cell = turn.cell
        self.kernel.book.late(cell, turn.envelope, turn.incarnation, what)
        self.kernel.dispatch.ended(turn)

    def _end(self, turn: Turn) -> None:
        """The turn is over: its verbs raise from here on, its slot is free."""
        cell = turn.cell
        turn.open = False
        cell.turn = None
        if cell.actor is not None:
            cell.actor.__dict__["_turn"] = None
        if turn.waits:
            self.kernel.steps.forget(turn)
        self.kernel.dispatch.ended(turn)

    def _drop(self, cell: Cell) -> None:
        """Throw the live object away: the next attempt gets one built from committed bytes."""
        cell.actor = None


async def _settle(turn: Turn) -> None:
    """Wait for steps that the handler began and did not await; raises what they failed with."""
    for future in turn.pending or ():
        if not future.is_done or not future.is_failure_seen:
            await future


async def _wait_out(turn: Turn) -> None:
    """Wait for steps still going on beside a handler that failed already."""
    for future in turn.pending or ():
        try:
            await future
        except Exception:  # noqa: S112 - the handler's own failure is the one that counts
            continue


def _traceback(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error))
    return text[-TRACEBACK_BYTES_MAX:]
