"""Asks: messages of a turn whose answers come back to it, as steps."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from perdure.actors.calls import said_in_words
from perdure.actors.cell import Step
from perdure.actors.cycles import closed_by
from perdure.actors.delayed import due_ns
from perdure.actors.doubts import check_digest
from perdure.actors.futures import Future
from perdure.actors.refused import refuse
from perdure.actors.turn import Turn
from perdure.errors import InboxFull
from perdure.ids import KERNEL_ID
from perdure.ledger.records import Kind, Lane
from perdure.mailbox.control import Timeout
from perdure.mailbox.envelope import Envelope, ReplyTo

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Question(NamedTuple):
    """What a turn asks, and of whom; `to` is 0 when nobody answers to the address."""

    key: str
    digest: bytes
    to: int
    address: str
    body: bytes
    type: str
    timeout: float | None


class Asks:
    """Sends what turns ask. Who asks in a circle is told so at once."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def ask(
        self, turn: Turn, address: str, body: bytes, type: str, timeout: float | None
    ) -> Future[Any]:
        """Send a message whose answer comes back as a step; kernel thread."""
        key, to = turn.key(f"ask {address}"), self.kernel.book.find(address)
        digest = blake2b(body, digest_size=16).digest()
        question = Question(key, digest, to, address, body, type, timeout)
        step = turn.envelope.steps.get(key) if turn.envelope.steps else None
        due = None
        if step is None:
            self._admit(turn, address, to)
            due = self._due(question)
        else:
            if step.digest != digest:  # put in words only then: it may be large
                check_digest(turn, key, step, digest, said_in_words(f"ask {address}", body))
            if self.kernel.waits.is_begun_anew(turn, key, step):
                step = self._ask_again(turn, question)
        earlier = [sent for sent in turn.out if sent.to == to and to and sent.lane]
        turn.out = [sent for sent in turn.out if not (sent.to == to and to and sent.lane)]
        turn.taken = (turn.taken or 0) + len(earlier) + 1
        if step is None or step.phase != "done":
            # also when it was asked before: the others may have come to theirs before this attempt
            cycle = closed_by(turn.cell.id, to, self._waits_for) if to else []
            if cycle:
                step = self._refuse(turn, question, step, cycle, earlier)
            elif step is None:
                step = self._send(turn, question, earlier, due)
        return self.kernel.waits.begin(turn, key, step, to)

    def _admit(self, turn: Turn, address: str, to: int) -> None:
        try:
            self.kernel.pressure.admit(address, to)
        except InboxFull as full:
            refuse(turn, address, str(full))

    def _due(self, question: Question) -> int | None:
        if question.timeout is None:
            return None
        what = f"ask({question.address}): a timeout"
        return due_ns(self.kernel.book.now_ns(), question.timeout, what)

    def _send(
        self, turn: Turn, question: Question, earlier: list[Envelope], due: int | None
    ) -> Step:
        """Journal the question, with what the turn told the asked actor before, and its time."""
        book, cell, env = self.kernel.book, turn.cell, turn.envelope
        key, _, to, address, body, type, _ = question
        reply = (cell.id, env.seq, env.index, key)
        dead = None if to else (address, "no such actor")
        sent = Envelope(to, body, type, cell.id, reply=reply, dead=dead)
        out = [*earlier, sent]
        book.address_out(out)
        if due is not None and sent.dead is None:  # else it is answered at once
            out.append(self._end(turn, question, reply, due))
        return self._record(turn, question, out)

    def _ask_again(self, turn: Turn, question: Question) -> Step:
        """Wait anew for an answer of which an earlier attempt was cancelled.

        A question that still waits there, or is being handled, is not sent a second time.
        """
        book, cell, env = self.kernel.book, turn.cell, turn.envelope
        reply = (cell.id, env.seq, env.index, question.key)
        asked = book.cell(question.to) if question.to else None
        due = self._due(question)
        if asked is None or all(sent.reply != reply for sent in asked.inbox or ()):
            self._admit(turn, question.address, question.to)
            return self._send(turn, question, [], due)
        out = [] if due is None else [self._end(turn, question, reply, due)]
        return self._record(turn, question, out)

    def _record(self, turn: Turn, question: Question, out: list[Envelope]) -> Step:
        """Journal that a turn waits for an answer from here on, and what that sends."""
        book, cell, env = self.kernel.book, turn.cell, turn.envelope
        key, name = question.key, f"ask {question.address}"
        out += self.kernel.news.notices(out)
        wires = book.wires(out, cell.id)
        who = (cell.id, turn.incarnation, turn.attempt, (env.seq, env.index))
        seq = book.append(Kind.ASK, (book.now_ns(), wires, *who, key, question.digest))
        book.keep_step(cell, env, key, Step("asked", name, question.digest, seq))
        book.deliver(seq, out)
        return self._step(turn, key)

    def _step(self, turn: Turn, key: str) -> Step:
        """A step that was just journaled, or what became of it since."""
        steps: dict[str, Step] = turn.envelope.steps or {}
        return steps[key]

    def _end(self, turn: Turn, question: Question, reply: ReplyTo, due: int) -> Envelope:
        """The delayed message that ends the wait if no answer does."""
        seconds, asker = question.timeout, turn.cell.address
        text = f"{question.address} did not answer {asker} within {seconds:g} s"
        body = self.kernel.book.codec.encode(Timeout(text))
        lane = int(Lane.CONTROL)
        return Envelope(KERNEL_ID, body, "Timeout", turn.cell.id, lane=lane, reply=reply, due=due)

    # --- circles

    def _waits_for(self, id: int) -> Iterable[int]:
        """The actors for whose answers an actor waits in the turn that it is at.

        A turn that was begun anew and has not come to an ask again will find the cycle itself.
        """
        cell = self.kernel.book.cells.get(id)
        if cell is None:
            return ()
        if cell.is_supervisor:
            return self.kernel.supervising.awaits(cell)
        asked = set((cell.asleep or {}).values())
        if cell.turn is not None and cell.turn.asks:
            waits = self.kernel.waits.open
            asked |= {wait.to for reply, wait in cell.turn.asks.items() if reply in waits}
        return asked - {KERNEL_ID}

    def _refuse(
        self,
        turn: Turn,
        question: Question,
        step: Step | None,
        cycle: list[int],
        earlier: list[Envelope],
    ) -> Step:
        """Fail an ask that closes a cycle; the failure is its journaled outcome."""
        book, cell, env = self.kernel.book, turn.cell, turn.envelope
        text = f"nobody here can ever answer: {' -> '.join(map(book.address, cycle))}. {WAY_OUT}"
        value = book.blobs.small(book.codec.encode(("Deadlock", text)))
        out: list[Envelope] = []
        if step is None:
            step = Step("asked", f"ask {question.address}", question.digest, 0)
            book.address_out(earlier)
            out = [*earlier, *self.kernel.news.notices(earlier)]
        waits = self.kernel.waits
        seq = waits.record(cell, env, question.key, step, False, value, out)
        reply = (cell.id, env.seq, env.index, question.key)
        waits.settle(reply, cell, env, step, False, value, seq)
        book.deliver(seq, out)
        return self._step(turn, question.key)


WAY_OUT = "Let one of them tell instead of ask, and hear the answer as a message."
