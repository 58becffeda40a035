"""What turns run on: tasks of the kernel's loop that take one turn after the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from perdure.actors import leftovers
from perdure.ledger.flights import FLIGHT

if TYPE_CHECKING:
    from perdure.actors.dispatch import Dispatch
    from perdure.actors.kernel import Kernel

TURNS_BETWEEN_BREATHS = 128  # turns in a row before other callbacks of the loop get a chance

note = FLIGHT.pack_into


class Runners:
    """A handler that never suspends costs a call; when one suspends, another runner goes on."""

    def __init__(self, kernel: Kernel, dispatch: Dispatch) -> None:
        self.kernel = kernel
        self.dispatch = dispatch
        self.is_called = False  # one is about to look for work
        self._parked: list[asyncio.Future[None]] = []
        self._breathing = False

    def kick(self) -> None:
        """Have a runner look for work as soon as the loop gets a chance, if there is any."""
        if not self.is_called and not self.dispatch.is_stopping and self.dispatch.has_work:
            self.is_called = True
            self.kernel.loop.call_soon(self._relay)

    def _relay(self) -> None:
        """Runs once the runner on stage suspends: let another one go on."""
        self.is_called = False
        if self._breathing or self.dispatch.is_stopping or not self.dispatch.has_work:
            return
        if self._parked:
            waker = self._parked.pop()
            if not waker.done():
                waker.set_result(None)
        else:
            runner = self.kernel.loop.create_task(self._run())
            self.kernel.interruptions.seat(runner)
            self.kernel.keep_task(runner)

    async def _run(self) -> None:
        kernel, dispatch, left = self.kernel, self.dispatch, TURNS_BETWEEN_BREATHS
        task = asyncio.current_task()
        begin, flights = kernel.turns.begin, kernel.interruptions.flights
        close_plain, close_odd = kernel.closing.plain.close, kernel.closing.close_odd
        place = kernel.interruptions.places[task]  # type: ignore[index]
        while not dispatch.is_stopping:
            cell = dispatch.take()
            if cell is None:
                flights.clear(place)
                if len(self._parked) >= dispatch.limit:
                    return
                waker = kernel.loop.create_future()
                self._parked.append(waker)
                await waker
                continue
            running = begin(cell)
            if running is not None:
                turn, handler = running
                turn.task, env = task, turn.envelope
                note(flights.buffer, place, cell.id, env.seq, env.index)
                if not self.is_called:
                    self.kick()
                try:
                    answer = await handler
                    if turn.keys is not None:
                        await kernel.turns.settle(turn)
                except BaseException as error:  # noqa: BLE001 - a crash, whatever it is
                    await kernel.turns.fail(turn, error)
                else:
                    if not close_plain(turn, answer):
                        close_odd(turn, answer)
                if turn.is_fenced and task.cancelling():  # type: ignore[union-attr]
                    await leftovers.take_cancellation(task)  # type: ignore[arg-type]
            left -= 1
            if not left:
                left = TURNS_BETWEEN_BREATHS
                await self._breathe()

    async def _breathe(self) -> None:
        """Let other callbacks of the loop get a chance."""
        self._breathing = True
        await asyncio.sleep(0)
        self._breathing = False
        self.kernel.breathe()
