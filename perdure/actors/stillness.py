"""Whether anything goes on in a turn beside its waits: if not, it may be suspended.

It says no when it does not know: then the turn keeps its coroutine, and nothing else is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perdure.actors.turn import Turn
    from perdure.actors.waiting import Wait

Task = asyncio.Task[Any]


def is_still(turn: Turn, blocked: Mapping[Task | None, Wait[Any]]) -> bool:
    """Whether a turn can go on only when one of the waits that its tasks are in is settled."""
    steps = turn.envelope.steps or {}
    if any(steps[wait.reply[3]].phase == "done" for wait in blocked.values()):
        return False  # it goes on as soon as it has a slot
    if not turn.on_loop:
        return True  # a thread does one thing
    if any(not future.is_done for future in turn.pending or ()):
        return False  # a tool is at work
    tasks = {task for task in (turn.task, *(turn.tasks or ())) if not task.done()}
    if turn.kernel.loop.has_timers(tasks):
        return False  # a timeout of asyncio's would be lost
    return all(task in blocked or _waits_for_others(task, tasks) for task in tasks)


def _waits_for_others(task: Task, tasks: Set[Task]) -> bool:
    """Whether a task waits only for others of its turn: itself, a `gather` or a TaskGroup of them.

    asyncio does not tell whom a future is set by, so this looks behind it.
    """
    waited = getattr(task, "_fut_waiter", None)
    if waited is None or waited.done():
        return False
    if isinstance(waited, asyncio.Task):
        return waited in tasks
    gathered = getattr(waited, "_children", None)
    if gathered is not None:
        return all(child.done() or child in tasks for child in gathered)
    return any(_group_future(callback) is waited for each in tasks for callback in _callbacks(each))


def _callbacks(task: Task) -> list[Any]:
    return [callback for callback, _ in getattr(task, "_callbacks", None) or ()]


def _group_future(callback: Any) -> object:
    """What a TaskGroup, whose `_on_task_done` this is, waits on."""
    return getattr(getattr(callback, "__self__", None), "_on_completed_fut", None)
