"""What `call` and `once` return: a future that notices when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from perdure.actors.futures import Future, Outcome
from perdure.actors.waiting import Waiting

if TYPE_CHECKING:
    from perdure.actors.work import StepWork


class StepFuture(Future[Any]):
    """Of a step that reads: its turn keeps the slot, since it works, as far as anyone knows.

    A timeout, or a task group that gives up, cancels who awaits it: with the last of them the step
    is cancelled, which is its outcome.
    """

    work: StepWork
    _awaiting = 0

    def _suspend(self) -> Generator[Any, None, Outcome]:
        self._awaiting += 1
        try:
            return (yield from super()._suspend())
        except asyncio.CancelledError:
            if self._awaiting == 1 and self._outcome is None:
                self.work.cancel()
            raise
        finally:
            self._awaiting -= 1


class WaitingStep(StepFuture, Waiting[Any]):
    """Of a step that waits for durability, or between tries: it lends its turn's slot meanwhile."""
