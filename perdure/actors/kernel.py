"""The kernel: one thread that owns a run, and everything that happens in it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from perdure.actors.barrier import Barrier
from perdure.actors.book import Book
from perdure.actors.cell import Cell
from perdure.actors.dispatch import Dispatch
from perdure.actors.events import Event, Observer, shown
from perdure.actors.futures import Future, forbid_blocking
from perdure.actors.lifecycle import CrashPlan, Lifecycle, attempts_max
from perdure.actors.outside import Outside
from perdure.actors.pool import Pool
from perdure.actors.releases import Releases
from perdure.actors.spawning import Spawning
from perdure.actors.steps import Steps
from perdure.actors.timers import Timers
from perdure.actors.turn import Turn
from perdure.actors.turns import Turns
from perdure.ledger.keys import STATUS_KEY
from perdure.ledger.records import Dead, Kind
from perdure.ledger.rows import StatusRow, pack_row
from perdure.limits import ACTORS_LOADED_MAX, DRAIN_SECONDS_MAX, GROUP_RECORDS_MAX, INBOX_HARD_MAX
from perdure.mailbox.admission import holds_senders, releases_senders
from perdure.mailbox.dead import DeadLetter
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
    ) -> None:
        self.book = book
        self.seed = seed
        self.observer = observer
        self.inbox_hard_max = INBOX_HARD_MAX
        self.group_records_max = GROUP_RECORDS_MAX
        self.loop = asyncio.new_event_loop()
        self.dispatch = Dispatch(self, concurrency)
        self.turns = Turns(self)
        self.steps = Steps(self)
        self.lifecycle = Lifecycle(self)
        self.births = Spawning(self)
        self.outside = Outside(self)
        self.pool = Pool(self)
        self.timers = Timers(self)
        self.barrier = Barrier(self)
        self.releases = Releases(self, directory)
        self.budget_waiters: list[Callable[[], None]] = []
        self.status = StatusRow("running", "", None)
        self.error: BaseException | None = None
        self.ended = threading.Event()
        self.quiet: Callable[[bool], None] = lambda waiting: None
        self.on_rest: Callable[[], None] = lambda: None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stop: asyncio.Future[None] | None = None
        self._ending = False
        self._is_cut = False
        self._thread = threading.Thread(target=self._main, name="perdure-kernel", daemon=True)
        book.on_ready = self.dispatch.consider
        book.on_answer = self.steps.answered
        book.on_kernel_message = self.outside.to_kernel

    # --- the thread

    def start(self, begin: Callable[[], None]) -> None:
        """Start the thread; `begin` runs on it first."""
        self._begin = begin
        self._thread.start()

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        forbid_blocking()
        self.loop.set_exception_handler(self._on_loop_error)
        try:
            self.loop.run_until_complete(self._live())
        except BaseException as error:
            self.error = self.error or error
        finally:
            self.barrier.close()
            self.pool.close()
            self.book.store.close()
            self.loop.close()
            self.outside.abandon()
            self.ended.set()

    async def _live(self) -> None:
        self._stop = self.loop.create_future()
        self.barrier.start()
        self._begin()
        self.dispatch.kick()
        await self._stop
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None:
            self.fail(error)

    def on_kernel(self, function: Callable[..., Any], *args: Any) -> None:
        """Run `function(*args)` on the kernel thread soon. From any thread."""
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the loop is closed: the run is over
            return

    def ask_kernel(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run `function(*args)` on the kernel thread and give back what it returns."""
        answer: Future[Any] = Future()

        def run() -> None:
            try:
                answer.set(function(*args))
            except BaseException as error:
                answer.set_exception(error)

        self.on_kernel(run)
        return answer.get()

    def keep_task(self, task: asyncio.Task[Any]) -> None:
        """Hold a task until it is done; a failure of it is the kernel's own."""
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.fail(task.exception())  # type: ignore[arg-type]

    def begin_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside the runners."""
        self.keep_task(self.loop.create_task(coroutine))

    # --- rhythm

    @property
    def is_behind(self) -> bool:
        """Whether turns wait for the disk."""
        return self.barrier.is_behind

    def when_durable(self, seq: int, function: Callable[[], None]) -> None:
        self.barrier.when_durable(seq, function)

    def seal(self) -> None:
        self.barrier.seal()

    def breathe(self) -> None:
        """Between turns under load: keep the disk busy and memory bounded."""
        self.barrier.seal_if_due()
        self._shed()

    def rest(self) -> None:
        """A runner found nothing to do."""
        self.on_rest()
        self.barrier.seal_if_free()
        self._look_quiet()

    def settled(self) -> None:
        """A group became durable."""
        self._shed()
        self.dispatch.kick()
        if not self.dispatch.ready:
            self.barrier.seal_if_free()
        self._look_quiet()

    def _look_quiet(self) -> None:
        dispatch = self.dispatch
        if self._ending or dispatch.active or dispatch.ready or dispatch.resumes:
            return
        if dispatch.held or not self.barrier.is_clean or self.releases.is_busy:
            return
        due = self.timers.next_ns
        if due is not None and self.book.clock.clock.jumps:
            self.book.clock.jump_to(due)
            self.timers.fire()
            return
        waiting = due is not None or bool(dispatch.running) or bool(self.stalled())
        self.quiet(waiting)

    def stalled(self) -> list[Cell]:
        """Actors that wait for a repair."""
        return [cell for cell in self.book.cells.values() if cell.stalled]

    def _shed(self) -> None:
        """Unload idle actors beyond the bound, those untouched longest first."""
        cells = self.book.cells
        if len(cells) <= ACTORS_LOADED_MAX:
            return
        durable = self.book.durable
        idle = [c for c in cells.values() if c.seq <= durable and c.idle]
        idle.sort(key=lambda cell: cell.touched)
        self.book.unload(idle[: len(cells) - ACTORS_LOADED_MAX // 2])

    # --- budgets and back-pressure

    def budget_freed(self) -> None:
        """A reservation was settled: let those who wait for room try again."""
        waiters, self.budget_waiters = self.budget_waiters, []
        for waiter in waiters:
            waiter()

    def press_back(self, sender: Cell, target: Cell) -> None:
        """Hold a sender while the inbox it sends to is past its soft limit."""
        if target.holds is None:
            target.holds = set()
        if sender is not target and sender not in target.holds:
            target.holds.add(sender)
            sender.held += 1

    def drained(self, cell: Cell) -> None:
        """An inbox got shorter: release those who wait for it, if it is short enough."""
        if cell.holds and releases_senders(cell.waiting):
            for sender in cell.holds:
                sender.held -= 1
                self.dispatch.held.pop(sender, None)
                self.dispatch.consider(sender)
            cell.holds = None

    def is_over(self, target: Cell) -> bool:
        """Whether whoever sends there must wait."""
        return holds_senders(target.waiting)

    # --- dead letters

    def notices(self, out: list[Envelope]) -> list[Envelope]:
        """DeadLetter messages for sends of the next record that are dead from the start."""
        found: list[Envelope] = []
        for index, env in enumerate(out):
            if env.dead is not None:
                dead = Dead(self.book.seq + 1, index, env.dead[0], env.dead[1], 0)
                found += self.notice(f"{dead.seq}.{index}", dead, env.body)
        return found

    def notice(self, id: str, dead: Dead, body: bytes) -> list[Envelope]:
        """The message that tells the actor which wants dead letters of one."""
        to = self.book.dead_letters_to
        if to is None or dead.to == to:
            return []
        target = self.book.find(to)
        if not target:
            return []
        letter = DeadLetter(id, dead.to, self.book.codec.decode(body), dead.reason, dead.attempts)
        return [Envelope(target, self.book.codec.encode(letter), "DeadLetter")]

    def figures(self) -> dict[str, int | None]:
        """Counts for a progress display."""
        budget = self.book.budget
        return {
            "turns": self.turns.closed,
            "crashed": self.turns.crashed,
            "restarts": self.lifecycle.restarts,
            "dead": self.book.dead_letters,
            "tokens_spent": budget.spent,
            "tokens_limit": budget.limit,
            "waiting": len(self.dispatch.ready),
        }

    # --- news

    def announce(self, seq: int, event: Event) -> None:
        """Show an event to the observer once what it tells of is durable."""
        self.barrier.when_durable(seq, lambda: self.observer(event))

    def announce_crash(self, turn: Turn, reason: str, plan: CrashPlan) -> None:
        cell, env, seq = turn.cell, turn.envelope, self.book.seq
        kind = "start_failed" if turn.kind == "start" else "crashed"
        attempts = (turn.attempt, attempts_max(cell.spec))
        text = shown(self.book.codec.decode(env.body)) if turn.kind == "receive" else ""
        now, id = self.book.now_ns(), str(env.id)
        self.announce(seq, Event(kind, now, cell.address, text, id, reason, *attempts))
        if plan.dead:
            self.announce(seq, Event("dead", now, cell.address, text, id, reason, *attempts))

    def announce_restart(self, cell: Cell) -> None:
        event = Event("restarted", self.book.now_ns(), cell.address, count=cell.incarnation)
        self.announce(self.book.seq + 1, event)

    def stall(self, cell: Cell, reason: str) -> None:
        """Park an actor until a person repairs what stops it; its inbox stays as it is."""
        cell.stalled = reason
        cell.actor = None
        event = Event("stalled", self.book.now_ns(), cell.address, reason=reason)
        self.announce(self.book.seq, event)

    # --- the end

    def finished(self, result: bytes, seq: int) -> None:
        """A closed turn called `finish`: nothing more is dispatched, what is in flight ends."""
        if not self._ending:
            self.end("finished", "", result)

    def end(self, status: str, reason: str, result: bytes | None = None) -> None:
        """End the run with a status: stop dispatching, wait for turns in flight, record, leave."""
        if self._ending:
            return
        self._ending = True
        self.dispatch.is_stopping = True
        self.status = StatusRow(status, reason, result)
        self.loop.call_later(DRAIN_SECONDS_MAX, self._cut)
        self.turn_ended()

    def turn_ended(self) -> None:
        """A turn is over: when the run is ending and none is left, record its status and leave."""
        if self._ending and not any(not turn.waits for turn in self.dispatch.running):
            self.loop.call_soon(self._cut)

    def _cut(self) -> None:
        """Fence what still runs, record the status, and leave once that is durable."""
        if self._is_cut or self.error is not None:
            return
        self._is_cut = True
        for turn in list(self.dispatch.running):
            self.lifecycle.fence(turn)
        seq = self.book.append(Kind.STATUS, (self.book.now_ns(), (), *self.status))
        self.book.open.puts[STATUS_KEY] = pack_row(self.status)
        self.barrier.when_durable(seq, self._leave_if_released)
        self.barrier.seal()

    def _leave_if_released(self) -> None:
        if self.releases.is_busy or not self.barrier.is_clean:
            self.barrier.when_durable(self.book.seq, lambda: self.loop.call_soon(self._leave_if_released))
        else:
            self._leave()

    def _leave(self) -> None:
        self.on_rest()
        if self._stop is not None and not self._stop.done():
            self._stop.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Stop at once: nothing more is released. Memory is not rolled back; resume goes on."""
        if self.error is None:
            self.error = error
            self.dispatch.is_stopping = True
            self._ending = True
            self._leave()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the thread is over."""
        return self.ended.wait(timeout)

