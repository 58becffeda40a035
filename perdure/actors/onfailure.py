"""A crash as its actor and its record have it: `on_failure`, and the end of the traceback."""

from __future__ import annotations

import contextlib
import inspect
import linecache
import traceback
from collections.abc import Awaitable
from functools import lru_cache
from types import CodeType
from typing import TYPE_CHECKING, Any

from perdure.actors.turn import Turn
from perdure.limits import TRACEBACK_BYTES_MAX
from perdure.mailbox.control import crash as reason_of

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

Place = tuple[CodeType, str, int]
"""(code, its file, the line): equal code may be in two files."""
FRAMES_APART = 3
"""So few frames are each shown; more of them in one place are shown as one."""
PLACES_KEPT = 256


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
        places = [(frame.f_code, frame.f_code.co_filename, line) for frame, line in frames]
        lines = ["Traceback (most recent call last):\n", *_listed(places)]
        lines += traceback.format_exception_only(error)
    return "".join(lines)[-TRACEBACK_BYTES_MAX:]


def _listed(places: list[Place]) -> list[str]:
    """Those places as a traceback shows them; many may be of one function that calls itself."""
    if len(places) <= FRAMES_APART:
        return [_line(*place) for place in places]
    return traceback.format_list([_summary(*place) for place in places])


@lru_cache(maxsize=PLACES_KEPT)
def _line(code: CodeType, file: str, number: int) -> str:
    """One place as a traceback shows it: actors crash where others did."""
    return "".join(traceback.format_list([_summary(code, file, number)]))


def _summary(code: CodeType, file: str, number: int) -> traceback.FrameSummary:
    linecache.checkcache(file)
    return traceback.FrameSummary(file, number, code.co_name, line=linecache.getline(file, number))
