"""What changed between two points of a run, or from a run to its fork: actors, inboxes, sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from perdure.errors import Compacted, UsageError
from perdure.ids import MessageId
from perdure.ledger.journal import send_of
from perdure.ledger.jsondiff import ABSENT, Difference, differences
from perdure.ledger.jsonform import to_json
from perdure.ledger.records import Lane, Life
from perdure.ledger.spans import Span
from perdure.runtime.history import earlier
from perdure.runtime.view import View

Key = int | str
"""Who an actor is at both points: its id, or its address if it was born after two runs parted."""


class ActorChange(NamedTuple):
    """What changed of one actor. `inbox` is how many more messages wait for it than did.

    `life` is a word, None if it is as it was; `incarnation` is the one after it changed, else 0.
    Of two runs, an actor that only the second has is born, one that only the first has is gone,
    and numbers are those of the second less those of the first.
    """

    id: int
    address: str
    class_name: str
    is_born: bool
    is_gone: bool
    life: str | None
    incarnation: int
    turns: int
    crashes: int
    restarts: int
    inbox: int
    fields: tuple[Difference, ...]


class Side:
    """A run up to the record `last`, and what happened there after the record `shared`."""

    def __init__(self, view: View, shared: int, last: int, by_address: bool) -> None:
        self.view = view
        self.last = last
        self.span = Span()
        for record in view.records(shared + 1, last):
            self.span.add(record)
        self._born = self.span.born if by_address else {}
        self._ids: dict[Key, int] = {address: id for id, address in self._born.items()}
        self.inbox = Counter(self.key(actor) for actor in self.span.arrived.values())
        self.inbox.subtract(self._left())

    def key(self, id: int) -> Key:
        """Who an actor is, at both points."""
        return self._born.get(id, id)

    def id(self, key: Key) -> int:
        """The id of an actor here, 0 if it is not here; of those of one address, the last."""
        if isinstance(key, int):
            return key if key <= self.last else 0
        return self._ids.get(key, 0)

    def touched(self) -> set[Key]:
        """Whom anything happened to."""
        span = self.span
        ids = {*span.born, *span.lives, *span.turns, *span.crashes, *span.changed}
        return {self.key(id) for id in ids} | {key for key, more in self.inbox.items() if more}

    def state(self, id: int) -> dict[str, Any]:
        """The fields of an actor at the point, in JSON form."""
        if not id:
            return {}
        found = earlier(self.view, id, self.last)
        return {name: to_json(value) for name, value in found.fields.items()}

    def _left(self) -> Iterator[Key]:
        """The actor of each message that waited in a user lane before, and does not any more."""
        for (seq, index), actor in self.span.gone.items():
            send = send_of(self.view.record(seq).body, index)
            if send.lane == Lane.USER:
                yield self.key(actor or send.to)


class Changes:
    """What is another thing at the point `last` than at `first`.

    Both are points of one run, and `last` is the later; or `last` is one of `other`, which may be a
    fork: then what both have in common is not read. Raises `UsageError` for a wrong order.
    It reads the records after those that are shared once, and of each actor that changed its own.
    """

    def __init__(self, view: View, first: int, last: int, other: View | None = None) -> None:
        if other is None and first > last:
            raise UsageError(
                f"record {first} is after record {last}: write the earlier of the two points first."
            )
        self.shared = first if other is None else shared(view, other, min(first, last))
        self.before = Side(view, self.shared, first, other is not None)
        self.after = Side(other or view, self.shared, last, other is not None)

    def actors(self) -> Iterator[ActorChange]:
        """The actors that changed: those that both runs have in order of birth, then others."""
        touched = self.before.touched() | self.after.touched()
        yield from self._changes(sorted(key for key in touched if isinstance(key, int)))
        yield from self._changes(sorted(key for key in touched if isinstance(key, str)))

    def actor(self, id: int) -> ActorChange | None:
        """What changed of the actor that has this id at `last`; None if nothing did."""
        return next(self._changes([self.after.key(id)]), None)

    def _changes(self, keys: list[Any]) -> Iterator[ActorChange]:
        for key in keys:
            change = self._change(key)
            if any(change[3:]):
                yield change

    def _change(self, key: Key) -> ActorChange:
        one, two = self.before.id(key), self.after.id(key)
        old, new = self.before.span, self.after.span
        row = self.after.view.actor(two) if two else self.before.view.actor(one)
        incarnation, life = new.lives.get(two, (0, None))
        if (incarnation, life) == old.lives.get(one):
            incarnation, life = 0, None
        is_other = one in old.changed or two in new.changed
        return ActorChange(
            two or one,
            row.address,
            row.class_name,
            not one,
            not two,
            None if life is None else Life(life).name.lower(),
            incarnation,
            new.turns[two] - old.turns[one],
            new.crashes[two] - old.crashes[one],
            new.restarts[two] - old.restarts[one],
            self.after.inbox[key] - self.before.inbox[key],
            tuple(self._fields(one, two)) if is_other else (),
        )

    def _fields(self, one: int, two: int) -> Iterator[Difference]:
        before, after = self.before.state(one), self.after.state(two)
        for name in dict.fromkeys((*before, *after)):
            yield from differences(before.get(name, ABSENT), after.get(name, ABSENT), name)

    # --- the run as a whole

    @property
    def spent(self) -> int:
        """How many more tokens are spent."""
        return self.after.span.spent - self.before.span.spent

    @property
    def reserved(self) -> int:
        """How many more tokens are reserved."""
        return self.after.span.reserved - self.before.span.reserved

    @property
    def timers(self) -> int:
        """How many more timers are set."""
        new, old = self.after.span, self.before.span
        return len(new.timers) - len(new.fired) - len(old.timers) + len(old.fired)

    def dead_letters(self, side: Side) -> dict[MessageId, tuple[str, str]]:
        """The dead letters that only this side has: id -> (address, reason)."""
        other = self.before if side is self.after else self.after
        both = {id for id in other.span.dead if id[0] <= self.shared}
        own = sorted(item for item in side.span.dead.items() if item[0] not in both)
        return {MessageId(*id): what for id, what in own}

    def artifacts(self) -> list[str]:
        """The paths of artifacts that are new, or have other bytes."""
        made, had = self.after.span.artifacts, self.before.span.artifacts
        return [path for path, digest in made.items() if had.get(path) != digest]


def shared(one: View, other: View, last: int) -> int:
    """The last record up to `last` that both runs have: each hash covers all records before it.

    Raises `Compacted` if they parted before the cut of one.
    """
    cut = max(one.head.cut, other.head.cut)
    low, high = cut, max(cut, last)
    if cut and (last <= cut or one.record(cut + 1).hash != other.record(cut + 1).hash):
        raise Compacted(min(last, cut), cut)
    while low < high:
        middle = (low + high + 1) // 2
        if one.record(middle).hash == other.record(middle).hash:
            low = middle
        else:
            high = middle - 1
    return low
