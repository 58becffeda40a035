"""What happened before what: the records of a run with Lamport's clocks, and why each is there.

A record happened before another if it is an earlier one of the same actor, or sent the message
that the other is about, or gave the answer that the other went on with. What the run itself
records (posts, timers, statuses) is ordered only by such causes, and by its process's start.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from perdure.ledger import records
from perdure.ledger.records import Dead, Lane, Record, Send

Id = tuple[int, int]
Reply = tuple[int, int, int, str]


class Stamp(NamedTuple):
    """A record's place in the order of causes.

    `clock` is greater than that of all records that happened before. `cause` is the record that led
    to it, mostly by a message: 0 for none. `after` are all that come directly before it.
    """

    seq: int
    actor: int  # 0 for the run itself
    number: int  # of its own records: 1, 2, 3…
    clock: int
    cause: int
    after: tuple[int, ...]


class Causes:
    """Stamps the records of a run, taken in order from the first.

    It holds what may still be a cause: actors' last records, messages not consumed, open asks.

    >>> from perdure.ledger.records import Open
    >>> Causes().add(Record(1, b"", Open(0, (), 1, 0, "0", b"")))
    Stamp(seq=1, actor=0, number=1, clock=1, cause=0, after=())
    """

    def __init__(self) -> None:
        self._last: dict[int, Id] = {}  # actor -> (seq, clock) of its last record
        self._counts: Counter[int] = Counter()
        self._sent: dict[Id, tuple[int, bool, Reply | None]] = {}  # message -> its record's clock
        self._answers: dict[Id, list[Id]] = {}  # the message an asker is at -> (seq, clock)
        self._made: dict[str, Id] = {}  # artifact not yet in place -> (seq, clock)
        self._finish: Id | None = None
        self._start: Id | None = None  # of the process

    def add(self, record: Record) -> Stamp:
        """The stamp of the next record."""
        body, seq = record.body, record.seq
        actor = seq if isinstance(body, records.Birth) else getattr(body, "actor", 0)
        cause, before = self._before(record, actor)
        clock = 1 + max((clock for _, clock in before), default=0)
        after = tuple(sorted({each for each, _ in before}))
        self._counts[actor] += 1
        stamp = Stamp(seq, actor, self._counts[actor], clock, cause, after)
        self._follow(record, actor, clock)
        return stamp

    def _before(self, record: Record, actor: int) -> tuple[int, list[Id]]:
        """The record that sent what this one is about, and all directly before, with clocks."""
        body = record.body
        before: list[Id] = []
        if actor and actor in self._last:
            before.append(self._last[actor])
        elif self._start is not None and not actor:
            before.append(self._start)
        why = self._why(body)
        if why is not None:
            before.append(why)
        message = getattr(body, "message", None)
        if message is not None:
            before += self._answers.pop(message, ())
        return (0 if why is None else why[0]), before

    def _why(self, body: records.Body) -> Id | None:
        message: Id | None = None
        match body:
            case records.Birth():
                return self._last.get(body.parent, self._start)
            case records.Release():
                return self._made.pop(body.path, None)
            case records.Status():
                return self._finish
            case records.Timer():
                message = body.timer
            case records.Post():
                message = body.requeued
            case _:
                message = getattr(body, "message", None)
        if message is None or message not in self._sent:
            return None
        return message[0], self._sent[message][0]

    def _follow(self, record: Record, actor: int, clock: int) -> None:
        """Remember what this record may be the cause of, and forget what it consumed."""
        seq, body = record.seq, record.body
        if actor:
            self._last[actor] = (seq, clock)
        for index, wire in enumerate(body.sends):
            send = Send(*wire)
            self._sent[seq, index] = (clock, send.lane == Lane.CONTROL, send.reply)
            if send.dead is not None:
                self._answer(send.reply, seq, clock)
        match body:
            case records.Run() | records.Open():
                self._start = (seq, clock)
            case records.Turn():
                self._sent.pop(body.message, None)
                self._turn(body, seq, clock)
            case records.Crash() if self._sent.get(body.message, (0, False))[1]:
                self._sent.pop(body.message)
            case records.Timer():
                self._sent.pop(body.timer, None)
            case records.Post() if body.requeued is not None:
                self._sent.pop(body.requeued, None)
        for row in getattr(body, "dead", ()):
            self._bury(Dead(*row), seq, clock)

    def _turn(self, body: records.Turn, seq: int, clock: int) -> None:
        if body.answer is not None:
            self._answer(body.answer[0], seq, clock)
        for path, *_ in body.artifacts:
            self._made[path] = (seq, clock)
        if body.finish is not None:
            self._finish = (seq, clock)

    def _bury(self, row: Dead, seq: int, clock: int) -> None:
        """A dead letter can be requeued: it stays a cause. Who asked with it has its answer."""
        sent = self._sent.get((row.seq, row.index))
        self._answers.pop((row.seq, row.index), None)
        self._answer(None if sent is None else sent[2], seq, clock)

    def _answer(self, reply: Reply | None, seq: int, clock: int) -> None:
        if reply is not None and reply[0] and reply[1:3] in self._sent:
            self._answers.setdefault(reply[1:3], []).append((seq, clock))
