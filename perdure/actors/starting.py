"""What a start turn runs."""

from __future__ import annotations

import inspect
from typing import Any


def starter(actor: Any, mode: str) -> Any:
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
