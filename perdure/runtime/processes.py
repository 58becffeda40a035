"""The actors of a run as a list of processes: how each is, what waits for it, what it does now.

Who is there is read from the ledger, so it holds for any run; what a live run's owner says of its
turns in flight is laid over it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from perdure.actors.census import HOLDS
from perdure.ledger import keys, rows
from perdure.ledger.group import Store
from perdure.ledger.keys import Table
from perdure.ledger.records import Lane, Life
from perdure.ledger.rows import unpack_row
from perdure.runtime.family import SPAWNED

Turn = Mapping[str, Any]
"""A turn in flight, as the owner's census has it."""


class Process(NamedTuple):
    """One actor. `state` is a word: running, waiting (its turn waits for an answer or for time),
    stalled, suspended, born, starting, down, stopped, ended. `turn` is what it does now, if a live
    owner said.
    """

    id: int
    address: str
    class_name: str
    state: str
    incarnation: int
    inbox: int
    turns: int
    restarts: int
    tokens: int
    reason: str
    turn: Turn | None = None


ORDERS = ("busy", "inbox", "turns", "restarts", "tokens", "address")
"""What a list may be sorted by; `busy`: who is at work, then who waits, longest first; by inbox."""


def processes(store: Store, census: Mapping[str, Any] | None = None) -> list[Process]:
    """Every actor there ever was, in order of birth, but for the supervisors that `spawn` makes."""
    inboxes, waits, turns = _inboxes(store), _waits(store), _turns(store)
    now: dict[int, Turn] = {turn["id"]: turn for turn in (census or {}).get("turns", ())}
    found = []
    for key, raw in store.scan(bytes([Table.ACTOR])):
        id, row = keys.actor_of(key), unpack_row(rows.ActorRow, raw)
        if row.class_name == SPAWNED:
            continue
        turn = now.get(id)
        is_waiting = id in waits if turn is None else turn["does"] == "waiting"
        about = (row.incarnation, inboxes[id], turns.get(id, 0), row.restarts, row.tokens)
        state = state_of(row, is_waiting)
        found.append(Process(id, row.address, row.class_name, state, *about, row.reason, turn))
    return found


def state_of(row: rows.ActorRow, is_waiting: bool) -> str:
    """How an actor is, in a word."""
    if row.life != Life.RUNNING:
        return Life(row.life).name.lower()
    if row.stalled:
        return "stalled"
    if row.suspended == row.incarnation:
        return "suspended"
    return "waiting" if is_waiting else "running"


def ordered(found: Sequence[Process], by: str) -> list[Process]:
    """The list sorted by one of `ORDERS`, the most first.

    >>> ordered([], "inbox")
    []
    """
    if by == "address":
        return sorted(found, key=lambda each: each.address)
    if by == "busy":
        return sorted(found, key=_busy)
    return sorted(found, key=lambda each: (-getattr(each, by), each.id))


_DOES = (HOLDS, "running", "queued", "waiting")


def _busy(each: Process) -> tuple[int, float, int, int, int]:
    place, seconds = len(_DOES), 0.0
    if each.turn is not None:
        place, seconds = _DOES.index(each.turn["does"]), float(each.turn["seconds"])
    return place, -seconds, -each.inbox, -each.turns, each.id


def _inboxes(store: Store) -> Counter[int]:
    """How many messages wait for each actor, supervision left out."""
    ids = (keys.inbox_id(key) for key, _ in store.scan(bytes([Table.INBOX])))
    return Counter(actor for actor, lane, _, _ in ids if lane == Lane.USER)


def _waits(store: Store) -> set[int]:
    """Whose message has a step that somebody else is to settle."""
    found = set()
    for key, raw in store.scan(bytes([Table.STEP])):
        if unpack_row(rows.StepRow, raw).phase == "asked":
            found.add(keys.step_id(key)[0])
    return found


def _turns(store: Store) -> dict[int, int]:
    """How many messages each actor has handled."""
    found = {}
    for key, raw in store.scan(bytes([Table.STATE])):
        found[keys.actor_of(key)] = unpack_row(rows.StateRow, raw).turns
    for key, raw in store.scan(bytes([Table.DELTA])):
        actor, turns = keys.delta_id(key)[0], unpack_row(rows.DeltaRow, raw).turns
        found[actor] = max(turns, found.get(actor, 0))
    return found
