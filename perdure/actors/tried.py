"""A step's function is called: what comes of it, and its bytes."""

from __future__ import annotations

import inspect
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from perdure.actors.coroutines import from_thread
from perdure.actors.failures import ENDS, stopped
from perdure.actors.particulars import recorded
from perdure.caps.tool import KEY_PARAMETER
from perdure.errors import PerdureError, UsageError

if TYPE_CHECKING:
    from perdure.actors.work import StepWork


class Ended(NamedTuple):
    """What a step ended with: its failure, if it is one, its bytes, and how long it took in ns."""

    error: BaseException | None
    value: bytes
    took: int


def tried(work: StepWork) -> Ended:
    """What a call of the function ends with, in the thread that asks."""
    start = work.steps.kernel.machine.elapsed_ns()
    try:
        result = work.asked.tool.function(*work.asked.args, **_given(work))
        if inspect.iscoroutine(result):
            kernel = work.steps.kernel
            if threading.get_ident() == kernel.thread_id:
                result.close()
                raise UsageError(
                    f"{work.asked.tool.name} is @nonblocking and gives back a coroutine. "
                    "Make it an async def, without @nonblocking."
                )
            result = from_thread(kernel, result)
        return _ended(work, result, start)
    except BaseException as error:  # noqa: BLE001 - whatever a step raises is its outcome
        return _failed(work, error, start)


async def awaited(work: StepWork) -> Ended:
    """What a function that is a coroutine ends with."""
    start = work.steps.kernel.machine.elapsed_ns()
    try:
        result = await work.asked.tool.function(*work.asked.args, **_given(work))
    except ENDS as error:
        return _failed(work, error, start)
    return _ended(work, result, start)


def _given(work: StepWork) -> dict[str, Any]:
    if not work.asked.tool.takes_key:
        return work.asked.kwargs
    return work.asked.kwargs | {KEY_PARAMETER: work.steps.idempotency_key(work)}


def _ended(work: StepWork, result: Any, start: int) -> Ended:
    kernel = work.steps.kernel
    took = kernel.machine.elapsed_ns() - start
    try:
        value = kernel.book.codec.encode(result, f"the result of {work.asked.tool.name}")
    except PerdureError as refused:
        return _failed(work, refused, start)
    return Ended(None, value, took)


def _failed(work: StepWork, error: BaseException, start: int) -> Ended:
    kernel = work.steps.kernel
    took = kernel.machine.elapsed_ns() - start
    if not isinstance(error, Exception):  # a tool that exits, say: it ends nothing but itself
        error = stopped(type(error).__name__, str(error))
    return Ended(error, recorded(error, kernel.book.codec), took)
