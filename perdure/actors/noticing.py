"""A future that notices when the last who awaited it was cancelled before its outcome came."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, TypeVar

from perdure.actors.futures import Future, Outcome

T = TypeVar("T")


class Noticing(Future[T]):
    """What is awaited in a turn: a timeout, or a task group that gives up, cancels who awaits it.

    The outcome may be journaled by then, and even here, and yet not have come to anybody.
    """

    _awaiting = 0
    _is_met = False  # somebody who awaited it has its outcome

    def _suspend(self) -> Generator[Any, None, Outcome]:
        self._awaiting += 1
        self._rest()
        is_cancelled = False
        try:
            outcome = yield from super()._suspend()
            self._is_met = True
            return outcome
        except asyncio.CancelledError:
            is_cancelled = True
            raise
        finally:
            self._awaiting -= 1
            self._go_on()
            if is_cancelled and not self._awaiting and not self._is_met:
                self._given_up()

    def _rest(self) -> None:
        """A task begins to await it."""

    def _go_on(self) -> None:
        """A task awaits it no longer."""

    def _given_up(self) -> None:
        """Nobody awaits it any more."""
        raise NotImplementedError

    def fail_with(self, error: Exception) -> None:
        """Have it failed, whatever came of it: who awaited it was told by the cancellation."""
        vars(self).pop("_outcome", None)
        self.set_exception(error)
        self.exception()  # it is seen
