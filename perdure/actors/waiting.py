"""Futures that lend their turn's slot: a turn that waits for the kernel does not hold others up."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

from perdure.actors.futures import Future, Outcome

if TYPE_CHECKING:
    from perdure.actors.dispatch import Dispatch
    from perdure.actors.timers import Timer
    from perdure.actors.turn import Turn

T = TypeVar("T")


class Waiting(Future[T]):
    """A future of the kernel's: whoever really waits for it lends the turn's slot meanwhile."""

    def __init__(self, dispatch: Dispatch, turn: Turn) -> None:
        super().__init__()
        self._dispatch = dispatch
        self._turn = turn
        self.timer: Timer | None = None  # that ends the wait if nothing else does
        self._is_lent = False  # a thread waits for it

    def _suspend(self) -> Generator[Any, None, Outcome]:
        self._dispatch.lend(self._turn)
        try:
            return (yield from super()._suspend())
        finally:
            self._dispatch.wait_over(self._turn)

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
            self._dispatch.lend(self._turn)

    def _take_back(self) -> None:
        if self._is_lent:
            self._is_lent = False
            self._dispatch.wait_over(self._turn)

    def resume(self, outcome: Future[T]) -> None:
        """Settle like `outcome` (which is done) as soon as the turn has a slot again."""
        if self.timer is not None:
            self.timer.cancel()
        self._dispatch.give_back(self._turn, lambda: self._settle_like(outcome))

    def _settle_like(self, outcome: Future[T]) -> None:
        self._take_back()
        if self._outcome is None and outcome._outcome is not None:
            self._settle(outcome._outcome)
