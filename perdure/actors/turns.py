"""How turns begin and run: the object is there, the message decoded, the handler in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from perdure.actors import leftovers
from perdure.actors.cell import Cell
from perdure.actors.doubts import Stalled
from perdure.actors.futures import Future
from perdure.actors.refs import proxied
from perdure.actors.state import build, restore, run_on_load
from perdure.actors.suspension import Suspended
from perdure.actors.turn import Turn
from perdure.actors.waiting import Wait
from perdure.errors import Ignore, Reject, UnknownActor, UnknownName
from perdure.mailbox.calls import PROXIED
from perdure.mailbox.control import crash as reason_of
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.actor import Actor
    from perdure.actors.kernel import Kernel

HAS_DEADLINE = ("receive", "start")

Handler = Callable[..., Any]
Running = tuple[Turn, Awaitable[Any]] | None
"""A turn and its handler, for the runner to await; None when there is nothing to wait for."""


class Turns:
    """Begins turns and ends them. What a handler did becomes one record, or none of it does."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel, clock = kernel, kernel.book.clock
        self._monotonic_ns, self._ahead_ns = clock.monotonic_ns, clock.ahead_ns

    # --- beginning

    def begin(self, cell: Cell) -> Running:
        """Start what an actor does next; what the runner is to await of it, if anything."""
        if cell.control:
            return self.kernel.lifecycle.begin(cell)
        env = cell.inbox[0]  # type: ignore[index]
        actor = cell.actor
        if actor is None and (actor := self.load(cell)) is None:
            return None
        try:
            codec, row = cell.edition.codec, env.row
            message = codec.decode(env.body) if row is None else codec.remake(row)
        except UnknownName as error:
            self.kernel.stall(cell, env, str(error))
            return None
        mode: str = cell.mode
        if type(message) in PROXIED:
            handler, mode = proxied(actor, message)
        elif mode == "async":
            turn = self.open(cell, env, "receive", True)
            try:
                return turn, actor.on_receive(message)
            except Exception as error:  # noqa: BLE001 - a crash: its parameters, say
                self.failed(turn, error)
                return None
        else:
            handler = actor.on_receive
        turn = self.open(cell, env, "receive", mode != "def")
        return self.run(turn, handler, (message,), mode)

    def load(self, cell: Cell) -> Actor | None:
        """The live object of an actor, built from committed bytes; None when it stalled."""
        try:
            return self.build(cell)
        except UnknownActor as error:
            self.kernel.stall(cell, None, str(error))
        except Exception as error:  # noqa: BLE001 - user code
            self.kernel.stall(cell, None, f"it cannot be loaded: {reason_of(error)}")
        return None

    def build(self, cell: Cell) -> Actor:
        """`load`, for who has another use for a failure: raises what the user's code raises."""
        self.kernel.book.load_state(cell)
        codes = self.kernel.codes
        try:
            actor = self.made(cell)
        except Exception as error:  # noqa: BLE001 - user code
            return codes.fall_back(cell, error)
        codes.proven(cell)
        return actor

    def made(self, cell: Cell) -> Actor:
        """The object of an actor whose state is loaded, by the code that it is to run."""
        if cell.cls is None:
            text = f"there is no actor class {cell.class_name!r} in the scenario's code. "
            raise UnknownActor(text + "Put it back, or resume with the code that has it.")
        decode = cell.edition.codec.decode
        if cell.images:
            actor = restore(cell.cls, cell.images, decode, cell.version)
        else:
            actor = build(cell.cls, decode(cell.init))
        declaration = actor.__declaration__
        if "on_load" in declaration.hooks:
            run_on_load(actor)
        cell.migrates = cell.version != declaration.version
        cell.actor = actor
        return actor

    def open(self, cell: Cell, env: Envelope, kind: str, on_loop: bool) -> Turn:
        """A turn of a cell that takes a slot now."""
        kernel = self.kernel
        monotonic_ns = self._monotonic_ns
        turn = Turn(kernel, cell, env, kind, on_loop, monotonic_ns() + self._ahead_ns)
        cell.turn = turn
        cell.actor.__dict__["_turn"] = turn
        dispatch = kernel.dispatch
        dispatch.active += 1
        dispatch.running[turn] = None
        if cell.deadline_ns and kind in HAS_DEADLINE:
            kernel.wedged.begin(turn)
        return turn

    def run(self, turn: Turn, handler: Handler, args: tuple[Any, ...], mode: str) -> Running:
        """Run a handler in its mode: awaited by the runner, called here, or in a pool thread."""
        if mode == "async":
            return turn, handler(*args)
        if mode == "def":
            is_short = turn.kind == "receive" and self.kernel.dispatch.is_cheap(turn)
            self.kernel.pool.submit(turn, handler, args, is_short)
            return None
        try:
            with self.kernel.interruptions.noted(turn):
                answer = handler(*args)
        except BaseException as error:  # noqa: BLE001 - a crash, whatever it is
            self.failed(turn, error)
            return None
        if turn.pending or turn.asks:
            return turn, Future.done(answer)
        self.kernel.closing.close(turn, answer)
        return None

    def undo(self, turn: Turn) -> None:
        """Make a turn that has not begun not to have been: its actor is ready again."""
        if not turn.open:
            return
        self.kernel.closing.end(turn)
        self.kernel.dispatch.consider(turn.cell)

    # --- what the runner that awaits a handler does when it is not simply over

    async def settle(self, turn: Turn) -> None:
        """Wait for what the handler began and left to itself; raises what a step failed with."""
        await settle(turn)
        if turn.tasks:
            if turn.keys is not None:
                turn.keys.has_returned = True
            await leftovers.end(turn)

    async def fail(self, turn: Turn, error: BaseException) -> None:
        """End a turn whose handler raised, once nothing of it is under way."""
        if isinstance(error, asyncio.CancelledError) and not turn.open:
            return  # fenced: the runner that carried it goes on
        if turn.keys is not None:
            turn.keys.is_failing = True
        if turn.open and turn.tasks:
            await leftovers.end(turn)
        if turn.pending and turn.open:
            await _wait_out(turn)
        self.failed(turn, error)

    def failed(self, turn: Turn, error: BaseException) -> None:
        """End a turn whose handler raised."""
        closing = self.kernel.closing
        if isinstance(error, Suspended):
            return  # its thread is free; the turn is begun anew when something comes
        if not turn.open:
            closing.late(turn, f"crash: {reason_of(error)}")
        elif (stalled := _stalled(error)) is not None:
            closing.end(turn)
            self.kernel.stall(turn.cell, turn.envelope, str(stalled))
        elif isinstance(error, Reject):
            closing.reject(turn, error)
        elif isinstance(error, Ignore) and turn.kind == "start":
            closing.decline(turn, error)
        else:
            self.kernel.crashing.crash(turn, error)


def _stalled(error: BaseException) -> BaseException | None:
    """The need for a repair in what a handler raised: a TaskGroup wraps it in a group."""
    while isinstance(error, BaseExceptionGroup):
        found = error.subgroup(Stalled)
        if found is None:
            return None
        error = found.exceptions[0]
    return error if isinstance(error, Stalled) else None


async def settle(turn: Turn) -> None:
    """Wait for steps that the handler began and did not await; raises what they failed with."""
    for future in (*(turn.pending or ()), *(turn.asks or {}).values()):
        is_awaited = isinstance(future, Wait) and future.is_awaited  # by a task, and ends with it
        if not is_awaited and not future.is_failure_seen:
            await future


async def _wait_out(turn: Turn) -> None:
    """Wait for steps still going on beside a handler that failed already."""
    for future in turn.pending or ():
        try:
            await future
        except Exception:  # noqa: BLE001 - the handler's own failure is the one that counts
            continue
