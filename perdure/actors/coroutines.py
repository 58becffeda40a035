"""Coroutines that a thread has the kernel's loop run, and waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from perdure.actors.futures import Future
from perdure.errors import TurnClosed

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


def from_thread(kernel: Kernel, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns that the kernel's loop runs; for a thread that waits for it."""
    done: Future[Any] = Future()

    async def run() -> None:
        try:
            done.set(await coroutine)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the thread gets it
            done.set_exception(error)

    def begin() -> None:
        kernel.keep_task(asyncio.Task(run(), loop=kernel.loop))

    if not kernel.on_kernel(begin):
        coroutine.close()
        raise TurnClosed("the run is over: nothing is run for it any more.")
    return done.get()
