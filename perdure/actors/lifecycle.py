"""How actors begin and end: the control lane, births, exits, kills, and what becomes of inboxes."""

from __future__ import annotations

import inspect
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from perdure.actors.cell import Cell
from perdure.actors.events import Event
from perdure.actors.turn import NS, Turn
from perdure.errors import Broken
from perdure.ledger.keys import child_id, child_prefix, name_key
from perdure.ledger.records import Dead, Kind, Lane, Life
from perdure.ledger.rows import ActorRow
from perdure.limits import ATTEMPTS_MAX, BACKOFF_FACTOR, BACKOFF_FIRST_SECONDS, BACKOFF_SECONDS_MAX
from perdure.mailbox.control import (
    KILLED,
    Exit,
    Kill,
    Reason,
    Start,
    Started,
    StartFailed,
    Stop,
    Stopped,
)
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

LifeChange = tuple[int, int, int]
"""(actor id, incarnation, Life) that a supervisor's turn brings about."""


class CrashPlan(NamedTuple):
    """What a failed attempt leads to; see DESIGN section 6."""

    out: list[Envelope]
    dead: list[Dead]
    counted: bool
    not_before: int
    attempts: int
    consumed: bool


def backoff_ns(spec: dict[str, Any], attempt: int) -> int:
    """How long a message waits after its `attempt`-th failed try, in ns."""
    plan = spec.get("backoff") or {}
    first = plan.get("first", BACKOFF_FIRST_SECONDS)
    factor = plan.get("factor", BACKOFF_FACTOR)
    most = plan.get("max", BACKOFF_SECONDS_MAX)
    return int(min(most, first * factor ** (attempt - 1)) * NS)


def attempts_max(spec: dict[str, Any]) -> int:
    """How many tries a message of this actor gets."""
    if spec.get("redelivery") == "none":
        return 1
    return int(spec.get("attempts_max") or ATTEMPTS_MAX)


