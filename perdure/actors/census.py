"""Who is at work now: the turns in flight of a run, and where in the user's code each is."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from perdure.limits import CENSUS_TURNS_MAX

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.actors.turn import Turn

FORMAT = 1
HOLDS = "holding the kernel"
LOOKS = 3  # from another thread than the kernel's, which may change what is looked at
_OURS = str(Path(__file__).parents[1]) + os.sep
_LIBRARIES = tuple(
    sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_HANDLERS = {"receive": "on_receive", "start": "on_start", "stop": "on_stop"}


def census(kernel: Kernel, *, is_stuck: bool) -> dict[str, Any]:
    """The turns in flight as plain JSON; on the kernel thread, or on another one if it is stuck."""
    frames = sys._current_frames()
    turns = _in_flight(kernel)
    now_ns = kernel.book.now_ns()
    kept = sorted(turns, key=lambda turn: turn.time_ns)[:CENSUS_TURNS_MAX]
    return {
        "format": FORMAT,
        "pid": os.getpid(),
        "seq": kernel.book.seq,
        "limit": kernel.dispatch.limit,
        "ready": len(kernel.dispatch.ready),
        "stuck": is_stuck,
        "in_flight": len(turns),
        "turns": [_turn(kernel, turn, frames, now_ns, is_stuck) for turn in kept],
    }


def _in_flight(kernel: Kernel) -> list[Turn]:
    for _ in range(LOOKS):
        try:
            return list(kernel.dispatch.running)
        except RuntimeError:  # the set changed under us
            continue
    return []


def _turn(
    kernel: Kernel, turn: Turn, frames: dict[int, FrameType], now_ns: int, is_stuck: bool
) -> dict[str, Any]:
    """One turn: whose it is, what it handles, for how long, and where it is."""
    env = turn.envelope
    word, found = _place(kernel, turn, frames, is_stuck)
    users = [frame for frame in found if is_users(frame.f_code.co_filename)]
    return {
        "id": turn.cell.id,
        "address": turn.cell.address,
        "message": f"{env.seq}.{env.index}",
        "type": env.type,
        "attempt": turn.attempt,
        "seconds": round((now_ns - turn.time_ns) / 1e9, 3),
        "does": word,
        "handler": users[0].f_code.co_name if users else _HANDLERS.get(turn.kind, turn.kind),
        "file": users[-1].f_code.co_filename if users else None,
        "line": users[-1].f_lineno if users else None,
    }


def _place(
    kernel: Kernel, turn: Turn, frames: dict[int, FrameType], is_stuck: bool
) -> tuple[str, list[FrameType]]:
    """What a turn does: queued, waiting, running, holding the kernel; its frames, outermost first.

    A handler that waits is where its coroutine is, any other where its thread is.
    """
    thread = kernel.pool.thread_of(turn)
    if thread == 0:
        return "queued", []
    word = "waiting" if turn.waits else "running"
    if thread is not None:
        return word, _of_thread(frames.get(thread))
    if is_stuck and not _is_suspended(turn):
        return HOLDS, _of_thread(frames.get(kernel.thread_id))
    return word, list(_of_task(turn))


def _is_suspended(turn: Turn) -> bool:
    """Whether the coroutine of a turn is at an await; the one that holds the kernel is not."""
    if turn.task is None:
        return False
    return not any(getattr(each, "cr_running", False) for each in _coroutines(turn))


def _of_task(turn: Turn) -> Iterator[FrameType]:
    """The frames of the coroutines that a turn's task is in, the runner's first."""
    for each in _coroutines(turn):
        frame = getattr(each, "cr_frame", None) or getattr(each, "gi_frame", None)
        if frame is not None:
            yield frame


def _coroutines(turn: Turn) -> Iterator[Any]:
    """A task's coroutine, what it awaits, what that awaits, and so on."""
    found = None if turn.task is None else turn.task.get_coro()
    while hasattr(found, "cr_frame") or hasattr(found, "gi_frame"):
        yield found
        found = getattr(found, "cr_await", None) or getattr(found, "gi_yieldfrom", None)


def _of_thread(frame: FrameType | None) -> list[FrameType]:
    """The frames of a thread, the outermost first."""
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found[::-1]


@lru_cache(1_024)
def is_users(path: str) -> bool:
    """Whether a file is a user's: not of perdure, not of Python, not of an installed package.

    >>> is_users("/home/ada/survey/actors.py"), is_users(os.__file__), is_users(__file__)
    (True, False, False)
    """
    return not path.startswith((_OURS, *_LIBRARIES, "<frozen"))
