"""The control lane: how actors start, stop and are killed, and what a crash leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.actors import leftovers
from perdure.actors.cell import Cell
from perdure.actors.deadlines import Deadlines
from perdure.actors.lifeafter import LifeAfter
from perdure.actors.orphans import Orphans
from perdure.actors.restores import climb
from perdure.actors.signals import set_suspended
from perdure.actors.standing import decides, is_stale, stop_mode
from perdure.actors.starting import starter
from perdure.actors.turn import Turn
from perdure.errors import Broken
from perdure.ledger.records import Lane, Life
from perdure.mailbox.control import (
    Depart,
    Gone,
    Kill,
    Start,
    Stop,
)
from perdure.mailbox.control import crash as reason_of
from perdure.mailbox.envelope import Envelope
from perdure.mailbox.signals import Replace, Signal

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.actors.turns import Running

"""A turn that the runner awaits, or one that is over or runs elsewhere."""

BRUTAL = "brutal_kill"
LAST = 4
"""The place of what waits for its turn."""
KILLED_NOTE = "killed"
"""What the record of a stop says that did not run `on_stop` to its end."""


class Lifecycle:
    """Takes control messages in their lane, and tells supervisors how it went."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.orphans = Orphans(kernel)
        self.deadlines = Deadlines(kernel)
        self.after = LifeAfter(kernel)
        self._cuts: dict[Cell, Envelope] = {}  # for whose sake their turns were fenced

    # --- control messages

    def begin(self, cell: Cell) -> Running:
        """Handle the next control message that the actor takes now."""
        if cell.renews:
            self.kernel.codes.renew(cell)
        env, message = self._next(cell)
        if isinstance(message, Kill) or getattr(message, "shutdown", None) == BRUTAL:
            self.orphans.kill(cell, env, message)
        elif isinstance(message, Gone):
            self.orphans.gone(cell, env)
        elif isinstance(message, Signal | Replace):
            self.kernel.signals.take(cell, env, message)
        elif isinstance(message, Depart):
            return self._leave(cell, env, message)
        elif cell.is_supervisor:
            return self._supervise(cell)
        elif isinstance(message, Start):
            return self._start(cell, env, message)
        elif isinstance(message, Stop):
            return self._leave(cell, env, message)
        else:
            raise Broken(f"{cell.address} got {message!r}, which is for supervisors")
        return None

    def _next(self, cell: Cell) -> tuple[Envelope, Any]:
        """What an actor takes now: the oldest message, unless a later one presses more."""
        lane, codec, cut = cell.control, cell.edition.codec, self._cuts.pop(cell, None)
        assert lane is not None
        messages = lane.read(codec)
        if lane.pressing:
            env, message = min(
                lane.pressing.items(), key=lambda each: self._place(each[0], each[1], cut)
            )
            if self._place(env, message, cut) < LAST:
                return env, message
        return next(iter(messages))

    def _place(self, env: Envelope, message: Any, cut: Envelope | None) -> int:
        """What goes before others: what is ending already, then kills, then what cut a turn."""
        if isinstance(message, Gone):
            return 0
        if isinstance(message, Kill) or getattr(message, "shutdown", None) == BRUTAL:
            return 1
        if env is cut or (isinstance(message, Stop) and self.deadlines.is_over(env)):
            return 2
        return 3 if isinstance(message, Depart) else LAST

    def _supervise(self, cell: Cell) -> Running:
        """A supervisor's turn, on the first message that its phase takes."""
        turns, lane = self.kernel.turns, cell.control
        for env, message in lane.read(cell.edition.codec) if lane else ():
            if cell.is_suspended:
                if not isinstance(message, Stop):
                    continue
                set_suspended(self.kernel, cell, False)  # it ends as any other does
            if not decides(cell, message):
                self.end_without_hook(cell, env, "stop" if isinstance(message, Stop) else "stale")
                return None
            actor: Any = cell.actor if cell.actor is not None else turns.load(cell)
            if actor is None:
                return None
            if actor.takes(message):
                if isinstance(message, Stop):
                    self.deadlines.limit(cell, message)
                turn = turns.open(cell, env, "control", True)
                args = (message, turn.time_ns)
                return turns.run(turn, actor.on_control, args, "nonblocking")
        return None

    def _start(self, cell: Cell, env: Envelope, message: Start) -> Running:
        if message.incarnation != cell.incarnation or cell.life != Life.STARTING:
            self.end_without_hook(cell, env, "stale")
            return None
        if not climb(self.kernel, cell, message.incarnation):
            return None
        turns = self.kernel.turns
        cell.actor = None
        try:
            actor = turns.build(cell)
        except Exception as error:  # noqa: BLE001 - user code: its class, its init, its on_load
            self._cannot_start(cell, env, error)
            return None
        hooks = actor.__declaration__.hooks
        kinds = [hooks[hook] for hook in ("on_restart", "on_start") if hook in hooks]
        mode = next((kind for kind in ("async", "def") if kind in kinds), "nonblocking")
        turn = turns.open(cell, env, "start", mode != "def")
        reason = None if message.reason is None else str(message.reason)
        return turns.run(turn, starter(actor, mode), (reason,), mode)

    def _cannot_start(self, cell: Cell, env: Envelope, error: Exception) -> None:
        """Without its object: a failed start, unless it has state that only a repair can save."""
        if cell.images:
            self.kernel.stall(cell, env, f"it cannot be loaded: {reason_of(error)}")
            return
        self.kernel.crashing.crash(self.bare(cell, env, "start"), error)

    def _leave(self, cell: Cell, env: Envelope, message: Stop | Depart) -> Running:
        """The actor's last turn, `on_stop`, if it has one and is asked."""
        turns, kind = self.kernel.turns, "stop" if isinstance(message, Stop) else "depart"
        mode = stop_mode(cell, message)
        if is_stale(cell, message):
            self.end_without_hook(cell, env, "stale")
        elif kind == "stop" and self.deadlines.is_over(env):
            self.end_without_hook(cell, env, "killed")
        elif mode is None or not cell.is_running:
            self.end_without_hook(cell, env, kind)
        else:
            actor = cell.actor if cell.actor is not None else turns.load(cell)
            if actor is None:
                return None
            turn = turns.open(cell, env, kind, mode != "def")
            turn.leaving = str(message.reason)
            if isinstance(message, Stop):
                self.deadlines.begin(cell, env, message)
            return turns.run(turn, actor.on_stop, (), mode)
        return None

    def end_without_hook(self, cell: Cell, env: Envelope, kind: str) -> None:
        """Consume a control message with no user code run: killed, stale, or nobody to ask."""
        turn = self.bare(cell, env, kind)
        if kind == "killed":
            turn.notes = [KILLED_NOTE]
        self.kernel.closing.close_bare(turn)

    def bare(self, cell: Cell, env: Envelope, kind: str) -> Turn:
        """A turn in which no code of an actor's runs."""
        turn = Turn(self.kernel, cell, env, kind, True, self.kernel.book.now_ns())
        cell.turn = turn
        self.kernel.dispatch.began(turn)
        return turn

    # --- during a turn

    def interrupt(self, cell: Cell) -> None:
        """A control message arrived during a turn: stop and kill are taken now."""
        turn = cell.turn
        if turn is None or turn.kind not in ("receive", "start", "stop", "depart"):
            return
        if not cell.control:
            return
        cell.control.read(cell.edition.codec)
        for env, message in cell.control.pressing.items():
            if isinstance(message, Kill) or getattr(message, "shutdown", None) == BRUTAL:
                self.fence(turn)
                return
            if isinstance(message, Signal) and self.kernel.signals.ends(cell, message):
                self._cut(turn, env)
                return
            if isinstance(message, Stop) and env is not turn.envelope:
                if turn.waits and turn.kind in ("receive", "start"):
                    self._cut(turn, env)
                else:
                    self.deadlines.begin(cell, env, message)
                return

    def _cut(self, turn: Turn, env: Envelope) -> None:
        """Fence a turn for a control message, which is next: else that turn is cut for ever."""
        self._cuts[turn.cell] = env
        self.fence(turn)

    def fence(self, turn: Turn) -> None:
        """Take a turn's right to change anything: what it still does is late. No attempt counts."""
        if not turn.open:
            return
        cell = turn.cell
        turn.open = False
        cell.turn = None
        cell.actor = None
        if cell.renews and cell.asleep is None:
            self.kernel.codes.renew(cell)
        self.kernel.waits.forget(turn)
        leftovers.leave(turn)
        self.kernel.dispatch.ended(turn)
        self.kernel.dispatch.consider(cell)

    # --- telling

    def to_parent(self, turn: Turn, message: object) -> None:
        """Tell the actor's supervisor in this turn's record."""
        turn.out.append(self.control(turn.cell.parent, turn.cell.id, message))

    def control(self, to: int, sender: int, message: object) -> Envelope:
        """A control-lane message."""
        body = self.kernel.book.codec.encode(message)
        return Envelope(to, body, type(message).__name__, sender, lane=int(Lane.CONTROL))