class Lifecycle:
    """Starts and stops actors as their supervisors say, and tells supervisors how it went."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.restarts = 0  # in this process

    # --- control messages

    def begin(self, cell: Cell) -> Coroutine[Any, Any, None] | None:
        """Handle the next control message that the actor takes now."""
        kernel = self.kernel
        if getattr(cell.cls, "__supervisor__", False):
            return self._begin_supervisor(cell)
        env = cell.control[0]  # type: ignore[index]
        message = kernel.book.codec.decode(env.body)
        if isinstance(message, Start):
            return self._start(cell, env, message)
        if isinstance(message, Stop):
            return self._stop(cell, env, message)
        if isinstance(message, Kill):
            self._killed(cell, env)
            return None
        raise Broken(f"{cell.address} got the control message {message!r}, which is no actor's")

    def _begin_supervisor(self, cell: Cell) -> Coroutine[Any, Any, None] | None:
        """A supervisor's turn: the first of its control messages that its phase takes."""
        kernel = self.kernel
        actor: Any = cell.actor or kernel.turns.load(cell)
        if actor is None:
            return None
        for env in cell.control or ():
            message = kernel.book.codec.decode(env.body)
            if isinstance(message, Start):
                cell.incarnation = message.incarnation
                cell.row_dirty = True
            if not actor.takes(message):
                continue
            turn = kernel.turns.open(cell, env, "control", True)
            return kernel.turns.run(turn, actor.on_control, (message, kernel.book.now_ns()), "inline")
        return None

    def _start(self, cell: Cell, env: Envelope, message: Start) -> Coroutine[Any, Any, None] | None:
        kernel = self.kernel
        cell.incarnation = message.incarnation
        cell.row_dirty = True
        if message.incarnation > 1:
            cell.restarts += 1
            self.restarts += 1
            kernel.announce_restart(cell)
        cell.actor = None
        actor = kernel.turns.load(cell)
        if actor is None:
            return None
        hooks = actor.__declaration__.hooks
        mode = hooks.get("on_start", "inline")
        if hooks.get("on_restart") == "async":
            mode = "async"
        elif mode == "inline":
            mode = hooks.get("on_restart", mode)
        turn = kernel.turns.open(cell, env, "start", mode != "def")
        reason = None if message.reason is None else str(message.reason)
        return kernel.turns.run(turn, _starter(actor, mode), (reason,), mode)

    def _stop(self, cell: Cell, env: Envelope, message: Stop) -> Coroutine[Any, Any, None] | None:
        kernel = self.kernel
        if cell.life not in (Life.RUNNING, Life.STARTING) or message.shutdown == "brutal_kill":
            self._killed(cell, env)
            return None
        mode = None if cell.cls is None else cell.cls.__declaration__.hooks.get("on_stop")
        actor = (cell.actor or kernel.turns.load(cell)) if mode else None
        if actor is None or mode is None:
            self._end_without_hook(cell, env, "stop")
            return None
        turn = kernel.turns.open(cell, env, "stop", mode != "def")
        return kernel.turns.run(turn, actor.on_stop, (), mode)

    def _killed(self, cell: Cell, env: Envelope) -> None:
        """End an incarnation without a hook: brutal_kill, or there is nothing alive to ask."""
        self._end_without_hook(cell, env, "killed")

    def _end_without_hook(self, cell: Cell, env: Envelope, kind: str) -> None:
        turn = Turn(self.kernel, cell, env, kind, True, self.kernel.book.now_ns())
        cell.turn = turn
        self.kernel.dispatch.began(turn)
        self.kernel.turns.close_bare(turn)

    def interrupt(self, cell: Cell) -> None:
        """A control message arrived during a turn: stop and kill are taken now."""
        turn = cell.turn
        if turn is None or turn.kind != "receive":
            return
        for env in cell.control or ():
            message = self.kernel.book.codec.decode(env.body)
            if isinstance(message, Kill) or (
                isinstance(message, Stop) and message.shutdown == "brutal_kill"
            ):
                self.fence(turn)
                return
            if isinstance(message, Stop):
                if turn.waits:
                    self.fence(turn)
                elif message.shutdown != "infinity":
                    self.kernel.timers.after(float(message.shutdown), lambda: self.fence(turn))
                return

    def fence(self, turn: Turn) -> None:
        """Take a turn's right to change anything: what it still does is late. No attempt is counted."""
        if not turn.open:
            return
        cell = turn.cell
        turn.open = False
        cell.turn = None
        cell.actor = None
        self.kernel.steps.forget(turn)
        if turn.task is not None and turn.on_loop:
            turn.task.cancel()
        self.kernel.pool.abandon(turn)
        self.kernel.dispatch.ended(turn)
        self.kernel.dispatch.consider(cell)

    # --- what a turn does to a life

    def life_after(self, turn: Turn) -> int | None:
        """The actor's life after a closed turn of the control lane, and who hears of it."""
        cell = turn.cell
        if turn.kind == "start":
            self._to_parent(turn, Started(cell.id, cell.incarnation))
            return Life.RUNNING
        if turn.kind == "killed" and turn.envelope.type == "Kill":
            cell.reason = str(KILLED)
            turn.out.append(self.exit_of(cell, KILLED, True))
            return Life.DOWN
        if turn.kind in ("stop", "killed"):
            reason = KILLED if turn.kind == "killed" else Reason("shutdown")
            if cell.life in (Life.DOWN, Life.STOPPED, Life.ENDED) and cell.reason:
                reason = Reason("crash", cell.reason)
            self._to_parent(turn, Stopped(cell.id, cell.incarnation, reason))
            return Life.DOWN if cell.life != Life.ENDED else None
        if turn.kind == "control" and turn.life is not None:
            return turn.life
        return None

    def _to_parent(self, turn: Turn, message: object) -> None:
        turn.out.append(self.control(turn.cell.parent, turn.cell.id, message))

    def control(self, to: int, sender: int, message: object) -> Envelope:
        """A control-lane message."""
        body = self.kernel.book.codec.encode(message)
        return Envelope(to, body, type(message).__name__, sender, Lane.CONTROL)

    def exit_of(self, cell: Cell, reason: Reason, counted: bool) -> Envelope:
        """The exit that tells an actor's supervisor that it ended by itself."""
        return self.control(cell.parent, cell.id, Exit(cell.id, cell.incarnation, reason, counted))

    def plan_crash(self, turn: Turn, reason: Reason, now: int) -> CrashPlan:
        """What a failed attempt leads to."""
        cell, env = turn.cell, turn.envelope
        if turn.kind == "start":
            failed = StartFailed(cell.id, cell.incarnation, reason)
            out = [self.control(cell.parent, cell.id, failed)]
            return CrashPlan(out, [], True, cell.not_before, cell.attempts, True)
        if turn.kind == "stop":
            stopped = Stopped(cell.id, cell.incarnation, reason)
            out = [self.control(cell.parent, cell.id, stopped)]
            return CrashPlan(out, [], True, cell.not_before, cell.attempts, True)
        if turn.kind != "receive":
            raise Broken(f"the supervisor {cell.address} failed: {reason}")
        counted = turn.attempt == 1
        out = [self.exit_of(cell, reason, counted)]
        if turn.attempt >= attempts_max(cell.spec):
            dead = [Dead(env.seq, env.index, cell.address, str(reason), turn.attempt)]
            return CrashPlan(out, dead, counted, 0, 0, True)
        not_before = now + backoff_ns(cell.spec, turn.attempt)
        return CrashPlan(out, [], counted, not_before, turn.attempt, False)

    # --- lives that a supervisor ends

    def expand(self, lives: Iterable[LifeChange]) -> list[LifeChange]:
        """Life changes with those that follow from them: whoever is gone takes its children along."""
        changes = list(lives)
        for id, _, life in changes:
            if life in (Life.STOPPED, Life.ENDED):
                for child in self.children(id):
                    changes.append((child.id, child.incarnation, int(Life.ENDED)))
        return changes

    def doomed(self, lives: Iterable[LifeChange]) -> list[Dead]:
        """The dead letters that life changes make: inboxes of the stopped and the ended."""
        dead = []
        for id, _, life in lives:
            if life in (Life.STOPPED, Life.ENDED):
                cell = self.kernel.book.cell(id)
                text = cell.reason or ("stopped" if life == Life.STOPPED else "ended")
                dead += [
                    Dead(env.seq, env.index, cell.address, f"its actor is gone: {text}", 0)
                    for env in cell.inbox or ()
                ]
        return dead

    def apply_lives(self, lives: Iterable[LifeChange], dead: list[Dead]) -> None:
        """Bring life changes about; `dead` is what `doomed` said."""
        book = self.kernel.book
        rows = {(row.seq, row.index): row for row in dead}
        for id, incarnation, life in lives:
            cell = book.cell(id)
            cell.life = life
            cell.incarnation = incarnation
            cell.row_dirty = True
            book.touch(cell)
            if life in (Life.STOPPED, Life.ENDED):
                for env in list(cell.inbox or ()):
                    book.consume(cell, env)
                    book.bury(rows[env.seq, env.index], env.reply)
                cell.attempts = cell.not_before = 0
                cell.actor = None
            if life == Life.ENDED and book.find(cell.address) == cell.id:
                book.names[cell.address] = 0
                book.open.delete(name_key(cell.address))
            self.kernel.dispatch.consider(cell)

    def dead_notices(self, dead: list[Dead]) -> list[Envelope]:
        """DeadLetter messages for the actor that wants them."""
        book = self.kernel.book
        found = []
        for row in dead:
            cell = book.cells.get(book.find(row.to))
            env = self._waiting(cell, row)
            if env is not None:
                found += self.kernel.notice(f"{row.seq}.{row.index}", row, env.body)
        return found

    def _waiting(self, cell: Cell | None, row: Dead) -> Envelope | None:
        for env in (cell.inbox if cell is not None else None) or ():
            if (env.seq, env.index) == (row.seq, row.index):
                return env
        return None

    # --- what a supervisor's turn intends

    def start_child(
        self,
        turn: Turn,
        address: str,
        class_name: str,
        spec: dict[str, Any],
        init: dict[str, Any],
        incarnation: int,
    ) -> int:
        """Start an actor's next incarnation, making the actor if there is none; its id."""
        book = self.kernel.book
        body = book.codec.encode(init, f"the init of {address}")
        id = book.find(address)
        if id:
            cell = book.cell(id)
            cell.spec, cell.init = spec, body
        else:
            cls = book.classes.get(class_name)
            version = 1 if cls is None else cls.__declaration__.version
            cell = self.birth(turn.cell, address, class_name, version, spec, body, Life.BORN)
        reason = Reason("crash", cell.reason) if cell.reason and incarnation > 1 else None
        turn.out.append(self.control(cell.id, turn.cell.id, Start(incarnation, reason)))
        self._change(turn, cell.id, incarnation, Life.STARTING)
        return cell.id

    def start_again(self, turn: Turn, id: int, reason: Reason) -> None:
        """Start the next incarnation of an actor from what its birth record says."""
        cell = self.kernel.book.cell(id)
        incarnation = cell.incarnation + 1
        turn.out.append(self.control(id, turn.cell.id, Start(incarnation, reason)))
        self._change(turn, id, incarnation, Life.STARTING)

    def kill_parent(self, turn: Turn) -> None:
        """The children of an actor failed too often: it is killed, its own supervisor decides."""
        parent = self.kernel.book.cell(turn.cell.parent)
        kill = Kill(parent.incarnation)
        turn.out.append(self.control(parent.id, turn.cell.id, kill))

    def stop_child(self, turn: Turn, id: int, incarnation: int, shutdown: float | str) -> None:
        """Ask an incarnation to end."""
        stop = Stop(incarnation, shutdown, Reason("shutdown"))
        turn.out.append(self.control(id, turn.cell.id, stop))

    def end_child(self, turn: Turn, id: int) -> None:
        """An actor is gone for good: its address is free, its inbox is dead letters."""
        self._change(turn, id, self.kernel.book.cell(id).incarnation, Life.ENDED)

    def rest_child(self, turn: Turn, id: int) -> None:
        """An actor is down and nobody is about to start it: its inbox is dead letters."""
        cell = self.kernel.book.cell(id)
        if cell.life in (Life.DOWN, Life.BORN):
            self._change(turn, id, cell.incarnation, Life.STOPPED)

    def _change(self, turn: Turn, id: int, incarnation: int, life: Life) -> None:
        if turn.lives is None:
            turn.lives = []
        turn.lives.append((id, incarnation, int(life)))

    def to_self(self, turn: Turn, message: object) -> None:
        """A control message of a supervisor to itself, behind what waits already."""
        turn.out.append(self.control(turn.cell.id, turn.cell.id, message))

    def note(self, turn: Turn, text: str) -> None:
        """Have the turn's record say why."""
        if turn.notes is None:
            turn.notes = []
        turn.notes.append(text)
        event = Event("report", self.kernel.book.now_ns(), turn.cell.address, reason=text)
        self.kernel.announce(self.kernel.book.seq + 1, event)

    def ready(self, turn: Turn) -> None:
        """A supervisor's children are up: it has started."""
        turn.life = Life.RUNNING
        self._to_parent(turn, Started(turn.cell.id, turn.cell.incarnation))

    def init_failed(self, turn: Turn, reason: Reason) -> None:
        """A supervisor could not start."""
        turn.life = Life.DOWN
        turn.cell.reason = str(reason)
        self._to_parent(turn, StartFailed(turn.cell.id, turn.cell.incarnation, reason))

    def exit_self(self, turn: Turn, reason: Reason, asked: bool) -> None:
        """A supervisor's children are down: it ends, on its own or because it was asked to."""
        turn.life = Life.DOWN
        cell = turn.cell
        cell.reason = str(reason)
        if asked:
            self._to_parent(turn, Stopped(cell.id, cell.incarnation, reason))
        else:
            self._to_parent(turn, Exit(cell.id, cell.incarnation, reason))

    # --- births

    def birth(
        self,
        parent: Cell | None,
        address: str,
        class_name: str,
        version: int,
        spec: dict[str, Any],
        init: bytes,
        life: int,
    ) -> Cell:
        """Record that an actor exists; its id is the record's seq."""
        book = self.kernel.book
        parent_id = 0 if parent is None else parent.id
        fields = (book.now_ns(), (), address, class_name, version, parent_id, spec, init, int(life))
        id = book.append(Kind.BIRTH, fields)
        incarnation = 1 if life == Life.RUNNING else 0
        row = ActorRow(
            address, class_name, version, parent_id, spec, init, incarnation, int(life), 0, 0, 0, 0, ""
        )
        return book.adopt(id, row)

    def children(self, parent: int) -> list[Cell]:
        """The actors born under a supervisor that have not ended, in order of birth."""
        book = self.kernel.book
        ids = {child_id(key)[1] for key, _ in book.store.scan(child_prefix(parent))}
        ids |= {cell.id for cell in book.cells.values() if cell.parent == parent}
        cells = [book.cell(id) for id in sorted(ids)]
        return [cell for cell in cells if cell.life != Life.ENDED]


def _starter(actor: Any, mode: str) -> Any:
    """What a start turn runs: on_restart when there was a life before, then on_start."""

    def plain(reason: str | None) -> None:
        if reason is not None:
            actor.on_restart(reason)
        actor.on_start()

    async def awaited(reason: str | None) -> None:
        if reason is not None:
            await _awaited(actor.on_restart(reason))
        await _awaited(actor.on_start())

    return awaited if mode == "async" else plain


async def _awaited(result: Any) -> None:
    if inspect.isawaitable(result):
        await result
