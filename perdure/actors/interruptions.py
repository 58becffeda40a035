"""Messages that were running when their process died: noted, counted, and at last given up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Cell
from perdure.actors.verdicts import Verdicts
from perdure.ledger.flights import FLIGHT, Flight
from perdure.ledger.keys import INTERRUPTED_KEY, inbox_key
from perdure.ledger.records import Lane, Life
from perdure.ledger.rows import InterruptedRow, pack_row, unpack_row
from perdure.limits import CAUTION_RECORDS, INTERRUPTIONS_MAX

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Iterable
    from pathlib import Path

    from perdure.actors.kernel import Kernel
    from perdure.actors.turn import Turn
    from perdure.mailbox.envelope import Envelope

USER = int(Lane.USER)


class Interruptions:
    """Knows at how many deaths of its process in a row each message was running.

    A death counts for messages that are durable. One that was not will be sent again, by a turn
    that is handled again; so after a death, and before a message's last chance, turns run one at
    a time, each on what is durable: then the next death has one author, whose name is kept.
    """

    def __init__(self, kernel: Kernel, directory: Path | None) -> None:
        self.kernel = kernel
        self.flights = kernel.machine.flights(directory)
        self._here = self.flights.place()
        self.places: dict[Task[Any], int] = {}  # of runners, in the file of flights
        self.counts: dict[tuple[int, int], int] = {}
        self._until = 0  # the record up to which turns run one at a time
        self._suspects: list[Cell] = []
        self._limit = 0

    # --- at the start of a process

    def took(self) -> list[Flight] | None:
        """Take the file of flights; the messages that the record of this process is to name."""
        found, book = self.flights.take(), self.kernel.book
        if found is None:
            return None
        lost = [flight.seq for flight in found if flight.seq > book.durable]
        self._until = max(lost) + CAUTION_RECORDS if lost else 0
        return [
            each
            for each in found
            if book.store.get(inbox_key(each.actor, USER, *each[1:])) is not None
        ]

    def count(self, interrupted: Iterable[Flight] | None) -> None:
        """Count one more death for those; for all others, the row is broken."""
        raw = self.kernel.book.store.get(INTERRUPTED_KEY)
        if raw is not None:
            rows = unpack_row(InterruptedRow, raw).counts
            self.counts = {(seq, index): number for seq, index, number in rows}
        if interrupted is not None and (self.counts or interrupted):
            ids = [(flight.seq, flight.index) for flight in interrupted]
            self.counts = {id: self.counts.get(id, 0) + 1 for id in ids}
            self._write()
            self._until = max(self._until, self.kernel.book.seq)  # or the next death is the first

    def _write(self) -> None:
        group = self.kernel.book.open
        if self.counts:
            rows = tuple((*id, number) for id, number in self.counts.items())
            group.puts[INTERRUPTED_KEY] = pack_row(InterruptedRow(rows))
        else:
            group.delete(INTERRUPTED_KEY)

    def judge(self, cells: list[Cell]) -> None:
        """Give up the messages that were running too often; be careful about the next ones."""
        for cell in cells:
            number = self._of(cell)
            if number >= INTERRUPTIONS_MAX:
                Verdicts(self.kernel).kills_process(cell, number)
            elif number == INTERRUPTIONS_MAX - 1:
                self._suspects.append(cell)
        if self._suspects or self._until:
            dispatch: Any = self.kernel.dispatch
            self._limit, dispatch.limit = dispatch.limit, 1
            dispatch.take = self._take

    def _of(self, cell: Cell) -> int:
        if not cell.inbox:
            return 0
        return self.counts.get((cell.inbox[0].seq, cell.inbox[0].index), 0)

    # --- one at a time

    def _take(self) -> Cell | None:
        """`Dispatch.take`, while a death is to be expected."""
        kernel, dispatch = self.kernel, self.kernel.dispatch
        self._suspects = [cell for cell in self._suspects if self._is_suspect(cell)]
        if not self._suspects and kernel.book.durable >= self._until:
            del dispatch.take
            dispatch.limit = self._limit if dispatch.limit == 1 else dispatch.limit
        elif not kernel.barrier.is_clean:
            kernel.barrier.seal()
            return None  # `Kernel.settled` has it looked at again
        return type(dispatch).take(dispatch)

    def _is_suspect(self, cell: Cell) -> bool:
        """Whether an actor may run a message that has one chance left."""
        can_run = cell.life == Life.RUNNING and not cell.stalled and cell.asleep is None
        return can_run and self._of(cell) == INTERRUPTIONS_MAX - 1

    # --- while it lives

    def progress(self, env: Envelope) -> None:
        """A newly journaled result: the next death is the first of a row."""
        if self.counts and self.counts.pop((env.seq, env.index), 0):
            self._write()

    def seat(self, runner: Task[Any]) -> None:
        """Give a runner a place to note its turns in, for as long as it lives."""
        self.places[runner] = self.flights.place()
        runner.add_done_callback(lambda task: self.flights.leave(self.places.pop(task)))

    @contextmanager
    def noted(self, turn: Turn) -> Iterator[None]:
        """A turn whose handler is called on the kernel thread is in flight meanwhile."""
        env, place = turn.envelope, self._here
        FLIGHT.pack_into(self.flights.buffer, place, turn.cell.id, env.seq, env.index)
        try:
            yield
        finally:
            self.flights.clear(place)

    def waits(self, turn: Turn) -> None:
        """A turn does nothing but wait for an answer or for time: it kills nobody now."""
        place = self._place(turn)
        has_steps = turn.pending and turn in self.kernel.steps.working
        if place is not None and not has_steps:
            self.flights.clear(place)

    def goes_on(self, turn: Turn) -> None:
        """A turn runs again, or a step of it does."""
        place, env = self._place(turn), turn.envelope
        if place is not None and turn.open:
            FLIGHT.pack_into(self.flights.buffer, place, turn.cell.id, env.seq, env.index)

    def _place(self, turn: Turn) -> int | None:
        return self.places.get(turn.task) if turn.on_loop else self.kernel.pool.place(turn)
