"""The closing of plain turns, which are most: state changed, messages told, an ask answered.

What `Closing` does for every turn is done here in one go for these. The record and what it leads to
are the same to the byte, as a test holds; only the way there is shorter.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from perdure.actors.doubts import are_past
from perdure.actors.state import Delta, apply, collect, compact, state_hash
from perdure.actors.turn import NS, Turn
from perdure.ledger.journal import pack_plain
from perdure.ledger.keys import inbox_key
from perdure.ledger.records import Kind, Life
from perdure.mailbox.envelope import Envelope, ReplyTo
from perdure.mailbox.index import SERVICE_SECONDS_MIN

if TYPE_CHECKING:
    from perdure.actors.cell import Cell
    from perdure.actors.kernel import Kernel

TURN = int(Kind.TURN)
STOPPED = int(Life.STOPPED)
Reply = tuple[ReplyTo, bool, bytes]
"""(where the answer goes, whether it is one or a failure, its bytes)."""
FLOOR_NS = int(SERVICE_SECONDS_MIN * NS)


class Plain:
    """Closes a turn that is plain, and leaves any other alone."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel, clock = kernel, kernel.book.clock
        self._monotonic_ns, self._ahead_ns = clock.monotonic_ns, clock.ahead_ns

    def close(self, turn: Turn, answer: object) -> bool:
        """End the turn if it is plain; False, and nothing done, if it is not."""
        cell, env, book = turn.cell, turn.envelope, self.kernel.book
        if not turn.open or turn.is_rare or (env.steps is not None and not are_past(turn)):
            return False
        if cell.attempts or cell.holds or cell.migrates:
            return False
        cells, wires = book.cells, []
        for sent in turn.out:
            to = sent.to
            target = cells.get(to)
            if not sent.plain or target is None or target.life >= STOPPED or target.is_supervisor:
                return False
            wires.append((to, sent.body))
        encode, reply = book.codec.encode, None
        try:
            delta = collect(cell.actor, cell.images, encode)  # type: ignore[arg-type]
            if env.reply is not None:
                reply = (env.reply, True, book.blobs.small(encode(answer, "the answer")))
        except Exception as error:  # noqa: BLE001 - whatever a user's value raises is a crash
            self.kernel.crashing.crash(turn, error)
            return True
        before, monotonic_ns = cell.state_hash, self._monotonic_ns
        now = monotonic_ns() + self._ahead_ns
        after = state_hash(before, delta) if delta else before
        took, cost, index = now - turn.time_ns, env.cost, turn.index
        fields = (  # in the order of records.Turn, up to `previous`
            now, wires, cell.id, turn.incarnation, turn.attempt, (env.seq, env.index), delta,
            after, None, reply, (), None, None, (cost, cost / index, index), took, cell.last,
        )  # fmt: skip
        cell.seq = cell.last = book.append(TURN, fields, pack_plain)
        if delta:
            apply(cell.images, delta)  # type: ignore[arg-type]
            cell.state_hash = after
            marks = cell.actor.__dict__["__marks__"]
            if marks.rebased or marks.large or cell.log is not None:
                self.settle(cell, delta)
        self._follow(turn, took, reply)
        return True

    def _follow(self, turn: Turn, took: int, reply: Reply | None) -> None:
        """The turn is over, its message consumed, its actor dirty, its messages in inboxes."""
        cell, env, kernel = turn.cell, turn.envelope, self.kernel
        dispatch, group = kernel.dispatch, kernel.book.open
        if turn.lent or turn.asks or turn.waits or dispatch.is_stopping or cell.deadline_ns:
            kernel.closing.end(turn)
        else:
            turn.open = False
            turn.ended = True
            turn.pending = None  # as in `Closing.end`
            cell.turn = None
            cell.actor.__dict__["_turn"] = None
            dispatch.running.pop(turn, None)
            dispatch.active -= 1
        inbox: Any = cell.inbox
        inbox.popleft()
        serial = group.serial
        if env.group == serial:
            group.sent.pop(env, None)
        else:
            group.deletes.append(inbox_key(cell.id, env.lane, env.seq, env.index))
        if env.steps is not None:
            kernel.book.drop_steps(cell, env)
        cell.turns += 1
        cell.dirty = True
        kernel.closing.closed += 1
        if cell.touched != serial:
            cell.touched = serial
            group.cells.append(cell)
        if took > FLOOR_NS or cell.class_name in dispatch.estimates.slow:
            self._learn(cell, env, took)
        has_more = inbox or cell.control  # what comes now makes it ready by itself
        if turn.out:
            self._deliver(turn.out, cell.seq)
        if reply is not None:
            kernel.waits.answered(*reply, cell.seq)
        if has_more:
            dispatch.consider(cell)

    def _learn(self, cell: Cell, env: Envelope, took: int) -> None:
        estimates = self.kernel.dispatch.estimates
        if took > FLOOR_NS or env.type in estimates.slow[cell.class_name]:
            estimates.observe((cell.class_name, env.type), took / NS)

    def settle(self, cell: Cell, delta: Delta) -> None:
        """Have what else there is of a large state follow a delta that was applied."""
        if cell.log is not None:
            cell.log.add(delta)
        actor: Any = cell.actor
        marks = actor.__dict__["__marks__"]
        if marks.rebased:
            compact(actor, cell.images)  # type: ignore[arg-type]
        if marks.large:
            self.kernel.book.blobs.keep(marks.large)
            marks.large.clear()

    def _deliver(self, out: list[Envelope], seq: int) -> None:
        kernel = self.kernel
        book, group = kernel.book, kernel.book.open
        cells, serial, sent = book.cells, group.serial, group.sent
        for index, env in enumerate(out):
            env.seq = seq
            env.index = index
            env.group = serial
            sent[env] = None
            target = cells[env.to]
            inbox = target.inbox
            if inbox:
                inbox.append(env)
                if len(inbox) > book.soft_max:
                    book.on_pressure(env.sender, target)
            else:
                if inbox is None:
                    target.inbox = deque((env,))
                else:
                    inbox.append(env)
                kernel.dispatch.consider(target)
