"""The state of an actor as of any record: its own records read backwards, nobody else's.

Each record that changes a state names the one before it of its actor. So the past costs the turns
of that actor, whatever else the journal holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from perdure.errors import LedgerDamaged
from perdure.ledger.ground import Ground
from perdure.ledger.images import Entry, Image, apply
from perdure.ledger.records import Record, Restore, Turn

Read = Callable[[int], Record]
"""Reads the record of a seq."""

WHOLE = ("=", "-")
"""Operations after which it does not matter what a field was."""


class Past(NamedTuple):
    """A state as of a record; `seq` is the actor's birth and `incarnation` 0 before any turn."""

    seq: int
    incarnation: int
    state_hash: bytes
    images: dict[str, Image]


def past(read: Read, actor: int, newest: int, at: int, ground: Ground | None = None) -> Past:
    """The state of `actor` after the record `at`; `newest` is the last record that changed it.

    Operations on a field before it was last written whole are not kept: what is in memory is about
    the state, not its history. `ground` is where the past of a compacted ledger begins. Raises
    `LedgerDamaged` when the chain of records is not one.
    """
    floor = 0 if ground is None else newest if ground.seq == at else ground.seq
    last: Turn | Restore | None = None
    seq, places = actor, dict[str, tuple[int, int]]()
    kept: dict[str, list[Entry]] = {}
    whole: set[str] = set()
    for record, body in chain(read, actor, newest, floor):
        if record.seq > at:
            continue
        if last is None:
            last, seq = body, record.seq
        for index, entry in reversed(list(enumerate(body.delta))):
            name = entry[0]
            places[name] = (record.seq, index)  # where it is first: the order of its class
            if name in whole:
                continue
            kept.setdefault(name, []).append(entry)
            if entry[1] in WHOLE:
                whole.add(name)
    before = None if ground is None else ground.agent
    images = {} if before is None else before.images
    for name in sorted(kept, key=places.__getitem__):
        if name not in whole and name not in images:
            raise LedgerDamaged(f"nothing says what {name} of actor {actor} was at first.", seq)
        apply(images, reversed(kept[name]))
    if last is None:
        if before is not None and before.last:
            return Past(before.last, before.incarnation, before.state_hash, images)
        return Past(actor, 0, bytes(16), images)
    return Past(seq, last.incarnation, last.state_hash, images)


def chain(
    read: Read, actor: int, newest: int, floor: int = 0
) -> Iterator[tuple[Record, Turn | Restore]]:
    """The records after `floor` that changed an actor's state, from `newest` back to its first."""
    seq = newest
    while seq != actor and seq > floor:
        record = read(seq)
        body = record.body
        if not isinstance(body, Turn | Restore) or body.actor != actor or body.previous >= seq:
            raise LedgerDamaged(
                f"record {seq} should be one that changed the state of actor {actor}. "
                "Restore a backup to go on.",
                seq,
            )
        yield record, body
        seq = body.previous
