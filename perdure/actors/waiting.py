"""Futures that lend their turn's slot: a turn that waits for the kernel does not hold others up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from perdure.actors.futures import Future, Outcome
from perdure.actors.noticing import Noticing
from perdure.mailbox.envelope import ReplyTo

if TYPE_CHECKING:
    from perdure.actors.dispatch import Dispatch
    from perdure.actors.turn import Turn
    from perdure.actors.waits import Waits

T = TypeVar("T")


class Waiting(Noticing[T]):
    """A future of the kernel's: whoever really waits for it lends the turn's slot meanwhile."""

    _is_lent = False  # a thread waits for it

    def __init__(self, dispatch: Dispatch, turn: Turn) -> None:
        self._dispatch = dispatch
        self.turn = turn

    def _rest(self) -> None:
        self._dispatch.lend(self.turn)

    def _go_on(self) -> None:
        self._dispatch.wait_over(self.turn)

    def _wait(self, timeout: float | None) -> Outcome:
        self._dispatch.on_kernel(self._lend)
        try:
            return super()._wait(timeout)
        except BaseException:  # it waits no longer, and nothing has come
            self._dispatch.on_kernel(self._take_back)
            raise

    def _lend(self) -> None:
        """For a thread, on the kernel thread; the outcome may have been quicker."""
        if self._outcome is None:
            self._is_lent = True
            self._dispatch.lend(self.turn)

    def _take_back(self) -> None:
        if self._is_lent:
            self._is_lent = False
            self._dispatch.wait_over(self.turn)

    def resume(self, outcome: Future[T]) -> None:
        """Settle like `outcome` (which is done) as soon as the turn has a slot again."""
        self._dispatch.give_back(self, outcome)

    @property
    def is_wanted(self) -> bool:
        """Whether a task or a thread waits for it now."""
        return self._awaiting > 0 or self._is_lent

    def settle_like(self, outcome: Future[T]) -> None:
        """Settle like `outcome`, now: the turn has its slot, or needs none."""
        if self._is_lent:
            self._take_back()
        if self._outcome is None and outcome._outcome is not None:
            self._settle(outcome._outcome)


class Wait(Waiting[T]):
    """A future of a step that outlives the turn: with nothing else going on, it is suspended."""

    def __init__(self, waits: Waits, turn: Turn, reply: ReplyTo, to: int) -> None:
        super().__init__(waits.kernel.dispatch, turn)
        self._waits = waits
        self.reply = reply  # the step
        self.to = to  # whose answer it is; 0 for a sleep
        self._is_bounded = False  # its thread goes on by itself after some time

    @property
    def is_awaited(self) -> bool:
        """Whether a task or a thread waits for it now."""
        return bool(self._callbacks)

    def _rest(self) -> None:
        self._waits.suspension.blocked(self, asyncio.current_task())
        super()._rest()

    def _go_on(self) -> None:
        super()._go_on()
        self._waits.suspension.unblocked(self, asyncio.current_task())

    def _given_up(self) -> None:
        if not self.is_awaited:
            self._waits.cancel(self)

    def _wait(self, timeout: float | None) -> Outcome:
        self._is_bounded = timeout is not None
        return super()._wait(timeout)

    def _lend(self) -> None:
        super()._lend()
        if self._is_lent and not self._is_bounded:
            self._waits.suspension.blocked(self, None)

    def _take_back(self) -> None:
        self._waits.suspension.unblocked(self, None)
        super()._take_back()
