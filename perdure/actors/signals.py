"""Exit signals, suspended actors, and state from outside: what is done to a life by others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Cell
from perdure.actors.exits import traps
from perdure.actors.state import Delta, collect, materialise
from perdure.errors import PerdureError, UsageError
from perdure.ids import KERNEL_ID
from perdure.ledger.records import Kind, Life
from perdure.mailbox.control import Kill, crash, read_reason
from perdure.mailbox.envelope import Envelope
from perdure.mailbox.signals import KILL, Exited, Replace, Signal

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

ALIVE = (Life.STARTING, Life.RUNNING)


class Signals:
    """Takes exit signals in the control lane, and new state between turns."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    # --- exit signals

    def signal(self, cell: Cell, sender: Cell | None, reason: str) -> Envelope:
        """The control message that is an exit signal to the life of an actor."""
        address, id = ("", 0) if sender is None else (sender.address, sender.id)
        message: object = Signal(cell.incarnation, address, read_reason(reason))
        if reason == KILL:
            message = Kill(cell.incarnation)
        return self.kernel.lifecycle.control(cell.id, id, message)

    def ends(self, cell: Cell, message: Signal) -> bool:
        """Whether a signal ends that life: OTP's rules for a process that traps exits or not."""
        if cell.life not in ALIVE or message.incarnation != cell.incarnation:
            return False
        is_supervisor = getattr(cell.cls, "__supervisor__", False)
        return message.reason.kind != "normal" and not is_supervisor and not traps(cell)

    def take(self, cell: Cell, env: Envelope, message: Signal | Replace) -> None:
        """Handle a signal, or new state; the actor is between two turns."""
        lifecycle = self.kernel.lifecycle
        if isinstance(message, Replace):
            self._replace(cell, env, message)
            return
        if self.ends(cell, message):
            turn = lifecycle.bare(cell, env, "exit")
            turn.stop_reason = str(message.reason)
            self.kernel.closing.close_bare(turn)
            return
        turn = lifecycle.bare(cell, env, "stale")
        if traps(cell) and cell.life in ALIVE and message.incarnation == cell.incarnation:
            turn.out.append(self._exited(cell, message))
        self.kernel.closing.close_bare(turn)

    def _exited(self, cell: Cell, message: Signal) -> Envelope:
        body = self.kernel.book.codec.encode(Exited(message.sender, str(message.reason)))
        return Envelope(cell.id, body, Exited.__name__, KERNEL_ID)

    # --- state

    def _replace(self, cell: Cell, env: Envelope, message: Replace) -> None:
        """Commit new state in a turn of its own, or refuse it and keep what there is."""
        kernel = self.kernel
        turn = kernel.lifecycle.bare(cell, env, "stale")
        try:
            delta = self._delta(cell, message.state)
        except Exception as error:  # noqa: BLE001 - what a user's class says to a value
            cell.actor = None
            told = error if isinstance(error, PerdureError) else UsageError(str(crash(error)))
            text = f"the state of {cell.address} stays as it is: {told}"
            kernel.closing.refuse(turn, text)
            return
        kernel.closing.keep(turn, delta)
        cell.actor = None  # the next turn gets an object built from these bytes: `on_load` ran

    def _delta(self, cell: Cell, state: dict[str, object]) -> Delta:
        if cell.life != Life.RUNNING or getattr(cell.cls, "__supervisor__", False):
            raise UsageError("only that of an actor that runs, and is no supervisor, is replaced.")
        actor = cell.actor if cell.actor is not None else self.kernel.turns.build(cell)
        unknown = [name for name in state if name not in actor.__durable__]
        if unknown:
            fields = ", ".join(sorted(actor.__durable__))
            raise UsageError(f"it has no field {unknown[0]!r}; it has {fields}.")
        for name, value in state.items():
            setattr(actor, name, value)
        return collect(actor, cell.images, self.kernel.book.codec.encode)  # type: ignore[arg-type]


def suspend(kernel: Kernel, address: str, is_on: bool) -> int:
    """Have an actor take no messages from its next turn on, or have it take them again.

    Returns the record's seq; when it was so already, that of the last record. Raises
    `UnknownActor`, and `UsageError` for one that has no life now.
    """
    cell = kernel.book.cell_at(address)
    if is_on and cell.life not in ALIVE:
        life = Life(cell.life).name.lower()
        raise UsageError(f"{address} is {life}: there is no life to suspend.")
    return kernel.book.seq if cell.is_suspended == is_on else set_suspended(kernel, cell, is_on)


def set_suspended(kernel: Kernel, cell: Cell, is_on: bool) -> int:
    """Record that an actor's life is suspended, or goes on."""
    cell.suspended = cell.incarnation if is_on else 0
    cell.row_dirty = True
    seq = kernel.book.append(Kind.SUSPEND, (kernel.book.now_ns(), (), cell.id, cell.suspended))
    kernel.book.touch(cell)
    kernel.news.report(cell, "suspended" if is_on else "goes on")
    kernel.dispatch.withdraw(cell)
    kernel.dispatch.consider(cell)
    return seq


def send_exit(kernel: Kernel, address: str, reason: str) -> int:
    """Send an exit signal from outside the run; returns the record's seq."""
    cell = kernel.book.cell_at(address)
    return kernel.outside.post([kernel.signals.signal(cell, None, reason)], "outside")


def state_of(kernel: Kernel, address: str) -> dict[str, Any]:
    """The committed state of an actor, by field."""
    book, cell = kernel.book, kernel.book.cell_at(address)
    book.load_state(cell)
    images = cell.images or {}
    return {name: materialise(image, cell.edition.codec.decode) for name, image in images.items()}
