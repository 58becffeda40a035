"""When turns wait for the disk: a run's durability level, where it acts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.ledger.journal import Pack, pack_payload
from perdure.ledger.levels import GROUP, Durability
from perdure.ledger.records import Kind
from perdure.limits import GROUP_RECORDS_BEHIND

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

CLOSING = (Kind.TURN, Kind.CRASH)


class Pace:
    """Turns build on others that are not durable yet, until the disk is far behind.

    It is only worth asking whether they wait once the open group has so many `records`.
    """

    waits = False
    durability = GROUP  # of which level this is the pace

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.records = GROUP_RECORDS_BEHIND

    def is_behind(self) -> bool:
        """Whether no turn may begin now; what is waited for is on its way to the disk."""
        return self.kernel.barrier.sealed > 0


class TurnByTurn(Pace):
    """A turn begins once all that have closed before are durable.

    Records of turns in flight hold nobody up: else one that takes many steps would keep the others
    from beginning.
    """

    waits = True

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        self.records = self._closed = 0
        self._append = kernel.book.append
        kernel.book.append = self._watched  # type: ignore[method-assign]

    def _watched(self, kind: int, fields: tuple[Any, ...], pack: Pack = pack_payload) -> int:
        seq = self._append(kind, fields, pack)
        if kind in CLOSING:
            self._closed = seq
        return seq

    def is_behind(self) -> bool:
        if self.kernel.book.durable >= self._closed:
            return False
        self.kernel.barrier.seal()
        return True


def keep_level(kernel: Kernel, durability: Durability) -> None:
    """Have a run that has not begun keep to its durability level."""
    if durability.is_relaxed:
        kernel.book.store.relax()
    if durability.waits:
        kernel.dispatch.pace = TurnByTurn(kernel)
    kernel.dispatch.pace.durability = durability
