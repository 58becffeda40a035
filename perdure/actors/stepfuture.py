"""What `call` and `once` return: a future that notices when nobody waits for it any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.actors.noticing import Noticing
from perdure.actors.waiting import Waiting

if TYPE_CHECKING:
    from perdure.actors.work import StepWork


class StepFuture(Noticing[Any]):
    """Of a step that reads: its turn keeps the slot, since it works, as far as anyone knows.

    A timeout, or a task group that gives up, cancels who awaits it: with the last of them the step
    is cancelled, which is its outcome.
    """

    work: StepWork

    def _given_up(self) -> None:
        self.work.cancel(self)


class WaitingStep(StepFuture, Waiting[Any]):
    """Of a step that waits for durability, or between tries: it lends its turn's slot meanwhile."""
