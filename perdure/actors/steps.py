"""Steps: outside results inside a turn, journaled as they come and given back to later attempts."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Step
from perdure.actors.futures import Future
from perdure.actors.held import HELD
from perdure.actors.turn import Turn, closed
from perdure.actors.waiting import Waiting
from perdure.actors.work import Stalled, StepWork
from perdure.caps.tool import Tool, tool_of
from perdure.errors import AskTimeout, Crashed, Reject, StepFailed, TurnClosed, UsageError
from perdure.ledger.records import Kind
from perdure.mailbox.envelope import Envelope, ReplyTo

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Steps:
    """The verbs of a turn that have a result from outside it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.waiting: dict[ReplyTo, Waiting[Any]] = {}

    # --- once and call

    def once(
        self,
        turn: Turn,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Future[Any]:
        """Run a function that only reads, unless its result is journaled already."""
        tool = tool_of(function)
        if tool.effect != "read":
            raise UsageError(
                f"once({tool.name}) has effect {tool.effect!r}, and once() is for reading. "
                "Use self.call, which journals its intent first."
            )
        return self._run(turn, tool, args, kwargs)

    def call(self, turn: Turn, function: Callable[..., Any], args: dict[str, Any]) -> Future[Any]:
        """Call a tool: its intent is durable before it starts, unless it only reads."""
        if getattr(function, "__perdure_tool__", None) is None:
            raise UsageError(
                f"call({getattr(function, '__name__', function)!s}) is not a tool. "
                "Decorate it with @tool(name, effect=…), or use self.once if it only reads."
            )
        return self._run(turn, tool_of(function), (), args)

    def _run(
        self, turn: Turn, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Future[Any]:
        key = turn.key(tool.name)
        digest = self._digest(tool.name, args, kwargs)
        step = turn.envelope.steps.get(key) if turn.envelope.steps else None
        if step is not None:
            check_digest(turn, key, step, digest)
            if step.phase == "done" and step.ok:
                return Future.done(self.kernel.book.codec.decode(step.value))
            if step.phase == "intent" and not tool.redone:
                raise Stalled(
                    f"{tool.name} ({tool.effect}) is in doubt: record {step.seq} says it was about "
                    "to happen, and nothing says whether it did."
                )
        if self.kernel.book.pedigree.holds(tool.effect):
            raise Stalled(f"{tool.name} ({tool.effect}) is {HELD}.")
        # a failed step is begun anew: it has an intent of its own, and is paid for again
        is_new = step is None or step.phase == "done"
        return StepWork(self, turn, tool, key, digest, args, kwargs, is_new).start()

    def _digest(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        asked = self.kernel.book.codec.encode((args, kwargs), f"the arguments of {name}")
        return blake2b(asked, digest_size=16).digest()

    # --- ask

    def ask(
        self, turn: Turn, address: str, body: bytes, type: str, timeout: float | None
    ) -> Future[Any]:
        """Send a message whose answer comes back as a step; kernel thread."""
        book, cell, env = self.kernel.book, turn.cell, turn.envelope
        key = turn.key(f"ask {address}")
        digest = blake2b(body, digest_size=16).digest()
        step = env.steps.get(key) if env.steps else None
        to = book.find(address)
        if step is None:
            self.kernel.pressure.admit(address, to)
        earlier = [sent for sent in turn.out if sent.to == to and to]
        turn.out = [sent for sent in turn.out if not (sent.to == to and to)]
        if step is not None:
            check_digest(turn, key, step, digest)
            if step.phase == "done":
                return self._outcome(step)
        else:
            self._send_ask(turn, key, digest, to, address, body, type, earlier)
            step = env.steps[key] if env.steps else None
            if step is not None and step.phase == "done":
                return self._outcome(step)
        future: Waiting[Any] = Waiting(self.kernel.dispatch, turn)
        if turn.asks is None:
            turn.asks = {}
        reply = (cell.id, env.seq, env.index, key)
        turn.asks[reply] = self.waiting[reply] = future
        if timeout is not None:
            future.timer = self.kernel.timers.after(
                timeout, lambda: self._time_out(turn, key, address, timeout)
            )
        return future

    def _send_ask(
        self,
        turn: Turn,
        key: str,
        digest: bytes,
        to: int,
        address: str,
        body: bytes,
        type: str,
        earlier: list[Envelope],
    ) -> None:
        book, cell, env = self.kernel.book, turn.cell, turn.envelope
        reply = (cell.id, env.seq, env.index, key)
        dead = None if to else (address, "no such actor")
        out = [*earlier, Envelope(to, body, type, cell.id, reply=reply, dead=dead)]
        book.address_out(out)
        out += self.kernel.news.notices(out)
        fields = (
            book.now_ns(),
            book.wires(out, cell.id),
            cell.id,
            turn.incarnation,
            turn.attempt,
            (env.seq, env.index),
            key,
            digest,
        )
        seq = book.append(Kind.ASK, fields)
        book.keep_step(cell, env, key, Step("asked", f"ask {address}", digest, seq))
        book.deliver(seq, out)

    def answered(self, reply: ReplyTo, ok: bool, value: bytes, seq: int) -> None:
        """An answer (or a dead letter) came for an ask; the record `seq` holds it."""
        asker, message_seq, message_index, key = reply
        if asker == 0:
            self.kernel.outside.answer((message_seq, message_index), ok, value, seq)
            return
        book = self.kernel.book
        cell = book.cell(asker)
        head = book.pending(cell, message_seq, message_index)
        if head is None:
            return  # the asker has gone on: a late answer reaches nobody
        step = head.steps.get(key) if head.steps else None
        if step is None or step.phase == "done":
            return
        done = Step("done", step.name, step.digest, seq)
        done.ok, done.value = ok, value
        book.keep_step(cell, head, key, done)
        waiting = self.waiting.pop(reply, None)
        if waiting is not None:
            waiting.resume(self._outcome(done))

    def _time_out(self, turn: Turn, key: str, address: str, timeout: float) -> None:
        book, cell, env = self.kernel.book, turn.cell, turn.envelope
        reply = (cell.id, env.seq, env.index, key)
        step = env.steps.get(key) if env.steps else None
        if step is not None and reply in self.waiting and turn.open:
            text = f"{address} did not answer {cell.address} within {timeout:g} s"
            value = book.codec.encode(("AskTimeout", text))
            who = (book.now_ns(), (), cell.id, turn.incarnation, turn.attempt, reply[1:3])
            what = (key, step.name, step.digest, False, value, 0, 0, 0)
            self.answered(reply, False, value, book.append(Kind.RESULT, (*who, *what)))

    def _outcome(self, step: Step) -> Future[Any]:
        value = self.kernel.book.codec.decode(step.value)
        if step.ok:
            return Future.done(value)
        return Future.failed(failure_of(*value))

    def forget(self, turn: Turn) -> None:
        """Drop what a turn that is over still waits for."""
        for reply, future in (turn.asks or {}).items():
            if self.waiting.get(reply) is future:
                del self.waiting[reply]
                if future.timer is not None:
                    future.timer.cancel()
                future.set_exception(TurnClosed(closed(turn)))  # a thread may be blocked on it

    # --- sleep

    def sleep(self, turn: Turn, seconds: float) -> Future[None]:
        """Wait by ledger time without holding a slot."""
        if seconds <= 0:
            return Future.done(None)
        future: Waiting[None] = Waiting(self.kernel.dispatch, turn)
        self.kernel.timers.after(seconds, lambda: future.resume(Future.done(None)))
        return future

    # --- what came of a step

    def intend(self, work: StepWork) -> int:
        """Record that a step is about to happen, its tokens reserved; kernel thread."""
        book, turn = self.kernel.book, work.turn
        reserved = book.budget.reserve(work.tokens)  # raises when it does not fit: no record then
        seq = book.append(Kind.INTENT, (*self._head(work), work.tool.effect, work.tokens))
        if work.tokens:
            book.set_budget(reserved)
        step = Step("intent", work.tool.name, work.digest, seq, work.tokens)
        book.keep_step(turn.cell, turn.envelope, work.key, step)
        return seq

    def conclude(self, work: StepWork, ok: bool, value: bytes, took: int) -> bool:
        """Record what a step ended with; False when its turn is over and it changed nothing."""
        book, turn = self.kernel.book, work.turn
        cell, env = turn.cell, turn.envelope
        if not turn.open or cell.turn is not turn:
            book.late(cell, env, turn.incarnation, f"result of {work.tool.name}")
            return False
        old = env.steps.get(work.key) if env.steps else None
        reserved = old.reserved if old is not None else 0
        seq = book.append(Kind.RESULT, (*self._head(work), ok, value, reserved, reserved, took))
        if reserved:
            book.set_budget(book.budget.settle(reserved, reserved))
        step = Step("done", work.tool.name, work.digest, seq)
        step.ok, step.value = ok, value
        book.keep_step(cell, env, work.key, step)
        if ok and cell.attempts:
            cell.attempts = 0  # a newly journaled result is progress
            cell.row_dirty = True
            book.touch(cell)
        if reserved:
            self.kernel.budget_freed()  # last: who waits for room appends records of its own
        return True

    def _head(self, work: StepWork) -> tuple[Any, ...]:
        turn, env = work.turn, work.turn.envelope
        message = (env.seq, env.index)
        who = (self.kernel.book.now_ns(), (), turn.cell.id, turn.incarnation, turn.attempt)
        return (*who, message, work.key, work.tool.name, work.digest)


def check_digest(turn: Turn, key: str, step: Step, digest: bytes) -> None:
    """Stall the turn when it asks for something else than what is recorded under that key."""
    if step.digest != digest:
        raise Stalled(
            f"step {key} of message {turn.envelope.id} was recorded with other arguments "
            f"(record {step.seq}): the handler is no function of its state, message and steps."
        )


def failure_of(kind: str, text: str) -> Exception:
    """The exception for a recorded failure."""
    if kind == "Crashed":
        return Crashed(text)
    if kind == "AskTimeout":
        return AskTimeout(text)
    if kind == "Reject":
        return Reject(text)
    return StepFailed(kind, text)
