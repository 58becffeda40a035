"""One step on its way: admitted, intended, durable where it must be, done, journaled."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from perdure.actors.futures import Future
from perdure.actors.turn import Turn, closed
from perdure.actors.waiting import Waiting
from perdure.caps.tool import Tool
from perdure.errors import PerdureError, StepFailed, TurnClosed

if TYPE_CHECKING:
    from perdure.actors.steps import Steps


class Stalled(BaseException):
    """A turn waits for a person's repair; unwinds the handler past `except Exception`."""


class StepWork:
    """A step of one turn, from its price to its record.

    In an `async def` handler it runs beside the handler (a blocking function in a pool thread).
    In a `def` handler it runs at once, in the handler's own thread.
    """

    __slots__ = (
        "args",
        "digest",
        "future",
        "is_new",
        "key",
        "kwargs",
        "steps",
        "tokens",
        "tool",
        "turn",
    )

    def __init__(
        self,
        steps: Steps,
        turn: Turn,
        tool: Tool,
        key: str,
        digest: bytes,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        is_new: bool,
    ) -> None:
        self.steps = steps
        self.turn = turn
        self.tool = tool
        self.key = key
        self.digest = digest
        self.args = args
        self.kwargs = kwargs
        self.is_new = is_new  # no intent of an earlier attempt
        self.tokens = tool.price(args, kwargs) if is_new else 0
        waits = is_new and tool.effect != "read"
        self.future: Future[Any] = (
            Waiting(steps.kernel.dispatch, turn) if waits and turn.on_loop else Future()
        )

    def start(self) -> Future[Any]:
        """Begin; the future is done when the outcome is journaled."""
        turn = self.turn
        if turn.on_loop:
            self._admit(self._run_beside, lambda error: self._settle(Future.failed(error)))
            if turn.pending is None:
                turn.pending = []
            turn.pending.append(self.future)
            return self.future
        if self.is_new and (self.tokens or self.tool.effect != "read"):
            self._admit_from_thread()
        self._run_here()
        return self.future

    # --- before it starts

    def _admit(self, go: Callable[[], None], refuse: Callable[[PerdureError], None]) -> None:
        """Go when the budget has room and, for an effect, when the intent is durable (G3, G8).

        Refused now, it raises; refused after it waited for room, it calls `refuse`.
        """
        kernel = self.steps.kernel
        if not self.is_new or not (self.tokens or self.tool.effect != "read"):
            go()
            return
        budget = kernel.book.budget
        if not budget.admits(self.tokens) and budget.could_admit(self.tokens):
            kernel.budget_waiters.append(lambda: self._admit_later(go, refuse))
            return
        seq = self.steps.intend(self)
        if self.tool.effect == "read":
            go()
        else:
            kernel.barrier.when_durable(seq, go)

    def _admit_later(self, go: Callable[[], None], refuse: Callable[[PerdureError], None]) -> None:
        try:
            if self.turn.open:
                self._admit(go, refuse)
            else:
                go()  # which notices
        except PerdureError as error:
            refuse(error)

    def _admit_from_thread(self) -> None:
        admitted: Waiting[None] = Waiting(self.steps.kernel.dispatch, self.turn)

        def go() -> None:
            if self.turn.open:
                admitted.resume(Future.done(None))
            else:
                refuse(TurnClosed(closed(self.turn)))

        def refuse(error: PerdureError) -> None:
            admitted.resume(Future.failed(error))

        self.steps.kernel.on_kernel(self._admit_later, go, refuse)
        admitted.get()

    # --- doing it

    def _run_here(self) -> None:
        kernel = self.steps.kernel
        outcome, value, took = self._try()
        kernel.on_kernel(self._conclude, outcome, value, took, False)
        self._settle(
            outcome if outcome.exception() else Future.done(kernel.book.codec.decode(value))
        )

    def _run_beside(self) -> None:
        kernel = self.steps.kernel
        if not self.turn.open:
            return
        if inspect.iscoroutinefunction(self.tool.function):
            # not of the loop's making: an effect under way is not cancelled with its turn
            kernel.keep_task(asyncio.Task(self._await(), loop=kernel.loop))
        else:
            kernel.pool.call(lambda: kernel.on_kernel(self._conclude, *self._try(), True))

    def _try(self) -> tuple[Future[Any], bytes, int]:
        """Run the function; its outcome, the bytes of that, and how long it took in ns."""
        start = perf_counter_ns()
        try:
            result = self.tool.function(*self.args, **self.kwargs)
            if inspect.iscoroutine(result):
                loop = self.steps.kernel.loop
                result = asyncio.run_coroutine_threadsafe(result, loop).result()
            return self._bytes(Future.done(result), start)
        except BaseException as error:  # noqa: BLE001 - whatever a step raises is its outcome
            return self._bytes(Future.failed(error), start)

    async def _await(self) -> None:
        start = perf_counter_ns()
        try:
            outcome = Future.done(await self.tool.function(*self.args, **self.kwargs))
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - its outcome
            outcome = Future.failed(error)
        self._conclude(*self._bytes(outcome, start), True)

    def _bytes(self, outcome: Future[Any], start: int) -> tuple[Future[Any], bytes, int]:
        codec, took = self.steps.kernel.book.codec, perf_counter_ns() - start
        error = outcome.exception()
        if error is None:
            try:
                return outcome, codec.encode(outcome.get(), f"the result of {self.tool.name}"), took
            except PerdureError as refused:
                outcome, error = Future.failed(refused), refused
        kind, text = type(error).__name__, str(error)
        if not isinstance(error, Exception):  # a tool that exits, say: it ends nothing but itself
            outcome = Future.failed(StepFailed(kind, text))
        return outcome, codec.encode((kind, text)), took

    # --- after it

    def _conclude(self, outcome: Future[Any], value: bytes, took: int, settle: bool) -> None:
        error = outcome.exception()
        if self.steps.conclude(self, error is None, value, took) and settle:
            # the handler gets a copy, as a later attempt will
            copy = outcome if error else Future.done(self.steps.kernel.book.codec.decode(value))
            self._settle(copy)

    def _settle(self, outcome: Future[Any]) -> None:
        if isinstance(self.future, Waiting):
            self.future.resume(outcome)
        elif outcome.exception() is not None:
            self.future.set_exception(outcome.exception())
        else:
            self.future.set(outcome.get())
