"""A step's function is called: what comes of it, and its bytes."""

from __future__ import annotations

import inspect
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from perdure.actors.coroutines import from_thread
from perdure.actors.failures import ENDS, stopped
from perdure.actors.futures import Future
from perdure.actors.particulars import recorded
from perdure.caps.tool import KEY_PARAMETER
from perdure.errors import PerdureError, UsageError

if TYPE_CHECKING:
    from perdure.actors.work import StepWork


class Ended(NamedTuple):
    """What a step ended with, its bytes, and how long it took in ns."""

    outcome: Future[Any]
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
        return _ended(work, Future.done(result), start)
    except BaseException as error:  # noqa: BLE001 - whatever a step raises is its outcome
        return _ended(work, Future.failed(error), start)


async def awaited(work: StepWork) -> Ended:
    """What a function that is a coroutine ends with."""
    start = work.steps.kernel.machine.elapsed_ns()
    try:
        outcome = Future.done(await work.asked.tool.function(*work.asked.args, **_given(work)))
    except ENDS as error:
        outcome = Future.failed(error)
    return _ended(work, outcome, start)


def _given(work: StepWork) -> dict[str, Any]:
    if not work.asked.tool.takes_key:
        return work.asked.kwargs
    return work.asked.kwargs | {KEY_PARAMETER: work.steps.idempotency_key(work)}


def _ended(work: StepWork, outcome: Future[Any], start: int) -> Ended:
    kernel = work.steps.kernel
    codec, took = kernel.book.codec, kernel.machine.elapsed_ns() - start
    if (error := outcome.exception()) is None:
        try:
            value = codec.encode(outcome.get(), f"the result of {work.asked.tool.name}")
            return Ended(outcome, value, took)
        except PerdureError as refused:
            outcome, error = Future.failed(refused), refused
    if not isinstance(error, Exception):  # a tool that exits, say: it ends nothing but itself
        outcome = Future.failed(stopped(type(error).__name__, str(error)))
    return Ended(outcome, recorded(error, codec), took)
