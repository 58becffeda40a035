"""Threads that must not block: those whose event loop runs actors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Protocol

from perdure.errors import BlockingCall

_thread = threading.local()


class Gate(Protocol):
    """What a thread waits at until another opens it: a lock that is held."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...


def closed_gate() -> Gate:
    """A gate for the calling thread, which is of this machine or of a simulated one."""
    gate: Gate = getattr(_thread, "new_gate", threading.Lock)()
    gate.acquire()
    return gate


def use_gates(new_gate: Callable[[], Gate]) -> None:
    """Have the calling thread wait at other gates than locks, from here on."""
    _thread.new_gate = new_gate


def forbid_blocking() -> None:
    """Mark the calling thread as one whose event loop runs actors: nothing may block it.

    From here on `Future.get()` raises `BlockingCall` in this thread, whenever its loop is running
    and the future is not done.
    """
    _thread.forbidden = True


def is_blocking_forbidden() -> bool:
    """Whether the caller is on an event loop that runs actors."""
    return getattr(_thread, "forbidden", False) and asyncio._get_running_loop() is not None


def check_may_block(call: str, timeout: float | None = None) -> None:
    """Raise `BlockingCall`, naming `call`, where waiting would stop all actors of a loop.

    A `timeout` of 0 seconds is a look, not a wait: it is always allowed.
    """
    if (timeout is None or timeout > 0) and is_blocking_forbidden():
        raise BlockingCall(
            f"{call} would block the event loop, and every actor on it, until somebody answers. "
            "Make the handler `async def` and `await` the future (Pykka's `ref.ask`: with "
            "`block=False`), or give a durable actor a plain `def` handler: it may block."
        )


def lock_timeout(timeout: float | None) -> float:
    """`timeout` seconds as a lock takes them: -1 is for ever, and there is a largest."""
    return -1 if timeout is None else min(max(timeout, 0.0), threading.TIMEOUT_MAX)
