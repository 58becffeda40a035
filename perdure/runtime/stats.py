"""What a run's turns took and came to, by actor class and message type: one pass, little memory.

It holds a few numbers for each kind of turn and for each actor, and the messages that wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from perdure.actors.attempts import attempts_max
from perdure.ledger import records
from perdure.ledger.records import Dead, Lane, Record, Send
from perdure.ledger.rows import ActorRow
from perdure.limits import STATS_REASONS_MAX
from perdure.runtime.sketch import Sketch

Id = tuple[int, int]
ASK = "ask "
"""What the names of steps begin with that wait for an answer."""


class Kind(NamedTuple):
    """What is handled, by whom."""

    class_name: str
    message: str


@dataclass(slots=True)
class Handling:
    """Figures of one kind of turn. Times are ns of ledger time, of an attempt or of a message."""

    turns: int = 0  # closed
    rejected: int = 0  # of these, by `Reject`
    crashes: int = 0
    dead: int = 0  # messages that were given up, or died with their actor
    service: Sketch = field(default_factory=Sketch)  # of turns that closed
    failing: Sketch = field(default_factory=Sketch)  # of attempts that crashed
    wait: Sketch = field(default_factory=Sketch)  # from sending to the first attempt
    slot: Sketch = field(default_factory=Sketch)  # of each attempt: ready, and not begun
    waiting: int = 0  # now
    most_waiting: int = 0

    @property
    def attempts(self) -> int:
        return self.turns + self.crashes

    @property
    def success(self) -> float | None:
        """The share of attempts that closed; None of none."""
        return self.turns / self.attempts if self.attempts else None


@dataclass(slots=True)
class Calls:
    """Figures of the calls of one tool or function."""

    ok: int = 0
    failed: int = 0
    tokens: int = 0
    took: Sketch = field(default_factory=Sketch)


@dataclass(slots=True)
class Waiting:
    """A message that is not over: what it is, since when it waits, and what it has cost."""

    kind: Kind
    to: int
    sent: int
    cost: float
    since: int  # it may be tried from here on
    tries: int = 0
    work: int = 0


class Attempt(NamedTuple):
    """One try at a message, when it was over. Times are ns; `seconds` is S, 0 of a crash."""

    seq: int  # of its record
    sent_by: int  # the record that sent its message
    kind: Kind
    actor: int
    number: int  # 1, 2, 3… of its message
    closed: bool
    over: bool  # the message is
    sent: int
    ready: int
    began: int
    ended: int
    cost: float
    seconds: float
    work: int  # of all attempts at the message so far
    attempts_max: int


class Stats:
    """Takes the records of a run in order, all of them or those that compaction left.

    `name_of` gives the type name of a message's bytes, `row_of` the row of an actor that was born
    before them.
    """

    def __init__(
        self,
        name_of: Callable[[bytes], str],
        row_of: Callable[[int], ActorRow],
        concurrency: int,
    ) -> None:
        self.handlings: dict[Kind, Handling] = {}
        self.calls: dict[str, Calls] = {}
        self.reasons: Counter[tuple[Kind, str]] = Counter()  # first lines of crashes
        self.other_reasons = 0  # crashes past the bound of these
        self.refused = 0  # sends, by full inboxes
        self.short_of_budget = 0  # steps and turns that failed for want of tokens
        self.late = self.stalls = 0
        self.concurrency = concurrency
        self.first_ns = self.last_ns = 0
        self._name_of, self._row_of = name_of, row_of
        self._classes: dict[int, str] = {}
        self._tries: dict[int, int] = {}  # actor -> attempts that its messages get
        self._free: dict[int, int] = {}  # actor -> when its last turn was over
        self._waiting: dict[Id, Waiting] = {}

    def add(self, record: Record) -> Attempt | None:
        """Take one more record; what it says of an attempt, if it ends one at a user's message."""
        body = record.body
        self.first_ns = self.first_ns or body.time
        self.last_ns = body.time
        found: Attempt | None = None
        match body:
            case records.Birth():
                self._know(record.seq, body.class_name, body.spec)
            case records.Turn() | records.Crash():
                found = self._ended(record.seq, body)
            case records.Result():
                self._step(body)
            case records.Late():
                self.late += 1
            case records.Stall():
                self.stalls += 1
        for row in getattr(body, "dead", ()):
            self._die(Dead(*row))
        for index, wire in enumerate(body.sends):
            self._send((record.seq, index), Send(*wire), body.time)
        return found

    def _send(self, id: Id, send: Send, now: int) -> None:
        if not send.to or send.lane != Lane.USER or send.dead or send.due is not None:
            return
        if send.to not in self._classes:
            row = self._row_of(send.to)
            self._know(send.to, row.class_name, row.spec)
        kind = Kind(self._classes[send.to], self._name_of(send.body))
        self._waiting[id] = Waiting(kind, send.to, now, send.cost, now)
        handling = self.handlings.get(kind)
        if handling is None:
            handling = self.handlings[kind] = Handling()
        handling.waiting += 1
        handling.most_waiting = max(handling.most_waiting, handling.waiting)

    def _know(self, actor: int, class_name: str, spec: dict[str, Any]) -> None:
        self._classes[actor] = class_name
        self._tries[actor] = attempts_max(spec)

    def _ended(self, seq: int, body: records.Turn | records.Crash) -> Attempt | None:
        self.refused += len(body.refused)
        waiting = self._waiting.get(body.message)
        free = self._free.get(body.actor, 0)
        self._free[body.actor] = body.time
        if waiting is None:  # a start or a stop, or sent before what is left of the journal
            return None
        closed = isinstance(body, records.Turn)
        handling = self.handlings[waiting.kind]
        began, ready = body.time - body.took, max(waiting.since, free)
        waiting.tries += 1
        waiting.work += body.took
        handling.slot.add(began - ready)
        if waiting.tries == 1:
            handling.wait.add(began - waiting.sent)
        seconds = 0.0
        if isinstance(body, records.Turn):
            handling.turns += 1
            handling.rejected += body.rejected is not None
            handling.service.add(body.took)
            seconds = body.sched[1]
            self._over(body.message)
        else:
            self._crashed(waiting, handling, body)
        over = closed or any((row[0], row[1]) == body.message for row in body.dead)
        return Attempt(
            seq, body.message[0], waiting.kind, body.actor, waiting.tries, closed, over,
            waiting.sent, ready, began, body.time, waiting.cost, seconds, waiting.work,
            self._tries[body.actor],
        )  # fmt: skip

    def _crashed(self, waiting: Waiting, handling: Handling, body: records.Crash) -> None:
        handling.crashes += 1
        handling.failing.add(body.took)
        waiting.since = max(body.not_before, body.time)
        self.short_of_budget += body.reason.startswith("BudgetExhausted")
        reason = (waiting.kind, body.reason.partition("\n")[0])
        if reason in self.reasons or len(self.reasons) < STATS_REASONS_MAX:
            self.reasons[reason] += 1
        else:
            self.other_reasons += 1

    def _die(self, row: Dead) -> None:
        waiting = self._over((row.seq, row.index))
        if waiting is not None:
            self.handlings[waiting.kind].dead += 1

    def _over(self, id: Id) -> Waiting | None:
        waiting = self._waiting.pop(id, None)
        if waiting is not None:
            self.handlings[waiting.kind].waiting -= 1
        return waiting

    def _step(self, body: records.Result) -> None:
        if not body.digest or body.name.startswith(ASK):  # a sleep, a look at the clock, a wait
            return
        if body.missed:  # it ended before, by another record
            return
        calls = self.calls.setdefault(body.name, Calls())
        calls.ok += body.ok
        calls.failed += not body.ok
        calls.tokens += body.tokens
        calls.took.add(body.took)

    # --- of the whole

    @property
    def seconds(self) -> float:
        """How long the run has been going on, by its records."""
        return (self.last_ns - self.first_ns) / 1e9

    def mean_waiting(self, handling: Handling) -> float:
        """How many messages waited for their first attempt, over the whole time (Little's law)."""
        return handling.wait.total / (self.last_ns - self.first_ns or 1)
