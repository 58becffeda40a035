"""Actors as they were: who answered to an address at a record, and what its state was then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from perdure.errors import UnknownActor
from perdure.ledger import keys, rows
from perdure.ledger.ground import ground
from perdure.ledger.images import materialise
from perdure.ledger.keys import Table
from perdure.ledger.past import past
from perdure.ledger.rows import unpack_row
from perdure.ledger.states import read_state

if TYPE_CHECKING:
    from perdure.runtime.view import View


class Earlier(NamedTuple):
    """An actor as of a record `at`; `seq` is the last record up to there that changed its state.

    Before its first turn closed, `seq` is its birth, `incarnation` 0, and there are no `fields`.
    """

    id: int
    address: str
    class_name: str
    at: int
    seq: int
    incarnation: int
    state_hash: bytes
    fields: dict[str, Any]


def earlier(view: View, id: int, at: int) -> Earlier:
    """An actor as of a record. It reads that actor's records, and no others.

    Raises `Compacted` for a record before the cut, unless it has a mark that was kept.
    """
    row = view.actor(id)
    if at < id:
        raise UnknownActor(
            f"{row.address} was born at record {id}: at record {at} there was no such actor."
        )
    found = past(view.record, id, newest(view, id), at, ground(view.store, id, at))
    return Earlier(
        id,
        row.address,
        row.class_name,
        at,
        found.seq,
        found.incarnation,
        found.state_hash,
        {name: materialise(image, view.codec.decode) for name, image in found.images.items()},
    )


def newest(view: View, id: int) -> int:
    """The last record that changed an actor's state; its birth, when none did."""
    found = read_state(view.store, id)
    return id if found is None else found[0].seq


def find_at(view: View, address: str, at: int) -> int:
    """The actor that had, or last had, an address at a record. Raises `UnknownActor`.

    Actors that ended keep their rows, and an address goes to the next only when the one before
    ended. So it is the last that was born until then.
    """
    now = view.find(address)
    if now <= at:
        return now
    wanted = address.encode()
    born = [
        keys.actor_of(key)
        for key, raw in view.store.scan(bytes([Table.ACTOR]))
        if wanted in raw and unpack_row(rows.ActorRow, raw).address == address
    ]
    until = [id for id in born if id <= at]
    if not until:
        raise UnknownActor(
            f"there was no actor {address} at record {at}: one was born at record {min(born)}."
        )
    return max(until)
