"""One step on its way: admitted, intended, durable where it must be, done, journaled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perdure.actors.calls import Asked
from perdure.actors.failures import is_retried
from perdure.actors.futures import Future
from perdure.actors.missed import missed
from perdure.actors.noticing import Noticing
from perdure.actors.stepfuture import StepFuture, WaitingStep
from perdure.actors.tried import Ended, awaited, tried
from perdure.actors.turn import Turn, closed
from perdure.actors.waiting import Waiting
from perdure.caps.tool import is_coroutine
from perdure.errors import PerdureError, StepCancelled, TurnClosed

if TYPE_CHECKING:
    from perdure.actors.cell import Step
    from perdure.actors.steps import Steps


SETTLED: Future[Any] = Future.done(None)
"""What a work has in place of a future that has its outcome: no two objects keep each other, and
all that a step was goes with its turn, without a search for garbage."""


class StepWork:
    """A step of one turn, from its price to its record.

    In an `async def` handler it runs beside the handler (a blocking function in a pool thread).
    In a `def` handler it runs at once, in the handler's own thread.

    An effect that is under way when its turn is fenced or cancelled goes on: nobody can take it
    back. The next attempt that asks for it is its `heir`, and has its outcome.
    """

    __slots__ = (
        "asked", "ended", "future", "has_begun", "heir", "is_over", "open_intent", "retries_left",
        "since", "steps", "task", "tokens", "turn",
    )  # fmt: skip

    def __init__(self, steps: Steps, turn: Turn, asked: Asked, open_intent: Step | None) -> None:
        tool = asked.tool
        self.steps = steps
        self.turn = turn
        self.asked = asked
        self.open_intent = open_intent  # of an earlier attempt, to be used
        self.tokens = tool.price(asked.args, asked.kwargs) if open_intent is None else 0
        self.retries_left = tool.retries
        self.since = steps.kernel.book.seq  # how far the journal is as it begins
        self.has_begun = False  # it may have happened from here on
        self.is_over = False  # its outcome is journaled
        self.ended: Ended | None = None  # of one that came too late for its own turn
        self.heir: StepWork | None = None
        self.task: asyncio.Task[None] | None = None  # of a tool that is a coroutine
        waits = tool.effect != "read" or tool.retries
        self.future: Future[Any]  # until it is settled: a future of steps knows its work
        if turn.on_loop:
            watched = WaitingStep(steps.kernel.dispatch, turn) if waits else StepFuture()
            self.future, watched.work = watched, self
        else:
            self.future = Future()

    @property
    def needs_admission(self) -> bool:
        """Whether something must be recorded or durable before it begins."""
        return self.asked.tool.effect != "read" or self.tokens > 0

    def start(self) -> Future[Any]:
        """Begin; the future is done when the outcome is journaled."""
        future = self.future
        if self.turn.on_loop:
            self._admit(self._run_beside, self._refused)
            if not future.is_done:
                self._is_pending(future)
        else:
            if self.needs_admission:
                self._admit_from_thread(0.0)
            self._run_here(future)
        return future

    def inherit(self, work: StepWork) -> Future[Any]:
        """Have the outcome of an effect that an earlier attempt began, and that is under way."""
        future = self.future
        if self.turn.on_loop:
            work.bequeath(self)
            self._is_pending(future)
            return future
        self.future = future = WaitingStep(self.steps.kernel.dispatch, self.turn)
        self.steps.kernel.on_kernel(work.bequeath, self)
        with contextlib.suppress(Exception):  # it is the handler's, when it asks for the value
            future.get()
        return future

    def bequeath(self, heir: StepWork) -> None:
        """Have a later attempt get the outcome; kernel thread."""
        heir.has_begun = True
        self.heir = heir
        self.steps.began(heir)
        if self.ended is not None:
            self.steps.kernel.loop.call_soon(heir.conclude, self.ended)

    def _is_pending(self, future: Future[Any]) -> None:
        """The turn is not over before this is."""
        if self.turn.pending is None:
            self.turn.pending = []
        self.turn.pending.append(future)

    # --- before it starts

    def _admit(self, go: Callable[[], None], refuse: Callable[[PerdureError], None]) -> None:
        """Go when the budget has room and, for an effect, when the intent is durable (G3, G8).

        Refused now, it raises; refused after it waited for room, it calls `refuse`.
        """
        kernel, intent = self.steps.kernel, self.open_intent
        if not self.needs_admission:
            go()
            return
        if intent is not None:  # an earlier attempt may have been fenced before it was durable
            kernel.barrier.when_durable(intent.seq, go)
            return
        budget = kernel.book.budget
        if not budget.admits(self.tokens) and budget.could_admit(self.tokens):
            kernel.budget_waiters.append(lambda: self._admit_later(go, refuse))
            return
        seq = self.steps.intend(self)
        if self.asked.tool.effect == "read":
            go()
        else:
            kernel.barrier.when_durable(seq, go)

    def _admit_later(self, go: Callable[[], None], refuse: Callable[[PerdureError], None]) -> None:
        try:
            if self.turn.open and not self.is_over:
                self._admit(go, refuse)
            else:
                go()  # which notices
        except PerdureError as error:
            refuse(error)

    def _admit_from_thread(self, pause_seconds: float) -> None:
        """`_admit`, for a thread that waits for it; after a pause."""
        kernel = self.steps.kernel
        admitted: Waiting[None] = Waiting(kernel.dispatch, self.turn)

        def go() -> None:
            if self.turn.open:
                self.has_begun = True  # before the thread goes on: it may be fenced meanwhile
                admitted.resume(Future.done(None))
            else:
                refuse(TurnClosed(closed(self.turn)))

        def refuse(error: PerdureError) -> None:
            admitted.resume(Future.failed(error))

        def later() -> None:
            if pause_seconds:
                self.steps.pause(self, pause_seconds, lambda: self._admit_later(go, refuse))
            else:
                self._admit_later(go, refuse)

        kernel.on_kernel(later)
        admitted.get()

    def _refused(self, error: PerdureError) -> None:
        self.is_over = True
        self._settle(error)

    # --- doing it

    def _run_here(self, future: Future[Any]) -> None:
        kernel, tool = self.steps.kernel, self.asked.tool
        while True:
            self.has_begun = True
            ended = tried(self)
            if ended.error is None:
                kernel.on_kernel(self.conclude, ended)
                future.set(self.turn.cell.edition.codec.decode(ended.value))
                return
            # what comes after a failure is recorded after it: that is what makes it final
            if not kernel.ask_kernel(self.conclude, ended):
                future.set_exception(ended.error)
                return
            self._admit_from_thread(tool.pause_seconds(tool.retries - self.retries_left))

    def _run_beside(self) -> None:
        kernel, function = self.steps.kernel, self.asked.tool.function
        if not self.turn.open or self.is_over:
            return
        self.has_begun = True
        self.steps.began(self)
        if is_coroutine(function):
            # not of the loop's making: an effect under way is not cancelled with its turn
            self.task = asyncio.Task(self._await(), loop=kernel.loop)
        elif not self.asked.tool.is_instant:
            kernel.pool.call(lambda: kernel.on_kernel(self.conclude, tried(self)))
        elif self.turn.keys is not None and self.turn.keys.is_breath():
            kernel.loop.call_soon(lambda: self.conclude(tried(self)))
        else:
            self.conclude(tried(self))

    async def _await(self) -> None:
        try:
            self.conclude(await awaited(self))
        except Exception as error:  # noqa: BLE001 - not the tool's: those are outcomes
            self.steps.kernel.ending.fail(error)

    # --- after it; kernel thread

    def conclude(self, ended: Ended) -> bool:
        """Journal what it ended with and hand that on; True if it is tried again."""
        if self.heir is not None:
            self.ended = ended  # for the next heir, should this one be over by now
            self.steps.ended(self)
            return self.heir.conclude(ended)
        is_again = self._conclude(ended)
        self.steps.ended(self)
        return is_again

    def _conclude(self, ended: Ended) -> bool:
        self.ended = ended
        if self.is_over:
            self.steps.late(self)  # it was cancelled, and its handler has gone on
            return False
        error = ended.error
        again = error is not None and self.retries_left > 0 and is_retried(error)
        if not self.steps.conclude(self, error is None, ended.value, ended.took, again=again):
            return False
        if again:
            self._go_again()
            return True
        self.is_over = True
        if isinstance(self.future, StepFuture):
            decode = self.turn.cell.edition.codec.decode  # a copy, as a later attempt will get
            self._settle(error, decode(ended.value) if error is None else None)
        return False

    def _go_again(self) -> None:
        tool = self.asked.tool
        self.retries_left -= 1
        self.has_begun, self.open_intent, self.ended = False, None, None
        self.since = self.steps.kernel.book.seq
        self.tokens = tool.price(self.asked.args, self.asked.kwargs)
        if self.turn.on_loop:
            pause = tool.pause_seconds(tool.retries - self.retries_left)
            again = (self._run_beside, self._refused)
            self.steps.pause(self, pause, lambda: self._admit_later(*again))
            self.steps.kernel.dispatch.kick()  # if nothing else goes on, time may leap to it

    def cancel(self, future: Noticing[Any]) -> None:
        """Journal that nobody waits for it any more, as its outcome, unless it has one."""
        turn, key = self.turn, self.asked.key
        if not turn.open:
            return
        if self.is_over:
            recorded = (turn.envelope.steps or {}).get(key)
            if recorded is not None and recorded.work is self:
                missed(turn, key, future)
            return
        if turn.keys is not None and turn.keys.is_failing:
            return
        self.is_over = True
        self.steps.cancelled(self)
        self.steps.ended(self)
        self.future = SETTLED
        future.fail_with(StepCancelled("StepCancelled", key))
        if self.task is not None and self.asked.tool.effect == "read":
            self.task.cancel()

    def _settle(self, error: BaseException | None, value: Any = None) -> None:
        future, self.future = self.future, SETTLED
        if isinstance(future, Waiting):
            future.resume(Future.done(value) if error is None else Future.failed(error))
        elif error is None:
            future.set(value)
        else:
            future.set_exception(error)
