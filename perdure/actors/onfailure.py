"""A crash as its actor and its record have it: `on_failure`, and the end of the traceback."""

from __future__ import annotations

import contextlib
import inspect
import linecache
import traceback
from collections.abc import Awaitable
from types import CodeType
from typing import TYPE_CHECKING, Any

from perdure.actors.turn import Turn
from perdure.limits import TRACEBACK_BYTES_MAX
from perdure.mailbox.control import crash as reason_of

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


def tell_hook(kernel: Kernel, turn: Turn, error: BaseException) -> str:
    """Call `on_failure`; what it fails with itself goes into the record of the crash."""
    actor = turn.cell.actor
    if actor is None or "on_failure" not in actor.__declaration__.hooks:
        return ""
    try:
        result = actor.on_failure(type(error), error, error.__traceback__)
        if inspect.isawaitable(result):
            kernel.keep_task(kernel.loop.create_task(_finish(result)))
    except Exception as failure:  # noqa: BLE001 - user code; the crash itself goes on
        return f"\non_failure failed too: {reason_of(failure)}"
    return ""


async def _finish(hook: Awaitable[Any]) -> None:
    """Let an async `on_failure` run to its end; what it raises changes nothing any more."""
    with contextlib.suppress(Exception):
        await hook


def last_lines(error: BaseException) -> str:
    """The end of a traceback, which is where the reason is."""
    if error.__cause__ or error.__context__ or isinstance(error, BaseExceptionGroup):
        lines = traceback.format_exception(error)
    else:  # without marks below the code: to find their places, each line is parsed anew
        frames = traceback.walk_tb(error.__traceback__)
        places = [_place(frame.f_code, line) for frame, line in frames]
        lines = ["Traceback (most recent call last):\n", *traceback.format_list(places)]
        lines += traceback.format_exception_only(error)
    return "".join(lines)[-TRACEBACK_BYTES_MAX:]


def _place(code: CodeType, line: int) -> traceback.FrameSummary:
    linecache.checkcache(code.co_filename)
    text = linecache.getline(code.co_filename, line)
    return traceback.FrameSummary(code.co_filename, line, code.co_name, line=text)
