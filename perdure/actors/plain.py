"""The closing of plain turns, which are most: state changed, messages told, nothing else.

What `Closing` does for every turn is done here in one go for these. The record and what it leads to
are the same to the byte, as a test holds; only the way there is shorter.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from perdure.actors.state import Delta, apply, compact, state_hash
from perdure.actors.turn import NS, Turn
from perdure.ledger.keys import inbox_key
from perdure.ledger.records import Kind, Life
from perdure.mailbox.envelope import Envelope
from perdure.mailbox.index import SERVICE_SECONDS_MIN

if TYPE_CHECKING:
    from perdure.actors.cell import Cell
    from perdure.actors.kernel import Kernel

TURN = int(Kind.TURN)
STOPPED = int(Life.STOPPED)
FLOOR_NS = int(SERVICE_SECONDS_MIN * NS)


class Plain:
    """Closes a turn that is plain, and leaves any other alone."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def close(self, turn: Turn, delta: Delta) -> bool:
        """Record the turn and have the run see it; False, and nothing done, if it is not plain."""
        cell, env, book = turn.cell, turn.envelope, self.kernel.book
        if turn.is_rare or env.steps is not None or cell.attempts or cell.holds:
            return False
        cells, wires, out = book.cells, [], turn.out
        for sent in out:
            target = cells.get(sent.to)
            if not sent.plain or target is None or target.life >= STOPPED:
                return False
            wires.append((sent.to, sent.body))
        index = turn.index
        hash_after = state_hash(cell.state_hash, delta) if delta else cell.state_hash
        now = book.now_ns()
        took = now - turn.time_ns
        fields = (  # in the order of records.Turn, up to `previous`
            now, wires, cell.id, turn.incarnation, turn.attempt, (env.seq, env.index), delta,
            hash_after, None, None, (), None, None, (env.cost, env.cost / index, index), took,
            cell.last,
        )  # fmt: skip
        seq = book.append(TURN, fields)
        self._follow(turn, seq)
        if delta:
            self.apply(cell, delta, hash_after)
        kind = (cell.class_name, env.type)
        estimates = self.kernel.dispatch.estimates
        if took > FLOOR_NS or estimates.published.get(kind, 0.0) > SERVICE_SECONDS_MIN:
            estimates.observe(kind, took / NS)
        if out:
            self._deliver(out, seq)
        if cell.inbox or cell.control:
            self.kernel.dispatch.consider(cell)
        return True

    def _follow(self, turn: Turn, seq: int) -> None:
        """The turn is over, its message consumed, its actor to be written with the group."""
        cell, env, kernel = turn.cell, turn.envelope, self.kernel
        dispatch, group = kernel.dispatch, kernel.book.open
        if turn.lent or turn.waits or dispatch.is_stopping:
            kernel.closing.end(turn)
        else:
            turn.open = False
            turn.ended = True
            cell.turn = None
            cell.actor.__dict__["_turn"] = None
            dispatch.running.discard(turn)
            dispatch.active -= 1
        cell.inbox.popleft()  # type: ignore[union-attr]
        env.consumed = True
        if env.group != group.serial:
            group.deletes.append(inbox_key(cell.id, env.lane, env.seq, env.index))
        cell.turns += 1
        cell.dirty = True
        cell.seq = cell.last = seq
        kernel.closing.closed += 1
        if cell.touched != group.serial:
            cell.touched = group.serial
            group.cells.append(cell)

    def apply(self, cell: Cell, delta: Delta, hash_after: bytes) -> None:
        """Have the committed state follow the record; for turns of every kind."""
        actor: Any = cell.actor
        images = cell.images
        apply(images, delta)  # type: ignore[arg-type]
        marks = actor.__marks__
        if marks.rebased:
            compact(actor, images)  # type: ignore[arg-type]
        if marks.large:
            self.kernel.book.blobs.keep(marks.large)
        if cell.log is not None:
            cell.log.add(delta)
        cell.state_hash = hash_after
        if cell.version != actor.__declaration__.version:
            cell.version = actor.__declaration__.version
            cell.row_dirty = True

    def _deliver(self, out: list[Envelope], seq: int) -> None:
        kernel, book = self.kernel, self.kernel.book
        group, cells, consider = book.open, book.cells, kernel.dispatch.consider
        serial, sent, soft_max = group.serial, group.sent, book.soft_max
        for index, env in enumerate(out):
            env.seq = seq
            env.index = index
            env.group = serial
            sent.append(env)
            target = cells[env.to]
            inbox = target.inbox
            if inbox:
                inbox.append(env)
                if len(inbox) > soft_max:
                    book.on_pressure(env.sender, target)
                continue
            if inbox is None:
                target.inbox = deque((env,))
            else:
                inbox.append(env)
            consider(target)
