"""Asks: messages of a turn whose answers come back to it, as steps."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from perdure.actors.calls import said_in_words
from perdure.actors.cell import Step
from perdure.actors.failures import failure_of
from perdure.actors.futures import Future
from perdure.actors.steps import check_digest
from perdure.actors.turn import Turn, closed
from perdure.actors.waiting import Waiting
from perdure.errors import TurnClosed
from perdure.ledger.records import Kind
from perdure.mailbox.envelope import Envelope, ReplyTo

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Asks:
    """Sends what turns ask, and gives the answers to those that still want them."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.waiting: dict[ReplyTo, Waiting[Any]] = {}

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
            check_digest(turn, key, step, digest, said_in_words(f"ask {address}", body))
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
