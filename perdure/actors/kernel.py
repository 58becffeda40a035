"""The kernel: one thread that owns a run, and everything that happens in it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perdure.actors.barrier import Barrier
from perdure.actors.book import Book
from perdure.actors.cell import Cell
from perdure.actors.closing import Closing
from perdure.actors.codes import Codes
from perdure.actors.crashing import Crashing
from perdure.actors.dispatch import Dispatch
from perdure.actors.door import Door
from perdure.actors.doorkeeper import Doorkeeper
from perdure.actors.ending import Ending
from perdure.actors.events import Observer
from perdure.actors.futures import Future, forbid_blocking
from perdure.actors.host import Host
from perdure.actors.interruptions import Interruptions
from perdure.actors.leftovers import Leftovers
from perdure.actors.lifecycle import Lifecycle
from perdure.actors.lives import Lives
from perdure.actors.machine import Machine
from perdure.actors.news import News
from perdure.actors.outside import Outside
from perdure.actors.pool import Pool
from perdure.actors.pressure import Pressure
from perdure.actors.releases import Releases
from perdure.actors.scheduler import Scheduler
from perdure.actors.signals import Signals
from perdure.actors.spawning import Spawning
from perdure.actors.steps import Steps
from perdure.actors.supervising import Supervising
from perdure.actors.timers import Timers
from perdure.actors.turns import Turns
from perdure.actors.waits import Waits
from perdure.actors.watchdog import Watchdog
from perdure.actors.watching import Watching
from perdure.actors.wedged import Wedged
from perdure.errors import TurnClosed
from perdure.ledger.keys import STATUS_KEY
from perdure.ledger.records import Kind
from perdure.ledger.rows import StatusRow, pack_row
from perdure.limits import ACTORS_LOADED_MAX
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from pathlib import Path


class Kernel:
    """Owns a run: its thread runs an asyncio loop, and no other thread touches the run's state.

    Made by `perdure.Run`; `start` begins the thread, `on_kernel` posts to it, `ended` is set when
    the run is over and everything that is to be durable is.
    """

    def __init__(
        self,
        book: Book,
        *,
        seed: int,
        concurrency: int,
        directory: Path | None,
        observer: Observer,
        machine: Machine,
    ) -> None:
        self.book, self.seed, self.machine, self.loop = book, seed, machine, machine.loop()
        self._make_parts(concurrency, directory, observer)
        self.budget_waiters: list[Callable[[], None]] = []
        self.ended = machine.flag()
        self.quiet: Callable[[bool], None] = lambda waiting: None
        self.needs_repair = self.needs_release = False  # all that is left is for a person to do
        self.is_due_soon = False  # it only waits to try something again: work, a moment away
        self.on_rest: Callable[[], None] = lambda: None
        self._begin: Callable[[], None] = lambda: None
        self._tasks: dict[asyncio.Task[Any], None] = {}  # in order of their beginning
        self._asked: dict[Future[Any], None] = {}
        self._left: asyncio.Future[None] = self.loop.create_future()
        self.thread_id = 0
        self._watchdog, self._doorkeeper = Watchdog(self, directory), Doorkeeper(self, directory)
        self._thread = machine.thread(self._main, "perdure-kernel")
        self._listen()

    def _make_parts(self, concurrency: int, directory: Path | None, observer: Observer) -> None:
        """Each part does one thing; they reach each other through here."""
        self.interruptions = Interruptions(self, directory)
        self.dispatch = Dispatch(self, concurrency)
        self.turns = Turns(self)
        self.closing, self.crashing = Closing(self), Crashing(self)
        self.steps, self.waits = Steps(self), Waits(self)
        self.asks, self.sleeping = self.waits.asks, self.waits.sleeping
        self.lifecycle = Lifecycle(self)
        self.lives = Lives(self)
        self.signals, self.watching = Signals(self), Watching(self)
        self.supervising = Supervising(self)
        self.spawning = Spawning(self)
        self.codes = Codes(self)
        self.pressure = Pressure(self)
        self.outside = Outside(self)
        self.door = Door(self)
        self.pool = Pool(self)
        self.timers = Timers(self)
        self.wedged = Wedged(self)
        self.barrier = Barrier(self)
        self.releases = Releases(self, directory)
        self.news = News(self, observer)
        self.ending = Ending(self)

    def _listen(self) -> None:
        """Hear from the book what its records lead to."""
        book = self.book
        book.on_ready = self.dispatch.consider
        book.on_answer = self.waits.answered
        book.on_timer = self.waits.delayed.set
        book.on_steps_gone = self.waits.gone
        book.on_kernel_message = self.outside.to_kernel
        book.on_pressure = self.pressure.sent
        book.on_damage = self.ending.damaged

    # --- the thread

    def start(self, begin: Callable[[], None]) -> None:
        """Start the thread; `begin` runs on it first."""
        self._begin = begin
        self._thread.start()
        self._watchdog.start()
        self._doorkeeper.start()

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.thread_id = threading.get_ident()
        forbid_blocking()
        self.machine.begin()
        leftovers = Leftovers(self)
        self.loop.set_exception_handler(leftovers.on_loop_error)
        self.loop.set_task_factory(leftovers.make_task)  # type: ignore[arg-type]
        try:
            self.barrier.start()
            self._begin()  # before anything that other threads have handed in
            self.loop.run_until_complete(self._live())
        except BaseException as error:  # noqa: BLE001 - whoever waits for the run gets it
            self.ending.error = self.ending.error or error
        finally:
            self.outside.is_up.set()
            self._doorkeeper.close()
            self.barrier.close()
            self.pool.close()
            self.interruptions.flights.close()
            self.book.store.close()
            self.loop.close()
            self.machine.end()
            self.ended.set()
            self.outside.abandon()
            for answer in list(self._asked):
                if not answer.is_done:
                    answer.set_exception(TurnClosed("the run is over: its actors answer no more."))

    async def _live(self) -> None:
        host = Host.on(self.loop)
        self.scheduler = Scheduler.start_on(host, self)
        try:
            self.loop.on_idle, self.loop.on_busy = self.rest, self.barrier.seal_if_due
            self.dispatch.kick()
            await self._left
        finally:
            await host.aclose()
        left = [*self._tasks, *self.steps.tasks]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1.0)

    def leave(self) -> None:
        """End the thread."""
        self.on_rest()
        if not self._left.done():
            self._left.set_result(None)

    def on_kernel(self, function: Callable[..., Any], *args: Any) -> bool:
        """Run `function(*args)` on the kernel thread soon, from any thread; False after its end."""
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the loop is closed: the run is over
            return False
        return True

    def ask_kernel(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run `function(*args)` on the kernel thread and give back what it returns."""
        answer: Future[Any] = Future()

        def run() -> None:
            try:
                answer.set(function(*args))
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked
                answer.set_exception(error)

        if self.on_kernel(run):
            self._asked[answer] = None
            answer.add_done_callback(lambda _: self._asked.pop(answer, None))
        if self.ended.is_set() and not answer.is_done:
            answer.set_exception(TurnClosed("the run is over: its actors answer no more."))
        return answer.get()

    def keep_task(self, task: asyncio.Task[Any]) -> None:
        """Hold a task until it is done; a failure of it is the kernel's own."""
        self._tasks[task] = None
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.ending.fail(error)

    # --- rhythm

    def breathe(self) -> None:
        """Between turns under load: keep the disk busy and memory bounded."""
        self.barrier.seal_if_due()
        self._shed()

    def rest(self) -> None:
        """The loop has nothing to run: records go to the disk, and perhaps the run is over."""
        self.on_rest()
        self.barrier.rest()
        if not self.loop.has_ready:
            self.look_quiet()

    def settled(self) -> None:
        """A group became durable."""
        self._shed()
        self.dispatch.kick()

    def look_quiet(self) -> None:
        """If nothing can go on by itself: leap to the next timer, or tell whoever waits for it."""
        dispatch = self.dispatch
        if self.ending.has_begun or dispatch.active or dispatch.ready or dispatch.resumes:
            return
        is_busy = self.releases.is_busy or self.steps.working or self.door.is_busy
        if dispatch.held or not self.barrier.is_clean or is_busy:
            return
        due = self.timers.next_ns
        if due is not None and self.book.clock.clock.jumps:
            self.book.clock.jump_to(due)
            self.timers.fire()
            return
        cells = self.book.parked = {c: None for c in self.book.parked if c.stalled or c.suspended}
        is_stalled = any(cell.stalled for cell in cells)
        is_suspended = any(c.is_suspended and (c.inbox or c.control) for c in cells)
        stuck = due is None and not dispatch.running  # turns that were dropped wait for others
        self.needs_repair, self.needs_release = stuck and is_stalled, stuck and is_suspended
        self.is_due_soon = bool(dispatch.soon) or self.steps.is_pausing
        waits = due is not None or dispatch.running or self.waits.suspension.asleep
        self.quiet(bool(waits or is_stalled or is_suspended))

    def _shed(self) -> None:
        """Unload idle actors beyond the bound, those untouched longest first."""
        cells = self.book.cells
        if len(cells) <= ACTORS_LOADED_MAX:
            return
        durable = self.book.durable
        idle = [c for c in cells.values() if c.seq <= durable and c.idle]
        idle.sort(key=lambda cell: cell.touched)
        self.book.unload(idle[: len(cells) - ACTORS_LOADED_MAX // 2])

    # --- small things that several parts need

    def budget_freed(self) -> None:
        """A reservation was settled: let those who wait for room try again."""
        waiters, self.budget_waiters = self.budget_waiters, []
        for waiter in waiters:
            waiter()

    def stall(self, cell: Cell, env: Envelope | None, reason: str) -> None:
        """Park an actor until a person repairs what stops it; its inbox stays as it is."""
        message = None if env is None else (env.seq, env.index)
        fields = (self.book.now_ns(), (), cell.id, cell.incarnation, message, reason)
        self.book.append(Kind.STALL, fields)
        cell.stalled = reason
        self.book.parked[cell] = None
        cell.actor = None
        if cell.renews:
            self.codes.renew(cell)
        cell.row_dirty = True
        self.book.touch(cell)
        self.news.stalled(cell)

    def finished(self, result: bytes) -> None:
        """A closed turn called `finish`: nothing more is dispatched, what is in flight ends."""
        self.book.open.puts[STATUS_KEY] = pack_row(StatusRow("finishing", "", result))
        self.ending.begin("finished", "", result)
