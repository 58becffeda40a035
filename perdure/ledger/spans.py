"""What the records between two points did, without what was before them; pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from perdure.ledger import records
from perdure.ledger.folded import Id
from perdure.ledger.records import Dead, Lane, Life, Record, Send


@dataclass(slots=True)
class Span:
    """The net effect of the records that were added, in their order.

    `arrived` are messages of the user lane that wait at its end and did not before; `gone` those,
    of any lane, that waited before it and do not any more. Both name the actor.
    """

    born: dict[int, str] = field(default_factory=dict)  # id -> address
    lives: dict[int, tuple[int, int]] = field(default_factory=dict)  # id -> (incarnation, Life)
    turns: Counter[int] = field(default_factory=Counter)
    crashes: Counter[int] = field(default_factory=Counter)
    restarts: Counter[int] = field(default_factory=Counter)
    changed: set[int] = field(default_factory=set)  # whose state
    arrived: dict[Id, int] = field(default_factory=dict)
    gone: dict[Id, int] = field(default_factory=dict)
    timers: set[Id] = field(default_factory=set)  # set in it, and not due yet; not those of waits
    fired: set[Id] = field(default_factory=set)  # set before it
    dead: dict[Id, tuple[str, str]] = field(default_factory=dict)  # id -> (address, reason)
    requeued: set[Id] = field(default_factory=set)  # dead letters of before
    spent: int = 0
    reserved: int = 0
    status: records.Status | None = None
    artifacts: dict[str, bytes] = field(default_factory=dict)  # path -> digest
    marks: dict[str, int] = field(default_factory=dict)  # name -> record
    _control: set[Id] = field(default_factory=set)

    def add(self, record: Record) -> None:
        """Take one more record."""
        seq, body = record.seq, record.body
        self._effect(seq, body)
        for id, incarnation, life in getattr(body, "lives", ()):
            self._live(id, incarnation, life)
        for row in getattr(body, "dead", ()):
            self._bury(Dead(*row))
        for index, wire in enumerate(body.sends):
            self._send((seq, index), Send(*wire))

    def _effect(self, seq: int, body: records.Body) -> None:
        match body:
            case records.Birth():
                self.born[seq] = body.address
            case records.Turn():
                self._turn(seq, body)
            case records.Crash():
                self.crashes[body.actor] += 1
                self.lives[body.actor] = (body.incarnation, Life.DOWN)
                self._control.discard(body.message)
            case records.Restore():
                self.changed.add(body.actor)
            case records.Intent():
                self.reserved += body.tokens
            case records.Result():
                self.reserved -= body.reserved
                self.spent += body.tokens
            case records.Timer():
                _move(body.timer, self.timers, self.fired)
            case records.Post() if body.requeued is not None:
                if self.dead.pop(body.requeued, None) is None:
                    self.requeued.add(body.requeued)
            case records.Status():
                self.status = body

    def _turn(self, seq: int, body: records.Turn) -> None:
        self.turns[body.actor] += body.sched[2] > 0  # the control lane is not scheduled
        self._consume(body.message, body.actor)
        if body.delta:
            self.changed.add(body.actor)
        if body.life is not None:
            self.lives[body.actor] = (body.incarnation, body.life)
        self.artifacts.update({path: digest for path, digest, _ in body.artifacts})
        self.marks.update(dict.fromkeys(body.marks, seq))

    def _live(self, id: int, incarnation: int, life: int) -> None:
        self.restarts[id] += life == Life.STARTING and incarnation > 1
        self.lives[id] = (incarnation, life)

    def _send(self, id: Id, send: Send) -> None:
        if send.dead is not None:
            self.dead[id] = send.dead
        elif send.due is not None:
            if send.reply is None:  # else it ends a wait, and is settled with that
                self.timers.add(id)
        elif send.to and send.lane == Lane.USER:
            self.arrived[id] = send.to
        elif send.to:
            self._control.add(id)

    def _bury(self, row: Dead) -> None:
        id = (row.seq, row.index)
        if id in self.timers:
            self.timers.discard(id)
        else:
            self._consume(id, 0)
        self.dead[id] = (row.to, row.reason)

    def _consume(self, id: Id, actor: int) -> None:
        if id in self._control:
            self._control.discard(id)
        elif self.arrived.pop(id, None) is None:
            self.gone[id] = actor


def _move(id: Any, new: set[Any], old: set[Any]) -> None:
    """What was set in the span is simply no more; what was before it is noted."""
    if id in new:
        new.discard(id)
    else:
        old.add(id)
