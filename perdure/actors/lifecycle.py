"""The control lane: how actors start, stop and are killed, and what a crash leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from perdure.actors import leftovers
from perdure.actors.attempts import attempts_max, backoff_ns, chance_of
from perdure.actors.cell import Cell
from perdure.actors.deadlines import Deadlines
from perdure.actors.lives import LifeChange
from perdure.actors.restores import climb
from perdure.actors.signals import set_suspended
from perdure.actors.starting import starter
from perdure.actors.turn import Turn
from perdure.errors import Broken
from perdure.ledger.records import Dead, Lane, Life
from perdure.mailbox.control import (
    KILLED,
    SHUTDOWN,
    Exit,
    Kill,
    Reason,
    Start,
    Started,
    StartFailed,
    Stop,
    Stopped,
    read_reason,
)
from perdure.mailbox.control import crash as reason_of
from perdure.mailbox.envelope import Envelope
from perdure.mailbox.signals import Replace, Signal

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.actors.turns import Running

"""A turn that the runner awaits, or one that is over or runs elsewhere."""

BRUTAL = "brutal_kill"


class CrashPlan(NamedTuple):
    """What a failed attempt leads to; see DESIGN section 6."""

    out: list[Envelope]
    dead: list[Dead]
    counted: bool
    not_before: int
    attempts: int
    consumed: bool
    lives: list[LifeChange]


class Lifecycle:
    """Takes control messages in their lane, and tells supervisors how it went."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._deadlines = Deadlines(kernel)

    # --- control messages

    def begin(self, cell: Cell) -> Running:
        """Handle the next control message that the actor takes now."""
        if cell.renews:
            self.kernel.codes.renew(cell)
        is_supervisor = getattr(cell.cls, "__supervisor__", False)
        for env in cell.control or ():
            message = cell.edition.codec.decode(env.body)
            if isinstance(message, Kill) or getattr(message, "shutdown", None) == BRUTAL:
                self.end_without_hook(cell, env, "killed")
                return None
            if isinstance(message, Signal | Replace):
                self.kernel.signals.take(cell, env, message)
                return None
            if is_supervisor and cell.life < Life.STOPPED:
                if cell.is_suspended:
                    if not isinstance(message, Stop):
                        continue
                    set_suspended(self.kernel, cell, False)  # it ends as any other does
                begun, running = self._supervise(cell, env, message)
                if begun:
                    return running
            elif isinstance(message, Start):
                return self._start(cell, env, message)
            elif isinstance(message, Stop):
                return self._stop(cell, env, message)
            elif is_supervisor:
                self.end_without_hook(cell, env, "stale")  # it was cancelled: it decides nothing
                return None
            else:
                raise Broken(f"{cell.address} got {message!r}, which is for supervisors")
        return None

    def _supervise(self, cell: Cell, env: Envelope, message: object) -> tuple[bool, Running]:
        """A supervisor's turn, if its phase takes the message."""
        turns = self.kernel.turns
        actor: Any = cell.actor if cell.actor is not None else turns.load(cell)
        if actor is None or not actor.takes(message):
            return actor is None, None
        turn = turns.open(cell, env, "control", True)
        args = (message, turn.time_ns)
        return True, turns.run(turn, actor.on_control, args, "nonblocking")

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

    def _stop(self, cell: Cell, env: Envelope, message: Stop) -> Running:
        turns = self.kernel.turns
        if message.incarnation != cell.incarnation:
            self.end_without_hook(cell, env, "stale")
            return None
        if self._deadlines.is_over(env):
            self.end_without_hook(cell, env, "killed")
            return None
        mode = None if cell.cls is None else cell.cls.__declaration__.hooks.get("on_stop")
        if mode is None or not cell.is_running:
            self.end_without_hook(cell, env, "stop")
            return None
        actor = cell.actor if cell.actor is not None else turns.load(cell)
        if actor is None:
            return None
        turn = turns.open(cell, env, "stop", mode != "def")
        self._deadlines.begin(cell, env, message)
        return turns.run(turn, actor.on_stop, (), mode)

    def end_without_hook(self, cell: Cell, env: Envelope, kind: str) -> None:
        """Consume a control message with no user code run: killed, stale, or nobody to ask."""
        turn = self.bare(cell, env, kind)
        if kind == "killed" and getattr(cell.cls, "__supervisor__", False):
            turn.lives = [
                (child.id, child.incarnation, int(Life.DOWN)) for child in self._below(cell)
            ]
        self.kernel.closing.close_bare(turn)

    def bare(self, cell: Cell, env: Envelope, kind: str) -> Turn:
        turn = Turn(self.kernel, cell, env, kind, True, self.kernel.book.now_ns())
        cell.turn = turn
        self.kernel.dispatch.began(turn)
        return turn

    def _below(self, cell: Cell) -> list[Cell]:
        """All that lives below a killed supervisor: it dies with it, unsupervised (OTP X4, X9)."""
        found: list[Cell] = []
        for child in self.kernel.lives.children(cell.id):
            found += [child, *self._below(child)]
        alive = [each for each in found if each.life in (Life.STARTING, Life.RUNNING)]
        for each in alive:
            if each.turn is not None:
                self.fence(each.turn)
        return alive

    # --- during a turn

    def interrupt(self, cell: Cell) -> None:
        """A control message arrived during a turn: stop and kill are taken now."""
        turn = cell.turn
        if turn is None or turn.kind not in ("receive", "start"):
            return
        for env in cell.control or ():
            message = self.kernel.book.codec.decode(env.body)
            if isinstance(message, Kill) or getattr(message, "shutdown", None) == BRUTAL:
                self.fence(turn)
                return
            if isinstance(message, Signal) and self.kernel.signals.ends(cell, message):
                self.fence(turn)
                return
            if isinstance(message, Stop):
                if turn.waits:
                    self.fence(turn)
                else:
                    self._deadlines.begin(cell, env, message)
                return

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

    # --- what a turn does to a life

    def life_after(self, turn: Turn) -> int | None:
        """The actor's life after a closed turn; whoever must hear of it is told in its sends."""
        cell = turn.cell
        match turn.kind:
            case "receive":
                return None if turn.stop_reason is None else self._stops_itself(turn)
            case "start":
                self.to_parent(turn, Started(cell.id, cell.incarnation))
                return Life.RUNNING
            case "control":
                return turn.life
            case "stale":
                return None
            case "exit":
                return self._exits(turn, read_reason(turn.stop_reason or ""))
            case _:
                return self._stopped(turn)

    def _exits(self, turn: Turn, reason: Reason) -> int:
        """An actor's life ended from outside of it; a start that was under way has failed."""
        cell = turn.cell
        is_starting = cell.life == Life.STARTING
        cell.reason = str(reason)
        message = StartFailed if is_starting else Exit
        self.to_parent(turn, message(cell.id, cell.incarnation, reason))
        return Life.DOWN

    def _stops_itself(self, turn: Turn) -> int:
        cell = turn.cell
        reason = read_reason(turn.stop_reason or "normal")
        cell.reason = str(reason)
        self.to_parent(turn, Exit(cell.id, cell.incarnation, reason))
        return Life.DOWN

    def _stopped(self, turn: Turn) -> int | None:
        """A stop is answered with what really ended the life, even if that was long before."""
        cell = turn.cell
        self._deadlines.met(turn.envelope)
        if isinstance(self.kernel.book.codec.decode(turn.envelope.body), Kill):
            if cell.life >= Life.STOPPED:
                return None  # it was cancelled before that
            return self._exits(turn, KILLED)
        if cell.life in (Life.RUNNING, Life.STARTING):
            reason = KILLED if turn.kind == "killed" else SHUTDOWN
            cell.reason = str(reason)
        else:
            reason = read_reason(cell.reason or "normal")
        self.to_parent(turn, Stopped(cell.id, cell.incarnation, reason))
        return Life.DOWN if cell.life <= Life.DOWN else None

    def to_parent(self, turn: Turn, message: object) -> None:
        """Tell the actor's supervisor in this turn's record."""
        turn.out.append(self.control(turn.cell.parent, turn.cell.id, message))

    def control(self, to: int, sender: int, message: object) -> Envelope:
        """A control-lane message."""
        body = self.kernel.book.codec.encode(message)
        return Envelope(to, body, type(message).__name__, sender, lane=int(Lane.CONTROL))

    def plan_crash(self, turn: Turn, reason: Reason, now: int) -> CrashPlan:
        """What a failed attempt leads to."""
        cell, env = turn.cell, turn.envelope
        id, incarnation = cell.id, cell.incarnation
        if turn.kind != "receive":
            if turn.kind == "control":
                raise Broken(f"the supervisor {cell.address} failed: {reason}")
            self._deadlines.met(env)
            failed = StartFailed if turn.kind == "start" else Stopped
            out = [self.control(cell.parent, id, failed(id, incarnation, reason))]
            lives = self.kernel.spawning.orphans(env)
            return CrashPlan(out, [], True, cell.not_before, cell.attempts, True, lives)
        counted = turn.attempt == 1
        out = [self.control(cell.parent, id, Exit(id, incarnation, reason, counted))]
        tries = cell.attempts + 1  # since the last progress: a journaled result starts anew
        if tries >= attempts_max(cell.spec):
            dead = [Dead(env.seq, env.index, cell.address, str(reason), turn.attempt)]
            lives = self.kernel.spawning.orphans(env)
            return CrashPlan(out, dead, counted, 0, 0, True, lives)
        chance = chance_of(self.kernel.seed, id, (env.seq, env.index), turn.attempt)
        not_before = now + backoff_ns(cell.spec, tries, chance)
        return CrashPlan(out, [], counted, not_before, tries, False, [])
