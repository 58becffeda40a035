"""Which code each actor of a run is running: it may be loaded again while the run goes on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perdure.errors import UnknownName
from perdure.ledger.older import inherit
from perdure.limits import CODES_KEPT_MAX

if TYPE_CHECKING:
    from perdure.actors.actor import Actor
    from perdure.ledger.values import Codec


@dataclass(slots=True, eq=False)
class Edition:
    """A run's code as it was loaded once: its actor classes by name, and its messages.

    `since` is the record from which on it runs, `before` what ran until then; `gone` has, for
    classes that it lacks, the newest code that has them. `missing` says why it has no classes.
    """

    digest: bytes
    classes: dict[str, type[Actor]]
    codec: Codec
    since: int = 0
    before: Edition | None = None
    gone: dict[str, Edition] = field(default_factory=dict)
    missing: str = ""

    def of(self, class_name: str) -> Edition:
        """What an actor of that class runs, when this is the code to run."""
        return self if class_name in self.classes else self.gone.get(class_name, self)

    def follow(self, before: Edition, seq: int) -> None:
        """Be what runs after `before`, from record `seq` on."""
        self.since, self.before = seq, before
        gone = {**before.gone, **dict.fromkeys(before.classes, before)}
        self.gone = {name: old for name, old in gone.items() if name not in self.classes}
        inherit(self.codec.names, before.codec.names)
        oldest, kept = self, 0
        while oldest.before is not None and kept < CODES_KEPT_MAX:
            oldest, kept = oldest.before, kept + 1
        oldest.before = None


class Editions:
    """The code that a run's actors run: `common` to all, but for those that have their `own`.

    An actor that is born runs what the actor runs that bears it.

    >>> from perdure.ledger.values import Codec
    >>> editions = Editions(Edition(b"a", {"A": object, "B": object}, Codec()))
    >>> editions.all_to(Edition(b"b", {"A": object}, Codec()), 7)
    >>> editions.of(3, "A").digest, editions.of(4, "B").digest
    (b'b', b'a')
    """

    def __init__(self, first: Edition) -> None:
        self.common = self.newest = first
        self.own: dict[int, Edition] = {}  # by actor id
        self.kept: set[int] = set()  # of those, the ones that newer code could not load

    def of(self, id: int, class_name: str) -> Edition:
        """What an actor runs from its next message on."""
        own = self.own.get(id) if self.own else None
        return (own or self.common).of(class_name)

    def read(self, data: bytes) -> Any:
        """A value that some code of this run wrote, read as the newest that knows its classes."""
        edition: Edition | None = self.newest
        while edition is not None:
            try:
                return edition.codec.decode(data)
            except UnknownName:
                edition = edition.before
        return self.newest.codec.decode(data)

    def born(self, id: int, parent: int) -> None:
        """A child runs what its parent does, in its first life and later."""
        if parent in self.own and parent not in self.kept:
            self.own[id] = self.own[parent]

    def all_to(self, edition: Edition, seq: int) -> None:
        """Everybody is to run an edition, from record `seq` on."""
        if edition is not self.common:
            edition.follow(self.newest, seq)
        self.common = self.newest = edition
        self.own.clear()
        self.kept.clear()

    def some_to(self, edition: Edition, seq: int, ids: Iterable[int]) -> None:
        """Some are to run an edition, from record `seq` on."""
        edition.follow(self.newest, seq)
        self.newest = edition
        for id in ids:
            self.own[id] = edition
            self.kept.discard(id)

    def keep(self, id: int, edition: Edition) -> None:
        """An actor goes on with what it had."""
        self.own[id] = edition
        self.kept.add(id)
