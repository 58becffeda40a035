"""The tools of a simulated world: of every effect class, and slow, failing or hanging on demand.

`uid` names the step: one message's, one place in its plot. `how` says what the outside does to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from perdure.caps.tool import tool
from perdure.simulation import outside
from perdure.supervisors.backoff import Backoff

QUICK = Backoff(first=0.01, factor=2.0, max=0.5)
SLOW_SECONDS = 0.4
LOOK_SECONDS = 0.5  # between looks of an `async def` that hangs

HOWS = ("ok", "ok", "ok", "slow", "slow", "fail-1", "fail-2", "fail", "exit-1", "hang")


class ToolFailed(Exception):
    """What a tool of the world fails with."""


def _work(uid: str, how: str, name: str, key: str) -> str:
    """For tools that block."""
    world = outside.now()
    call = world.begin_call(uid, name, key)
    if how in ("slow", "ok"):
        world.pause(world.chance.random() * (SLOW_SECONDS if how == "slow" else 0.002))
    if how == "hang" and not world.is_calm:
        world.hang()
    _fail(uid, how, call)
    world.end_call(call, "done")
    return f"{uid}:done"


async def _await(uid: str, how: str, name: str, key: str) -> str:
    """For tools that are coroutines."""
    world = outside.now()
    call = world.begin_call(uid, name, key)
    if how in ("slow", "ok"):
        await asyncio.sleep(world.chance.random() * (SLOW_SECONDS if how == "slow" else 0.002))
    if how == "hang":
        world.count("hang")
        while not world.is_calm:  # noqa: ASYNC110 - the outside is no loop's
            await asyncio.sleep(LOOK_SECONDS)
    _fail(uid, how, call)
    world.end_call(call, "done")
    return f"{uid}:done"


def _fail(uid: str, how: str, call: outside.Call) -> None:
    """Fail, if it is to: always, or so many times."""
    world = outside.now()
    word, _, times = how.partition("-")
    if word not in ("fail", "exit") or not world.fails(f"{uid}:{word}", int(times or 99)):
        return
    world.count(f"a tool that does: {word}")
    world.end_call(call, "failed")
    if word == "exit":
        raise SystemExit(uid)
    raise ToolFailed(uid)


def look(uid: str, how: str) -> str:
    """What `once` calls."""
    return _work(uid, how, "look", "")


async def gaze(uid: str, how: str) -> str:
    """What `once` awaits."""
    return await _await(uid, how, "gaze", "")


def passed(uid: str, outcome: str) -> str:
    """What `once` calls to have gone past an outcome."""
    return f"{uid} {outcome}"


def _blocking(name: str, effect: Any, **options: Any) -> Callable[..., Any]:
    @tool(name, effect=effect, **options)
    def act(uid: str, how: str, idempotency_key: str = "") -> str:
        return _work(uid, how, name, idempotency_key)

    return act


def _awaited(name: str, effect: Any, **options: Any) -> Callable[..., Any]:
    @tool(name, effect=effect, **options)
    async def act(uid: str, how: str, idempotency_key: str = "") -> str:
        return await _await(uid, how, name, idempotency_key)

    return act


TOOLS: dict[str, Callable[..., Any]] = {
    "net.read": _awaited("net.read", "read", tokens=3, retries=1, backoff=QUICK),
    "disk.read": _blocking("disk.read", "read"),
    "file.move": _blocking("file.move", "reversible", tokens=2),
    "file.drop": _awaited("file.drop", "irreversible", retries=1, backoff=QUICK),
    "bank.pay": _awaited("bank.pay", "financial", tokens=7, idempotent=True),
    "bank.book": _blocking("bank.book", "financial", tokens=5, idempotent=True, retries=2),
    "mail.send": _blocking("mail.send", "external", tokens=1),
    "code.run": _blocking("code.run", "code", retries=1, backoff=QUICK),
    "box.reset": _awaited("box.reset", "admin"),
}
IDEMPOTENT = {"bank.pay", "bank.book"}
READS = {"net.read", "disk.read", "look", "gaze", "passed"}
