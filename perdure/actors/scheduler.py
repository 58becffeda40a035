"""The Scheduler actor: the face of dispatch, for whoever asks what runs next and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pykka

from perdure.actors.hosted import HostedActor
from perdure.errors import UsageError

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class ReadyUnit(NamedTuple):
    """A message that may run now: its actor, its id and type, its index; greatest index first."""

    address: str
    message_id: str
    type: str
    index: float  # type: ignore[assignment]  # hides tuple.index, which nobody calls on it


class Scheduler(HostedActor):
    """An ordinary Pykka actor on the kernel's own loop: what it says is true when it says it.

    Picking a turn is a function call inside the kernel, not a message to this actor.
    """

    _in_registry = False

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self._kernel = kernel

    def ready(self) -> list[ReadyUnit]:
        """What may run now, in the order in which it would."""
        units = []
        for cell in self._kernel.dispatch.ready:
            head = next(iter(cell.control or cell.inbox or ()), None)
            if head is not None:
                index = self._kernel.dispatch.ready.index(cell)
                units.append(ReadyUnit(cell.address, str(head.id), head.type, index))
        return units

    def running(self) -> list[str]:
        """The addresses of actors with a turn in flight, those that only wait included."""
        return sorted(turn.cell.address for turn in self._kernel.dispatch.running)

    def policy(self) -> str:
        """The name of the index policy."""
        return "cmu"

    def limit(self) -> int:
        """L: how many turns may be in flight at once."""
        return self._kernel.dispatch.limit

    def set_limit(self, turns: int) -> int:
        """Change L from now on; returns the one before. Raises `UsageError` below 1."""
        if turns < 1:
            raise UsageError(f"the concurrency limit is at least 1, not {turns}.")
        before, self._kernel.dispatch.limit = self._kernel.dispatch.limit, turns
        self._kernel.dispatch.kick()
        return before

    def statistics(self) -> dict[str, Any]:
        """Counts of this process: turns, crashes, restarts, tokens, units that are ready."""
        return figures(self._kernel)


SchedulerRef = pykka.ActorRef[Scheduler]


def figures(kernel: Kernel) -> dict[str, int | None]:
    """Counts for a progress display, since this process took the run."""
    budget = kernel.book.budget
    return {
        "turns": kernel.closing.closed,
        "crashed": kernel.crashing.crashed,
        "restarts": kernel.lives.restarts,
        "dead": kernel.book.dead_letters,
        "tokens_spent": budget.spent,
        "tokens_limit": budget.limit,
        "waiting": len(kernel.dispatch.ready),
    }
