"""Who is hit by an exit signal, and how a turn sends one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.ids import resolve
from perdure.ledger.watching import MONITOR
from perdure.mailbox.signals import KILL

if TYPE_CHECKING:
    from perdure.actors.cell import Cell
    from perdure.actors.turn import Turn


def traps(cell: Cell) -> bool:
    """Whether an actor gets exit signals as messages."""
    return getattr(cell.cls, "trap_exit", None) is True


def watch(turn: Turn, verb: str, to: str, monitor: str) -> str:
    """Have a turn link, unlink, monitor or demonitor; returns the monitor's id.

    It is of the message and the how-manieth of the turn, so a retry and a replay have the same.
    """
    watches = turn.watches or []
    if verb == MONITOR:
        env = turn.envelope
        monitor = f"{env.seq}.{env.index}.{len(watches) + 1}"
    watches.append((verb, resolve(turn.cell.address, to), monitor))
    turn.watches, turn.is_rare = watches, True
    return monitor


def exit_signal(turn: Turn, address: str, reason: str) -> None:
    """Have an actor's turn send an exit signal; to nobody, it is lost as in OTP."""
    kernel = turn.kernel
    id = kernel.book.find(address)
    if id == turn.cell.id and not traps(turn.cell) and reason != KILL:
        turn.stop(reason)
    elif id:
        turn.is_rare = True
        turn.out.append(kernel.signals.signal(kernel.book.cell(id), turn.cell, reason))
