"""The actors of a simulated world: they do what a message's plot says, and remember it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

from perdure.actors.actor import Actor, field, nonblocking
from perdure.actors.futures import Future
from perdure.ledger.messages import message
from perdure.mailbox.dead import DeadLetter
from perdure.mailbox.signals import Down, Exited
from perdure.simulation import moves, outside
from perdure.simulation.moves import Group, Held, Play, Timed
from perdure.simulation.plots import Plot


@message("sim.work")
class Work:
    """What an actor is to do; `uid` is said nowhere else in the world."""

    uid: str
    plot: Plot
    pad: str = ""
    after: str = ""  # the work that its sender had sent here before it, in the same turn


@message("sim.report")
class Report:
    """Asks an actor for what it remembers."""


class Player(Actor, name="sim.player"):
    """What all actors of the world have: their state, and what they do as they start and stop."""

    begin: str = "ok"
    end: str = "ok"
    seen: list[str] = field(default_factory=list)  # uids of work, in the order of handling
    heard: int = 0  # exits, deaths, dead letters
    starts: int = 0
    sums: dict[str, int] = field(default_factory=dict)

    def _handle(self, message: Any) -> Play:
        """What a message leads to: futures come out, their values come in."""
        if isinstance(message, Work):
            world = outside.now()
            if message.uid in self.seen and not world.is_again(message.uid):
                world.wrong(f"G2: {self.address} handles {message.uid} a second time")
            self.seen.append(message.uid)
            kind = message.uid.partition(".")[0]
            self.sums[kind] = self.sums.get(kind, 0) + 1
            yield from moves.play(self, message.uid, message.plot, Work)
            return f"re:{message.uid}"
        if isinstance(message, Report):
            return {"seen": len(self.seen), "starts": self.starts}
        self.heard += isinstance(message, DeadLetter | Down | Exited)
        return None

    def _enter(self) -> Play:
        self.starts += 1
        yield from moves.pause(self, self.begin, "start")

    def _leave(self) -> Play:
        yield from moves.pause(self, self.end, "stop")


class Waiter(Player, name="sim.waiter"):
    """Its handlers are `async def`."""

    async def on_receive(self, message: Any) -> Any:
        return await _awaited(self._handle(message))

    async def on_start(self) -> None:
        await _awaited(self._enter())

    async def on_stop(self) -> None:
        await _awaited(self._leave())


class Trapper(Waiter, name="sim.trapper"):
    """Exits of others come to it as messages."""

    trap_exit = True


class Blocker(Player, name="sim.blocker"):
    """Its handlers are `def`: they run in threads, and block."""

    def on_receive(self, message: Any) -> Any:
        return _blocked(self._handle(message))

    def on_start(self) -> None:
        _blocked(self._enter())

    def on_stop(self) -> None:
        _blocked(self._leave())


class Quick(Player, name="sim.quick"):
    """Its handlers never wait: they run on the loop."""

    @nonblocking
    def on_receive(self, message: Any) -> Any:
        return _straight(self._handle(message))


CLASSES = (Waiter, Trapper, Blocker, Quick)


async def _awaited(play: Play) -> Any:
    """Act a play in an `async def` handler."""
    value: Any = None
    error: Exception | None = None
    while True:
        try:
            asked = play.send(value) if error is None else play.throw(error)
        except StopIteration as ended:
            return ended.value
        value, error = None, None
        try:
            value = await _met(asked)
        except Exception as raised:  # noqa: BLE001 - the play's own to catch
            error = raised


async def _met(asked: Any) -> Any:
    if isinstance(asked, Held):
        outside.now().pause(asked.seconds)
        return None
    if isinstance(asked, Timed):
        async with asyncio.timeout(asked.seconds):
            return await asked.ask()
    if isinstance(asked, Group):
        async with InOrder() as group:
            tasks = [group.create_task(_one(ask)) for ask in asked.asks]
        return [task.result() for task in tasks]
    return await asked


class _Tasks(dict[Any, None]):
    """A set of tasks in order."""

    def add(self, task: Any) -> None:
        self[task] = None

    def discard(self, task: Any) -> None:
        self.pop(task, None)


class InOrder(asyncio.TaskGroup):
    """A task group that cancels its tasks in their order; that of asyncio's set is none."""

    def __init__(self) -> None:
        super().__init__()
        self._tasks: Any = _Tasks()


async def _one(ask: Any) -> Any:
    return await ask()


def _blocked(play: Play) -> Any:
    """Act a play in a `def` handler."""
    world = outside.now()
    value: Any = None
    error: Exception | None = None
    while True:
        world.step()
        try:
            asked = play.send(value) if error is None else play.throw(error)
        except StopIteration as ended:
            return ended.value
        value, error = None, None
        try:
            value = _got(asked)
        except Exception as raised:  # noqa: BLE001 - the play's own to catch
            error = raised


def _got(asked: Any) -> Any:
    if isinstance(asked, Held):
        outside.now().pause(asked.seconds)
        return None
    if isinstance(asked, Timed):
        return asked.ask().get()
    if isinstance(asked, Group):
        return [future.get() for future in [ask() for ask in asked.asks]]
    future: Future[Any] = asked
    return future.get()


def _straight(play: Generator[Any, Any, Any]) -> Any:
    """Act a play as far as nothing has to be waited for: steps begun are awaited by the turn."""
    value: Any = None
    try:
        while True:
            asked = play.send(value)
            value = None
            if isinstance(asked, Future) and asked.is_done:
                value = asked.get()
    except StopIteration as ended:
        return ended.value
