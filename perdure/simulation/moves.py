"""Moves: what each word of a plot has an actor do.

A play is a generator: it gives out what is to be waited for, and is given what came of it, so that
the same play is acted in `async def` and in `def` handlers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, NamedTuple
from zlib import crc32

from perdure.actors.futures import Future
from perdure.errors import (
    AskTimeout,
    BudgetExhausted,
    Crashed,
    Deadlock,
    Refused,
    Reject,
    TurnClosed,
    UsageError,
)
from perdure.ids import resolve
from perdure.simulation import outside, tools
from perdure.simulation.plots import Plot

Play = Generator[Any, Any, Any]
Ask = Callable[[], Future[Any]]


class Held(NamedTuple):
    """Hold the thread for some time."""

    seconds: float


class Timed(NamedTuple):
    """Wait for a step, but not for ever."""

    seconds: float
    ask: Ask


class Group(NamedTuple):
    """Wait for several steps, each in a task of its own."""

    asks: list[Ask]


class Crashing(Exception):
    """What a plot has a handler crash with."""


def play(actor: Any, uid: str, plot: Plot, work: Callable[..., Any]) -> Play:
    """Make the moves of a plot, one after the other."""
    for place, (name, *args) in enumerate(plot):
        outside.now().count(f"move: {name}")
        move: Play = _MOVES[name](actor, f"{uid}.{place}", work, *args)
        yield from move


def pause(actor: Any, how: str, hook: str) -> Play:
    """What an actor does as it starts or stops."""
    world = outside.now()
    if how == "slow":
        yield Held(world.chance.random() * 0.05)
    elif how == "once":
        yield actor.once(tools.gaze, f"{actor.address}:{hook}", "ok")
    elif how == "sleep":
        yield actor.sleep(0.2)
    elif how.startswith("fail") and world.fails(f"{actor.address}:{hook}", int(how[5:])):
        world.count(f"a failing {hook}")
        raise Crashing(hook)


# --- sends


def _tell(actor: Any, uid: str, work: Any, to: str, plot: Plot) -> Play:
    actor.tell(to, work(uid, plot))
    yield from ()


def _large(actor: Any, uid: str, work: Any, to: str, size: int) -> Play:
    actor.tell(to, work(uid, [], "x" * size))
    yield from ()


def _after(actor: Any, uid: str, work: Any, seconds: float, to: str, plot: Plot) -> Play:
    actor.tell(to, work(uid, plot), delay=seconds)
    yield from ()


def _ring(actor: Any, uid: str, work: Any, hops: int) -> Play:
    ring = outside.now().ring
    at = ring.index(actor.address) if actor.address in ring else 0
    actor.tell(ring[(at + 1) % len(ring)], work(uid, [["ring", hops - 1]] if hops > 1 else []))
    yield from ()


def _ask(
    actor: Any, uid: str, work: Any, timeout: float | None, passes: bool, to: str, plot: Plot
) -> Play:
    world = outside.now()
    try:
        answer = yield actor.ask(to, work(uid, plot), timeout=timeout)
        outcome = "answered"
        if answer is not None and answer != f"re:{uid}":
            world.wrong(f"G4: {actor.address} asked {uid}, and the answer is {answer!r}")
    except (AskTimeout, Crashed, Deadlock, Reject) as error:
        outcome = type(error).__name__
        outcome = next(n for n in ("AskTimeout", "Crashed", "Deadlock", "Reject") if n in outcome)
    world.count(f"ask: {outcome}")
    yield from _past(actor, uid, outcome, passes)


def _press(actor: Any, uid: str, work: Any, to: str, plot: Plot) -> Play:
    """Tell, and ask the same actor then: it gets both in that order."""
    actor.tell(to, work(f"{uid}t", []))
    with_order = partial(work, after=f"{uid}t")
    yield from _ask(actor, uid, with_order, None, True, to, plot)


# --- steps


def _past(actor: Any, uid: str, outcome: str, passes: bool = True) -> Play:
    """Go past an outcome: it is final from then on."""
    world = outside.now()
    if not getattr(actor._turn, "open", False):
        return  # it was fenced: what it learns, nobody else will
    world.met(uid, outcome)
    if passes:
        yield actor.once(tools.passed, f"P:{uid};", outcome)
        world.passed(uid, outcome)


def _begun(actor: Any, uid: str, name: str, how: str) -> Future[Any]:
    if name in tools.TOOLS:
        begun: Future[Any] = actor.call(tools.TOOLS[name], uid=f"U:{uid};", how=how)
        return begun
    return actor.once(getattr(tools, name), f"U:{uid};", how)  # type: ignore[no-any-return]


def _step(actor: Any, uid: str, work: Any, name: str, how: str) -> Play:
    yield from _caught(actor, uid, lambda: _begun(actor, uid, name, how))


def _caught(actor: Any, uid: str, ask: Callable[[], Any]) -> Play:
    """Wait for something that may fail; what it fails with crashes every other handler."""
    try:
        yield ask()
        outcome = "done"
    except Exception as error:
        outcome = _word(error)
        if "closed" in outcome:
            raise
        if "exhausted" in outcome:
            outside.now().count("budget exhausted")
            return
        if crc32(uid.encode()) & 1:
            outside.now().count("a crash on a failed step")
            raise
    yield from _past(actor, uid, outcome, crc32(uid.encode()) & 2 > 0)


def _word(error: BaseException) -> str:
    """What a failure is, however it was wrapped: the same word on every attempt."""
    if isinstance(error, BaseExceptionGroup):
        # whose members failed, and whose were cancelled, hangs on which was first
        words = {_word(each) for each in error.exceptions}
        return next((word for word in ("closed", "exhausted") if word in words), "failed")
    if isinstance(error, TurnClosed | BudgetExhausted):
        return "closed" if isinstance(error, TurnClosed) else "exhausted"
    return "cancelled" if isinstance(error, TimeoutError) else "failed"


def _both(actor: Any, uid: str, work: Any, one: Plot, other: Plot) -> Play:
    def ask() -> Future[Any]:
        return actor.gather(  # type: ignore[no-any-return]
            _begun(actor, f"{uid}a", *one), _begun(actor, f"{uid}b", *other)
        )

    yield from _caught(actor, uid, ask)


def _group(actor: Any, uid: str, work: Any, one: Plot, other: Plot, asked: Plot) -> Play:
    timeout, _, to, plot = asked
    asks: list[Ask] = [
        partial(_begun, actor, f"{uid}a", *one),
        partial(_begun, actor, f"{uid}b", *other),
        lambda: actor.ask(to, work(f"{uid}c", plot), timeout=timeout),
    ]
    yield from _caught(actor, uid, lambda: Group(asks))


def _timeout(actor: Any, uid: str, work: Any, seconds: float, one: Plot) -> Play:
    yield from _caught(actor, uid, lambda: Timed(seconds, partial(_begun, actor, uid, *one)))


def _sleep(actor: Any, uid: str, work: Any, seconds: float) -> Play:
    yield actor.sleep(seconds)


def _now(actor: Any, uid: str, work: Any) -> Play:
    yield from _past(actor, uid, actor.now().isoformat())


def _random(actor: Any, uid: str, work: Any) -> Play:
    actor.sums["random"] = int(actor.random.random() * 1_000)
    yield from ()


# --- what else a turn does


def _mark(actor: Any, uid: str, work: Any, name: str) -> Play:
    actor.mark(name)
    yield from ()


def _artifact(actor: Any, uid: str, work: Any, path: str, size: int) -> Play:
    yield actor.artifact(path, f"{uid} " * (size // len(uid)))


def _spawn(actor: Any, uid: str, work: Any, to: str, plot: Plot) -> Play:
    name = "k" + uid.replace(".", "-")
    try:
        child = actor.spawn("sim.blocker" if crc32(uid.encode()) & 1 else "sim.waiter", name)
        actor.tell(child, work(uid, plot))
    except (UsageError, Refused):
        outside.now().count("a refused spawn")
    yield from ()


def _watch(actor: Any, uid: str, work: Any, verb: str, to: str) -> Play:
    if resolve(actor.address, to) != actor.address:
        getattr(actor, verb)(to)
    yield from ()


def _exit(actor: Any, uid: str, work: Any, to: str, reason: str) -> Play:
    actor.exit(to, reason)
    yield from ()


def _stop(actor: Any, uid: str, work: Any, reason: str) -> Play:
    actor.stop(reason)
    yield from ()


def _crash(actor: Any, uid: str, work: Any, times: int) -> Play:
    if outside.now().fails(f"{uid}:crash", times):
        raise Crashing(uid)
    yield from ()


def _reject(actor: Any, uid: str, work: Any) -> Play:
    yield from ()
    raise Reject(uid)


def _burn(actor: Any, uid: str, work: Any, seconds: float) -> Play:
    yield Held(min(seconds, 0.1) if outside.now().is_calm else seconds)


def _die(actor: Any, uid: str, work: Any) -> Play:
    world = outside.now()
    if not world.is_calm:
        world.die()
    yield from ()


_MOVES: dict[str, Callable[..., Play]] = {
    "tell": _tell, "ask": _ask, "after": _after, "sleep": _sleep, "call": _step, "once": _step,
    "both": _both, "group": _group, "timeout": _timeout, "now": _now, "mark": _mark,
    "artifact": _artifact, "crash": _crash, "reject": _reject, "spawn": _spawn, "watch": _watch,
    "exit": _exit, "stop": _stop, "random": _random, "burn": _burn, "large": _large,
    "ring": _ring, "die": _die, "press": _press,
}  # fmt: skip
