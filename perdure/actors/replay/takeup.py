"""A replay that begins at a base: actors, pending messages, budget and code as of its record."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from perdure.actors.cell import Cell
from perdure.caps.budget import Budget
from perdure.ledger import records
from perdure.ledger.fold import Fold
from perdure.ledger.journal import send_of, sender_of
from perdure.ledger.records import Life, Record
from perdure.ledger.tables import actor_row
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.replay.past import Past

Read = Callable[[int], Record]
"""Reads the record of a seq that is left."""


def take_up(past: Past, fold: Fold, read: Read) -> None:
    """Have all that a base holds be past.

    Turns that had begun before it are not run again: their steps are gone. Volatile attributes are
    gone too, as with a process that died there.
    """
    past.seq = fold.seq
    past.budgets.change(fold.seq, fold.time, Budget(fold.limit, fold.spent, fold.reserved))
    _take_code(past, fold)
    _take_actors(past, fold)
    for seq in _code_records(fold):
        body = read(seq).body
        if isinstance(body, records.Reload) and body.scope:
            past.codes.reload(seq, body)
    for id, agent in fold.agents.items():
        if agent.kept and agent.kept >= fold.code.since and id in past.cells:
            _keep(past, id, read(agent.kept).body)
    for message in fold.waiting:
        if message not in fold.steps.rows:
            _deliver(past, message, read(message[0]))
    for actor, name in fold.pasts.marks:
        if actor in past.cells:
            past.marks.setdefault(actor, set()).add(name)


def _code_records(fold: Fold) -> list[int]:
    return [seq for seq, _, _ in fold.code.versions if seq >= fold.code.since]


def _take_code(past: Past, fold: Fold) -> None:
    """The code that everybody was to run, from the last record that said so."""
    for seq, digest, scope in fold.code.versions:
        if seq == fold.code.since and not scope:
            past.codes.opened(digest)


def _take_actors(past: Past, fold: Fold) -> None:
    words = past.codec.decode
    for id, agent in fold.agents.items():
        if agent.life == Life.ENDED:
            continue
        row = actor_row(agent, lambda data: str(words(data).reason))
        past.editions.born(id, agent.parent)
        cell = past.cells[id] = Cell(id, row, past.editions.of(id, agent.class_name))
        cell.images, cell.state_hash = agent.images, agent.state_hash
        cell.last, cell.seq = agent.last or id, fold.seq
        past.names[agent.address] = id
        past.below.setdefault(agent.parent, {})[id] = None


def _keep(past: Past, id: int, body: records.Body) -> None:
    """An actor goes on with older code: what that was is known if it said so itself."""
    if isinstance(body, records.Keep):
        past.codes.keep(body)
    else:
        edition = past.codes.code_of(b"")
        past.editions.keep(id, edition)
        past.cells[id].run(edition)


def _deliver(past: Past, id: tuple[int, int], record: Record) -> None:
    send = send_of(record.body, id[1])
    env = Envelope.read(*id, send, "", sender_of(record.body, send))
    env.seq, env.index, env.due = *id, None
    past.messages[id] = env
