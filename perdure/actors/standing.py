"""What a control message means to an actor where its life stands; pure."""

from __future__ import annotations

from perdure.actors.cell import Cell
from perdure.actors.declaration import HandlerKind
from perdure.ledger.records import Life
from perdure.mailbox.control import Depart, Start, Stop


def decides(cell: Cell, message: object) -> bool:
    """Whether a supervisor is there to take a message at all; if not, what it says is stale."""
    if isinstance(message, Start):
        return cell.life == Life.STARTING and message.incarnation == cell.incarnation
    return cell.is_alive and not (
        isinstance(message, Stop) and message.incarnation != cell.incarnation
    )


def is_stale(cell: Cell, message: Stop | Depart) -> bool:
    """Whether a stop is of another life, or nobody waits for its answer."""
    if message.incarnation != cell.incarnation:
        return True
    return not cell.is_alive and not getattr(message, "asked", False)


def stop_mode(cell: Cell, message: Stop | Depart) -> HandlerKind | None:
    """How the actor's `on_stop` is run; None if it has none, or is not asked."""
    if cell.cls is None or (isinstance(message, Stop) and cell.cls.trap_exit is False):
        return None
    return cell.cls.__declaration__.hooks.get("on_stop")
