"""What changed between two points of a run: actors, their fields and inboxes, the run's sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from perdure.errors import UsageError
from perdure.ids import MessageId
from perdure.ledger.journal import send_of
from perdure.ledger.jsondiff import ABSENT, Difference, differences
from perdure.ledger.jsonform import to_json
from perdure.ledger.records import Lane, Life
from perdure.ledger.spans import Span
from perdure.runtime.history import earlier
from perdure.runtime.view import View


class ActorChange(NamedTuple):
    """What changed of one actor. `inbox` is how many more messages wait for it than did.

    `life` is a word, None if it is as it was; `incarnation` is the one after it changed, else 0.
    """

    id: int
    address: str
    class_name: str
    is_born: bool
    life: str | None
    incarnation: int
    turns: int
    crashes: int
    restarts: int
    inbox: int
    fields: tuple[Difference, ...]


class Changes:
    """What the records after `first`, up to `last`, changed. Raises `UsageError` for no such span.

    It reads those records once, and of each actor that they changed its own, when it is asked for.
    """

    def __init__(self, view: View, first: int, last: int) -> None:
        if first > last:
            raise UsageError(
                f"record {first} is after record {last}: write the earlier of the two points first."
            )
        self.view = view
        self.first = first
        self.last = last
        self.span = Span()
        for record in view.records(first + 1, last):
            self.span.add(record)
        self.inbox = Counter(self.span.arrived.values())
        self.inbox.subtract(self._left())

    def _left(self) -> Iterator[int]:
        """The actor of each message that waited in a user lane before, and does not any more."""
        for (seq, index), actor in self.span.gone.items():
            send = send_of(self.view.record(seq).body, index)
            if send.lane == Lane.USER:
                yield actor or send.to

    def actors(self) -> Iterator[ActorChange]:
        """The actors that changed, in order of birth."""
        span = self.span
        touched = {*span.born, *span.lives, *span.turns, *span.crashes, *span.changed}
        for id in sorted(touched | {id for id, more in self.inbox.items() if more}):
            change = self.actor(id)
            if change is not None:
                yield change

    def actor(self, id: int) -> ActorChange | None:
        """What changed of one actor; None if nothing did."""
        span, row = self.span, self.view.actor(id)
        incarnation, life = span.lives.get(id, (0, None))
        change = ActorChange(
            id,
            row.address,
            row.class_name,
            id in span.born,
            None if life is None else Life(life).name.lower(),
            incarnation,
            span.turns[id],
            span.crashes[id],
            span.restarts[id],
            self.inbox[id],
            tuple(self._fields(id)) if id in span.changed else (),
        )
        return change if any(change[3:]) else None

    def _fields(self, id: int) -> Iterator[Difference]:
        before = self._state(id, self.first) if id <= self.first else {}
        after = self._state(id, self.last)
        for name in dict.fromkeys((*before, *after)):
            yield from differences(before.get(name, ABSENT), after.get(name, ABSENT), name)

    def _state(self, id: int, at: int) -> dict[str, Any]:
        return {name: to_json(value) for name, value in earlier(self.view, id, at).fields.items()}

    def dead_letters(self) -> dict[MessageId, tuple[str, str]]:
        """The dead letters that there are more: id -> (address, reason)."""
        return {MessageId(*id): what for id, what in sorted(self.span.dead.items())}
