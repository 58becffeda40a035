"""Exit signals, suspended actors, and state from outside: what is done to a life by others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Cell
from perdure.actors.exits import SIGNAL, signal, traps
from perdure.actors.fitting import annotation_of, fits
from perdure.actors.state import Delta, build, collect, materialise, run_on_load
from perdure.errors import PerdureError, UsageError
from perdure.ids import KERNEL_ID
from perdure.ledger.records import Kind, Life
from perdure.mailbox.control import Kill, Reason, Stop, crash, read_reason
from perdure.mailbox.envelope import Envelope
from perdure.mailbox.signals import KILL, Exited, Replace, Signal

if TYPE_CHECKING:
    from perdure.actors.actor import Actor
    from perdure.actors.kernel import Kernel


class Signals:
    """Takes exit signals in the control lane, and new state between turns."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    # --- exit signals

    def aim(self, out: list[Envelope]) -> list[Envelope]:
        """A turn's messages; its exit signals are to the lives that there are as it closes."""
        if all(env.type != SIGNAL for env in out):
            return out
        return [env for each in out if (env := self._aimed(each)) is not None]

    def _aimed(self, env: Envelope) -> Envelope | None:
        if env.type != SIGNAL:
            return env
        message, cell = self.kernel.book.codec.decode(env.body), self.kernel.book.cell(env.to)
        if str(message.reason) == KILL and cell.is_alive:
            return self.kernel.lifecycle.control(cell.id, env.sender, Kill(cell.incarnation))
        return self.reaching(cell, env.sender, message.sender, message.reason)

    def reaching(self, cell: Cell, sender: int, address: str, reason: Reason) -> Envelope | None:
        """What an exit signal of `address` is to the life of an actor; None if it is nothing to it.

        OTP's rules: who traps exits has a message in its inbox, `normal` is nothing to others, and
        a supervisor hears its own supervisor alone.
        """
        if not cell.is_alive:
            return None
        if traps(cell):
            body = self.kernel.book.codec.encode(Exited(address, str(reason)))
            return Envelope(cell.id, body, Exited.__name__, sender)
        if reason.kind == "normal" or cell.is_supervisor:
            return None
        return self.kernel.lifecycle.control(
            cell.id, sender, Signal(cell.incarnation, address, reason)
        )

    def ends(self, cell: Cell, message: Signal) -> bool:
        """Whether a signal is to the life that its actor has now."""
        return cell.is_alive and message.incarnation == cell.incarnation

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
        lifecycle.end_without_hook(cell, env, "stale")

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
        if cell.life != Life.RUNNING or cell.is_supervisor:
            raise UsageError("only that of an actor that runs, and is no supervisor, is replaced.")
        if _is_midway(cell):
            raise UsageError(
                "it is in the middle of a turn, which waits. Replace it when that is over."
            )
        actor = cell.actor if cell.actor is not None else self.kernel.turns.build(cell)
        for name, value in state.items():
            _check(actor, name, value)
            setattr(actor, name, value)
        delta = collect(actor, cell.images or {}, self.kernel.book.codec.encode)
        run_on_load(build(type(actor), {name: getattr(actor, name) for name in actor.__durable__}))
        return delta


def _is_midway(cell: Cell) -> bool:
    """Whether a turn of the actor has begun, and goes on from its steps when it is woken."""
    has_steps = bool(cell.inbox and cell.inbox[0].steps)
    return cell.asleep is not None or (has_steps and not cell.attempts and not cell.stalled)


def _check(actor: Actor, name: str, value: object) -> None:
    """Raise `UsageError` for a field that the actor has not, or a value that is none for it."""
    if name not in actor.__durable__:
        fields = ", ".join(sorted(actor.__durable__))
        raise UsageError(f"it has no field {name!r}; it has {fields}.")
    annotation = annotation_of(type(actor), name)
    if not fits(value, annotation):
        kind = annotation.__name__ if isinstance(annotation, type) else annotation
        raise UsageError(f"{name} is {kind}, and {value!r:.60} is none.")


def suspend(kernel: Kernel, address: str, is_on: bool) -> int:
    """Have an actor take no messages from its next turn on, or have it take them again.

    Returns the record's seq; when it was so already, that of the last record. Raises
    `UnknownActor`, and `UsageError` for one that has no life now.
    """
    cell = kernel.book.cell_at(address)
    if is_on and not cell.is_alive:
        life = Life(cell.life).name.lower()
        raise UsageError(f"{address} is {life}: there is no life to suspend.")
    return kernel.book.seq if cell.is_suspended == is_on else set_suspended(kernel, cell, is_on)


def set_suspended(kernel: Kernel, cell: Cell, is_on: bool) -> int:
    """Record that an actor's life is suspended, or goes on."""
    cell.suspended = cell.incarnation if is_on else 0
    kernel.book.parked[cell] = None
    cell.row_dirty = True
    seq = kernel.book.append(Kind.SUSPEND, (kernel.book.now_ns(), (), cell.id, cell.suspended))
    kernel.book.touch(cell)
    kernel.news.report(cell, seq, "suspended" if is_on else "goes on")
    kernel.dispatch.withdraw(cell)
    kernel.dispatch.consider(cell)
    return seq


def send_exit(kernel: Kernel, address: str, reason: str) -> int:
    """Send an exit signal from outside the run; returns the record's seq.

    One that is nothing to its actor leaves no record; then it is the last seq.
    """
    cell = kernel.book.cell_at(address)
    out = kernel.signals.aim([signal(kernel, cell.id, KERNEL_ID, "", reason)])
    return kernel.outside.post(out, "outside") if out else kernel.book.seq


def send_stop(kernel: Kernel, address: str, reason: str) -> int:
    """Ask an actor to end, as nobody above it; returns the record's seq."""
    cell = kernel.book.cell_at(address)
    stop = Stop(cell.incarnation, "infinity", read_reason(reason), asked=False)
    return kernel.outside.post([kernel.lifecycle.control(cell.id, KERNEL_ID, stop)], "stop")


def state_of(kernel: Kernel, address: str) -> dict[str, Any]:
    """The committed state of an actor, by field."""
    book, cell = kernel.book, kernel.book.cell_at(address)
    book.load_state(cell)
    images = cell.images or {}
    return {name: materialise(image, cell.edition.codec.decode) for name, image in images.items()}
