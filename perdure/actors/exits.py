"""Who is hit by an exit signal, and how a turn sends one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.errors import Refused
from perdure.ids import resolve
from perdure.ledger.watching import MONITOR
from perdure.limits import TURN_INTENTS_MAX
from perdure.mailbox.control import read_reason
from perdure.mailbox.envelope import Envelope
from perdure.mailbox.signals import KILL, Signal

if TYPE_CHECKING:
    from perdure.actors.cell import Cell
    from perdure.actors.kernel import Kernel
    from perdure.actors.turn import Turn

SIGNAL = Signal.__name__


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
    bounded(turn, len(watches))
    turn.watches, turn.is_rare = watches, True
    return monitor


def exit_signal(turn: Turn, address: str, reason: str) -> None:
    """Have an actor's turn send an exit signal; to nobody, it is lost as in OTP."""
    kernel, cell = turn.kernel, turn.cell
    id = kernel.book.find(address)
    if id == cell.id and not traps(cell) and reason != KILL:
        turn.stop(reason)
    elif id:
        turn.is_rare = True
        turn.out.append(signal(kernel, id, cell.id, cell.address, reason))
        bounded(turn, len(turn.out))


def signal(kernel: Kernel, to: int, sender: int, address: str, reason: str) -> Envelope:
    """An exit signal that is on its way: to whose life it comes is said as its record is made."""
    return kernel.lifecycle.control(to, sender, Signal(0, address, read_reason(reason)))


def bounded(turn: Turn, intents: int) -> None:
    """Raise `Refused` for a turn that wants more than one record is to hold."""
    if intents > TURN_INTENTS_MAX:
        raise Refused(
            f"the turn of {turn.cell.address} has more than {TURN_INTENTS_MAX:,} signals, links or "
            "monitors. Make fewer per turn, or tell yourself to go on."
        )
